"""Ways in which a Harbor is broken, each with the causes that must be named, and no others."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import aiohttp
from aiohttp import web

from mooring.doctor.outside.harbor import Question
from mooring.egress.credentials import Credentials
from tests.doctor.harbor import ADMIN, HOUR, ROBOT, Database, Harbor, Key, Project, Registry, built, served

Break = Callable[[Harbor], None]
Ask = Callable[[Question], Question]


@dataclass(frozen=True)
class Scenario:
    name: str
    causes: str
    """With blanks between; `?` stands for a fault that is no known cause."""
    broken: Break = lambda _: None
    asked: Ask = lambda question: question
    timeout_seconds: float = 20
    stale_password: bool = False
    uploads_left: bool = False
    """Whether uploads were opened that nobody may cancel."""


SAMPLES: Final = 8
"""A balancer that chooses at random shows one of two keys alone so often once in 128; there are crossings too."""

DEADLINE: Final = 20


# --- who asks, and through what ---


def nobody(question: Question) -> Question:
    return replace(question, credentials=None)


def entrance_only(question: Question) -> Question:
    return replace(question, cores=())


def cores_only(question: Question) -> Question:
    return replace(question, entrance="")


def robot(question: Question) -> Question:
    return replace(question, credentials=Credentials(*ROBOT, "test"))


def person(question: Question) -> Question:
    return replace(question, credentials=Credentials("dev1", "Dev1-password", "test"))


def eaten(question: Question) -> Question:
    return replace(question, credentials=Credentials("robot+ci", ROBOT[1], "test"))


def nobody_at_entrance(question: Question) -> Question:
    return nobody(entrance_only(question))


# --- what is broken ---


def other_key(harbor: Harbor) -> None:
    harbor.second.key = harbor.other_key


def other_key_at_random(harbor: Harbor) -> None:
    other_key(harbor)
    harbor.balancer.spread = "random"


def no_key(harbor: Harbor) -> None:
    harbor.second.key_state = "missing"


def pkcs8_key(harbor: Harbor) -> None:
    harbor.second.key_state = "pkcs8"


def clock(seconds: float) -> Break:
    def broken(harbor: Harbor) -> None:
        harbor.second.clock = seconds

    return broken


def young_project(harbor: Harbor) -> None:
    clock(-2 * HOUR)(harbor)
    harbor.database.projects.append(Project("fresh", 3, created_at=time.time() - 60, members=("admin",)))


def flaky_directory(harbor: Harbor) -> None:
    harbor.database.auth_mode = "ldap_auth"
    for core in harbor.cores:
        core.directory = itertools.cycle((True, False, True)).__next__


def directory_away(harbor: Harbor) -> None:
    harbor.database.auth_mode = "ldap_auth"
    for core in harbor.cores:
        core.directory_reached = False


def redis_down(harbor: Harbor) -> None:
    for core in harbor.cores:
        core.redis_up = False


def database_down(harbor: Harbor) -> None:
    harbor.database.up = False


def other_database(harbor: Harbor) -> None:
    """Both know admin by the same first password; robots and projects are the first one's."""
    other = Database()
    other.passwords = dict([ADMIN])
    other.projects = [replace(project, id=project.id + 10) for project in other.projects]
    harbor.second.database = other


def robot_not_there(harbor: Harbor) -> None:
    lagging = replace(harbor.database, passwords=dict([ADMIN]))
    harbor.second.database = lagging


def registry_credential(harbor: Harbor) -> None:
    harbor.second.registry_password = "another"


def external_https(harbor: Harbor) -> None:
    harbor.second.external_scheme = "https"


def forwarded_https(harbor: Harbor) -> None:
    harbor.balancer.forwarded_proto = "https"


def other_host(harbor: Harbor) -> None:
    harbor.balancer.host = "internal.example:8443"


def short_tokens(harbor: Harbor) -> None:
    harbor.database.token_seconds = 60


def own_storage(harbor: Harbor) -> None:
    harbor.second.registry = Registry()


def own_http_secret(harbor: Harbor) -> None:
    harbor.second.registry = replace(harbor.cores[0].registry, http_secret="another")


def other_csrf(harbor: Harbor) -> None:
    harbor.second.csrf_key = "fedcba9876543210fedcba9876543210"


def other_prefix(harbor: Harbor) -> None:
    harbor.database.robot_prefix = "bot_"


def stale_cache(harbor: Harbor) -> None:
    harbor.database.cached_ids["library"] = 99


def authorization_dropped(harbor: Harbor) -> None:
    harbor.balancer.drops_authorization = True


def authorization_truncated(harbor: Harbor) -> None:
    harbor.balancer.truncates_authorization = True


def older_core(harbor: Harbor) -> None:
    harbor.second.version = "v2.15.1"


