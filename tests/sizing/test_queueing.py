"""The model against what is known of queues, and against chance played out."""

import heapq
import random

import pytest

from bench.queueing import Solved, Station, bounds, solve


@pytest.mark.parametrize("clients", [1, 2, 7, 50])
@pytest.mark.parametrize("count", [1, 3])
def test_equal_stations_follow_their_formula(count: int, clients: int) -> None:
    stations = [Station(f"station {number}", 0.02) for number in range(count)]
    assert solve(stations, clients).rate == pytest.approx(clients / (0.02 * (clients + count - 1)))


def test_many_clients_who_rest_long_make_an_open_queue() -> None:
    """M/M/1: the time in it is 1 / (served - come)."""
    station, clients, rest = Station("queue", 0.01), 4000, 50.0
    solved = solve([station], clients, rest)
    assert 0.7 < solved.used(station) < 0.9
    assert solved.seconds - rest == pytest.approx(1 / (1 / 0.01 - solved.rate), rel=0.02)


def test_copies_are_as_good_as_stations_with_their_part_of_the_visits() -> None:
    one = Station("replicas", 0.03, copies=3)
    apart = [Station(f"replica {number}", 0.01) for number in range(3)]
    assert solve([one], 20).rate == pytest.approx(solve(apart, 20).rate)


@pytest.mark.parametrize("clients", [1, 4, 16, 64, 256])
def test_no_rate_passes_its_bounds(clients: int) -> None:
    stations = [Station("a", 0.004, servers=2, copies=3), Station("b", 0.002, servers=4), Station("c", 0.0)]
    solved = solve(stations, clients, 0.001)
    assert solved.rate <= bounds(stations, clients, 0.001) * (1 + 1e-9)
    assert max(solved.used(each) for each in stations) <= 1
    assert solved.rate * solved.seconds == pytest.approx(clients)


def test_one_client_waits_for_nobody() -> None:
    stations = [Station("a", 0.004, servers=2.5, copies=3), Station("b", 0.002, servers=4)]
    assert solve(stations, 1, 0.001).seconds == pytest.approx(0.007)


def test_very_many_clients_get_what_the_narrowest_station_gives() -> None:
    stations = [Station("wide", 0.004, servers=2, copies=10), Station("narrow", 0.002, servers=4)]
    solved = solve(stations, 5000)
    assert solved.rate == pytest.approx(2000, rel=0.01)
    assert solved.used(stations[1]) > 0.99 > solved.used(stations[0])


@pytest.mark.parametrize("clients", [3, 8, 30])
def test_stations_of_several_servers_are_near_what_chance_gives(clients: int) -> None:
    stations = [Station("replica", 0.010, servers=2), Station("database", 0.008, servers=3)]
    assert solve(stations, clients).rate == pytest.approx(played(stations, clients), rel=0.12)


def played(stations: list[Station], clients: int, seconds: float = 200.0) -> float:
    """Visits a second of clients that go from station to station; each is served for a time by chance, in turn."""
    chance = random.Random(7)
    waiting: list[list[int]] = [[] for _ in stations]
    busy = [0] * len(stations)
    events: list[tuple[float, int, int]] = []
    done, now = 0, 0.0

    def enter(client: int, at: int) -> None:
        waiting[at].append(client)
        serve(at)

    def serve(at: int) -> None:
        while waiting[at] and busy[at] < stations[at].servers:
            busy[at] += 1
            heapq.heappush(events, (now + chance.expovariate(1 / stations[at].demand), at, waiting[at].pop(0)))

    for client in range(clients):
        enter(client, 0)
    while now < seconds:
        now, at, client = heapq.heappop(events)
        busy[at] -= 1
        serve(at)
        following = (at + 1) % len(stations)
        done += following == 0
        enter(client, following)
    return Solved(done / seconds, 0).rate
