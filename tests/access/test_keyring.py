"""Keys move from pending to active to retiring to gone, and no token is ever signed by one that a replica lacks.

A state machine of replicas that start, pause, die and rotate at any time; then the rules one by one.
"""

import asyncio
import base64
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import patch

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule
from sqlalchemy import Connection, delete, select

from mooring.access import keyholder, keyring
from mooring.access.keyholder import KeyHolder
from mooring.access.keyring import Keyring
from mooring.access.rotation import Rotation
from mooring.access.tables import signing_key_acknowledgements, signing_keys
from mooring.access.tokens import LEEWAY_SECONDS
from mooring.cluster import heartbeat
from mooring.cluster.clock import SECOND, Clock
from mooring.cluster.configuration import Configuration
from mooring.cluster.heartbeat import LIFE, Pulse
from mooring.cluster.master_key import MasterKey
from mooring.cluster.tables import replicas
from mooring.database.schema import migrate
from mooring.database.sqlite import SQLite
from mooring.errors import ConfigurationError

SEALING = MasterKey(bytes(32))
DAY = 86_400 * SECOND
START = 1_800_000_000 * SECOND
PAUSES = (SECOND, 5 * SECOND, 25 * SECOND, 90 * SECOND, 3600 * SECOND, 12 * 3600 * SECOND, DAY, 31 * DAY)
MOST_REPLICAS = 4
MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() else None
"""What is written here thousands of times need not survive."""


@dataclass
class Replica:
    """The real keys and rotation of one replica; only its clock is the test's."""

    name: str
    keys: KeyHolder
    rotation: Rotation
    started: int = 0
    """Steps of its start that are done; it serves after three."""
    loaded: Keyring | None = None
    """Between the two halves of a turn."""
    heard_at: int | None = None
    paused: bool = False
    """As by SIGSTOP, or a machine that sleeps. It does not know when it wakes."""
    steady: bool = False
    """Whether the cluster has waited for it ever since it last loaded its keys."""

    @property
    def serves(self) -> bool:
        return self.started >= 3

    @property
    def awake(self) -> bool:
        return self.serves and not self.paused


@dataclass
class Token:
    kid: str
    expires_at: int


@dataclass
class World:
    """A database for all runs, emptied for each."""

    directory: Any = field(default_factory=lambda: TemporaryDirectory(dir=MEMORY))
    database: SQLite = field(init=False)
    runner: asyncio.Runner = field(default_factory=asyncio.Runner)

    def __post_init__(self) -> None:
        self.database = SQLite(Path(self.directory.name) / "mooring.db")
        self.database.write_now(migrate)

    def empty(self) -> None:
        def clear(connection: Connection) -> None:
            for table in (signing_key_acknowledgements, signing_keys, replicas):
                connection.execute(delete(table))

        self.database.write_now(clear)

    def close(self) -> None:
        self.database.close()
        self.runner.close()
        self.directory.cleanup()


@cache
def world() -> World:
    return World()


