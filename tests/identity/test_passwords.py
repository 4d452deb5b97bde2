"""How passwords are kept and checked: slow to guess, quick to prove again, and silent about who exists."""

import asyncio
import re
import threading
import time
from dataclasses import dataclass, field

import pytest

from mooring.identity import passwords
from mooring.identity.passwords import AT_ONCE, LONGEST, REMEMBERED_SECONDS, PasswordChecker, hash_password

HASH = hash_password("right")


@dataclass
class Work:
    """The slow checks that were made, counted where they are made."""

    done: int = 0
    most_at_once: int = 0
    _now: int = 0
    _lock: threading.Lock = field(default_factory=threading.Lock)


@pytest.fixture
def work(monkeypatch: pytest.MonkeyPatch) -> Work:
    counted, check = Work(), passwords._verify

    def verify(password: str, password_hash: str | None) -> bool:
        with counted._lock:
            counted.done += 1
            counted._now += 1
            counted.most_at_once = max(counted.most_at_once, counted._now)
        try:
            return check(password, password_hash)
        finally:
            with counted._lock:
                counted._now -= 1

    monkeypatch.setattr(passwords, "_verify", verify)
    return counted


def matches(checker: PasswordChecker, password: str, password_hash: str | None = HASH, account: str = "anna") -> bool:
    return asyncio.run(checker.matches(password, password_hash, account))


def test_argon2id_with_at_least_owasps_parameters() -> None:
    found = re.fullmatch(r"\$argon2id\$v=19\$m=(\d+),t=(\d+),p=(\d+)\$[^$]{22,}\$[^$]{43,}", HASH)
    assert found is not None, HASH
    memory, passes, _lanes = map(int, found.groups())
    assert (memory, passes) >= (19 * 1024, 2)


def test_the_same_password_is_never_kept_the_same_way_twice() -> None:
    assert hash_password("right") != HASH


@pytest.mark.parametrize(
    "password", ["right", "p\u00e4ssw\u00f6rd", "\u5bc6\u7801", "a\0b", " ", "\ud800", "x" * LONGEST]
)
def test_right_and_wrong(password: str) -> None:
    stored = passwords._hasher.hash(password.encode("utf-8", "surrogatepass"))
    checker = PasswordChecker()
    assert matches(checker, password, stored)
    assert not matches(checker, password + "!", stored)
    assert not matches(checker, password[:-1], stored)


@pytest.mark.parametrize("stored", ["", "right", "$argon2id$v=19$m=1$x", "!"])
def test_a_hash_that_is_none_fits_nothing(stored: str) -> None:
    assert not matches(PasswordChecker(), "right", stored)


def test_an_absurdly_long_password_is_not_even_hashed(work: Work) -> None:
    assert not matches(PasswordChecker(), "x" * (LONGEST + 1))
    assert work.done == 0


def test_a_proven_password_is_not_proven_again(work: Work) -> None:
    checker = PasswordChecker()
    assert all(matches(checker, "right") for _ in range(5))
    assert not any(matches(checker, "wrong") for _ in range(5))
    assert work.done == 2


def test_a_changed_password_takes_effect_at_once(work: Work) -> None:
    checker, new = PasswordChecker(), hash_password("new")
    assert matches(checker, "right")
    assert not matches(checker, "right", new)
    assert matches(checker, "new", new)
    assert work.done == 3


def test_what_was_proven_is_forgotten(work: Work, monkeypatch: pytest.MonkeyPatch) -> None:
    checker = PasswordChecker()
    assert matches(checker, "right")
    later = time.monotonic() + REMEMBERED_SECONDS + 1
    monkeypatch.setattr(time, "monotonic", lambda: later)
    assert matches(checker, "right")
    assert work.done == 2


def test_what_is_remembered_is_bounded_and_holds_no_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords, "REMEMBERED", 3)
    checker = PasswordChecker()
    for number in range(5):
        matches(checker, f"wrong-{number}")
    assert len(checker._remembered) == 3
    assert all(len(name) == 32 for name in checker._remembered)
    assert PasswordChecker()._name("anna", "right", HASH) != checker._name("anna", "right", HASH)


def test_time_does_not_tell_whether_an_account_exists(work: Work) -> None:
    """Each first try costs one slow check, whoever is asked for, also with a password that was tried on others."""
    checker = PasswordChecker()
    for account, stored in (("anna", HASH), ("nobody", None), ("nobody-else", None), ("bert", hash_password("x"))):
        before = work.done
        assert not matches(checker, "guess", stored, account)
        assert work.done == before + 1, account
        assert not matches(checker, "guess", stored, account)
        assert work.done == before + 1, account


def test_many_who_ask_the_same_at_once_share_one_check(work: Work) -> None:
    async def all_at_once() -> list[bool]:
        checker = PasswordChecker()
        return await asyncio.gather(*(checker.matches("right", HASH, "robot") for _ in range(50)))

    assert all(asyncio.run(all_at_once()))
    assert work.done == 1


def test_one_who_gives_up_takes_the_check_from_nobody(work: Work) -> None:
    async def impatient() -> bool:
        checker = PasswordChecker()
        first, second = (asyncio.create_task(checker.matches("right", HASH, "robot")) for _ in range(2))
        await asyncio.sleep(0)
        first.cancel()
        return await second

    assert asyncio.run(impatient())
    assert work.done == 1


def test_few_checks_at_once(work: Work) -> None:
    """Each takes a core and 19 MiB: a crowd waits instead of taking the machine."""

    async def crowd() -> list[bool]:
        checker = PasswordChecker()
        return await asyncio.gather(*(checker.matches(f"wrong-{number}", HASH) for number in range(12)))

    assert not any(asyncio.run(crowd()))
    assert work.done == 12
    assert work.most_at_once <= AT_ONCE


def test_the_loop_runs_on_while_a_password_is_checked() -> None:
    async def beside() -> int:
        checking = asyncio.create_task(PasswordChecker().matches("wrong", HASH))
        turns = 0
        while not checking.done():
            turns += 1
            await asyncio.sleep(0.001)
        return turns

    assert asyncio.run(beside()) > 1
