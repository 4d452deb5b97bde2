"""Settings that change while serving: bounded, versioned, and the same on every replica."""

import asyncio
from collections.abc import Iterator
from pathlib import Path

import pytest

from mooring.cluster import configuration
from mooring.cluster.configuration import CHANGEABLE, Configuration
from mooring.database import schema
from mooring.database.sqlite import SQLite
from mooring.errors import Conflict, Invalid
from mooring.settings import Settings, load


@pytest.fixture
def database(tmp_path: Path) -> Iterator[SQLite]:
    database = SQLite(tmp_path / "mooring.db")
    database.write_now(schema.migrate)
    yield database
    database.close()


def test_a_change_is_in_force_on_another_replica(database: SQLite) -> None:
    one, other = Configuration(database, load()), Configuration(database, load())
    database.write_now(configuration.change, 1, "ann", {"token_life_seconds": 900})
    asyncio.run(one.refresh())
    asyncio.run(other.refresh())
    assert one.settings.token_life_seconds == other.settings.token_life_seconds == 900
    assert one.version == other.version == 1


def test_unsetting_lets_each_replicas_own_settings_hold(database: SQLite) -> None:
    replica = Configuration(database, load(page_limit=7))
    database.write_now(configuration.change, 1, "ann", {"page_limit": 50})
    database.write_now(configuration.change, 2, "ann", {"page_limit": None})
    asyncio.run(replica.refresh())
    assert replica.settings.page_limit == 7


def test_a_change_keeps_what_others_set(database: SQLite) -> None:
    database.write_now(configuration.change, 1, "ann", {"page_limit": 50})
    version = database.write_now(configuration.change, 2, "bob", {"key_life_days": 3})
    assert version.values == {"page_limit": 50, "key_life_days": 3}


@pytest.mark.parametrize(
    "values",
    [
        {"token_life_seconds": 59},
        {"token_life_seconds": "soon"},
        {"external_url": "ftp://registry"},
        {"host": "0.0.0.0"},
        {"no_such_setting": None},
    ],
)
def test_what_is_not_valid_changes_nothing(database: SQLite, values: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        database.write_now(configuration.change, 1, "ann", values)
    assert database.read_now(configuration.newest) is None


def test_the_history_says_who_changed_what_and_when(database: SQLite) -> None:
    database.write_now(configuration.change, 11, "ann", {"page_limit": 50})
    database.write_now(configuration.change, 22, "bob", {"page_limit": 60})
    found = database.read_now(configuration.history, 10)
    assert [(version.number, version.changed_by, version.changed_at) for version in found] == [
        (2, "bob", 22),
        (1, "ann", 11),
    ]


def test_a_setting_of_a_newer_version_is_left_alone(database: SQLite) -> None:
    replica = Configuration(database, load())
    replica.adopt(configuration.Version(9, {"of_the_future": 1, "page_limit": 3}, "ann", 1))
    assert replica.settings.page_limit == 3


def test_no_row_says_where_a_secret_of_a_replica_goes(database: SQLite) -> None:
    own = load(alert_mail_server="smtps://mail.example", alert_mail_username="mooring", alert_mail_password="secret")
    replica = Configuration(database, own)
    elsewhere = {"alert_mail_server": "smtps://elsewhere.example", "alert_webhook": "https://elsewhere.example"}
    replica.adopt(configuration.Version(9, elsewhere, "ann", 1))
    assert (replica.settings.alert_mail_server, replica.settings.alert_webhook) == ("smtps://mail.example", None)
    with pytest.raises(Invalid):
        database.write_now(configuration.change, 1, "ann", elsewhere)


def test_every_changeable_setting_is_a_setting() -> None:
    assert set(CHANGEABLE) <= set(Settings.model_fields)


def test_two_changes_of_one_version_do_not_both_pass(database: SQLite, monkeypatch: pytest.MonkeyPatch) -> None:
    database.write_now(configuration.change, 1, "ann", {"page_limit": 50})
    monkeypatch.setattr(configuration, "newest", lambda _connection: None)
    with pytest.raises(Conflict):
        database.write_now(configuration.change, 2, "bob", {"page_limit": 60})