class Cluster(RuleBasedStateMachine):
    def __init__(self) -> None:
        super().__init__()
        world().empty()
        self.database, self.now = world().database, START
        self.tokens: list[Token] = []
        self.replicas: list[Replica] = []
        self.number = 0
        self.patches: list[Any] = [
            patch.object(keyholder, "RELOAD_SECONDS", 0.0),
            patch.object(keyholder, "monotonic", lambda: self.now),
        ]
        for each in self.patches:
            each.start()
        for _ in range(2):
            self.start(steps=3)

    def teardown(self) -> None:
        for each in self.patches:
            each.stop()

    def run(self, work: Any) -> Any:
        return world().runner.run(work)

    @property
    def awake(self) -> list[Replica]:
        return [replica for replica in self.replicas if replica.awake]

    def pick(self, number: int) -> Replica:
        return self.awake[number % len(self.awake)]

    @precondition(lambda self: len(self.replicas) < MOST_REPLICAS)
    @rule(steps=st.integers(0, 3))
    def start(self, steps: int) -> None:
        self.number += 1
        keys, name = KeyHolder(self.database, SEALING), f"replica-{self.number}"
        clock = cast("Clock", SimpleNamespace(now=lambda: self.now))
        configuration = cast(
            "Configuration",
            SimpleNamespace(settings=SimpleNamespace(token_life_seconds=1800, key_life_days=30)),
        )
        rotation = Rotation(self.database, clock, keys, SEALING, configuration, name)
        replica = Replica(name, keys, rotation)
        self.replicas.append(replica)
        for _ in range(steps):
            self.go_on(replica)

    @precondition(lambda self: any(not replica.serves for replica in self.replicas))
    @rule()
    def go_on_starting(self) -> None:
        self.go_on(next(replica for replica in self.replicas if not replica.serves))

    def go_on(self, replica: Replica) -> None:
        if replica.started == 1:
            self.beat(replica, ready=True)
        else:
            self.run(replica.rotation.turn())
        replica.started += 1
        replica.steady = replica.serves and self.waited_for(replica)

    @precondition(lambda self: self.awake)
    @rule(number=st.integers(0, MOST_REPLICAS))
    def pause(self, number: int) -> None:
        self.pick(number).paused = True

    @precondition(lambda self: self.awake)
    @rule(number=st.integers(0, MOST_REPLICAS), whole=st.booleans())
    def turn(self, number: int, whole: bool) -> None:
        replica = self.pick(number)
        if whole:
            self.turn_whole(replica)
        else:
            replica.loaded = self.run(replica.keys.reload())

    def turn_whole(self, replica: Replica) -> None:
        replica.loaded = self.run(replica.keys.reload())
        self.end(replica)

    @precondition(lambda self: any(replica.loaded for replica in self.replicas))
    @rule()
    def end_turn(self) -> None:
        """What another replica did since the turn began may have changed everything."""
        self.end(next(replica for replica in self.replicas if replica.loaded))

    def end(self, replica: Replica) -> None:
        self.database.write_now(replica.rotation._move, cast("Keyring", replica.loaded))
        self.run(replica.keys.reload())
        replica.loaded, replica.steady = None, replica.serves and self.waited_for(replica)

    @precondition(lambda self: self.awake)
    @rule(number=st.integers(0, MOST_REPLICAS), ready=st.sampled_from([True, True, True, False]))
    def say_so(self, number: int, ready: bool) -> None:
        self.beat(self.pick(number), ready=ready)

    @rule()
    def settle(self) -> None:
        """What some quiet seconds do."""
        for replica in self.awake:
            self.beat(replica, ready=True)
        for replica in self.awake * 2:
            self.turn_whole(replica)

    @rule(settled=st.booleans())
    def rotate(self, settled: bool) -> None:
        self.database.write_now(keyring.create, SEALING, self.now)
        self.database.write_now(keyring.advance, self.now)
        if settled:
            self.settle()

    @precondition(lambda self: any(replica.serves for replica in self.replicas))
    @rule(number=st.integers(0, MOST_REPLICAS), life=st.sampled_from([60, 1800, 86_400]))
    def sign(self, number: int, life: int) -> None:
        """Also as the first thing after a pause. The life of tokens may have been changed since the last one."""
        serving = [replica for replica in self.replicas if replica.serves]
        replica = serving[number % len(serving)]
        replica.paused = False
        ring = self.run(replica.keys.signing())
        self.tokens.append(Token(ring.signer.kid, self.now + life * SECOND))

    @precondition(lambda self: self.awake)
    @rule(number=st.integers(0, MOST_REPLICAS), gracefully=st.booleans())
    def stop(self, number: int, gracefully: bool) -> None:
        replica = self.pick(number)
        self.replicas.remove(replica)
        if gracefully:
            self.database.write_now(heartbeat.leave, replica.name)

    @rule(pause=st.sampled_from(PAUSES))
    def wait(self, pause: int) -> None:
        self.now += pause
        for replica in self.replicas:
            replica.steady = replica.steady and self.waited_for(replica)

    @invariant()
    def every_living_token_is_known_everywhere(self) -> None:
        self.tokens = [token for token in self.tokens if self.now <= token.expires_at + LEEWAY_SECONDS * SECOND]
        for replica in self.replicas:
            for token in self.tokens:
                if replica.awake:
                    self.run(replica.keys.find(token.kid))

    @invariant()
    def whoever_was_waited_for_need_not_even_look(self) -> None:
        signing = set(self.kids("active"))
        for replica in self.replicas:
            assert not replica.steady or signing <= set(replica.keys.keyring.keys), replica.name

    @invariant()
    def one_key_signs(self) -> None:
        assert len(self.kids("active")) == 1 or not any(replica.serves for replica in self.replicas)

    def beat(self, replica: Replica, *, ready: bool) -> None:
        self.database.write_now(heartbeat.beat, self.now, replica.name, Pulse(ready))
        was_gone = not self.waited_for(replica)
        replica.heard_at = self.now if ready else None
        replica.steady = replica.steady and ready and not was_gone

    def waited_for(self, replica: Replica) -> bool:
        return replica.heard_at is not None and replica.heard_at > self.now - LIFE

    def kids(self, state: str) -> list[str]:
        wanted = select(signing_keys.c.kid).where(signing_keys.c.state == state)
        return self.database.read_now(lambda connection: list(connection.scalars(wanted)))


