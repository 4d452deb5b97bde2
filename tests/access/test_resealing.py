"""The master key is replaced: everything sealed anew at once, or nothing."""

import pytest

from mooring.access import keyring
from mooring.cluster import heartbeat, identity
from mooring.cluster.heartbeat import Pulse
from mooring.cluster.master_key import MasterKey
from mooring.database import Database, schema
from mooring.database.time import database_time
from mooring.errors import Conflict, Foreign, PreconditionFailed
from tests.databases import OpenDatabase

NOW = 1_700_000_000_000_000
OLD, NEW = bytes(32), bytes(31) + b"\1"
BOTH = MasterKey(NEW, OLD)


@pytest.fixture
def database(open_empty: OpenDatabase) -> Database:
    made = open_empty()
    made.write_now(schema.migrate)
    made.write_now(identity.establish, NOW, MasterKey(OLD))
    for _ in range(2):
        made.write_now(keyring.create, MasterKey(OLD), NOW)
    made.write_now(keyring.advance, NOW)
    return made


def usable(database: Database, master_key: MasterKey) -> bool:
    try:
        database.read_now(identity.require_master_key, master_key)
        database.read_now(keyring.load, master_key)
    except Foreign:
        return False
    return True


def beat(database: Database, name: str, master_key: MasterKey) -> None:
    now = database.read_now(database_time)
    database.write_now(heartbeat.beat, now, name, Pulse(ready=True, master_keys=master_key.fingerprints))


def test_before_it_the_old_one_is_needed_and_after_it_the_new_one(database: Database) -> None:
    before = set(database.read_now(keyring.load, MasterKey(OLD)).keys)
    assert [usable(database, each) for each in (MasterKey(OLD), BOTH, MasterKey(NEW))] == [True, True, False]
    assert database.write_now(keyring.replace_master_key, BOTH) == 2
    assert [usable(database, each) for each in (MasterKey(OLD), BOTH, MasterKey(NEW))] == [False, True, True]
    assert set(database.read_now(keyring.load, MasterKey(NEW)).keys) == before


def test_until_then_new_signing_keys_are_for_everybody(database: Database) -> None:
    """A replica that was restarted already makes one; one that was not must be able to load it."""
    database.write_now(keyring.create, BOTH, NOW)
    assert usable(database, MasterKey(OLD))
    database.write_now(keyring.replace_master_key, BOTH)
    database.write_now(keyring.create, BOTH, NOW)
    assert usable(database, MasterKey(NEW))


def test_it_waits_for_every_replica_to_hold_the_new_one(database: Database) -> None:
    beat(database, "restarted", BOTH)
    beat(database, "not-yet", MasterKey(OLD))
    with pytest.raises(PreconditionFailed, match=r"not given the new master key yet: not-yet\. Restart them"):
        database.write_now(keyring.replace_master_key, BOTH)
    assert usable(database, MasterKey(OLD))
    beat(database, "not-yet", BOTH)
    database.write_now(keyring.replace_master_key, BOTH)


def test_a_second_time_it_says_so(database: Database) -> None:
    database.write_now(keyring.replace_master_key, BOTH)
    with pytest.raises(Conflict, match="sealed with this master key already"):
        database.write_now(keyring.replace_master_key, BOTH)


def test_two_keys_of_which_neither_is_the_databases_change_nothing(database: Database) -> None:
    with pytest.raises(Foreign):
        database.write_now(keyring.replace_master_key, MasterKey(bytes([1]) * 32, bytes([2]) * 32))
    assert usable(database, MasterKey(OLD))
