"""One alert for as long as a condition lasts, whoever looks, and each notice of it once."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from functools import partial

import pytest
from sqlalchemy import Connection, select

from mooring.cluster.clock import SECOND
from mooring.database import Database, schema
from mooring.observe.alerts import notices, state
from mooring.observe.alerts.conditions import PROBE_FAILING, REPLICA_LOST, Finding, Moment
from mooring.observe.alerts.notices import GIVEN_UP, LEASE, Notice
from mooring.observe.alerts.tables import alert_notices, alerts
from mooring.settings import load
from tests.databases import OpenDatabase

START = 1_800_000_000 * SECOND
DELAY = 60 * SECOND
HOUR = 3600 * SECOND
LOST = Finding(REPLICA_LOST, "registry-2", "registry-2 was last heard of 40 seconds ago.")
FAILING = Finding(PROBE_FAILING, "", "upload at https://registry.example: 401")


@pytest.fixture
def open_database(open_empty: OpenDatabase) -> OpenDatabase:
    open_empty().write_now(schema.migrate)
    return open_empty


@pytest.fixture
def database(open_database: OpenDatabase) -> Database:
    return open_database()


def see(
    database: Database, now: int, *found: Finding, channels: Sequence[str] = ("webhook",), repeat_hours: float = 24
) -> None:
    settings = load(alert_repeat_hours=repeat_hours)
    database.write_now(state.note, Moment(now, settings), found, channels)


def events(database: Database) -> list[str]:
    return database.read_now(
        lambda connection: list(connection.scalars(select(alert_notices.c.event).order_by(alert_notices.c.at)))
    )


def test_it_must_last_before_anybody_is_told(database: Database) -> None:
    see(database, START, LOST)
    see(database, START + DELAY - 1, LOST)
    assert events(database) == []
    assert [alert.notified_at for alert in database.read_now(state.active)] == [None]
    see(database, START + DELAY, LOST)
    assert events(database) == ["firing"]


def test_what_passes_at_once_is_told_to_nobody(database: Database) -> None:
    see(database, START, LOST)
    see(database, START + 10 * SECOND)
    see(database, START + DELAY)
    assert events(database) == []
    assert database.read_now(state.active) == []


def test_a_refused_push_is_told_at_once(database: Database) -> None:
    see(database, START, FAILING)
    assert events(database) == ["firing"]


def test_it_is_told_once_and_again_when_it_is_over(database: Database) -> None:
    for seconds in range(0, 600, 15):
        see(database, START + seconds * SECOND, FAILING)
    assert events(database) == ["firing"]
    see(database, START + 600 * SECOND)
    assert events(database) == ["firing"], "it may come back at once"
    see(database, START + 585 * SECOND + DELAY)
    assert events(database) == ["firing", "resolved"]
    see(database, START + 900 * SECOND, FAILING)
    assert events(database) == ["firing", "resolved", "firing"], "the next time is another alert"


def test_what_comes_and_goes_is_one_alert(database: Database) -> None:
    for turn in range(40):
        see(database, START + turn * 15 * SECOND, *([LOST] if turn % 3 == 0 else []))
    assert events(database) == ["firing"]
    see(database, START + 600 * SECOND + 2 * DELAY)
    assert events(database) == ["firing", "resolved"]


def test_what_lasts_is_told_again(database: Database) -> None:
    for hours in range(49):
        see(database, START + hours * HOUR, FAILING, repeat_hours=24)
    assert events(database) == ["firing", "reminder", "reminder"]


def test_who_wants_no_reminder_gets_none(database: Database) -> None:
    for hours in range(0, 200, 10):
        see(database, START + hours * HOUR, FAILING, repeat_hours=0)
    assert events(database) == ["firing"]


def test_subjects_are_told_apart_and_every_channel_is_told(database: Database) -> None:
    other = Finding(PROBE_FAILING, "elsewhere", "x")
    see(database, START, FAILING, other, channels=("webhook", "mail"))
    assert len(events(database)) == 4
    assert len(database.read_now(state.active)) == 2


def test_without_channels_it_is_kept_and_the_first_channel_hears_of_it(database: Database) -> None:
    see(database, START, FAILING, channels=())
    (kept,) = database.read_now(state.active)
    assert (kept.condition, kept.notified_at) == ("probe_failing", None)
    see(database, START + SECOND, FAILING)
    assert events(database) == ["firing"]


def test_what_nobody_was_told_of_stands_once_it_held(database: Database) -> None:
    settings = load()
    stood = []
    for seconds in (0, 59, 60):
        see(database, START + seconds * SECOND, LOST, FAILING, channels=())
        found = database.read_now(state.active)
        stood.append({alert.condition for alert in found if state.stands(alert, settings)})
    assert stood == [{"probe_failing"}, {"probe_failing"}, {"probe_failing", "replica_lost"}]


def test_no_reminder_is_lost_while_there_is_no_channel(database: Database) -> None:
    see(database, START, FAILING)
    see(database, START + 24 * HOUR, FAILING, channels=())
    see(database, START + 25 * HOUR, FAILING)
    assert events(database) == ["firing", "reminder"]


def test_old_ones_are_forgotten_with_their_notices(database: Database) -> None:
    see(database, START, FAILING)
    see(database, START + DELAY)
    see(database, START + DELAY + state.KEPT + 1, LOST)
    assert events(database) == []
    assert database.read_now(lambda connection: connection.scalars(select(alerts.c.condition)).all()) == [
        "replica_lost"
    ]


def at_once(many: Sequence[Callable[[], object]]) -> None:
    barrier = threading.Barrier(len(many))

    def run(work: Callable[[], object]) -> None:
        barrier.wait(30)
        work()

    with ThreadPoolExecutor(len(many)) as threads:
        for done in [threads.submit(run, work) for work in many]:
            done.result(60)


def test_two_processes_that_look_at_once_tell_once(open_database: OpenDatabase) -> None:
    databases = [open_database() for _ in range(4)]
    for turn in range(5):
        now = START + turn * 15 * SECOND
        at_once([partial(see, each, now, FAILING, LOST) for each in databases])
    assert sorted(events(databases[0])) == ["firing", "firing"]


def test_a_notice_is_given_to_one_of_those_who_ask_at_once(open_database: OpenDatabase) -> None:
    databases = [open_database() for _ in range(4)]
    many = [Finding(PROBE_FAILING, str(number), "x") for number in range(10)]
    see(databases[0], START, *many)
    taken: list[Notice] = []

    def take(database: Database) -> None:
        taken.extend(database.write_now(notices.take, START))

    at_once([partial(take, each) for each in databases])
    assert len(taken) == len({notice.id for notice in taken}) == 10


def test_a_notice_that_is_being_taken_is_taken_by_nobody_else(open_database: OpenDatabase) -> None:
    one, other = open_database(), open_database()
    see(one, START, FAILING)
    taken, go = threading.Event(), threading.Event()

    def take_slowly(connection: Connection) -> Sequence[Notice]:
        found = notices.take(connection, START)
        taken.set()
        go.wait(20)
        return found

    with ThreadPoolExecutor(2) as threads:
        slow = threads.submit(one.write_now, take_slowly)
        assert taken.wait(20)
        quick = threads.submit(other.write_now, notices.take, START)
        # SQLite lets nobody else write meanwhile, PostgreSQL passes over what is locked.
        wait([quick], 1)
        go.set()
        assert [len(slow.result(20)), len(quick.result(20))] == [1, 0]


def test_what_its_process_died_over_is_tried_again_under_the_same_id(database: Database) -> None:
    see(database, START, FAILING)
    (first,) = database.write_now(notices.take, START)
    assert database.write_now(notices.take, START + LEASE - 1) == []
    (again,) = database.write_now(notices.take, START + LEASE)
    assert (again.id, again.attempts) == (first.id, 2)
    database.write_now(notices.delivered, again.id)
    assert database.write_now(notices.take, START + 100 * LEASE) == []


def test_what_does_not_come_through_is_tried_later_and_later_for_a_day(database: Database) -> None:
    see(database, START, FAILING)
    now, pauses = START, []
    while True:
        (notice,) = database.write_now(notices.take, now)
        if database.write_now(notices.failed, now, notice, "the webhook answered 500"):
            break
        (due,) = database.read_now(lambda connection: connection.scalars(select(alert_notices.c.due_at)).all())
        pauses.append((due - now) // SECOND)
        now = due
    assert pauses[:4] == [10, 20, 40, 80]
    assert max(pauses) == 3600
    assert now - START >= GIVEN_UP
    assert database.write_now(notices.take, now + GIVEN_UP) == []


def test_nobody_is_told_that_it_is_over_before_that_it_began(database: Database) -> None:
    see(database, START, FAILING)
    (began,) = database.write_now(notices.take, START)
    database.write_now(notices.failed, START, began, "the webhook answered 500")
    see(database, START + DELAY)
    (first,) = database.write_now(notices.take, START + DELAY)
    assert first.event == "firing"
    database.write_now(notices.delivered, first.id)
    (second,) = database.write_now(notices.take, START + DELAY)
    assert second.event == "resolved"


def test_a_channel_that_fails_holds_no_other_one_back(database: Database) -> None:
    see(database, START, FAILING, channels=("webhook", "mail"))
    began = {notice.channel: notice for notice in database.write_now(notices.take, START)}
    database.write_now(notices.failed, START, began["webhook"], "the webhook answered 500")
    database.write_now(notices.delivered, began["mail"].id)
    see(database, START + DELAY, channels=("webhook", "mail"))
    found = database.write_now(notices.take, START + DELAY)
    assert sorted((notice.channel, notice.event) for notice in found) == [("mail", "resolved"), ("webhook", "firing")]


def test_an_alert_of_a_newer_version_is_shown(database: Database) -> None:
    def insert(connection: Connection) -> None:
        row = {"condition": "new", "subject": "", "text": "x", "since": START, "last_seen_at": START}
        connection.execute(alerts.insert().values(row))

    database.write_now(insert)
    assert [alert.condition for alert in database.read_now(state.active)] == ["new"]
