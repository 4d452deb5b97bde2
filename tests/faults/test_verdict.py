"""What a run of the faults is judged by: it must not pass what it is there to find."""

import time

import pytest

from tests.faults.page import verdict
from tests.faults.programs import REFUSAL
from tests.faults.tally import Outcome, Tally, by_client, by_fault


def tallied(*outcomes: Outcome) -> Tally:
    tally = Tally()
    row = tally.begin("a fault")
    for outcome in outcomes:
        row.note("a client", outcome, time.monotonic(), "what it said")
    return tally


REFUSING = tallied(Outcome.REFUSED)


def test_a_clean_run_is_good() -> None:
    assert verdict(tallied(Outcome.DONE, Outcome.FAILED), REFUSING) == []


@pytest.mark.parametrize("bad", [Outcome.REFUSED, Outcome.LOST, Outcome.CORRUPT])
def test_one_of_these_is_too_many(bad: Outcome) -> None:
    assert verdict(tallied(Outcome.DONE, bad), REFUSING) == [f"1 {bad}"]


def test_a_control_without_refusals_proves_nothing() -> None:
    assert verdict(tallied(Outcome.DONE), tallied(Outcome.DONE))
    assert verdict(tallied(Outcome.DONE), Tally())


def test_a_run_without_operations_proves_nothing() -> None:
    assert verdict(Tally(), REFUSING)


def test_a_client_that_only_fails_proves_nothing() -> None:
    tally = tallied(Outcome.DONE)
    tally.current.note("another", Outcome.FAILED, time.monotonic())
    assert verdict(tally, REFUSING) == ["another did nothing"]
    tally.current.note("another", Outcome.DONE, time.monotonic())
    assert verdict(tally, REFUSING) == []


def test_a_wrong_replica_that_was_not_named_is_a_fault() -> None:
    tally = tallied(Outcome.DONE)
    tally.current.missing.append("it was taken for right")
    assert verdict(tally, REFUSING) == ["it was taken for right"]


def test_what_ends_late_counts_where_it_began() -> None:
    tally = tallied(Outcome.DONE)
    row, _ = tally.current, tally.begin("the next fault")
    row.note("a client", Outcome.REFUSED, time.monotonic())
    assert [row.of(Outcome.REFUSED) for row in tally.rows.values()] == [1, 0]
    assert "| a fault | 2 | 1 |" in by_fault(tally)
    assert "| a client | 2 | 1 |" in by_client(tally)


@pytest.mark.parametrize(
    "said",
    [
        "unauthorized: You are not logged in, and push on library/app is not open to everybody.",
        "denied: requested access to the resource is denied",
        "Requesting bearer token: invalid status code from registry 401 (Unauthorized)",
        "reading manifest v1 in 127.0.0.1:5000/library/app: manifest unknown",
        "received unexpected HTTP status: 404 Not Found",
        "error parsing HTTP 403 response body",
    ],
)
def test_a_refusal_is_known_by_what_a_program_says(said: str) -> None:
    assert REFUSAL.search(said)


@pytest.mark.parametrize(
    "said",
    [
        "received unexpected HTTP status: 503 Service Unavailable",
        "Get http://127.0.0.1:5000/v2/: dial tcp 127.0.0.1:5000: connect: connection refused",
        "uploading layer to http://127.0.0.1:28404/v2/library/app/blobs/uploads/0f401c: unexpected EOF",
        "pinging container registry 127.0.0.1:25514: invalid status code from registry 503 (Service Unavailable)",
    ],
)
def test_an_outage_is_no_refusal(said: str) -> None:
    assert not REFUSAL.search(said)
