"""Repositories, artifacts and tags as people look at them: pages of rows. The registry itself asks none of this."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    FromClause,
    RowMapping,
    Select,
    and_,
    exists,
    func,
    or_,
    select,
    update,
)

from mooring.database import selection
from mooring.database.selection import AllOf, Exact, Field, Fuzzy, Page, Selection, Test
from mooring.errors import Invalid, ManifestUnknown, NameUnknown
from mooring.registry.digests import parse_digest
from mooring.registry.kinds import IMAGE, IMAGE_CONFIGS, NAMED
from mooring.registry.manifests import INDEXES
from mooring.registry.names import require_tag
from mooring.registry.tables import manifest_references, manifests, repositories, tags

MOST_SHOWN = 1000
"""Tags, and accessories, shown with one artifact; their own lists go on by pages."""

_child = manifests.alias("child")
_described = [column for column in manifests.c if column.name != "body"]


def _held_by_index(artifact: FromClause) -> ColumnElement[bool]:
    return exists().where(
        manifest_references.c.repository_id == artifact.c.repository_id,
        manifest_references.c.digest == artifact.c.digest,
        manifest_references.c.kind == "manifest",
    )


def _accessory() -> ColumnElement[bool]:
    subject = manifests.alias("subject")
    present = exists().where(
        subject.c.repository_id == manifests.c.repository_id, subject.c.digest == manifests.c.subject
    )
    return and_(manifests.c.subject.is_not(None), present)


def _tagged(*conditions: ColumnElement[bool]) -> ColumnElement[bool]:
    return exists().where(tags.c.manifest_id == manifests.c.id, *conditions)


def _tagged_as(name: str) -> ColumnElement[bool]:
    return _tagged(tags.c.repository_id == manifests.c.repository_id, tags.c.name == name)


STANDS_ALONE = and_(~_accessory(), or_(_tagged(), ~_held_by_index(manifests)))
"""An artifact that people pushed for itself: no signature of another one, no untagged part of an index."""


def _by_tags(test: Test) -> ColumnElement[bool]:
    """`*` is any tag and `nil` none, as in Harbor."""
    match test:
        case Exact("*"):
            return _tagged()
        case Exact("nil"):
            return ~_tagged()
        case Exact(value):
            return _tagged_as(value)
        case Fuzzy(value):
            return _tagged(tags.c.name.contains(value, autoescape=True))
        case AllOf(values):
            return and_(_tagged(), *map(_tagged_as, values))
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
REPOSITORIES = {
    "id": selection.number(repositories.c.id),
    "name": selection.text(repositories.c.name),
    "project_id": selection.number(repositories.c.project_id),
    "description": selection.text(repositories.c.description),
    "pull_count": selection.number(repositories.c.pull_count),
    "creation_time": selection.moment(repositories.c.created_at),
    "update_time": selection.moment(repositories.c.updated_at),
}
TAGS = {
    "id": selection.number(tags.c.id),
    "name": selection.text(tags.c.name),
    "push_time": selection.moment(tags.c.pushed_at),
    "pull_time": selection.moment(tags.c.pulled_at),
}
"""By their names in Harbor's API."""


def repository_page(connection: Connection, within: ColumnElement[bool], selected: Selection) -> Page:
    """`within` is a condition on `repositories`. Raises Invalid."""
    usual = [("creation_time", True)]
    query = _counted().where(within)
    return selection.select_page(connection, query, selected, REPOSITORIES, usual, repositories.c.id)


def repository(connection: Connection, project_id: int, name: str) -> RowMapping:
    """Found through its project. Raises NameUnknown."""
    named = (repositories.c.name == name) & (repositories.c.project_id == project_id)
    found = connection.execute(_counted().where(named)).mappings().first()
    if found is None:
        raise NameUnknown(f"The repository {name} does not exist.")
    return found


def describe_repository(connection: Connection, now: int, project_id: int, name: str, description: str) -> None:
    """Raises NameUnknown."""
    named = (repositories.c.name == name) & (repositories.c.project_id == project_id)
    changed = update(repositories).where(named).values(description=description, updated_at=now)
    if connection.execute(changed).rowcount == 0:
        raise NameUnknown(f"The repository {name} does not exist.")


def artifact_page(connection: Connection, repository_id: int, selected: Selection) -> Page:
    """Those that stand alone; all of them for `q=base=*`. Raises Invalid."""
    query = select(*_described).where(manifests.c.repository_id == repository_id)
    base = selected.test_of("base")
    if base is None:
        query = query.where(STANDS_ALONE)
    elif base != Exact("*"):
        raise Invalid("Ask for base=*, or leave it out.")
    usual = [("push_time", True)]
    return selection.select_page(connection, query, selected.without("base"), ARTIFACTS, usual, manifests.c.id)


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


def tag_page(connection: Connection, manifest_id: int, selected: Selection) -> Page:
    query = select(tags).where(tags.c.manifest_id == manifest_id)
    return selection.select_page(connection, query, selected, TAGS, [("push_time", True)], tags.c.id)


def accessory_page(connection: Connection, repository_id: int, digest: str, selected: Selection) -> Page:
    query = select(*_described).where(manifests.c.repository_id == repository_id, manifests.c.subject == digest)
    return selection.select_page(connection, query, selected, ARTIFACTS, [("push_time", True)], manifests.c.id)


def tags_of(connection: Connection, manifest_ids: Sequence[int]) -> Mapping[int, list[RowMapping]]:
    """The newest of each, at most MOST_SHOWN."""
    return _newest(connection, select(tags).where(tags.c.manifest_id.in_(manifest_ids)), tags.c.manifest_id, tags.c.id)


def accessories_of(
    connection: Connection, repository_id: int, digests: Sequence[str]
) -> Mapping[str, list[RowMapping]]:
    """The newest of each, at most MOST_SHOWN."""
    query = select(*_described).where(manifests.c.repository_id == repository_id, manifests.c.subject.in_(digests))
    return _newest(connection, query, manifests.c.subject, manifests.c.id)


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
        .where(manifest_references.c.manifest_id.in_(manifest_ids), manifest_references.c.kind == "manifest")
    )
    return _grouped(connection.execute(query).mappings().all(), "manifest_id")


def _counted() -> Select[*tuple[Any, ...]]:
    counted = (
        select(func.count()).select_from(manifests).where(manifests.c.repository_id == repositories.c.id, STANDS_ALONE)
    )
    return select(repositories, counted.correlate(repositories).scalar_subquery().label("artifact_count"))


def _newest(
    connection: Connection,
    query: Select[*tuple[Any, ...]],
    owner: ColumnElement[Any],
    row_id: ColumnElement[Any],
) -> Mapping[Any, list[RowMapping]]:
    place = func.row_number().over(partition_by=owner, order_by=row_id.desc()).label("place")
    ranked = query.add_columns(place, owner.label("owner")).subquery()
    found = connection.execute(select(ranked).where(ranked.c.place <= MOST_SHOWN).order_by(ranked.c.place))
    return _grouped(found.mappings().all(), "owner")


def _grouped(found: Sequence[RowMapping], by: str) -> Mapping[Any, list[RowMapping]]:
    groups: dict[Any, list[RowMapping]] = {}
    for row in found:
        groups.setdefault(row[by], []).append(row)
    return groups