def older_core_panics(harbor: Harbor) -> None:
    older_core(harbor)
    harbor.database.new_hashes.add("admin")


def slow(harbor: Harbor) -> None:
    for core in harbor.cores:
        core.token_delay = 4


def registry_down(harbor: Harbor) -> None:
    harbor.cores[0].registry.up = False


def read_only(harbor: Harbor) -> None:
    harbor.database.read_only = True


def quota_used_up(harbor: Harbor) -> None:
    harbor.database.quota = (1 << 30, 1 << 30)


def core_stopped(harbor: Harbor) -> None:
    harbor.second.running = False


def core_stopped_and_no_other_tried(harbor: Harbor) -> None:
    core_stopped(harbor)
    harbor.balancer.tries_another = False


def answered_in_front(method: str, path: str, status: int) -> Break:
    """By a proxy or firewall, with a page of its own."""

    def instead(request: web.Request) -> web.Response | None:
        if request.path.startswith(path) and method in {"*", request.method}:
            return web.Response(status=status, text="<html>no registry</html>", content_type="text/html")
        return None

    def broken(harbor: Harbor) -> None:
        harbor.balancer.instead = instead

    return broken


def both(*breaks: Break) -> Break:
    def broken(harbor: Harbor) -> None:
        for each in breaks:
            each(harbor)

    return broken


def mounting(source: str) -> Ask:
    return lambda question: replace(question, mount_from=source)


def naming(repository: str) -> Ask:
    return lambda question: replace(question, repository=repository)


def named_and_mounting(question: Question) -> Question:
    return replace(question, repository="library/app", mount_from="library/other")


def a_robot_opening(question: Question) -> Question:
    return robot(replace(question, uploads="always"))


def a_person_mounting(question: Question) -> Question:
    return person(replace(question, mount_from="secret/app", uploads="always"))


def long_upload(question: Question) -> Question:
    return replace(question, longest_upload_seconds=2 * HOUR)


