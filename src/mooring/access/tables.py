from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text

from mooring.database.metadata import Microseconds, metadata

signing_keys = Table(
    "signing_keys",
    metadata,
    Column("kid", String(64), primary_key=True, comment="RFC 7638 thumbprint"),
    Column("algorithm", String(16), nullable=False),
    Column("public_key", Text, nullable=False, comment="JWK"),
    Column("sealed_private_key", LargeBinary, nullable=False),
    Column("state", String(16), nullable=False, comment="pending, active or retiring"),
    Column("created_at", Microseconds, nullable=False),
    Column("activated_at", Microseconds, nullable=True),
    Column("retired_at", Microseconds, nullable=True),
    Column("expires_at", Microseconds, nullable=True, comment="when the last token that it signed has expired"),
)

signing_key_acknowledgements = Table(
    "signing_key_acknowledgements",
    metadata,
    Column("kid", ForeignKey("signing_keys.kid", ondelete="CASCADE"), primary_key=True),
    Column("replica", String(160), primary_key=True),
)

refresh_tokens = Table(
    "refresh_tokens",
    metadata,
    Column("token_hash", String(64), primary_key=True),
    Column("subject", String(32), nullable=False, comment="user:ID or robot:ID"),
    Column("service", String(255), nullable=False),
    Column("client_id", String(255), nullable=False, default=""),
    Column("created_at", Microseconds, nullable=False),
    Column("used_at", Microseconds, nullable=False),
    Column("expires_at", Microseconds, nullable=False),
    Index("ix_refresh_tokens_subject", "subject"),
    Index("ix_refresh_tokens_expires_at", "expires_at"),
)

access_epoch = Table(
    "access_epoch",
    metadata,
    Column("id", Integer, primary_key=True, autoincrement=False),
    Column("value", BigInteger, nullable=False, comment="grows whenever anybody's rights may have changed"),
)