Cluster.TestCase.settings = settings(
    max_examples=40,
    stateful_step_count=50,
    deadline=None,
    derandomize=True,
    phases=(Phase.generate,),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)
TestCluster = Cluster.TestCase


@pytest.fixture(scope="module", autouse=True)
def end_of_the_world() -> Iterator[None]:
    yield
    world().close()
    world.cache_clear()


@pytest.fixture
def database() -> SQLite:
    world().empty()
    return world().database


def states(database: SQLite) -> dict[str, str]:
    query = select(signing_keys.c.kid, signing_keys.c.state)
    return database.read_now(lambda connection: {row.kid: row.state for row in connection.execute(query)})


def acknowledge(database: SQLite, *names: str) -> None:
    for name in names:
        ring = database.read_now(keyring.load, SEALING)
        database.write_now(keyring.acknowledge, name, ring)


def beat(database: SQLite, now: int, *names: str, ready: bool = True) -> None:
    for name in names:
        database.write_now(heartbeat.beat, now, name, Pulse(ready))


def test_a_key_signs_once_all_who_serve_have_it(database: SQLite) -> None:
    beat(database, START, "one", "two")
    kid = database.write_now(keyring.create, SEALING, START)
    database.write_now(keyring.advance, START)
    assert states(database) == {kid: "pending"}
    acknowledge(database, "one")
    database.write_now(keyring.advance, START)
    assert states(database) == {kid: "pending"}
    acknowledge(database, "two")
    database.write_now(keyring.advance, START)
    assert states(database) == {kid: "active"}


@pytest.mark.parametrize("gone", ["silent", "left", "not ready"])
def test_nobody_waits_for_who_does_not_serve(database: SQLite, gone: str) -> None:
    beat(database, START, "one", "two")
    kid = database.write_now(keyring.create, SEALING, START)
    acknowledge(database, "one")
    now = START + (LIFE if gone == "silent" else 0)
    beat(database, now, "one")
    if gone == "left":
        database.write_now(heartbeat.leave, "two")
    if gone == "not ready":
        beat(database, now, "two", ready=False)
    database.write_now(keyring.advance, now)
    assert states(database) == {kid: "active"}


