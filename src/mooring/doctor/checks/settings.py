"""Are the parts of one Harbor set up alike where they must be?"""

import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from typing import Final
from urllib.parse import urlsplit

from mooring.doctor.checks.readings import all_kids, named
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Instance, KeyFile, Observations, Value
from mooring.doctor.texts import Text

KEY_LENGTH: Final = 16
CSRF_LENGTH: Final = 32
DATABASE: Final = ("POSTGRESQL_HOST", "POSTGRESQL_PORT", "POSTGRESQL_DATABASE")
JUDGED: Final = frozenset(
    {
        *DATABASE,
        *("CORE_SECRET", "JOBSERVICE_SECRET", "CSRF_KEY", "_REDIS_URL_CORE", "_REDIS_URL_CACHE_LAYER", "CACHE_ENABLED"),
        *("REGISTRY_CREDENTIAL_USERNAME", "REGISTRY_CREDENTIAL_PASSWORD", "EXT_ENDPOINT", "CORE_LOCAL_URL"),
    }
)
"""Settings that other checks judge."""
OF_ONE_CORE: Final = re.compile(
    r"^(HOSTNAME|PORT|PATH|HOME|PWD|CORE_URL|TOKEN_SERVICE_URL|LOG_LEVEL|RELOAD_KEY|HARBOR_ADMIN_PASSWORD)$"
    r"|^(POD|NODE|HOST|TRACE|METRIC)_|_PATH$|_URL(_|$)",
)
"""What may well differ: names, places and addresses of a node's own, and what is read at the first start alone."""
OWN_ADDRESSES: Final = frozenset({"127.0.0.1", "localhost", "::1"})

BAD_KEYS: Final[Mapping[str, Text]] = {
    "missing": Text("is missing", "缺失"),
    "unreadable": Text("can't be read", "无法读取"),
    "damaged": Text("is damaged", "已损坏"),
    "pkcs8": Text("is in PKCS#8: Harbor verifies with it and can't sign", "为 PKCS#8 格式：Harbor 只能验证，不能签名"),
    "not_rsa": Text("is no RSA key", "不是 RSA 密钥"),
}


def token_keys(seen: Observations) -> Iterator[Finding]:
    held = {core.name: core.token_key for core in cores(seen) if core.token_key}
    good = {name: key.kid for name, key in held.items() if key.kid}
    if len(set(good.values())) > 1:
        evidence = [_has(name, kid) for name, kid in good.items()]
        yield named("RC1", "certain", *evidence)
    bad = {name: key for name, key in held.items() if key.state != "good"}
    for name, key in bad.items():
        yield named("RC1", "certain", _bad(name, key), title=_UNUSABLE)


def keys_in_use(seen: Observations) -> Iterator[Finding]:
    """A core that signs with another key than it is given."""
    given = {core.token_key.kid for core in cores(seen) if core.token_key and core.token_key.kid}
    strange = all_kids(seen) - given - {""}
    if given and strange:
        names, known = ", ".join(sorted(strange)), ", ".join(sorted(given))
        yield named(
            "RC1",
            "certain",
            Text(
                f"tokens are signed with {names}, which no core is given (they are given {known}): running cores hold "
                "an older key",
                f"令牌由 {names} 签名，而配置给 core 的是 {known}：运行中的 core 仍持有旧密钥",
            ),
        )


def internal_secrets(seen: Observations) -> Iterator[Finding]:
    for name in ("CORE_SECRET", "JOBSERVICE_SECRET"):
        if different := _different(seen.instances, name):
            yield named("RC15", "certain", different)


def csrf_key(seen: Observations) -> Iterator[Finding]:
    found = cores(seen)
    if different := _different(found, "CSRF_KEY"):
        yield named("RC16", "certain", different, harmless=True)
    for core in found:
        key = core.environment.get("CSRF_KEY")
        if key is not None and key.length != CSRF_LENGTH and key.length:
            yield named("RC16", "certain", _length(core, "CSRF_KEY", key, CSRF_LENGTH), harmless=True)


