"""A Harbor set up by Compose: one directory of its installer for each node."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any, Final

import yaml

from mooring.doctor.inside.components import component, version
from mooring.doctor.inside.found import Found
from mooring.doctor.inside.htpasswd import tried
from mooring.doctor.inside.keyfile import judged
from mooring.doctor.inside.logs import read, searched
from mooring.doctor.inside.marks import Marker
from mooring.doctor.inside.storage import described
from mooring.doctor.observations import Component, Gap, Instance
from mooring.doctor.texts import Text, same
from mooring.errors import ConfigurationError

FILES: Final = ("docker-compose.yml", "docker-compose.yaml", "compose.yaml", "compose.yml")
ENVIRONMENTS: Final[Mapping[Component, str]] = {
    "core": "common/config/core/env",
    "jobservice": "common/config/jobservice/env",
    "registryctl": "common/config/registryctl/env",
    "registry": "common/config/registry/env",
}
"""Where the installer puts them; for a directory whose Compose file is missing or leaves them out."""
KEPT: Final[Mapping[str, Sequence[str]]] = {
    "/etc/core/private_key.pem": ("data/secret/core/private_key.pem", "secret/core/private_key.pem"),
    "/etc/core/key": ("data/secret/keys/secretkey", "secret/keys/secretkey"),
    "/etc/core/app.conf": ("common/config/core/app.conf",),
    "/etc/registry/passwd": ("common/config/registry/passwd",),
    "/etc/registry/config.yml": ("common/config/registry/config.yml",),
}
LOG_FILES: Final = ("core.log", "registry.log", "jobservice.log", "registryctl.log", "proxy.log")


@dataclass(frozen=True)
class Service:
    """A part of one node's Harbor. `mounts` leads from paths in the container to paths of the node."""

    name: str
    component: Component
    node: str
    directory: Path
    image: str
    environment: Mapping[str, str]
    mounts: Mapping[str, str]
    siblings: frozenset[str] = frozenset()


_AMBIGUOUS: Final = Text(
    "several directories name this one file of this machine: put each node's copy below its directory",
    "多个目录都指向本机的这一个文件：请把各节点的副本放到各自目录之下",
)
_NOT_HERE: Final = Text("the file is not on this machine", "该文件不在本机上")


def examine(directories: Sequence[Path], marker: Marker) -> Found:
    """Raises ConfigurationError for a directory that has no Harbor."""
    names = _names(directories)
    services = [service for directory in directories for service in _services(directory, names[directory])]
    found = Found()
    ambiguous = _ambiguous(services)
    for path in sorted(ambiguous):
        found.gaps.append(Gap(same(path), _AMBIGUOUS))
    cores = [service for service in services if service.component == "core"]
    for service in services:
        found.instances.append(_instance(service, cores, marker, ambiguous, found.gaps))
    for directory in directories:
        _search_logs(directory, names[directory], found, alone=len(directories) == 1)
    return found


def _names(directories: Sequence[Path]) -> Mapping[Path, str]:
    """A short name for each node: the directory's own, or its whole path where two are called alike."""
    short = [directory.resolve().name for directory in directories]
    return {
        directory: name if short.count(name) == 1 else str(directory)
        for directory, name in zip(directories, short, strict=True)
    }


def _services(directory: Path, node: str) -> list[Service]:
    declared = _compose(directory)
    services = [
        _part(node, directory, name, declared) for name, service in declared.items() if isinstance(service, dict)
    ]
    known = {service.component for service in services}
    for kind, file in ENVIRONMENTS.items():
        if kind not in known and (directory / file).exists():
            services.append(Service(f"{node}/{kind}", kind, node, directory, "", _env_file(directory / file), {}))
    if not any(service.component == "core" for service in services):
        raise ConfigurationError(f"{directory} has no Harbor: no core in its Compose file or in common/config.")
    return [service for service in services if service.component != "other"]


def _compose(directory: Path) -> Mapping[str, Any]:
    """The services of a directory's Compose file; none where there is no such file. Raises ConfigurationError."""
    path = next((directory / name for name in FILES if (directory / name).exists()), None)
    if path is None:
        return {}
    try:
        found = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path} can't be read: {error}") from error
    services = found.get("services") if isinstance(found, dict) else None
    return services if isinstance(services, dict) else {}


def _part(node: str, directory: Path, name: str, declared: Mapping[str, Any]) -> Service:
    service = declared[name]
    image = str(service.get("image", ""))
    kind = component(image, name.rstrip("-_0123456789").removeprefix("harbor-"))
    return Service(
        name=f"{node}/{name}",
        component=kind,
        node=node,
        directory=directory,
        image=image,
        environment=_environment(directory, service, kind),
        mounts=dict(_mounts(service)),
        siblings=frozenset(declared),
    )


def _environment(directory: Path, service: Mapping[str, Any], kind: Component) -> dict[str, str]:
    listed = service.get("env_file") or []
    files = [listed] if isinstance(listed, str | dict) else list(listed)
    found: dict[str, str] = {}
    for file in files:
        path = directory / str(file["path"] if isinstance(file, dict) else file)
        found |= _env_file(path)
    if not files and (file := ENVIRONMENTS.get(kind)):
        found |= _env_file(directory / file)
    given = service.get("environment") or {}
    if isinstance(given, list):
        given = dict(str(line).partition("=")[::2] for line in given)
    return found | {str(name): "" if value is None else str(value) for name, value in given.items()}


