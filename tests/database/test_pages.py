"""Pages of artifacts against a model: each that stands alone, once and in order, from whichever end it is read."""

import random
from dataclasses import dataclass, field
from typing import Any, Final

import pytest
from sqlalchemy import Connection, insert

from mooring.database import Database, schema
from mooring.database.selection import Selection
from mooring.projects.tables import projects
from mooring.registry.artifacts import artifact_page
from mooring.registry.listing import repository
from mooring.registry.tables import manifest_references, manifests, repositories, tags
from tests.databases import OpenDatabase

MANIFESTS: Final = 60
ORDERS: Final = [(), [("size", False)], [("pull_time", True), ("size", False)]]


@dataclass
class Model:
    """Manifests by number, as one repository has them."""

    id: int
    chance: random.Random
    subjects: dict[int, int] = field(default_factory=dict)
    tagged: set[int] = field(default_factory=set)
    parts: set[tuple[int, int]] = field(default_factory=set)

    def fill(self) -> None:
        # Numbers from MANIFESTS on are of manifests that are not there.
        anything = range(MANIFESTS + 10)
        some = self.chance.sample(range(MANIFESTS), 20)
        self.subjects = {each: self.chance.choice(anything) for each in some}
        self.tagged = set(self.chance.sample(range(MANIFESTS), 25))
        self.parts = {(self.chance.randrange(MANIFESTS), self.chance.choice(anything)) for _ in range(40)}

    def alone(self) -> set[int]:
        held = {part for _, part in self.parts}
        accessories = {each for each, subject in self.subjects.items() if subject < MANIFESTS}
        return {
            each for each in range(MANIFESTS) if each not in accessories and (each in self.tagged or each not in held)
        }

    def identity(self, number: int) -> int:
        return self.id * 1000 + number

    def store(self, connection: Connection) -> None:
        at = {"created_at": 1, "updated_at": 1}
        connection.execute(insert(repositories), {"id": self.id, "project_id": 1, "name": f"p/{self.id}", **at})
        connection.execute(insert(manifests), [self._manifest(each) for each in range(MANIFESTS)])
        connection.execute(insert(tags), [self._tag(each, copy) for each in self.tagged for copy in range(2)])
        connection.execute(insert(manifest_references), [self._reference(*each) for each in self.parts])

    def _manifest(self, number: int) -> dict[str, Any]:
        subject = self.subjects.get(number)
        return {
            "id": self.identity(number),
            "repository_id": self.id,
            "digest": digest(number),
            "media_type": "m",
            "subject": None if subject is None else digest(subject),
            "size": 1,
            "total_size": number % 3,
            "pushed_at": number // 4,
            "pulled_at": number % 5 or None,
            "body": b"",
        }

    def _tag(self, number: int, copy: int) -> dict[str, Any]:
        manifest = self.identity(number)
        return {"repository_id": self.id, "name": f"t{number}-{copy}", "manifest_id": manifest, "pushed_at": 1}

    def _reference(self, number: int, part: int) -> dict[str, Any]:
        row = {"manifest_id": self.identity(number), "repository_id": self.id, "digest": digest(part)}
        return {**row, "kind": "manifest", "required": False}


def digest(number: int) -> str:
    return f"sha256:{number}"


@pytest.fixture
def database(open_empty: OpenDatabase) -> Database:
    made = open_empty()
    made.write_now(schema.migrate)
    made.write_now(_add_project)
    return made


def _add_project(connection: Connection) -> None:
    connection.execute(insert(projects), {"id": 1, "name": "p", "created_at": 1, "updated_at": 1})


def _page(connection: Connection, model: Model, order: Any, page: int, size: int) -> tuple[list[int], int]:
    found = artifact_page(connection, model.id, Selection(order=order, page=page, size=size))
    return [row["id"] for row in found.rows], found.total


def test_pages_are_those_of_the_model(database: Database) -> None:
    chance = random.Random(7)
    # The second has the same digests, which are nothing to the first.
    for model in [Model(1, chance), Model(2, chance)]:
        model.fill()
        database.write_now(model.store)
        alone = sorted(model.alone(), key=lambda number: (-(number // 4), number))
        assert alone
        assert database.read_now(repository, 1, f"p/{model.id}")["artifact_count"] == len(alone)
        assert database.read_now(_page, model, (), 1, 100) == ([model.identity(each) for each in alone], len(alone))
        for order in ORDERS:
            whole, total = database.read_now(_page, model, order, 1, 100)
            for size in (1, 7, len(alone)):
                pages = [database.read_now(_page, model, order, page, size) for page in range(1, total // size + 3)]
                assert [each for ids, _ in pages for each in ids] == whole
                assert {told for _, told in pages} == {total}
