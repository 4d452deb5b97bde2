"""All checks, in the order in which a report has them."""

from collections.abc import Callable, Iterable
from typing import Final

from mooring.doctor.checks import (
    addresses,
    answers,
    backends,
    clocks,
    cluster,
    keys,
    lines,
    logins,
    objects,
    refusals,
    replicas,
    sessions,
    settings,
    store,
    uploads,
)
from mooring.doctor.findings import Check, Finding
from mooring.doctor.inside.signatures import SIGNATURES
from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text


def _check(
    name: str, en: str, zh: str, causes: str, needs: str, find: Callable[[Observations], Iterable[Finding]]
) -> Check:
    return Check(name, Text(en, zh), tuple(causes.split()), tuple(needs.split()), find)


_LOGGED: Final = " ".join(dict.fromkeys(signature.cause for signature in SIGNATURES))

ADDRESSES: Final = (
    _check("answers", "does every address answer", "每个地址是否应答", "", "address", answers.silent),
    _check("certificates", "is every certificate one that clients take", "每个证书是否能被客户端接受", "", "https", answers.certificates),
)  # fmt: skip

OUTSIDE: Final = (
    _check("gateways", "is there a core behind every answer", "每次应答背后是否都有 core", "", "http", answers.gateways),
    _check("registry-path", "does /v2/ lead to Harbor", "/v2/ 是否通向 Harbor", "", "http", answers.registry_path),
    _check("writes", "may a good token open an upload", "有效令牌能否打开上传", "", "opened", answers.writes),
    _check("read-only", "may anything be written", "是否允许写入", "", "login", answers.read_only),
    _check("quota", "is there room in the project", "项目是否还有空间", "", "quota", answers.quota),
    _check("keys", "do all cores sign tokens with one key", "所有 core 是否用同一把密钥签名", "RC1", "http", keys.several_keys),
    _check("signing", "can every core sign tokens", "每个 core 是否都能签发令牌", "RC1", "http", keys.unable_to_sign),
    _check("crossing", "is a token of one core taken by the others", "一个 core 的令牌是否被其他 core 接受", "", "login", keys.unexplained),
    _check("clocks", "do the cores' clocks agree", "各 core 的时钟是否一致", "RC2", "http", clocks.apart),
    _check("projects", "are tokens younger than their projects", "令牌是否晚于项目的创建", "RC3", "http", clocks.young_projects),
    _check("logins", "are right credentials taken every time, everywhere", "正确的凭据是否始终在各处被接受", "RC4 RC5 RC8 RC18", "credentials", logins.credentials),
    _check("directory", "can the directory behind the login be reached", "能否连接登录所依赖的目录服务", "RC5", "http", logins.unreachable_directory),
    _check("rights", "may the account push to the repository", "该账号能否推送到该仓库", "", "repository", logins.rights),
    _check("robot", "did the account's name arrive whole", "账号名称是否完整", "RC18", "credentials", logins.eaten_name),
    _check("redis", "does Redis answer", "Redis 是否应答", "RC6", "http", backends.redis),
    _check("database", "does the database answer", "数据库是否应答", "RC7", "http", backends.database),
    _check("databases", "do the cores list the same projects", "各 core 列出的项目是否相同", "RC8", "cores", logins.separate_databases),
    _check("registry", "does the registry take the cores' credential", "registry 是否接受 core 的凭据", "RC9", "token", uploads.registry_credential),
    _check("registry-answers", "does the registry answer", "registry 是否应答", "", "token", backends.registry_down),
    _check("scheme", "do realm and Location have the scheme and address that clients use", "realm 与 Location 的协议和地址是否与客户端一致", "RC10", "http", addresses.wrong_scheme),
    _check("realm", "is the token service where clients are", "令牌服务地址是否为客户端所用", "RC11", "entrance", addresses.wrong_host),
    _check("token-life", "do tokens outlive uploads", "令牌有效期是否长于上传时间", "RC12", "http", uploads.token_life),
    _check("mount", "may layers be mounted from the source given", "能否从给定来源挂载层", "RC13", "mount", uploads.mounts),
    _check("uploads", "does every core know an upload that another opened", "每个 core 是否都认识其他 core 开始的上传", "RC14", "uploads", uploads.shared_uploads),
    _check("csrf", "is a CSRF token of one core taken by the others", "一个 core 的 CSRF 令牌是否被其他 core 接受", "RC16", "csrf", sessions.csrf),
    _check("cache", "do cache and database name the same projects", "缓存与数据库中的项目是否一致", "RC20", "projects", sessions.stale_projects),
    _check("authorization", "does the Authorization header arrive", "Authorization 头是否到达", "RC21", "token", addresses.lost_authorization),
    _check("direct", "is what cores take directly taken through the entrance", "直接被 core 接受的请求经由入口是否也被接受", "RC21", "login", addresses.only_direct),
    _check("name", "does the repository's project exist", "仓库所在的项目是否存在", "RC22", "repository", addresses.no_such_project),
    _check("panics", "does every core survive a login", "每个 core 是否都能处理登录", "RC23", "credentials", logins.panics),
    _check("versions", "do all cores have one version", "所有 core 的版本是否相同", "RC23", "versions", logins.mixed_versions),
    _check("speed", "do tokens come in time", "令牌是否及时返回", "RC24", "http", backends.overload),
)  # fmt: skip