SCENARIOS: Final = (
    Scenario("healthy", ""),
    Scenario("healthy, nobody's credentials", "", asked=nobody),
    Scenario("healthy, entrance alone", "", asked=entrance_only),
    Scenario("healthy, cores alone", "", asked=cores_only),
    Scenario("healthy, a robot", "", asked=robot),
    Scenario("healthy, LDAP", "", lambda harbor: setattr(harbor.database, "auth_mode", "ldap_auth"), person),
    Scenario("healthy, the repository and a mount named", "", asked=named_and_mounting),
    Scenario("keys differ", "RC1", other_key),
    Scenario("keys differ, entrance and nobody's credentials", "RC1", other_key, nobody_at_entrance),
    Scenario("keys differ, spread at random", "RC1", other_key_at_random, nobody_at_entrance),
    Scenario("key file missing", "RC1", no_key),
    Scenario("key file missing, entrance alone", "RC1", no_key, entrance_only),
    Scenario("key in PKCS#8", "RC1", pkcs8_key),
    Scenario("clock 90 s ahead", "RC2", clock(90)),
    Scenario("clock 90 s behind, entrance and nobody", "RC2", clock(-90), nobody_at_entrance),
    Scenario("clock 2 h ahead", "RC2", clock(2 * HOUR)),
    Scenario("clock 45 s ahead: not enough yet", "RC2", clock(45)),
    Scenario("a core behind a young project", "RC2 RC3", young_project),
    Scenario("a stale password locks the account", "RC4", asked=person, stale_password=True),
    Scenario("LDAP fails now and then", "RC5", flaky_directory, person),
    Scenario("LDAP away", "RC5", directory_away, person),
    Scenario("LDAP away, an administrator of the database", "RC5", directory_away),
    Scenario("Redis down", "RC6", redis_down),
    Scenario("database down", "RC7", database_down),
    Scenario("database down, nobody's credentials", "RC7", database_down, nobody),
    Scenario("another database", "RC8", other_database),
    Scenario("a robot that one core does not know", "RC8", robot_not_there, robot),
    Scenario("registry credential differs", "RC9", registry_credential),
    Scenario("registry credential differs, nobody's credentials", "RC9", registry_credential, nobody),
    Scenario("registry credential differs, entrance alone", "RC9", registry_credential, entrance_only),
    Scenario("EXT_ENDPOINT https on one core", "RC10", external_https),
    Scenario("EXT_ENDPOINT https on one core, entrance alone", "RC10", external_https, entrance_only),
    Scenario("X-Forwarded-Proto https", "RC10", forwarded_https),
    Scenario("Host rewritten", "RC10 RC11", other_host),
    Scenario("Host rewritten, nobody's credentials", "RC11", other_host, nobody),
    Scenario("tokens of a minute", "RC12", short_tokens),
    Scenario("an upload of two hours", "RC12", asked=long_upload),
    Scenario("mount from a project without rights", "RC13", asked=a_person_mounting, uploads_left=True),
    Scenario("healthy, a robot that may open uploads", "", asked=a_robot_opening, uploads_left=True),
    Scenario("mount from a project that is gone", "RC13", asked=mounting("nosuch/app")),
    Scenario("registries with storage of their own", "RC14", own_storage),
    Scenario("registries with storage of their own, entrance alone", "RC14", own_storage, entrance_only),
    Scenario("registries with HTTP secrets of their own", "RC14", own_http_secret),
    Scenario("CSRF keys differ", "RC16", other_csrf),
    Scenario("CSRF keys differ, entrance and nobody", "RC16", other_csrf, nobody_at_entrance),
    Scenario("robot prefix changed", "RC18", other_prefix, robot),
    Scenario("robot's name eaten by a shell", "RC18", asked=eaten),
    Scenario("stale project in the cache", "RC20", stale_cache),
    Scenario("Authorization dropped", "RC21", authorization_dropped),
    Scenario("Authorization dropped, entrance alone", "RC21", authorization_dropped, entrance_only),
    Scenario("Authorization truncated", "RC21", authorization_truncated),
    Scenario("no right to push where it is named", "?", asked=lambda q: person(replace(q, repository="secret/app"))),
    Scenario("a project that is not there", "RC22", asked=naming("nosuch/app")),
    Scenario("a name without a project", "RC22", asked=naming("app")),
    Scenario("an older core", "RC23", older_core),
    Scenario("an older core panics", "RC23", older_core_panics),
    Scenario("tokens come too late", "RC24", slow, timeout_seconds=2),
    Scenario("registry down", "?", registry_down),
    Scenario("read-only mode", "?", read_only),
    Scenario("a quota used up", "?", quota_used_up),
    Scenario("a core stopped", "?", core_stopped),
    Scenario("a core stopped, no other one tried, nobody", "?", core_stopped_and_no_other_tried, nobody_at_entrance),
    Scenario("/v2/ leads to a page", "?", answered_in_front("*", "/v2/", 200), nobody_at_entrance),
    Scenario("a firewall before /v2/", "?", answered_in_front("*", "/v2/", 403), nobody_at_entrance),
    Scenario("a firewall before /v2/, an administrator", "?", answered_in_front("*", "/v2/", 403)),
    Scenario("writes not let through", "?", answered_in_front("POST", "/v2/", 405), entrance_only),
    Scenario("wrong password", "?", asked=lambda q: replace(q, credentials=Credentials("dev1", "wrong", "test"))),
    Scenario("keys and clocks", "RC1 RC2", both(other_key, clock(90))),
    Scenario("keys, scheme and storage", "RC1 RC10 RC14", both(other_key, external_https, own_storage)),
    Scenario("credential, CSRF, an older core", "RC9 RC16 RC23", both(registry_credential, other_csrf, older_core)),
)  # fmt: skip


@asynccontextmanager
async def running(scenario: Scenario, key: Key, other: Key) -> AsyncIterator[tuple[Harbor, Question]]:
    harbor = built(key, other)
    scenario.broken(harbor)
    async with AsyncExitStack() as stack:
        await served(harbor, stack)
        question = Question(
            entrance=harbor.balancer.url,
            cores=tuple(core.url for core in harbor.cores),
            credentials=Credentials(*ADMIN, "test"),
            samples=SAMPLES,
        )
        if scenario.stale_password:
            await stack.enter_async_context(_stale_password(harbor))
        yield harbor, scenario.asked(question)


@asynccontextmanager
async def _stale_password(harbor: Harbor) -> AsyncIterator[None]:
    """A CI job elsewhere tries dev1's old password at both cores, every half second."""
    headers = {"authorization": Credentials("dev1", "old", "test").header or ""}
    query = "service=harbor-registry&scope=repository:library/app:pull"

    async def once(session: aiohttp.ClientSession, url: str) -> None:
        async with session.get(f"{url}/service/token?{query}", headers=headers) as answer:
            await answer.read()

    async def forever() -> None:
        async with aiohttp.ClientSession() as session, asyncio.TaskGroup() as tasks:
            while True:
                for core in harbor.cores:
                    tasks.create_task(once(session, core.url))
                await asyncio.sleep(0.5)

    stale = asyncio.create_task(forever())
    async with asyncio.timeout(DEADLINE):
        while not (stale.done() or all("dev1" in core.locks for core in harbor.cores)):
            await asyncio.sleep(0.02)
    yield
    assert not stale.done(), stale.exception()
    stale.cancel()
    await asyncio.wait([stale])