def _env_file(path: Path) -> dict[str, str]:
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError):
        return {}
    found = {}
    for line in lines:
        name, equals, value = line.strip().partition("=")
        if equals and not name.startswith("#"):
            bare = value.strip()
            quoted = len(bare) > 1 and bare[0] == bare[-1] and bare[0] in "\"'"
            found[name.strip()] = bare[1:-1] if quoted else bare
    return found


def _mounts(service: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for mount in service.get("volumes") or ():
        if isinstance(mount, dict):
            source, target = mount.get("source"), mount.get("target")
        else:
            source, _, rest = str(mount).partition(":")
            target = rest.partition(":")[0]
        if source and target:
            yield str(PurePosixPath(str(target))), str(source)


def _place(service: Service, path: str) -> Path | None:
    """The file on this machine that a path in the container is; None where there is none.

    A directory of another node is a copy: what it mounts from an absolute path is looked for below it first.
    """
    inside = PurePosixPath(path)
    for target in sorted(service.mounts, key=len, reverse=True):
        if inside == PurePosixPath(target) or PurePosixPath(target) in inside.parents:
            source = Path(service.mounts[target]) / inside.relative_to(target)
            candidates = [service.directory / str(source).lstrip("/"), service.directory / source]
            return next((each for each in candidates if each.exists()), None)
    defaults = [service.directory / each for each in KEPT.get(path, ())]
    return next((each for each in defaults if each.exists()), None)


def _ambiguous(services: Sequence[Service]) -> set[str]:
    """Files of this machine that directories of several nodes lead to: they can belong to one of them at most."""
    seen: dict[str, set[str]] = {}
    for service in services:
        for path in KEPT:
            if (place := _place(service, path)) is not None:
                seen.setdefault(str(place.resolve()), set()).add(service.node)
    return {path for path, nodes in seen.items() if len(nodes) > 1}


def _content(service: Service, path: str, ambiguous: set[str], gaps: list[Gap]) -> bytes | None:
    place = _place(service, path)
    if place is None or str(place.resolve()) in ambiguous:
        return None
    try:
        return place.read_bytes()
    except OSError as error:
        gaps.append(Gap(same(f"{service.name}: {place}"), same(str(error.strerror))))
        return None


def _instance(
    service: Service, cores: Sequence[Service], marker: Marker, ambiguous: set[str], gaps: list[Gap]
) -> Instance:
    instance = Instance(
        name=service.name,
        component=service.component,
        place=service.node,
        image=service.image,
        version=version(service.image),
        environment={name: marker.value(name, value) for name, value in service.environment.items()},
        siblings=tuple(sorted(service.siblings)),
    )
    if service.component == "core":
        return _with_core_files(instance, service, marker, ambiguous, gaps)
    if service.component == "registry":
        return _with_registry_files(instance, service, cores, marker, ambiguous, gaps)
    return instance


def _with_core_files(
    instance: Instance, service: Service, marker: Marker, ambiguous: set[str], gaps: list[Gap]
) -> Instance:
    path = service.environment.get("TOKEN_PRIVATE_KEY_PATH") or "/etc/core/private_key.pem"
    content = _content(service, path, ambiguous, gaps)
    token_key = judged(path, content) if content is not None else None
    if _place(service, path) is None:
        # A directory that came without its data says nothing of the file that another machine has.
        if any((service.directory / each).exists() for each in ("data", "secret")):
            token_key = judged(path, None)
        else:
            gaps.append(Gap(same(f"{service.name}: {path}"), _NOT_HERE))
    key = _content(service, service.environment.get("KEY_PATH") or "/etc/core/key", ambiguous, gaps)
    files = {}
    if key is not None:
        files["key"] = marker.value("key", key.decode("latin-1"))
    return replace(instance, token_key=token_key, files=files)


def _with_registry_files(
    instance: Instance,
    service: Service,
    cores: Sequence[Service],
    marker: Marker,
    ambiguous: set[str],
    gaps: list[Gap],
) -> Instance:
    passwd = _content(service, "/etc/registry/passwd", ambiguous, gaps)
    config = _content(service, "/etc/registry/config.yml", ambiguous, gaps)
    taken, refused = tried(passwd, _shown(cores))
    storage, http_secret = described(config, service.environment)
    files = {"http_secret": marker.value("http_secret", http_secret)} if http_secret else {}
    return replace(
        instance,
        files=files,
        passwd_accepts=tuple(taken),
        passwd_refuses=tuple(refused),
        storage=storage,
    )


def _shown(cores: Sequence[Service]) -> Iterator[tuple[str, str, str]]:
    for core in cores:
        if name := core.environment.get("REGISTRY_CREDENTIAL_USERNAME"):
            yield core.name, name, core.environment.get("REGISTRY_CREDENTIAL_PASSWORD", "")


def _search_logs(directory: Path, node: str, found: Found, *, alone: bool) -> None:
    for folder in _log_folders(directory, alone=alone):
        for name in LOG_FILES:
            path = folder / name
            if not path.is_file():
                continue
            place = f"{node}/{path.stem}"
            try:
                found.logs += searched(place, read(path))
            except OSError as error:
                found.gaps.append(Gap(same(str(path)), same(str(error.strerror))))
            else:
                found.logs_read.append(place)


def _log_folders(directory: Path, *, alone: bool) -> list[Path]:
    log = _compose(directory).get("log")
    sources = [source for target, source in _mounts(log or {}) if target == "/var/log/docker"]
    # With several nodes an absolute path is another machine's, but for a copy below the directory.
    folders = [directory / source.lstrip("/") for source in sources] + [directory / "log", directory / "logs"]
    folders += [Path(source) for source in sources if alone and Path(source).is_absolute()]
    return [folder for folder in dict.fromkeys(folders) if folder.is_dir()][:1]
