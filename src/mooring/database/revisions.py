"""The schema's revisions that this program knows, in their order, each with the phase of an upgrade it belongs to.

`before` the replicas are replaced: it only adds, so that the version that still serves gets along with it.
`after` they were: it takes away what only older versions need, and from then on none of them may serve.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from functools import cache
from pathlib import Path

from alembic.config import Config
from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).parent / "migrations"
PLACES: tuple[Path, ...] = (MIGRATIONS / "versions",)
"""Folders with revisions."""


class Phase(StrEnum):
    BEFORE = "before"
    AFTER = "after"
    ALL = "all"


@dataclass(frozen=True)
class Revision:
    name: str
    phase: Phase


def known() -> Sequence[Revision]:
    """Oldest first."""
    return _read(PLACES)


def newest() -> str:
    """What this program calls its own schema."""
    return known()[-1].name


def needed() -> str:
    """The oldest schema that this program can work on: with all that is done before an upgrade."""
    return [revision.name for revision in known() if revision.phase is Phase.BEFORE][-1]


def position(name: str | None) -> int | None:
    """Of a revision among those that this program knows; -1 for no schema at all, None for an unknown one."""
    if name is None:
        return -1
    return next((place for place, revision in enumerate(known()) if revision.name == name), None)


def config() -> Config:
    made = Config()
    made.set_main_option("script_location", str(MIGRATIONS))
    made.set_main_option("path_separator", "newline")
    made.set_main_option("version_locations", "\n".join(map(str, PLACES)))
    return made


@cache
def _read(_places: tuple[Path, ...]) -> Sequence[Revision]:
    found = [*ScriptDirectory.from_config(config()).walk_revisions()]
    return tuple(Revision(each.revision, Phase(each.module.phase)) for each in reversed(found))
