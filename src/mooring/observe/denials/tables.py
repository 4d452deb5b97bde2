from sqlalchemy import JSON, BigInteger, Column, Index, Integer, String, Table, Text

from mooring.database.metadata import Microseconds, metadata, ordered

denials = Table(
    "denials",
    metadata,
    Column("id", ordered(32), primary_key=True, comment="begins with the time, so that it sorts by it"),
    Column("at", Microseconds, nullable=False),
    Column("last_at", Microseconds, nullable=False, comment="of the last one that this row counts"),
    Column("occurrences", BigInteger, nullable=False, comment="how many refusals this row stands for"),
    Column("request_id", String(64), nullable=False),
    Column("reason", String(32), nullable=False),
    Column("status", Integer, nullable=False),
    Column("method", String(16), nullable=False),
    Column("path", String(512), nullable=False, comment="without its query"),
    Column("subject", String(255), nullable=False, comment="name of the account; empty for nobody"),
    Column("project", String(255), nullable=False),
    Column("repository", String(255), nullable=False, comment="or what else was asked for"),
    Column("action", String(64), nullable=False),
    Column("client", String(64), nullable=False, comment="address that the request came from"),
    Column("user_agent", String(255), nullable=False),
    Column("replica", String(160), nullable=False),
    Column("sentence", Text, nullable=False),
    Column("facts", JSON, nullable=False, comment="what explains it: never a secret, never a token"),
    # Each ends with the id, by which pages are cut: one index answers a question and its order.
    Index("ix_denials_request_id", "request_id", "id"),
    Index("ix_denials_reason", "reason", "id"),
    Index("ix_denials_subject", "subject", "id"),
    Index("ix_denials_project", "project", "id"),
    Index("ix_denials_repository", "repository", "id"),
    Index("ix_denials_replica", "replica", "id"),
)