INSIDE: Final = (
    _check("key-files", "do all cores have one token signing key", "所有 core 的令牌签名密钥是否相同", "RC1", "instances", settings.token_keys),
    _check("keys-in-use", "do cores sign with the key that they are given", "core 是否用配置的密钥签名", "RC1", "instances", settings.keys_in_use),
    _check("redis-address", "do all cores use one Redis", "所有 core 是否使用同一个 Redis", "RC6 RC16", "instances", settings.redis),
    _check("database-address", "do all cores use one database", "所有 core 是否使用同一个数据库", "RC8", "instances", settings.database),
    _check("registry-password", "do the registries take the cores' credentials", "各 registry 是否接受 core 的凭据", "RC9", "instances", settings.registry_credential),
    _check("external-url", "do all cores have one external URL", "所有 core 的外部 URL 是否相同", "RC10 RC11", "instances", settings.external_address),
    _check("registries", "do the registries share storage and HTTP secret", "各 registry 是否共享存储与 HTTP secret", "RC14", "instances", settings.registries),
    _check("internal-secrets", "do core and jobservice have one secret", "core 与 jobservice 的密钥是否一致", "RC15", "instances", settings.internal_secrets),
    _check("csrf-key", "do all cores have one CSRF key", "所有 core 的 CSRF 密钥是否相同", "RC16", "instances", settings.csrf_key),
    _check("secret-key", "do all cores have one key for stored secrets", "所有 core 的 secretKey 是否相同", "RC17", "instances", settings.secret_key),
    _check("local-url", "does the proxy cache store through its own core", "代理缓存是否经由自身 core 保存", "RC19", "instances", settings.local_address),
    _check("cache-settings", "do all cores use one cache", "所有 core 是否使用同一个缓存", "RC20", "instances", settings.cache),
    _check("other-settings", "do the cores have the same settings otherwise", "各 core 的其他设置是否相同", "", "instances", settings.other_settings),
    _check("logs", "do the logs have lines that are known to mean something", "日志中是否有已知含义的行", _LOGGED, "logs", lines.known_lines),
)  # fmt: skip

KUBERNETES: Final = (
    _check("stale-keys", "did every core start after its key's Secret was changed", "每个 core 是否都在密钥 Secret 更改之后启动", "RC1", "kubernetes", objects.stale_keys),
    _check("key-secrets", "do all cores mount one Secret for the key", "所有 core 是否挂载同一个密钥 Secret", "RC1", "kubernetes", objects.separate_secrets),
    _check("rerolled", "are cores rolled for new keys again and again", "core 是否因新密钥而反复滚动", "RC1", "kubernetes", objects.rerolled),
    _check("node-clocks", "do the clocks of the cores' nodes agree", "各 core 所在节点的时钟是否一致", "RC2", "kubernetes", objects.node_clocks),
    _check("registry-volume", "do the registries share their volume", "各 registry 是否共享存储卷", "RC14", "kubernetes", objects.registry_storage),
    _check("ingress", "does the ingress fit the external URL", "ingress 与外部 URL 是否相符", "RC10 RC11", "kubernetes", objects.entrances),
    _check("ingress-paths", "do registry and token service lead to one place", "registry 与令牌服务是否指向同一处", "RC21", "kubernetes", objects.split_paths),
    _check("services", "does the ingress lead to services with pods", "ingress 是否指向有 Pod 的 Service", "", "kubernetes", objects.services),
    _check("steady", "do all parts run steadily", "各组件是否运行稳定", "", "kubernetes", objects.unsteady),
)  # fmt: skip

MOORING: Final = (
    _check("replicas", "is every replica ready", "每个副本是否就绪", "", "mooring", replicas.readiness),
    _check("replica-warnings", "does a replica warn of something", "副本是否有警告", "", "mooring", replicas.warnings),
    _check("keyrings", "do all replicas publish one keyring", "所有副本公布的密钥是否相同", "", "mooring", replicas.keyrings),
    _check("replica-tokens", "is a token of one replica taken by the others", "一个副本的令牌是否被其他副本接受", "", "crossed", replicas.tokens),
    _check("members", "is every replica that the cluster knows there and ready", "集群所知的每个副本是否都在且就绪", "", "census", cluster.members),
    _check("replica-versions", "do all replicas have one version", "所有副本的版本是否相同", "", "census", cluster.versions),
    _check("configuration", "do all replicas have one configuration", "所有副本的配置是否相同", "", "census", cluster.configuration),
    _check("replica-keys", "does every replica hold every signing key", "每个副本是否都持有全部签名密钥", "", "census", cluster.keys),
    _check("replica-clocks", "are the replicas' clocks right", "各副本的时钟是否准确", "", "census", cluster.clocks),
    _check("queues", "is the work of the cluster done in time", "集群的后台工作是否及时完成", "", "census", cluster.queues),
    _check("refusals", "what was refused in the last day", "最近一天拒绝了什么", "", "census", refusals.of_the_last_day),
    _check("store", "does the store have what the index names", "存储是否包含索引所列的数据", "", "store", store.store),
)  # fmt: skip

CHECKS: Final = (*ADDRESSES, *MOORING, *OUTSIDE, *INSIDE, *KUBERNETES)
