from sqlalchemy import Column, ForeignKey, Index, Integer, String, Table, Text

from mooring.database.metadata import Identity, Microseconds, metadata

alerts = Table(
    "alerts",
    metadata,
    Column("id", Identity, primary_key=True),
    Column("condition", String(64), nullable=False),
    Column("subject", String(255), nullable=False, comment="what it is about; empty for the whole cluster"),
    Column("text", Text, nullable=False),
    Column("since", Microseconds, nullable=False),
    Column("last_seen_at", Microseconds, nullable=False),
    Column("notified_at", Microseconds, nullable=True, comment="when somebody was last told"),
    Column("resolved_at", Microseconds, nullable=True),
    Index("ix_alerts_resolved_at", "resolved_at"),
    sqlite_autoincrement=True,
)

alert_notices = Table(
    "alert_notices",
    metadata,
    Column("id", String(32), primary_key=True, comment="at random, the same at every try"),
    Column("alert_id", ForeignKey("alerts.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("channel", String(16), nullable=False),
    Column("event", String(16), nullable=False, comment="firing, reminder or resolved"),
    Column("text", Text, nullable=False),
    Column("at", Microseconds, nullable=False),
    Column("due_at", Microseconds, nullable=True, comment="when it is tried next; never: it is done or given up"),
    Column("attempts", Integer, nullable=False),
    Column("error", Text, nullable=False, comment="of the last try; empty where it came through"),
    Index("ix_alert_notices_due_at", "due_at"),
)
"""The row is the work: a notice that was not delivered is a row that is due."""