def test_an_old_key_verifies_until_its_last_token_has_expired(database: SQLite) -> None:
    """Whatever the token life is now: it may have been the longest that is allowed when the token was issued."""
    old = database.write_now(keyring.create, SEALING, START)
    database.write_now(keyring.advance, START)
    new = database.write_now(keyring.create, SEALING, START + 1)
    database.write_now(keyring.advance, START + 1)
    assert states(database) == {old: "retiring", new: "active"}
    database.write_now(keyring.advance, START + 1 + DAY + LEEWAY_SECONDS * SECOND)
    assert states(database) == {old: "retiring", new: "active"}
    database.write_now(keyring.advance, START + 1 + DAY + 180 * SECOND)
    assert states(database) == {new: "active"}


def test_several_rotations_at_once_leave_one_that_signs(database: SQLite) -> None:
    kids = [database.write_now(keyring.create, SEALING, START + number) for number in range(4)]
    database.write_now(keyring.advance, START + 9)
    assert states(database) == {**dict.fromkeys(kids, "retiring"), kids[-1]: "active"}
    assert database.read_now(keyring.load, SEALING).signer.kid == kids[-1]


def test_a_key_is_due_by_its_age(database: SQLite) -> None:
    assert database.read_now(keyring.rotation_due, START, DAY)
    database.write_now(keyring.create, SEALING, START)
    assert not database.read_now(keyring.rotation_due, START + DAY, DAY)
    assert database.read_now(keyring.rotation_due, START + DAY + 1, DAY)


def test_private_halves_are_sealed(database: SQLite) -> None:
    kid = database.write_now(keyring.create, SEALING, START)
    ring = database.read_now(keyring.load, SEALING)
    secret = ring.keys[kid].key.as_dict(private=True)["d"]
    assert isinstance(secret, str)
    raw = base64.urlsafe_b64decode(secret + "=")
    row = database.read_now(lambda connection: connection.execute(select(signing_keys)).mappings().one())
    for value in row.values():
        text = value if isinstance(value, bytes) else str(value).encode()
        assert secret.encode() not in text
        assert raw not in text
    with pytest.raises(ConfigurationError, match="master key"):
        database.read_now(keyring.load, MasterKey(b"1" * 32))


def test_a_sealed_half_fits_its_own_row_only(database: SQLite) -> None:
    """Whoever can write to the database can't put one key's private half under another's name."""
    one, two = (database.write_now(keyring.create, SEALING, START) for _ in range(2))

    def swap(connection: Connection) -> None:
        sealed = connection.execute(select(signing_keys.c.sealed_private_key).where(signing_keys.c.kid == one)).scalar()
        connection.execute(signing_keys.update().where(signing_keys.c.kid == two).values(sealed_private_key=sealed))

    database.write_now(swap)
    with pytest.raises(ConfigurationError):
        database.read_now(keyring.load, SEALING)


def test_what_is_published_is_public(database: SQLite) -> None:
    kid = database.write_now(keyring.create, SEALING, START)
    (published,) = database.read_now(keyring.load, SEALING).jwks()["keys"]
    assert set(published) == {"kty", "crv", "x", "y", "kid", "alg", "use"}
    assert (published["kid"], published["alg"], published["use"]) == (kid, "ES256", "sig")


@pytest.mark.parametrize("waiting", [1, 40])
def test_made_up_kids_cost_one_reload_in_an_interval(database: SQLite, waiting: int) -> None:
    """However many come at once: those that wait for one reload share it."""
    keys, reads = KeyHolder(database, SEALING), 0
    real = keyring.load

    def counted(connection: Connection, sealing: MasterKey) -> Keyring:
        nonlocal reads
        reads += 1
        return real(connection, sealing)

    async def flood() -> float:
        loop, unknown = asyncio.get_running_loop(), 0
        started = loop.time()
        while loop.time() < started + 1.0:
            found = await asyncio.gather(
                *(keys.find(f"made-up-{number}") for number in range(waiting)), return_exceptions=True
            )
            unknown += sum(getattr(each, "reason", None) == "unknown_kid" for each in found)
        assert unknown >= waiting
        return loop.time() - started

    with patch.object(keyring, "load", counted):
        seconds = asyncio.run(flood())
    assert 1 < reads <= seconds / keyholder.RELOAD_SECONDS + 2
