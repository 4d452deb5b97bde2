"""Ways in which a Harbor is broken, each with the causes that must be named, and no others."""

import asyncio
import itertools
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import Final

import aiohttp

from mooring.doctor.outside.harbor import Question
from mooring.egress.credentials import Credentials
from tests.doctor.harbor import ADMIN, HOUR, ROBOT, Database, Harbor, Key, Project, Registry, built, served

Break = Callable[[Harbor], None]
Ask = Callable[[Question], Question]


@dataclass(frozen=True)
class Scenario:
    name: str
    causes: frozenset[str]
    """`?` stands for a fault that is no known cause."""
    broken: Break = lambda _: None
    asked: Ask = lambda question: question
    timeout_seconds: float = 20
    stale_password: bool = False
    uploads_left: bool = False
    """Whether uploads were opened that nobody may cancel."""


def scenario(
    name: str, causes: str, broken: Break = lambda _: None, asked: Ask = lambda q: q, **more: object
) -> Scenario:
    return Scenario(name, frozenset(causes.split()), broken, asked, **more)  # type: ignore[arg-type]


SAMPLES: Final = 8
"""A balancer that chooses at random shows one of two keys alone so often once in 128; there are crossings too."""


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
    scenario("healthy", ""),
    scenario("healthy, nobody's credentials", "", asked=nobody),
    scenario("healthy, entrance alone", "", asked=entrance_only),
    scenario("healthy, cores alone", "", asked=cores_only),
    scenario("healthy, a robot", "", asked=robot),
    scenario("healthy, LDAP", "", lambda harbor: setattr(harbor.database, "auth_mode", "ldap_auth"), person),
    scenario("healthy, the repository and a mount named", "", asked=named_and_mounting),
    scenario("keys differ", "RC1", other_key),
    scenario("keys differ, entrance and nobody's credentials", "RC1", other_key, nobody_at_entrance),
    scenario("keys differ, spread at random", "RC1", other_key_at_random, nobody_at_entrance),
    scenario("key file missing", "RC1", no_key),
    scenario("key file missing, entrance alone", "RC1", no_key, entrance_only),
    scenario("key in PKCS#8", "RC1", pkcs8_key),
    scenario("clock 90 s ahead", "RC2", clock(90)),
    scenario("clock 90 s behind, entrance and nobody", "RC2", clock(-90), nobody_at_entrance),
    scenario("clock 2 h ahead", "RC2", clock(2 * HOUR)),
    scenario("clock 45 s ahead: not enough yet", "RC2", clock(45)),
    scenario("a core behind a young project", "RC2 RC3", young_project),
    scenario("a stale password locks the account", "RC4", asked=person, stale_password=True),
    scenario("LDAP fails now and then", "RC5", flaky_directory, person),
    scenario("Redis down", "RC6", redis_down),
    scenario("database down", "RC7", database_down),
    scenario("database down, nobody's credentials", "RC7", database_down, nobody),
    scenario("another database", "RC8", other_database),
    scenario("a robot that one core does not know", "RC8", robot_not_there, robot),
    scenario("registry credential differs", "RC9", registry_credential),
    scenario("registry credential differs, nobody's credentials", "RC9", registry_credential, nobody),
    scenario("registry credential differs, entrance alone", "RC9", registry_credential, entrance_only),
    scenario("EXT_ENDPOINT https on one core", "RC10", external_https),
    scenario("EXT_ENDPOINT https on one core, entrance alone", "RC10", external_https, entrance_only),
    scenario("X-Forwarded-Proto https", "RC10", forwarded_https),
    scenario("Host rewritten", "RC10 RC11", other_host),
    scenario("Host rewritten, nobody's credentials", "RC11", other_host, nobody),
    scenario("tokens of a minute", "RC12", short_tokens),
    scenario("an upload of two hours", "RC12", asked=long_upload),
    scenario("mount from a project without rights", "RC13", asked=a_person_mounting, uploads_left=True),
    scenario("healthy, a robot that may open uploads", "", asked=a_robot_opening, uploads_left=True),
    scenario("mount from a project that is gone", "RC13", asked=mounting("nosuch/app")),
    scenario("registries with storage of their own", "RC14", own_storage),
    scenario("registries with storage of their own, entrance alone", "RC14", own_storage, entrance_only),
    scenario("registries with HTTP secrets of their own", "RC14", own_http_secret),
    scenario("CSRF keys differ", "RC16", other_csrf),
    scenario("CSRF keys differ, entrance and nobody", "RC16", other_csrf, nobody_at_entrance),
    scenario("robot prefix changed", "RC18", other_prefix, robot),
    scenario("robot's name eaten by a shell", "RC18", asked=eaten),
    scenario("stale project in the cache", "RC20", stale_cache),
    scenario("Authorization dropped", "RC21", authorization_dropped),
    scenario("Authorization dropped, entrance alone", "RC21", authorization_dropped, entrance_only),
    scenario("Authorization truncated", "RC21", authorization_truncated),
    scenario("a project that is not there", "RC22", asked=naming("nosuch/app")),
    scenario("a name without a project", "RC22", asked=naming("app")),
    scenario("an older core", "RC23", older_core),
    scenario("an older core panics", "RC23", older_core_panics),
    scenario("tokens come too late", "RC24", slow, timeout_seconds=2),
    scenario("registry down", "?", registry_down),
    scenario("wrong password", "?", asked=lambda q: replace(q, credentials=Credentials("dev1", "wrong", "test"))),
    scenario("keys and clocks", "RC1 RC2", both(other_key, clock(90))),
    scenario("keys, scheme and storage", "RC1 RC10 RC14", both(other_key, external_https, own_storage)),
    scenario("credential, CSRF, an older core", "RC9 RC16 RC23", both(registry_credential, other_csrf, older_core)),
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
    headers = {"authorization": Credentials("dev1", "old", "test").header}
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
    await asyncio.sleep(0.2)
    yield
    assert not stale.done(), stale.exception()
    stale.cancel()
    await asyncio.wait([stale])
