"""What may be changed while serving: kept in the database, versioned, and read by every replica within seconds.

A change is a new row with all that is set; the newest row is in force. What is not set there is as each replica's
own settings say.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import ConfigDict, ValidationError, create_model
from pydantic.fields import FieldInfo
from sqlalchemy import Connection, select

from mooring.cluster.tables import configuration
from mooring.database import Database, rows, short
from mooring.errors import Conflict, Invalid
from mooring.settings import Settings

CHANGEABLE = (
    "external_url",
    "token_life_seconds",
    "refresh_token_life_days",
    "key_life_days",
    "manifest_limit",
    "blob_limit",
    "page_limit",
    "body_timeout_seconds",
    "upload_idle_hours",
    "collection",
    "collection_delay_seconds",
    "collection_interval_seconds",
    "probe_interval_seconds",
    "probe_url",
    "audit_days",
    "denial_days",
    "denial_rows",
    "alert_interval_seconds",
    "alert_delay_seconds",
    "alert_repeat_hours",
    "alert_webhook_form",
    "alert_mail_from",
    "alert_mail_to",
    "alert_private",
)
"""Never where a replica's own secret goes: whoever can change the database could have it sent to himself."""


def _optional(name: str) -> tuple[Any, FieldInfo]:
    field = Settings.model_fields[name]
    return field.rebuild_annotation(), FieldInfo.merge_field_infos(field, default=None, default_factory=None)


Change = create_model(  # type: ignore[call-overload]
    "Change", __config__=ConfigDict(extra="forbid"), **{name: _optional(name) for name in CHANGEABLE}
)
"""The settings that may be changed, with the same bounds as in `Settings`."""


@dataclass(frozen=True)
class Version:
    number: int
    values: Mapping[str, Any]
    changed_by: str
    changed_at: int


class Configuration:
    """The settings in force in this process."""

    def __init__(self, database: Database, own: Settings) -> None:
        self._database = database
        self._own = own
        self._settings = own
        self._version = 0

    @property
    def settings(self) -> Settings:
        return self._settings

    @property
    def version(self) -> int:
        return self._version

    def told(self) -> Mapping[str, str]:
        """What is in force here, by name, as a person would write it."""
        return {name: str(getattr(self._settings, name)) for name in CHANGEABLE}

    async def refresh(self) -> None:
        self.adopt(await self._database.read(newest))

    def adopt(self, found: Version | None) -> None:
        if found is not None and found.number != self._version:
            # Names of a newer version's settings mean nothing to this one.
            known = {name: value for name, value in found.values.items() if name in CHANGEABLE}
            self._settings = self._own.model_copy(update=known)
            self._version = found.number


_NEWEST = select(configuration).order_by(configuration.c.version.desc())


@short
def newest(connection: Connection) -> Version | None:
    row = connection.execute(_NEWEST.limit(1)).first()
    return Version(row.version, row.values_set, row.changed_by, row.changed_at) if row else None


def history(connection: Connection, limit: int) -> Sequence[Version]:
    found = connection.execute(_NEWEST.limit(limit))
    return [Version(row.version, row.values_set, row.changed_by, row.changed_at) for row in found]


def change(connection: Connection, now: int, changed_by: str, values: Mapping[str, Any]) -> Version:
    """Set values; None unsets one. Raises Invalid, and Conflict when somebody else changed it at the same time."""
    current = newest(connection)
    merged = {**(current.values if current else {}), **_valid(values)}
    merged = {name: value for name, value in merged.items() if value is not None}
    number = current.number + 1 if current else 1
    row = {"version": number, "values_set": merged, "changed_by": changed_by, "changed_at": now}
    if not rows.add_if_new(connection, configuration, row):
        raise Conflict("The configuration was changed by somebody else at the same time. Look at it, and try again.")
    return Version(number, merged, changed_by, now)


def parse(name: str, text: str) -> Any:
    """A value as it is typed: JSON where it is that, else text."""
    if name not in CHANGEABLE:
        raise Invalid(f"{name} can't be changed while serving. These can: {', '.join(CHANGEABLE)}.")
    try:
        return json.loads(text)
    except ValueError:
        return text


def _valid(values: Mapping[str, Any]) -> dict[str, Any]:
    given = {name: value for name, value in values.items() if value is not None}
    try:
        checked = Change(**given).model_dump(exclude_unset=True)
    except ValidationError as error:
        lines = [f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors()]
        raise Invalid("The configuration is not valid. " + "; ".join(lines)) from error
    unknown = sorted(set(values) - set(CHANGEABLE))
    if unknown:
        raise Invalid(f"There is no such setting to change: {', '.join(unknown)}.")
    return {**dict.fromkeys(values), **checked}
