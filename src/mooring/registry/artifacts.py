"""Artifacts as people look at them: pages of rows, and what hangs on them. The registry itself asks none of this."""

from collections.abc import Mapping, Sequence
from functools import partial

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    and_,
    bindparam,
    func,
    literal,
    or_,
    select,
)

from mooring.database import selection
from mooring.database.metadata import Identity
from mooring.database.pages import Page, grouped, select_newest, select_page
from mooring.database.rows import among
from mooring.database.selection import AllOf, Exact, Field, Fuzzy, Selection, Test
from mooring.errors import Invalid, ManifestUnknown
from mooring.registry.digests import parse_digest
from mooring.registry.kinds import IMAGE, IMAGE_CONFIGS, NAMED
from mooring.registry.manifests import INDEXES
from mooring.registry.names import require_tag
from mooring.registry.tables import manifest_references, manifests, repositories, tags

MOST_SHOWN = 1000
"""Accessories shown with one artifact; their own list goes on by pages."""

_child = manifests.alias("child")
_described = [column for column in manifests.c if column.name != "body"]

# In the statement's text: an index of such rows alone is used only where the text says it.
_NAMES_MANIFEST = manifest_references.c.kind == literal("manifest", literal_execute=True)


def _there_is(column: Column[int], *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    """As EXISTS, but always by an index: for many rows PostgreSQL answers EXISTS by a hash of the whole table."""
    return select(column).where(*conditions).limit(1).scalar_subquery().is_not(None)


def _held_by_index(artifact: FromClause) -> ColumnElement[bool]:
    return _there_is(
        manifest_references.c.manifest_id,
        manifest_references.c.repository_id == artifact.c.repository_id,
        manifest_references.c.digest == artifact.c.digest,
        _NAMES_MANIFEST,
    )


def _subject_is_there(artifact: FromClause) -> ColumnElement[bool]:
    subject = manifests.alias("subject")
    named = (subject.c.repository_id == artifact.c.repository_id) & (subject.c.digest == artifact.c.subject)
    return _there_is(subject.c.id, named)


def _accessory(artifact: FromClause) -> ColumnElement[bool]:
    # Not `IS NOT NULL`, which SQLite does not look up in an index.
    return and_(artifact.c.subject > "", _subject_is_there(artifact))


def _no_accessory(artifact: FromClause) -> ColumnElement[bool]:
    # Not `~_accessory()`, of which PostgreSQL can't tell that it is true for most.
    return or_(artifact.c.subject.is_(None), ~_subject_is_there(artifact))


def _tagged(artifact: FromClause, *conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return _there_is(tags.c.id, tags.c.manifest_id == artifact.c.id, *conditions)


def _tagged_as(name: str) -> ColumnElement[bool]:
    return _tagged(manifests, tags.c.repository_id == manifests.c.repository_id, tags.c.name == name)


STANDS_ALONE = and_(_no_accessory(manifests), or_(_tagged(manifests), ~_held_by_index(manifests)))
"""An artifact that people pushed for itself: no signature of another one, no untagged part of an index."""


def alone(repository_id: ColumnElement[int]) -> ColumnElement[int]:
    """How many artifacts of a repository stand alone: all of them without the others, which are mostly few."""
    held = (_child.c.repository_id == manifest_references.c.repository_id) & (
        _child.c.digest == manifest_references.c.digest
    )
    untagged_part = _there_is(_child.c.id, held, ~_tagged(_child), _no_accessory(_child))
    every = select(func.count()).select_from(manifests).where(manifests.c.repository_id == repository_id)
    accessories = every.where(_accessory(manifests))
    parts = select(func.count(manifest_references.c.digest.distinct())).where(
        manifest_references.c.repository_id == repository_id, _NAMES_MANIFEST, untagged_part
    )
    of_all, of_accessories, of_parts = (
        each.correlate(repositories).scalar_subquery() for each in (every, accessories, parts)
    )
    return of_all - of_accessories - of_parts


_ALONE = select(alone(bindparam("repository_id", type_=Identity)))


def _count_alone(repository_id: int, connection: Connection) -> int:
    return int(connection.execute(_ALONE, {"repository_id": repository_id}).scalar_one())


def _by_tags(test: Test) -> ColumnElement[bool]:
    """`*` is any tag and `nil` none, as in Harbor."""
    match test:
        case Exact("*"):
            return _tagged(manifests)
        case Exact("nil"):
            return ~_tagged(manifests)
        case Exact(value):
            return _tagged_as(value)
        case Fuzzy(value):
            return _tagged(manifests, tags.c.name.contains(value, autoescape=True))
        case AllOf(values):
            return and_(_tagged(manifests), *map(_tagged_as, values))
    raise Invalid("Ask for tags=NAME, tags=~PART, tags=(ONE OTHER), tags=* or tags=nil.")


def _by_kind(test: Test) -> ColumnElement[bool]:
    if isinstance(test, Exact) and test.value.upper() == IMAGE:
        return or_(manifests.c.media_type.in_(INDEXES), manifests.c.config_media_type.in_(IMAGE_CONFIGS))
    configs = [media_type for media_type, kind in NAMED.items() if test == Exact(kind)]
    if not configs:
        raise Invalid(f"Ask for type=KIND with one of {', '.join([IMAGE, *NAMED.values()])}.")
    return and_(manifests.c.config_media_type.in_(configs))


ARTIFACTS = {
    "id": selection.number(manifests.c.id),
    "digest": selection.text(manifests.c.digest),
    "type": Field(_by_kind),
    "media_type": selection.text(manifests.c.config_media_type),
    "manifest_media_type": selection.text(manifests.c.media_type),
    "artifact_type": selection.text(manifests.c.artifact_type),
    "size": selection.number(manifests.c.total_size),
    "push_time": selection.moment(manifests.c.pushed_at),
    "pull_time": selection.moment(manifests.c.pulled_at),
    "tags": Field(_by_tags),
}
"""By their names in Harbor's API."""


def artifact_page(connection: Connection, repository_id: int, selected: Selection) -> Page:
    """Those that stand alone; all of them for `q=base=*`. Raises Invalid."""
    base = selected.test_of("base")
    if base not in (None, Exact("*")):
        raise Invalid("Ask for base=*, or leave it out.")
    every = manifests.c.repository_id == repository_id
    within, count = ([every], None) if base else ([every, STANDS_ALONE], partial(_count_alone, repository_id))
    usual = [("push_time", True)]
    return select_page(
        connection, select(*_described), selected.without("base"), ARTIFACTS, usual, manifests.c.id, within, count
    )


def artifact(connection: Connection, repository_id: int, reference: str) -> RowMapping:
    """By digest or tag. Raises ManifestUnknown, DigestInvalid and TagInvalid."""
    query = select(*_described).where(manifests.c.repository_id == repository_id)
    if ":" in reference:
        query = query.where(manifests.c.digest == str(parse_digest(reference)))
    else:
        tag = (tags.c.repository_id == repository_id) & (tags.c.name == require_tag(reference))
        query = query.join(tags, tags.c.manifest_id == manifests.c.id).where(tag)
    found = connection.execute(query).mappings().first()
    if found is None:
        raise ManifestUnknown
    return found


def accessory_page(connection: Connection, repository_id: int, digest: str, selected: Selection) -> Page:
    within = [manifests.c.repository_id == repository_id, manifests.c.subject == digest]
    usual = [("push_time", True)]
    return select_page(connection, select(*_described), selected, ARTIFACTS, usual, manifests.c.id, within)


def accessories_of(
    connection: Connection, repository_id: int, digests: Sequence[str]
) -> Mapping[str, list[RowMapping]]:
    """The newest of each, at most MOST_SHOWN."""
    named = among(connection, manifests.c.subject, digests)
    query = select(*_described).where(manifests.c.repository_id == repository_id, named)
    return select_newest(connection, query, manifests.c.subject, manifests.c.id, MOST_SHOWN)


def references_of(connection: Connection, manifest_ids: Sequence[int]) -> Mapping[int, list[RowMapping]]:
    """The manifests that indexes name, as far as the repository has them."""
    query = (
        select(
            manifest_references.c.manifest_id,
            manifest_references.c.digest,
            manifest_references.c.platform,
            _child.c.id.label("child_id"),
            _child.c.total_size,
        )
        .join(
            _child,
            (_child.c.repository_id == manifest_references.c.repository_id)
            & (_child.c.digest == manifest_references.c.digest),
        )
        .where(
            among(connection, manifest_references.c.manifest_id, manifest_ids), manifest_references.c.kind == "manifest"
        )
    )
    return grouped(connection.execute(query).mappings().all(), "manifest_id")
