"""The causes of refused pushes that are known of Harbor, with what to do about each."""

from dataclasses import dataclass
from typing import Final

from mooring.doctor.texts import Text


@dataclass(frozen=True)
class Cause:
    id: str
    title: Text
    remedy: Text


def _cause(number: int, en: str, zh: str, remedy_en: str, remedy_zh: str) -> Cause:
    return Cause(f"RC{number}", Text(en, zh), Text(remedy_en, remedy_zh))


ALL: Final = (
    _cause(
        1,
        "The cores do not have one token signing key",
        "各 core 的令牌签名密钥不一致",
        "Give every core the same key and pin it: `mooring doctor fix harbor-token-key` prints a Secret and the chart's "
        "values (core.secretName). Then restart all cores. With compose, copy secret/core/private_key.pem to every node.",
        "让所有 core 使用同一把密钥并固定下来:`mooring doctor fix harbor-token-key` 会打印 Secret 与 chart 的值 (core.secretName)，"
        "然后重启全部 core。compose 部署请把 secret/core/private_key.pem 复制到每个节点。",
    ),
    _cause(
        2,
        "The cores' clocks disagree",
        "各 core 的时钟不一致",
        "Run a time service (chrony, systemd-timesyncd) on every node and look at its offset; Harbor forgives 60 s "
        "since 2.11 and nothing before.",
        "在每个节点上运行时间同步服务 (chrony、systemd-timesyncd) 并检查偏差；Harbor 自 2.11 起容忍 60 秒，之前完全不容忍。",
    ),
    _cause(
        3,
        "Tokens look older than their project",
        "令牌的签发时间早于项目的创建时间",
        "Mend the clocks of the cores. After deleting and making a project anew, let clients log in again.",
        "校正各 core 的时钟。删除并重建项目后，请让客户端重新登录。",
    ),
    _cause(
        4,
        "The account is locked for 1.5 s again and again by a wrong password used elsewhere",
        "该账号因别处使用错误密码而反复被锁定 1.5 秒",
        "Find who still uses the old password (the core's log: `Login failed, locking NAME`; the audit log has addresses) "
        "and give every CI job a robot account of its own.",
        "找出仍在使用旧密码的一方 (core 日志 `Login failed, locking 名称`，审计日志有来源地址)，并为每个 CI 任务使用各自的机器人账号。",
    ),
    _cause(
        5,
        "The directory behind the login (LDAP, OIDC, auth proxy) fails now and then",
        "登录所依赖的目录服务 (LDAP、OIDC、认证代理) 时而失败",
        "Look after the directory's reachability and limits from every core. Use robot accounts for CI: they do not ask it.",
        "检查每个 core 到目录服务的连通性与限额。CI 请使用机器人账号，它们不经过目录服务。",
    ),
    _cause(
        6,
        "Redis does not answer, or is not one for all cores",
        "Redis 无法应答，或各 core 使用的 Redis 不同",
        "Mend Redis or its failover, and give every core the same _REDIS_URL_CORE.",
        "修复 Redis 或其故障切换，并让所有 core 使用相同的 _REDIS_URL_CORE。",
    ),
    _cause(
        7,
        "The database fails or has no connections left, and Harbor answers 'unauthorized'",
        "数据库失败或连接耗尽，Harbor 却回答“未授权”",
        "Mend the database; raise max_connections above the sum of all cores' POSTGRESQL_MAX_OPEN_CONNS, or lower that.",
        "修复数据库；让 max_connections 大于所有 core 的 POSTGRESQL_MAX_OPEN_CONNS 之和，或调低后者。",
    ),
    _cause(
        8,
        "The cores do not read the same state of the database",
        "各 core 读取到的数据库状态不同",
        "Point every core at the same primary database; send no reads of Harbor to a replica (pgpool: turn load balancing off).",
        "让所有 core 指向同一个主库；不要把 Harbor 的读请求分到从库 (pgpool：关闭负载均衡)。",
    ),
    _cause(
        9,
        "A registry does not take the credential that a core shows it",
        "registry 不接受 core 出示的凭据",
        "Make REGISTRY_CREDENTIAL_PASSWORD of every core and the registries' htpasswd belong together (with compose: run "
        "`prepare` once and copy its result; with the chart: pin registry.credentials), then restart registries and cores.",
        "让每个 core 的 REGISTRY_CREDENTIAL_PASSWORD 与各 registry 的 htpasswd 对应 (compose：只运行一次 prepare 并复制结果；"
        "chart：固定 registry.credentials)，然后重启 registry 与 core。",
    ),
    _cause(
        10,
        "Harbor sends clients to another scheme or address than they use",
        "Harbor 把客户端引向与其所用不同的协议或地址",
        "Set the external URL as clients write it, on every core, and let the proxy in front set X-Forwarded-Proto and Host "
        "(or set relativeurls in the registry).",
        "在每个 core 上把外部 URL 设为客户端使用的地址，并让前置代理正确设置 X-Forwarded-Proto 与 Host (或在 registry 中启用 relativeurls)。",
    ),
    _cause(
        11,
        "The token service that Harbor names is not where clients are",
        "Harbor 给出的令牌服务地址并非客户端所用的地址",
        "Let the proxy pass on the client's Host header with its port (nginx: proxy_set_header Host $http_host).",
        "让代理转发客户端原本的 Host 头及端口 (nginx：proxy_set_header Host $http_host)。",
    ),
    _cause(
        12,
        "Tokens end before long uploads do",
        "令牌在长时间上传结束之前就已过期",
        "Raise the token expiration (Configuration, System Settings) above the longest upload.",
        "把令牌有效期 (配置管理 → 系统设置) 调到比最长的上传时间更长。",
    ),
    _cause(
        13,
        "Layers are mounted from a project that may not be read or is gone",
        "客户端试图从无权读取或已不存在的项目挂载层",
        "Give the pushing account pull rights on the source project, or make the client forget where the layer came from "
        "(build afresh, or use a client without cross-repository mounts).",
        "为推送账号授予来源项目的拉取权限，或让客户端忘记层的来源 (重新构建，或改用不做跨仓库挂载的客户端)。",
    ),
    _cause(
        14,
        "The registries do not share their storage or their HTTP secret",
        "各 registry 没有共享存储或 HTTP secret",
        "Put all registries on one storage that every replica sees at once (S3 or ReadWriteMany) with one "
        "REGISTRY_HTTP_SECRET; until then run one replica.",
        "让所有 registry 使用同一份立即可见的存储 (S3 或 ReadWriteMany) 和同一个 REGISTRY_HTTP_SECRET；在此之前只运行一个副本。",
    ),
    _cause(
        15,
        "The secrets between core and jobservice differ",
        "core 与 jobservice 之间的密钥不一致",
        "Give all cores, jobservices and registry controllers one CORE_SECRET and one JOBSERVICE_SECRET and restart them.",
        "让所有 core、jobservice 与 registryctl 使用同一个 CORE_SECRET 与 JOBSERVICE_SECRET，并重启它们。",
    ),
    _cause(
        16,
        "Browser sessions or CSRF tokens of one core are not good at another",
        "一个 core 的会话或 CSRF 令牌在另一个 core 上无效",
        "Give all cores one CSRF_KEY of 32 characters and one Redis. Pushes are not touched; clients of the API must keep no cookies.",
        "让所有 core 使用同一个 32 个字符的 CSRF_KEY 和同一个 Redis。推送不受影响；API 客户端不要保留 cookie。",
    ),
    _cause(
        17,
        "The key for stored secrets differs or has the wrong length",
        "用于加密已存机密的密钥不一致或长度错误",
        "Restore the secretKey (16 characters) that the database was made with, on every core.",
        "在每个 core 上恢复创建数据库时所用的 secretKey (16 个字符)。",
    ),
    _cause(
        18,
        "The robot account's name or secret is not what Harbor knows",
        "机器人账号的名称或密钥与 Harbor 所知不符",
        "Write the name in single quotes (robot$… is expanded by shells and CI variables), check the prefix, its expiry "
        "and whether it is disabled, or refresh its secret.",
        "把名称放在单引号中 (robot$… 会被 shell 与 CI 变量展开)，检查前缀、有效期与是否停用，或刷新其密钥。",
    ),
    _cause(
        19,
        "The proxy cache can't store what it fetched",
        "代理缓存无法保存其拉取的内容",
        "Let CORE_LOCAL_URL of each core lead to that core itself (http://127.0.0.1:8080).",
        "让每个 core 的 CORE_LOCAL_URL 指向其自身 (http://127.0.0.1:8080)。",
    ),
    _cause(
        20,
        "A stale copy of a project is in the cache",
        "缓存中存在过时的项目信息",
        "Remove the keys cache:project:* from Redis, or turn CACHE_ENABLED off; give all cores one cache.",
        "从 Redis 删除 cache:project:* 键，或关闭 CACHE_ENABLED；让所有 core 使用同一个缓存。",
    ),
    _cause(
        21,
        "Something in front of the cores loses or spoils the Authorization header",
        "core 前面的某个环节丢失或损坏了 Authorization 头",
        "Let the proxy or load balancer pass on Authorization whole, with headers of 16 KiB, and to living cores only.",
        "让代理或负载均衡完整转发 Authorization 头 (允许 16 KiB 的请求头)，且只转发到存活的 core。",
    ),
    _cause(
        22,
        "The image name does not lead to a project of this Harbor",
        "镜像名称没有指向此 Harbor 中的项目",
        "Write HOST/PROJECT/NAME with the host and port of the external URL, and make the project first.",
        "使用 主机/项目/名称，主机与端口与外部 URL 一致，并先创建项目。",
    ),
    _cause(
        23,
        "Cores of different versions serve together",
        "不同版本的 core 同时提供服务",
        "Bring all cores to one version. Passwords changed under 2.15.2 can't be read by 2.15.1 and older: do not roll back.",
        "把所有 core 升级到同一版本。在 2.15.2 下修改的密码无法被 2.15.1 及更早版本读取：不要回滚。",
    ),
    _cause(
        24,
        "Harbor is overloaded: answers come too late or not at all",
        "Harbor 过载：应答过迟或没有应答",
        "Give cores more CPU, spread bursts of logins, and look at connections between core and registry "
        "(ephemeral ports, keep-alive).",
        "为 core 增加 CPU，错开集中的登录，并检查 core 到 registry 的连接 (临时端口、keep-alive)。",
    ),
)

CAUSES: Final = {cause.id: cause for cause in ALL}
