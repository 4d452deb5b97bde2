"""What a project's admin sees of the denial log: the refusals within it, and no name that is not for him to know."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Connection, select

from mooring.database.selection import Selection
from mooring.identity.credentials import veiled
from mooring.observe.denials import log
from mooring.observe.denials.record import earliest
from mooring.observe.denials.tables import denials
from mooring.projects.tables import projects
from mooring.refusals import Reason

UNPROVEN = frozenset({Reason.BAD_CREDENTIALS, Reason.LOCKED})
"""Whoever sent these may be anybody: only his own word names the account."""


def page(connection: Connection, project_id: int, selection: Selection, after: str = "") -> Sequence[dict[str, Any]]:
    """As `log.page`. What an earlier project of the same name saw is not its."""
    found = connection.execute(
        select(projects.c.name, projects.c.created_at).where(projects.c.id == project_id)
    ).first()
    if found is None:
        return []
    own = (denials.c.project == found.name, denials.c.id >= earliest(found.created_at))
    return [_shown(dict(row), found.name) for row in log.page(connection, selection, after, *own)]


def _shown(row: dict[str, Any], project: str) -> dict[str, Any]:
    """Without what would say which other projects there are, or which robots they have."""
    facts = {name: value for name, value in row["facts"].items() if name != "account_exists"}
    if "granted" in facts:
        facts["granted"] = [scope for scope in facts["granted"] if scope.startswith(f"repository:{project}/")]
    subject = veiled(row["subject"]) if row["reason"] in UNPROVEN else row["subject"]
    return {**row, "subject": subject, "facts": facts}
