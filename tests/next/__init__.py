"""The version after this one, for tests of upgrades: the same program with two more revisions of the schema.

`python -m tests.next.program serve` (or `migrate`, `cluster status`, …) is `mooring` of that version; settings are the
same. So a replica of the next version is a `tests.replicas.replica.Replica` with `module=NEXT`, and a roll from one
version to the next is: start each replica again with that module, then `migrate --phase after` by it.

- `next_before` adds `tags.berth`, with a default that the database fills in for who does not know the column.
- `next_after` takes that default away: from then on a push to this version would fail with an error of the database,
  if it still served.
"""

from pathlib import Path

from sqlalchemy import Column, String

from mooring.database import revisions
from mooring.registry.tables import tags

NEXT = "tests.next.program"
BEFORE, AFTER = "next_before", "next_after"
VERSIONS = Path(__file__).parent / "versions"
PRESENT = revisions.newest()


def become() -> None:
    """Turn this process, and those it starts with this module as their main one, into the next version."""
    revisions.PLACES = (*revisions.PLACES, VERSIONS)
    tags.append_column(Column("berth", String(20), nullable=False, default="next"))