def redis(seen: Observations) -> Iterator[Finding]:
    found = cores(seen)
    different = _different(found, "_REDIS_URL_CORE") or _own_service(found, "_REDIS_URL_CORE")
    if different:
        title = Text("The cores use different Redis servers", "各 core 使用不同的 Redis")
        yield named("RC6", "certain", different, title=title, related=("RC16",), harmless=True)
        yield named("RC16", "certain", different, harmless=True)


def database(seen: Observations) -> Iterator[Finding]:
    found = cores(seen)
    for name in DATABASE:
        if different := _different(found, name):
            yield named("RC8", "certain", different)
    if own := _own_service(found, "POSTGRESQL_HOST"):
        yield named("RC8", "likely", own)


def secret_key(seen: Observations) -> Iterator[Finding]:
    held = {core.name: core.files["key"] for core in cores(seen) if "key" in core.files}
    if len({value.mark for value in held.values()}) > 1:
        yield named("RC17", "certain", _marks("secretKey", held))
    for core in cores(seen):
        key = core.files.get("key")
        if key is not None and key.length != KEY_LENGTH:
            yield named("RC17", "certain", _length(core, "secretKey", key, KEY_LENGTH))


def external_address(seen: Observations) -> Iterator[Finding]:
    """Since 2.14 only the scheme of the external URL reaches clients."""
    found = _plain(cores(seen), "EXT_ENDPOINT")
    told = "; ".join(f"{name}: {url}" for name, url in found.items())
    if len({urlsplit(url).scheme for url in found.values()}) > 1:
        yield named(
            "RC10", "certain", Text(f"EXT_ENDPOINT differs: {told}", f"EXT_ENDPOINT 不同：{told}"), related=("RC11",)
        )
    elif len({url.rstrip("/") for url in found.values()}) > 1:
        yield named(
            "RC11", "possible", Text(f"EXT_ENDPOINT differs: {told}", f"EXT_ENDPOINT 不同：{told}"), harmless=True
        )


def registry_credential(seen: Observations) -> Iterator[Finding]:
    addresses = _plain(cores(seen), "REGISTRY_URL")
    places = {core.name: core.place for core in cores(seen)}
    for registry in seen.instances:
        for core in registry.passwd_refuses:
            host = urlsplit(addresses.get(core, "")).hostname or ""
            if places.get(core) == registry.place or (host and host not in registry.siblings):
                yield named(
                    "RC9",
                    "certain",
                    Text(
                        f"{registry.name}: its password file does not take the credential of {core}",
                        f"{registry.name}：其密码文件不接受 {core} 的凭据",
                    ),
                )


def registries(seen: Observations) -> Iterator[Finding]:
    found = [each for each in seen.instances if each.component == "registry"]
    stored = {each.name: each.storage for each in found if each.storage}
    if len(set(stored.values())) > 1:
        told = "; ".join(f"{name}: {storage}" for name, storage in stored.items())
        yield named("RC14", "certain", Text(f"storage differs: {told}", f"存储不同：{told}"), title=_STORAGE)
    signed = {each.name: each.files["http_secret"] for each in found if "http_secret" in each.files}
    if len({value.mark for value in signed.values()}) > 1:
        yield named("RC14", "certain", _marks("the HTTP secret", signed), title=_HTTP_SECRET)


def local_address(seen: Observations) -> Iterator[Finding]:
    for name, url in _plain(cores(seen), "CORE_LOCAL_URL").items():
        host = urlsplit(url).hostname or ""
        if host and host not in OWN_ADDRESSES:
            yield named(
                "RC19",
                "likely",
                Text(
                    f"{name}: CORE_LOCAL_URL is {url}, where another core may answer",
                    f"{name}：CORE_LOCAL_URL 为 {url}，可能由另一个 core 应答",
                ),
            )


