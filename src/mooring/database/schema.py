"""Bring the database to this version's schema, or say why it can't be served as it is.

The database says which the oldest version is that may still serve it. So two versions serve side by side while replicas
are replaced one by one, and an older one that comes back afterwards judges nobody.
"""

from collections.abc import Callable, Sequence

from alembic import command
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection, func, inspect, select, update

from mooring.database import locks, revisions, short
from mooring.database.revisions import Phase, Revision
from mooring.database.tables import schema_window
from mooring.errors import ConfigurationError, Foreign, PreconditionFailed

PATIENCE_SECONDS = 600
TABLE_SECONDS = 2
"""Whoever waits to change a table holds up everybody who comes to use it: rather give up, and try again."""

Guard = Callable[[Connection, str], object]
"""Called before a revision takes away what older versions need. Raises PreconditionFailed while one of them lives."""


def unguarded(_connection: Connection, _revision: str) -> None:
    """For whoever knows that no other replica runs."""


def migrate(connection: Connection, phase: Phase = Phase.ALL, guard: Guard = unguarded) -> Sequence[str]:
    """Apply what is due in this phase; answers the revisions. An empty database gets all of them in any phase.

    Replicas that start together take turns. A newer schema that this version may serve is left as it is. Raises
    ConfigurationError for one that it may not, PreconditionFailed where something else has to happen first.
    """
    locks.hold(connection, "schema", patience_seconds=PATIENCE_SECONDS)
    found = version(connection)
    place = revisions.position(found)
    if place is None:
        require_served(connection)
        return []
    due = _due(revisions.known()[place + 1 :], phase if found else Phase.ALL)
    if not due:
        return []
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.set_config("lock_timeout", f"{TABLE_SECONDS}s", True)))
    config = revisions.config()
    config.attributes["connection"] = connection
    for revision in due if found else due[-1:]:
        if found and revision.phase is Phase.AFTER:
            guard(connection, revision.name)
        command.upgrade(config, revision.name)
    ended = [revision.name for revision in due if revision.phase is Phase.AFTER]
    if ended:
        connection.execute(update(schema_window).values(oldest=ended[-1]))
    return [revision.name for revision in due]


def pending(connection: Connection) -> Sequence[Revision]:
    """What this program knows and the database lacks."""
    place = revisions.position(version(connection))
    return [] if place is None else revisions.known()[place + 1 :]


@short
def require_served(connection: Connection) -> None:
    """Raises ConfigurationError when this program and the database's schema don't go together."""
    found = version(connection)
    place, needed = revisions.position(found), revisions.position(revisions.needed())
    assert needed is not None
    if place is not None and place >= needed:
        return
    if place is not None:
        raise ConfigurationError(
            f"The database has schema {found or 'none'}; this version of Mooring needs {revisions.needed()}. "
            "Run `mooring migrate`."
        )
    oldest = _oldest(connection)
    if revisions.position(oldest) is None:
        raise Foreign(
            f"The database has schema {found}, which only versions of Mooring that know {oldest or found} may serve; "
            f"this one knows {revisions.newest()} at most. It was written by a newer version: start that one."
        )


def version(connection: Connection) -> str | None:
    return MigrationContext.configure(connection).get_current_revision()


def _oldest(connection: Connection) -> str:
    """Empty where the database does not say."""
    if not inspect(connection).has_table(schema_window.name):
        return ""
    return connection.execute(select(schema_window.c.oldest)).scalar() or ""


def _due(missing: Sequence[Revision], phase: Phase) -> Sequence[Revision]:
    """Those of the missing ones that this phase applies, in order.

    What follows an `after` of a version that was skipped needs that one first, so that `before` may have to do both.
    """
    places = [place for place, revision in enumerate(missing) if revision.phase is Phase.BEFORE]
    if phase is Phase.BEFORE:
        return missing[: places[-1] + 1] if places else []
    if phase is Phase.AFTER and places:
        raise PreconditionFailed(
            f"The database lacks schema {missing[places[-1]].name}, which comes before the replicas are upgraded. "
            "Run `mooring migrate --phase before`, and upgrade every replica, first."
        )
    return missing
