from sqlalchemy import JSON, Boolean, Column, Integer, LargeBinary, String, Table, text

from mooring.database.metadata import Microseconds, metadata

cluster = Table(
    "cluster",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("cluster_id", String(36), nullable=False),
    Column("master_key_check", LargeBinary, nullable=False),
    Column("created_at", Microseconds, nullable=False),
    Column("store_marked_at", Microseconds, nullable=True, comment="when the store got its marker; never again"),
)

replicas = Table(
    "replicas",
    metadata,
    Column("name", String(160), primary_key=True),
    Column("version", String(40), nullable=False),
    Column("started_at", Microseconds, nullable=False),
    Column("seen_at", Microseconds, nullable=False, index=True),
    Column("ready", Boolean, nullable=False),
    Column("failed", JSON, nullable=False, server_default="{}", comment="failed checks, each with its reason"),
    Column("keys", JSON, nullable=False, server_default="[]", comment="kid of each key that it has loaded"),
    Column("configuration_version", Integer, nullable=False, server_default="0"),
    Column("clock_offset", Microseconds, nullable=False, server_default="0", comment="wall clock ahead of cluster"),
    Column("clock_error", Microseconds, nullable=False, server_default="0", comment="bound on that clock's error"),
    Column(
        "schema",
        String(32),
        nullable=False,
        server_default=text("''"),
        comment="newest revision that its program knows",
    ),
    Column(
        "server", String(32), nullable=False, server_default=text("''"), comment="the same in all processes of a start"
    ),
    Column("host", String(255), nullable=False, server_default=text("''")),
    Column("master_keys", JSON, nullable=False, server_default="[]", comment="fingerprints of those that it holds"),
    Column("role", String(16), nullable=False, server_default="server", comment="server or worker"),
    Column("address", String(255), nullable=False, server_default=text("''"), comment="past the load balancer"),
    Column("settings", JSON, nullable=False, server_default="{}", comment="in force there, by name"),
)

configuration = Table(
    "configuration",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("values_set", JSON, nullable=False, comment="all that is set, by the names of settings"),
    Column("changed_by", String(255), nullable=False),
    Column("changed_at", Microseconds, nullable=False),
)
