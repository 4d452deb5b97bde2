"""What a replica must be told before it can reach its database: everything else lives there."""

import os
import tomllib
from contextvars import ContextVar
from pathlib import Path
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from mooring.errors import ConfigurationError

CONFIG_VARIABLE = "MOORING_CONFIG"
_chosen: ContextVar[Path | None] = ContextVar("chosen", default=None)
"""The file of settings that was asked for; else the variable names it."""

POSTGRESQL = ("postgresql://", "postgres://")
S3 = "s3://"
MIB = 1024 * 1024
LONGEST_TOKEN_LIFE = 86_400
"""Seconds."""


def default_workers() -> int:
    return max(1, min(4, len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1))


def _origin(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ValueError("must be http://HOST or https://HOST, with a port if needed and no path")
    return f"{parts.scheme}://{parts.netloc}"


MAIL_PORTS = {"smtps": 465, "smtp": 587, "smtp+plain": 25}


def _mail_server(value: str | None) -> str | None:
    if not value:
        return None
    parts = urlsplit(value)
    if parts.scheme not in MAIL_PORTS or not parts.hostname or parts.path.strip("/") or parts.username is not None:
        raise ValueError(
            "must be smtp://HOST (STARTTLS), smtps://HOST or smtp+plain://HOST, with a port if needed and no password"
        )
    return f"{parts.scheme}://{parts.netloc}"


def _web_address(value: SecretStr | None) -> SecretStr | None:
    if value is None or not value.get_secret_value():
        return None
    parts = urlsplit(value.get_secret_value())
    if parts.scheme not in ("http", "https") or not parts.hostname:
        # Not the address itself: it may hold a secret.
        raise ValueError("must be http://… or https://…")
    return value


MailServer = Annotated[str | None, AfterValidator(_mail_server)]
Origin = Annotated[str | None, AfterValidator(_origin)]


class Settings(BaseSettings):
    """Order of strength: command line, `MOORING_…` variables, the TOML file, the defaults here."""

    model_config = SettingsConfigDict(env_prefix="MOORING_", extra="forbid", frozen=True)

    host: str = Field("127.0.0.1", description="Address to listen on.")
    port: int = Field(5000, ge=1, le=65535, description="Port to listen on.")
    data: Path = Field(Path("data"), description="Directory for the database, the bytes and the master key.")
    workers: int = Field(
        default_factory=default_workers, ge=1, le=64, description="Worker processes; all are equal replicas."
    )
    replica: str | None = Field(None, max_length=100, description="Name of this replica. Host name and port if unset.")
    admin_password: SecretStr | None = Field(
        None,
        description="Password of the user `admin`, read at the first start only: from 8 characters, with a capital, "
        "a small letter and a digit. Random if unset.",
    )
    external_url: Origin = Field(
        None,
        description="Address that clients use, such as `https://registry.example`. The request's Host if unset.",
    )
    database_url: SecretStr | None = Field(
        None, description="`postgresql://…` or `sqlite:///…`. A file in the data directory if unset."
    )
    store: str | None = Field(
        None,
        description="`s3://BUCKET/PREFIX?endpoint=…&region=…` or `file:///…`. A folder in the data directory if unset.",
    )
    store_redirect: bool = Field(False, description="Whether pulls are sent to the bucket itself, by signed addresses.")
    master_key: SecretStr | None = Field(
        None, description="32 bytes in base64. Made in the data directory if unset; with PostgreSQL it must be given."
    )
    master_key_file: Path | None = Field(None, description="A file that holds the master key instead.")
    master_key_previous: SecretStr | None = Field(
        None, description="The master key before this one, while `mooring master-key replace` is ahead."
    )
    master_key_previous_file: Path | None = Field(None, description="A file that holds that one instead.")

    jobs: Literal["auto", "on", "off"] = Field(
        "auto",
        description="Whether `mooring serve` does the background work too: `auto` while no `mooring worker` lives.",
    )
    worker_port: int = Field(5001, ge=1, le=65535, description="Port of `/livez`, `/readyz`, `/metrics` of a worker.")

    token_life_seconds: int = Field(1800, ge=60, le=LONGEST_TOKEN_LIFE, description="Life of an access token.")
    refresh_token_life_days: int = Field(30, ge=1, le=3650, description="Life of an unused refresh token.")
    key_life_days: int = Field(30, ge=1, le=3650, description="A signing key is replaced after this time.")

    manifest_limit: int = Field(4 * MIB, ge=4 * MIB, le=64 * MIB, description="Largest manifest, in bytes.")
    blob_limit: int = Field(128 * 1024 * MIB, ge=MIB, description="Largest blob, in bytes.")
    page_limit: int = Field(1000, ge=1, le=10000, description="Largest page of tags or repositories.")
    body_timeout_seconds: float = Field(60, gt=0, le=3600, description="A body that brings nothing for so long is cut.")

    upload_idle_hours: float = Field(24, gt=0, description="An upload that is idle for so long is thrown away.")
    collection: bool = Field(True, description="Whether unreferenced blobs are collected while serving.")
    collection_delay_seconds: float = Field(86400, ge=0, description="How long a blob that nothing references is kept.")
    collection_interval_seconds: float = Field(60, gt=0, description="How often due work is looked for.")

    address: Origin = Field(
        None, description="Address of this replica itself, past the load balancer, for the probe. Not used if unset."
    )
    probe_interval_seconds: float = Field(
        0, ge=0, le=86400, description="How often the registry pushes to itself as a client does; 0: never."
    )
    probe_url: Origin = Field(
        None, description="Address that it pushes to. `external_url` if unset; without either, the replicas' own."
    )

    audit_days: int = Field(365, ge=1, le=3650, description="How long the audit log is kept.")
    denial_days: int = Field(14, ge=1, le=3650, description="How long refusals are kept in the denial log.")
    denial_rows: int = Field(200_000, ge=1000, le=10**9, description="How many rows of it are kept: the oldest go.")
    alert_interval_seconds: float = Field(15, gt=0, le=3600, description="How often conditions are looked at.")
    alert_delay_seconds: float = Field(
        60, ge=0, le=86400, description="How long a condition must hold before people are told, or be gone."
    )
    alert_repeat_hours: float = Field(24, ge=0, le=720, description="People are told again after this time; 0: never.")
    alert_webhook: Annotated[SecretStr | None, AfterValidator(_web_address)] = Field(
        None, description="Address that notices of alerts are posted to. May hold a secret: it is shown nowhere."
    )
    alert_webhook_form: Literal["json", "slack", "cloudevents", "cloudevents-binary"] = Field(
        "json", description="What is posted there."
    )
    alert_mail_server: MailServer = Field(
        None, description="`smtp://HOST` with STARTTLS, `smtps://HOST` with TLS, or `smtp+plain://HOST` without."
    )
    alert_mail_username: str | None = Field(None, description="Login at the mail server, if it wants one.")
    alert_mail_password: SecretStr | None = Field(None, description="Password of that login.")
    alert_mail_from: str | None = Field(None, description="Sender of notices by mail.")
    alert_mail_to: str | None = Field(None, description="Who gets them; several with commas between.")
    alert_private: bool = Field(
        False, description="Whether notices may go to private addresses, such as your own mail server."
    )

    metrics: bool = Field(True, description="Whether `/metrics` answers.")
    log_level: str = Field("info", pattern="^(debug|info|warning|error)$", description="Least level that is logged.")
    log_format: str = Field(
        "auto", pattern="^(auto|json|text)$", description="`auto` is text on a terminal, else JSON."
    )

    @property
    def database_is_shared(self) -> bool:
        """Whether replicas on other machines may use the same database."""
        url = self.database_url.get_secret_value() if self.database_url else ""
        return url.startswith(POSTGRESQL)

    @property
    def store_is_shared(self) -> bool:
        return self.store is not None and self.store.startswith(S3)

    @property
    def database_path(self) -> Path:
        if self.database_url is None:
            return self.data / "mooring.db"
        known = "sqlite:/// or postgresql://"
        return Path(_path_of(self.database_url.get_secret_value(), "sqlite", "MOORING_DATABASE_URL", known))

    @property
    def store_path(self) -> Path:
        if self.store is None:
            return self.data / "objects"
        return Path(_path_of(self.store, "file", "MOORING_STORE", "file:/// or s3://"))

    @model_validator(mode="after")
    def what_is_shared_is_complete(self) -> Self:
        if self.database_is_shared and self.master_key is None and self.master_key_file is None:
            raise ValueError(
                "MOORING_DATABASE_URL is PostgreSQL's, so every replica must be given the same master key: "
                "set MOORING_MASTER_KEY or MOORING_MASTER_KEY_FILE (make one with: openssl rand -base64 32)"
            )
        if self.database_is_shared and self.store is None:
            raise ValueError(
                "MOORING_DATABASE_URL is PostgreSQL's, so every replica must be given the same store: "
                "set MOORING_STORE to s3://BUCKET/PREFIX or to a shared directory, file:///PATH"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, TomlFile(settings_cls)


class TomlFile(PydanticBaseSettingsSource):
    def get_field_value(self, field: Any, field_name: str) -> tuple[Any, str, bool]:
        return None, field_name, False

    def __call__(self) -> dict[str, Any]:
        path = _chosen.get() or os.environ.get(CONFIG_VARIABLE)
        if not path:
            return {}
        try:
            return tomllib.loads(Path(path).read_text())
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"The configuration file {path} can't be read: {error}.") from error
        except tomllib.TOMLDecodeError as error:
            raise ConfigurationError(f"The configuration file {path} is not valid TOML: {error}.") from error


def load(config: Path | None = None, **given: Any) -> Settings:
    """Settings from all sources. Raises ConfigurationError with one line for each wrong value."""
    before = _chosen.set(config)
    try:
        return Settings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc'])) or 'settings'}: {item['msg']}" for item in error.errors()]
        raise ConfigurationError("The configuration is not valid.\n  " + "\n  ".join(lines)) from error
    finally:
        _chosen.reset(before)


def _path_of(url: str, scheme: str, variable: str, known: str) -> str:
    prefix = f"{scheme}:///"
    if not url.startswith(prefix):
        raise ConfigurationError(f"{variable} must start with {known}; it does not.")
    return url.removeprefix(prefix) if scheme == "sqlite" else "/" + url.removeprefix(prefix)