def cache(seen: Observations) -> Iterator[Finding]:
    found = cores(seen)
    caching = [core for core in found if _is_true(core.environment.get("CACHE_ENABLED"))]
    if caching and (different := _different(found, "CACHE_ENABLED") or _different(caching, "_REDIS_URL_CACHE_LAYER")):
        yield named("RC20", "likely", different)


def other_settings(seen: Observations) -> Iterator[Finding]:
    """Whatever else the cores are told differently: mostly a proxy, a limit or a switch that one node did not get."""
    found = cores(seen)
    shared = set.intersection(*(set(core.environment) for core in found)) if len(found) > 1 else set()
    evidence = [
        different
        for name in sorted(shared)
        if not OF_ONE_CORE.search(name) and name not in JUDGED and (different := _different(found, name))
    ]
    if evidence:
        yield Finding(
            None,
            Text("Other settings of the cores differ", "各 core 的其他设置不同"),
            tuple(evidence),
            "possible",
            Text("Give every core the same settings.", "让所有 core 使用相同的设置。"),
            harmless=True,
        )


def cores(seen: Observations) -> Sequence[Instance]:
    return [instance for instance in seen.instances if instance.component == "core"]


_UNUSABLE: Final = Text("A core's token signing key can't be used", "某个 core 的令牌签名密钥无法使用")
_STORAGE: Final = Text("The registries do not share their storage", "各 registry 没有共享存储")
_HTTP_SECRET: Final = Text("The registries' HTTP secrets differ", "各 registry 的 HTTP secret 不同")


def _different(instances: Sequence[Instance], name: str) -> Text | None:
    """Evidence when a setting has several values; one that an instance does not have at all is no value."""
    held = {each.name: each.environment[name] for each in instances if name in each.environment}
    return _marks(name, held) if len({_identity(value) for value in held.values()}) > 1 else None


def _identity(value: Value) -> str:
    """Plain settings compare over bundles of different keys as well."""
    return value.mark if value.plain is None else value.plain


def _marks(name: str, held: Mapping[str, Value]) -> Text:
    groups: dict[str, list[str]] = defaultdict(list)
    shown: dict[str, str] = {}
    for holder, value in held.items():
        groups[_identity(value)].append(holder)
        shown[_identity(value)] = value.plain if value.plain is not None else f"…{value.mark[:6]}"
    told = "; ".join(f"{', '.join(holders)}: {shown[mark]}" for mark, holders in groups.items())
    return Text(f"{name} differs ({told})", f"{name} 不同 ({told})")


def _own_service(found: Sequence[Instance], name: str) -> Text | None:
    """Evidence when cores on several nodes use a name that leads each to a service of its own node."""
    own = {}
    for core in found:
        value = core.environment.get(name)
        plain = (value.plain if value else "") or ""
        host = urlsplit(plain).hostname if "://" in plain else plain
        if host and host in core.siblings:
            own[core.place] = host
    if len(own) < 2:
        return None
    told = ", ".join(f"{place}: {host}" for place, host in own.items())
    return Text(f"each node has its own ({told})", f"每个节点各用各的 ({told})")


def _plain(instances: Sequence[Instance], name: str) -> dict[str, str]:
    return {each.name: value.plain for each in instances if (value := each.environment.get(name)) and value.plain}


def _is_true(value: Value | None) -> bool:
    return value is not None and (value.plain or "").lower() == "true"


def _has(name: str, kid: str) -> Text:
    return Text(f"{name}: its key file is {kid}", f"{name}：其密钥文件为 {kid}")


def _bad(name: str, key: KeyFile) -> Text:
    what = BAD_KEYS[key.state]
    detail = f" ({key.detail})" if key.detail else ""
    return Text(f"{name}: {key.path} {what.en}{detail}", f"{name}：{key.path} {what.zh}{detail}")


def _length(core: Instance, name: str, value: Value, wanted: int) -> Text:
    return Text(
        f"{core.name}: {name} has {value.length} characters, and must have {wanted}",
        f"{core.name}：{name} 有 {value.length} 个字符，必须为 {wanted} 个",
    )
