"""The denial log loses no refusal's count, whatever comes and however often the database is away."""

import asyncio
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule
from sqlalchemy import Connection, event, func, select
from starlette.types import Scope

from mooring.cluster.clock import SECOND
from mooring.database import Database
from mooring.database.database import P, T, Transaction
from mooring.database.schema import migrate
from mooring.database.selection import AnyOf, Exact, Fuzzy, Range, Selection, Test
from mooring.database.sqlite import SQLite
from mooring.errors import Invalid, Unavailable
from mooring.measuring import Observe
from mooring.observe.denials import log
from mooring.observe.denials.record import Denial, clean, earliest, identity
from mooring.observe.denials.recorder import WINDOW, Limits, Recorder
from mooring.observe.denials.tables import denials
from mooring.refusals import Reason, Refused
from tests.databases import OpenDatabase

START: Final = 1_800_000_000 * SECOND
DAY: Final = 86_400 * SECOND
LIMITS: Final = Limits()
FEW: Final = Limits(rows=20, waiting=30)
MEMORY: Final = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""What is written here thousands of times need not survive."""


@dataclass
class Time:
    now: int = START

    def __call__(self) -> int:
        return self.now


@dataclass
class Flaky:
    """A real database that is away at times: before a transaction, or after it, when nobody knows what became of it."""

    real: Database
    away: str = ""
    looks_at_once = False
    meanwhile: Callable[[], None] = lambda: None
    """Called once a transaction is done, before whoever waits for it knows."""

    async def read(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return await self.real.read(transaction, *args, **kwargs)

    async def write(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        if self.away == "before":
            raise Unavailable
        done = await self.real.write(transaction, *args, **kwargs)
        self.meanwhile()
        if self.away == "after":
            raise Unavailable
        return done

    def read_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.real.read_now(transaction, *args, **kwargs)

    def write_now(self, transaction: Transaction[P, T], *args: P.args, **kwargs: P.kwargs) -> T:
        return self.real.write_now(transaction, *args, **kwargs)

    def close(self) -> None:
        self.real.close()

    def observed_by(self, observe: Observe) -> None:
        self.real.observed_by(observe)

    def connections(self) -> tuple[int, int]:
        return self.real.connections()


def asked(client: str = "10.0.0.7", method: str = "POST", path: str = "/v2/team/app/blobs/uploads/") -> Scope:
    headers = [(b"user-agent", b"docker/29"), (b"authorization", b"Bearer secret")]
    return {"type": "http", "method": method, "path": path, "client": (client, 4711), "headers": headers}


def refused(reason: Reason = Reason.NO_PERMISSION, subject: str = "bob", resource: str = "team/app") -> Refused:
    return Refused(reason, subject=subject, resource=resource, project="team", action="push")


def counted(connection: Connection) -> Counter[str]:
    found = connection.execute(select(denials.c.reason, func.sum(denials.c.occurrences)).group_by(denials.c.reason))
    return Counter({row[0]: int(row[1]) for row in found})


def rows(connection: Connection) -> Sequence[Any]:
    return connection.execute(select(denials).order_by(denials.c.id)).all()


@pytest.fixture
def database(open_empty: OpenDatabase) -> Database:
    made = open_empty()
    made.write_now(migrate)
    return made


def flush(recorder: Recorder, database: Database) -> None:
    asyncio.run(recorder.flush(database))


def test_a_refusal_is_kept_with_what_explains_it(database: Database) -> None:
    time = Time()
    recorder = Recorder("r-1", time)
    found = refused()
    found.facts = {"granted": ["pull"], "role": "guest", "exp": 1_800_000_600}
    recorder.note(found, "0123456789abcdef", asked())
    flush(recorder, database)
    (row,) = database.read_now(log.of_request, "0123456789abcdef")
    kept = {name: value for name, value in row.items() if name != "id"}
    assert kept == {
        "at": START,
        "last_at": START,
        "occurrences": 1,
        "request_id": "0123456789abcdef",
        "reason": "no_permission",
        "status": 403,
        "method": "POST",
        "path": "/v2/team/app/blobs/uploads/",
        "subject": "bob",
        "project": "team",
        "repository": "team/app",
        "action": "push",
        "client": "10.0.0.7",
        "user_agent": "docker/29",
        "replica": "r-1",
        "sentence": "You may not do this.",
        "facts": {"granted": ["pull"], "role": "guest", "exp": 1_800_000_600},
    }


def test_a_flood_of_the_same_becomes_a_few_rows_and_a_count(database: Database) -> None:
    time = Time()
    recorder = Recorder("r-1", time)
    for number in range(1000):
        time.now += 1000
        recorder.note(refused(), f"request-{number}", asked())
        if number % 100 == 0:
            flush(recorder, database)
    flush(recorder, database)
    kept = database.read_now(rows)
    assert [row.occurrences for row in kept] == [1] * LIMITS.samples + [1000 - LIMITS.samples]
    assert [row.request_id for row in kept] == [f"request-{number}" for number in range(LIMITS.samples + 1)]
    assert kept[-1].last_at == time.now
    time.now += WINDOW
    recorder.note(refused(), "a-new-window", asked())
    flush(recorder, database)
    assert database.read_now(log.of_request, "a-new-window")[0]["occurrences"] == 1


def test_a_flood_of_different_ones_is_bounded_and_counted(database: Database) -> None:
    recorder = Recorder("r-1", Time())
    number = 20_000
    for each in range(number):
        recorder.note(refused(subject=f"somebody-{each}"), f"request-{each}", asked(f"10.0.{each % 256}.1"))
    assert recorder.waiting <= LIMITS.rows + len(Reason)
    flush(recorder, database)
    assert database.read_now(counted) == {"no_permission": number}
    assert len(database.read_now(rows)) == LIMITS.rows + 1
    (rest,) = (row for row in database.read_now(rows) if not row.subject)
    assert rest.occurrences == number - LIMITS.rows


def test_a_database_that_is_away_for_hours_costs_bounded_memory_and_no_count(database: Database) -> None:
    time = Time()
    recorder, flaky = Recorder("r-1", time), Flaky(database, "before")
    noted = 0
    for _minute in range(20):
        for each in range(LIMITS.rows + 100):
            recorder.note(refused(subject=f"somebody-{each}"), "request-1", asked())
            noted += 1
        with pytest.raises(Unavailable):
            flush(recorder, flaky)
        assert recorder.waiting <= LIMITS.waiting + len(Reason)
        time.now += WINDOW
    flush(recorder, database)
    assert recorder.waiting == 0
    assert database.read_now(counted) == {"no_permission": noted}


def test_what_is_refused_while_its_row_is_written_is_counted(database: Database) -> None:
    recorder = Recorder("r-1", Time(), Limits(samples=0))
    recorder.note(refused(), "request-1", asked())
    flush(recorder, Flaky(database, meanwhile=lambda: recorder.note(refused(), "request-2", asked())))
    assert recorder.waiting == 1
    flush(recorder, database)
    assert database.read_now(counted) == {"no_permission": 2}


def test_a_count_that_was_written_late_takes_nothing_back(database: Database) -> None:
    """A flush that was given up may still be written, after the next one."""
    late = Denial(identity(START), START, START, Reason.LOCKED, 429, occurrences=3)
    new = Denial(late.id, START, START + 5, Reason.LOCKED, 429, occurrences=7)
    for each in (late, new, late):
        database.write_now(log.store, [each.row()])
    assert database.read_now(counted) == {"locked": 7}
    assert database.read_now(rows)[0].last_at == START + 5


@pytest.mark.parametrize(
    ("method", "path", "kept"),
    [
        ("GET", "/v2/", False),
        ("HEAD", "/v2/team/app/manifests/1", False),
        ("POST", "/v2/team/app/blobs/uploads/", True),
        ("GET", "/api/v2.0/users/current", True),
    ],
)
def test_a_first_question_is_not_kept(method: str, path: str, kept: bool) -> None:
    recorder = Recorder("r-1", Time())
    scope = {**asked(method=method, path=path), "headers": []}
    recorder.note(refused(Reason.AUTHENTICATION_REQUIRED), "request-1", scope)
    assert recorder.waiting == kept
    recorder.note(refused(Reason.AUTHENTICATION_REQUIRED), "request-2", asked(method=method, path=path))
    assert recorder.waiting == kept + 1, "with a token that is nobody's it is an answer"


SECRETS: Final = (
    "eyJhbGciOiJFUzI1NiJ9.eyJzdWIiOiJib2IifQ.c2lnbmF0dXJl",
    "https://bob:Sailor-7@registry.example/v2/",
    "Basic Ym9iOlNhaWxvci03",
    "Bearer 0123456789abcdef",
)


@pytest.mark.parametrize("secret", SECRETS)
def test_secrets_in_odd_places_are_taken_out(database: Database, secret: str) -> None:
    recorder = Recorder("r-1", Time())
    scope = {**asked(path=f"/v2/{secret}"), "headers": [(b"user-agent", f"curl {secret}".encode())]}
    found = Refused(Reason.BAD_CREDENTIALS, f"Not {secret}", subject=secret, resource=f"team/{secret}", action=secret)
    found.facts = {"sub": secret, "aud": [secret]}
    recorder.note(found, "request-1", scope)
    flush(recorder, database)
    (row,) = database.read_now(rows)
    for part in ("eyJ", "eyJzdWIiOiJib2IifQ", "c2lnbmF0dXJl", "Sailor-7", "Ym9iOlNhaWxvci03", "0123456789abcdef"):
        assert part not in str(row)


@pytest.mark.parametrize("sentence", ["The Basic credentials can't be read.", "It is neither Basic nor Bearer."])
def test_words_are_no_secrets(sentence: str) -> None:
    assert clean(sentence, 1000) == sentence


def test_nothing_moves_the_cursor_of_whoever_reads_it() -> None:
    assert clean("a\x1b[2Jb\x9b2Jc\u202ed", 1000) == "a\ufffd[2Jb\ufffd2Jc\ufffdd"


def test_what_no_database_takes_is_replaced(database: Database) -> None:
    recorder = Recorder("r-1", Time())
    odd = "a\0b\ud800c" + "x" * 5000
    found = Refused(Reason.BAD_CREDENTIALS, odd, subject=odd, resource=odd, project=odd, action=odd)
    found.facts = {"sub": odd, "exp": 10**30, "iat": float("nan"), "aud": [odd] * 100}
    recorder.note(found, "request-1", {**asked(path=odd, method="M" * 300), "client": None})
    flush(recorder, database)
    (row,) = database.read_now(rows)
    assert row.subject.startswith("a\ufffdb\ufffdc")
    assert len(str(row)) < 12_000


def test_groups_by_reason(database: Database) -> None:
    time = Time()
    recorder = Recorder("r-1", time)
    recorder.note(refused(), "before", asked())
    time.now += DAY
    for subject, resource in (("bob", "team/app"), ("bob", "team/lib"), ("eve", "team/lib")):
        recorder.note(refused(subject=subject, resource=resource), "request-1", asked())
    for _ in range(40):
        recorder.note(refused(Reason.UNKNOWN_KID, subject=""), "request-1", asked())
    flush(recorder, database)
    kid, permission = database.read_now(log.by_reason, time.now - SECOND)
    assert (kid.reason, kid.occurrences, kid.last_at) == (Reason.UNKNOWN_KID, 40, time.now)
    assert permission == log.Group(Reason.NO_PERMISSION, 3, 1, 2, 2, time.now)
    assert database.read_now(log.by_reason, START)[1].occurrences == 4


def test_the_oldest_rows_go(database: Database) -> None:
    old = [Denial(identity(START + n), START + n, START + n, Reason.LOCKED, 429) for n in range(1200)]
    new = [Denial(identity(START + 9 * DAY + n), START, START, Reason.LOCKED, 429) for n in range(100)]
    database.write_now(log.store, [each.row() for each in (*old, *new)])

    def sweep(days: int, most: int) -> list[int]:
        newest = database.read_now(log.newest_to_go, START + 9 * DAY, days, most)
        gone = [database.write_now(log.remove, newest)]
        while gone[-1]:
            gone.append(database.write_now(log.remove, newest))
        return gone

    assert sweep(30, 1300) == [0]
    assert sweep(30, 1150) == [150, 0]
    assert sweep(8, 1150) == [log.REMOVED_AT_ONCE, log.REMOVED_AT_ONCE, 50, 0]
    assert [row.id for row in database.read_now(rows)] == [each.id for each in new]
    assert sweep(30, 10) == [90, 0]
    assert database.read_now(rows)[0].id == new[90].id


class Counting(RuleBasedStateMachine):
    """Any order of refusals, minutes, flushes, and outages."""

    def __init__(self) -> None:
        super().__init__()
        self.directory = TemporaryDirectory(dir=MEMORY)
        self.database = SQLite(Path(self.directory.name) / "mooring.db")
        self.database.write_now(denials_alone)
        self.flaky = Flaky(self.database)
        self.time = Time()
        self.recorder = Recorder("r-1", self.time, FEW)
        self.noted: Counter[str] = Counter()

    @rule(
        reason=st.sampled_from((Reason.LOCKED, Reason.NO_PERMISSION)),
        subjects=st.integers(1, 12),
        times=st.integers(1, 20),
    )
    def refuse(self, reason: Reason, subjects: int, times: int) -> None:
        for number in range(times):
            self.recorder.note(refused(reason, f"somebody-{number % subjects}"), "request-1", asked())
        self.noted[reason] += times

    @rule(seconds=st.sampled_from((1, 59, 61, 4000, -30)))
    def wait(self, seconds: int) -> None:
        self.time.now += seconds * SECOND

    @rule(away=st.sampled_from(("", "before", "after")))
    def flush(self, away: str) -> None:
        self.flaky.away = away
        try:
            flush(self.recorder, self.flaky)
        except Unavailable:
            assert away

    @invariant()
    def memory_is_bounded(self) -> None:
        assert self.recorder.waiting <= FEW.waiting + FEW.rows + len(Reason)

    @invariant()
    def nothing_is_counted_that_was_not(self) -> None:
        kept = self.database.read_now(counted)
        assert all(kept[reason] <= self.noted[reason] for reason in kept)

    def teardown(self) -> None:
        flush(self.recorder, self.database)
        assert self.recorder.waiting == 0
        assert self.database.read_now(counted) == self.noted
        self.database.close()
        self.directory.cleanup()


def denials_alone(connection: Connection) -> None:
    denials.create(connection)


TestCounting = Counting.TestCase
TestCounting.settings = settings(
    deadline=None, max_examples=40, stateful_step_count=30, suppress_health_check=[HealthCheck.too_slow]
)


@pytest.mark.parametrize("column", log.EXACT)
@pytest.mark.parametrize("ascends", [False, True])
def test_a_page_is_found_by_an_index(open_sqlite: OpenDatabase, column: str, ascends: bool) -> None:
    database = open_sqlite()
    database.write_now(migrate)
    database.write_now(log.store, [Denial(identity(START), START, START, Reason.LOCKED, 429).row()])
    statements: list[str] = []

    def explained(connection: Connection) -> list[str]:
        event.listen(connection.engine, "before_cursor_execute", lambda *call: statements.append(call[2]))
        order = [("time", False)] if ascends else []
        log.page(connection, Selection([(column, Exact("locked/1"))], order), earliest(START))
        asked = statements[-1]
        return [str(row[3]) for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked}", ("a", "b", 1, 0))]

    (step,) = database.read_now(explained)
    sign = ">" if ascends else "<"
    assert step == f"SEARCH denials USING INDEX ix_denials_{column} ({column}=? AND id{sign}?)"


@pytest.mark.parametrize(
    ("test", "found"),
    [
        (Exact("r-1"), ["r-1/10-a", "r-1/11-a"]),
        (Exact("r-1/10-a"), ["r-1/10-a"]),
        (Exact("r"), []),
        (Exact("r_1"), []),
        (AnyOf(("r-1", "r-12/10-a")), ["r-1/10-a", "r-1/11-a", "r-12/10-a"]),
    ],
)
def test_a_replica_is_all_its_processes(database: Database, test: Test, found: list[str]) -> None:
    names = ["r-1/10-a", "r-1/11-a", "r-12/10-a"]
    rows = [
        Denial(identity(START + n), START + n, START + n, Reason.LOCKED, 429, replica=name).row()
        for n, name in enumerate(names)
    ]
    database.write_now(log.store, rows)
    shown = database.read_now(log.page, Selection([("replica", test)]))
    assert sorted(str(row["replica"]) for row in shown) == found


def test_pages_and_conditions(database: Database) -> None:
    many = [
        Denial(
            identity(START + n), START + n, START + n, Reason.LOCKED, 429, subject=f"somebody-{n % 3}", replica="r-1"
        )
        for n in range(10)
    ]
    database.write_now(log.store, [each.row() for each in many])
    ids = [each.id for each in many]

    def page(after: str = "", *tests: tuple[str, Any], size: int = 4, ascends: bool = False) -> list[str]:
        order = [("time", False)] if ascends else []
        found = database.read_now(log.page, Selection(tests, order, size=size), after)
        return [str(row["id"]) for row in found]

    assert page() == ids[:4:-1]
    assert page(ids[6]) == ids[5:0:-1]
    assert page(ids[2]) == ids[1::-1]
    assert page(ids[6], ascends=True) == ids[7:]
    assert page("", ("subject", Exact("somebody-1")), size=10) == [ids[7], ids[4], ids[1]]
    assert page("", ("subject", AnyOf(("somebody-0", "somebody-2"))), ("reason", Exact("locked")), size=2) == [
        *(ids[9], ids[8], ids[6])
    ]
    begin = datetime.fromtimestamp(START / SECOND, UTC).isoformat()
    assert page("", ("time", Range(begin, begin)), size=10) == ids[:1]
    assert page("", ("time", Range(None, begin)), ("replica", Exact("r-1"))) == ids[:1]
    assert page("", ("replica", Exact("r"))) == []
    with pytest.raises(Invalid):
        page("", ("subject", Fuzzy("some")))
