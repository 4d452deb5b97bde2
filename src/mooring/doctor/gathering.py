"""Everything that an operator pointed at, looked at once."""

import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Final

from mooring import __version__
from mooring.doctor import bundle
from mooring.doctor.here import Here, look
from mooring.doctor.inside import compose
from mooring.doctor.inside.found import added
from mooring.doctor.inside.logs import read, searched
from mooring.doctor.inside.marks import Marker
from mooring.doctor.kubernetes import examination as kubernetes
from mooring.doctor.kubernetes.kubeconfig import Access
from mooring.doctor.kubernetes.reading import Cluster
from mooring.doctor.observations import Asked, Gap, Instance, Observations
from mooring.doctor.outside.harbor import Question, examine
from mooring.doctor.texts import Text, same
from mooring.egress.client import Egress, Policy
from mooring.errors import ConfigurationError, Invalid, MooringError


@dataclass(frozen=True)
class Wanted:
    question: Question = field(default_factory=Question)
    policy: Policy = field(default_factory=lambda: Policy(private=True))
    directories: tuple[Path, ...] = ()
    logs: tuple[Path, ...] = ()
    bundles: tuple[Path, ...] = ()
    namespace: str = ""
    access: Access | None = None
    """The cluster, where a namespace is to be examined."""
    marker: Marker = field(default_factory=Marker)
    here: Callable[[], AbstractContextManager[Here]] | None = None
    """Opens the registry whose own settings these are."""

    @property
    def asks(self) -> bool:
        return bool(self.question.entrance or self.question.cores)

    @property
    def target(self) -> str:
        if self.asks:
            return self.question.entrance or ", ".join(self.question.cores)
        named = [f"namespace {self.namespace}"] if self.access else []
        named += ["this installation"] if self.here else []
        return ", ".join((*named, *(str(path) for path in (*self.directories, *self.logs))))


_OTHER_KEY: Final = Text(
    "collected under another key: collect both with one --key-file",
    "以不同的密钥收集：请用同一个 --key-file 收集二者",
)


async def gather(wanted: Wanted) -> Observations:
    """Raises Unavailable when nothing could be looked at, Invalid when nothing was named."""
    if not (wanted.target or wanted.bundles):
        raise Invalid(
            "Nothing to look at. Give an address, --harbor, --core, --here, --namespace, --compose, --logs or --bundle."
        )
    seen = Observations(
        made_at=time.time(), tool=f"mooring {__version__}", target=wanted.target, key_id=wanted.marker.id
    )
    if wanted.directories:
        seen = added(seen, compose.examine(wanted.directories, wanted.marker))
    for path in wanted.logs:
        seen = _with_log(seen, path)
    if wanted.asks:
        async with Egress(wanted.policy) as egress:
            asked, gaps = await examine(egress, wanted.question)
        seen = replace(seen, asked=asked, gaps=(*seen.gaps, *gaps))
    if wanted.here is not None:
        seen = await _with_installation(seen, wanted.here)
    if wanted.access is not None:
        seen = await _with_kubernetes(seen, wanted, wanted.access)
    return joined([*(bundle.read(path) for path in wanted.bundles), *([seen] if seen.target else [])])


def joined(parts: Sequence[Observations]) -> Observations:
    """Several bundles as one. Secrets of parts that were hashed under other keys can't be compared: they are left out,
    and what was left out is said."""
    first, *rest = parts
    for other in rest:
        comparable = other.key_id == first.key_id
        instances = other.instances if comparable else tuple(_without_marks(each) for each in other.instances)
        gaps = (*first.gaps, *other.gaps)
        if not comparable and other.instances and first.instances:
            gaps = (*gaps, Gap(Text(f"the secrets of {other.target}", f"{other.target} 的机密"), _OTHER_KEY))
        first = replace(
            first,
            target=", ".join(filter(None, (first.target, other.target))),
            asked=first.asked or other.asked,
            instances=(*first.instances, *instances),
            logs=(*first.logs, *other.logs),
            logs_read=(*first.logs_read, *other.logs_read),
            kubernetes=first.kubernetes or other.kubernetes,
            installation=first.installation or other.installation,
            gaps=gaps,
        )
    return first


def _without_marks(instance: Instance) -> Instance:
    plain = {name: value for name, value in instance.environment.items() if value.plain is not None}
    return replace(instance, environment=plain, files={})


async def _with_kubernetes(seen: Observations, wanted: Wanted, access: Access) -> Observations:
    async with Egress(replace(wanted.policy, context=access.context, keep_alive=True)) as egress:
        found = await kubernetes.examine(Cluster(egress, access), wanted.namespace, wanted.marker)
    asked = seen.asked
    if found.doors:
        asked = asked or Asked(entrance="", repository="")
        asked = replace(asked, doors=(*asked.doors, *found.doors))
    return replace(added(seen, found), asked=asked)


async def _with_installation(seen: Observations, opened: Callable[[], AbstractContextManager[Here]]) -> Observations:
    """Raises MooringError when it can't be opened, and nothing else was looked at."""
    try:
        with opened() as here:
            found, gaps = await look(here)
    except MooringError as error:
        if seen.asked is None:
            raise
        gap = Gap(Text("this installation", "本机的 Mooring"), same(error.text))
        return replace(seen, gaps=(*seen.gaps, gap))
    return replace(seen, installation=found, gaps=(*seen.gaps, *gaps))


def _with_log(seen: Observations, path: Path) -> Observations:
    try:
        hits = tuple(searched(path.name, read(path)))
    except OSError as error:
        raise ConfigurationError(f"{path} can't be read: {error.strerror}.") from error
    return replace(seen, logs=(*seen.logs, *hits), logs_read=(*seen.logs_read, path.name))
