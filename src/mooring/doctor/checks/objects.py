"""What the objects of Kubernetes say of a Harbor."""

from collections import defaultdict
from collections.abc import Iterator
from typing import Final
from urllib.parse import urlsplit

from mooring.doctor.checks.readings import WORTH_SAYING_SECONDS, clocks_refuse, leeway_seconds, named
from mooring.doctor.checks.settings import cores
from mooring.doctor.findings import Finding
from mooring.doctor.observations import Kubernetes, Observations, Route, SecretMount
from mooring.doctor.texts import Text
from mooring.doctor.times import shown

KEY_FILE: Final = "private_key.pem"
SLACK_SECONDS: Final = 5
MANY_REVISIONS: Final = 3
MANY_RESTARTS: Final = 3
STARTED_SECONDS: Final = 300


def stale_keys(seen: Observations) -> Iterator[Finding]:
    """A file that is mounted alone stays as it was when its container started, whatever becomes of the Secret."""
    if seen.kubernetes is None:
        return
    by_secret: dict[str, list[SecretMount]] = defaultdict(list)
    for mount in seen.kubernetes.mounts:
        if mount.path.endswith(KEY_FILE):
            by_secret[mount.secret].append(mount)
    for secret, mounts in by_secret.items():
        old = [mount for mount in mounts if mount.secret_changed_at > mount.pod_started_at + SLACK_SECONDS]
        if not old:
            continue
        changed = shown(mounts[0].secret_changed_at)
        names = ", ".join(mount.pod for mount in old)
        yield named(
            "RC1",
            "likely" if len(old) < len(mounts) else "possible",
            Text(
                f"the Secret {secret} was changed at {changed}, after {names} had started: they hold what it was before",
                f"Secret {secret} 于 {changed} 更改，而 {names} 在此之前已启动：它们仍持有旧内容",
            ),
            title=None if len(old) < len(mounts) else _NEXT_POD,
            harmless=len(old) == len(mounts),
        )


def separate_secrets(seen: Observations) -> Iterator[Finding]:
    mounts = seen.kubernetes.mounts if seen.kubernetes else ()
    sources = {mount.pod: f"{mount.secret}/{mount.key}" for mount in mounts if mount.path.endswith(KEY_FILE)}
    if len(set(sources.values())) > 1:
        told = ", ".join(f"{pod}: {source}" for pod, source in sources.items())
        yield named(
            "RC1", "likely", Text(f"the cores mount different Secrets ({told})", f"各 core 挂载的 Secret 不同 ({told})")
        )


def rerolled(seen: Observations) -> Iterator[Finding]:
    """The chart makes a new key whenever it is rendered, and every new key rolls the cores with two keys live."""
    cluster = seen.kubernetes
    if cluster is None or not cluster.template_made:
        return
    secret = ", ".join(cluster.template_made)
    for workload, count in cluster.rerolled.items():
        if "core" in workload and count >= MANY_REVISIONS:
            yield named(
                "RC1",
                "likely",
                Text(
                    f"{workload} was rolled {count} times in a day for a new Secret alone: the chart makes the key in "
                    f"{secret} anew at each rendering",
                    f"{workload} 一天内仅因 Secret 变化就滚动了 {count} 次：chart 每次渲染都会重新生成 {secret} 中的密钥",
                ),
                *_argo(cluster),
            )


def node_clocks(seen: Observations) -> Iterator[Finding]:
    clocks = seen.kubernetes.clocks if seen.kubernetes else ()
    if len(clocks) < 2:
        return
    low, high = min(clocks, key=lambda each: each.ahead_seconds), max(clocks, key=lambda each: each.ahead_seconds)
    spread = high.ahead_seconds - low.ahead_seconds - low.error_seconds - high.error_seconds
    leeway = leeway_seconds(seen)
    refuses = clocks_refuse(seen, spread)
    if refuses or spread >= WORTH_SAYING_SECONDS:
        told = ", ".join(f"{clock.node} {clock.ahead_seconds:+.0f} s" for clock in clocks)
        yield named(
            "RC2",
            "certain" if refuses else "possible",
            Text(
                f"the clocks of the cores' nodes against the API server's: {told}; Harbor forgives {leeway} s",
                f"各 core 所在节点的时钟与 API server 相比：{told}；Harbor 容忍 {leeway} 秒",
            ),
            harmless=not refuses,
        )


def registry_storage(seen: Observations) -> Iterator[Finding]:
    """Bytes in a directory, and several registries that do not share it."""
    directory = any(each.component == "registry" and each.storage.startswith("filesystem") for each in seen.instances)
    for workload in seen.kubernetes.workloads if seen.kubernetes else ():
        if workload.component != "registry" or workload.replicas < 2 or not directory:
            continue
        if workload.own_directories:
            volumes = ", ".join(workload.own_directories)
            yield named(
                "RC14",
                "certain",
                Text(
                    f"{workload.name}: each of {workload.replicas} pods keeps its bytes for itself ({volumes})",
                    f"{workload.name}：{workload.replicas} 个 Pod 各自保存数据 ({volumes})",
                ),
            )
        elif workload.single_writer_claims:
            claims = ", ".join(workload.claims)
            yield named(
                "RC14",
                "likely",
                Text(
                    f"{workload.name}: {workload.replicas} pods on a volume for one node ({claims})",
                    f"{workload.name}：{workload.replicas} 个 Pod 使用只能由单节点挂载的卷 ({claims})",
                ),
            )


def entrances(seen: Observations) -> Iterator[Finding]:
    urls = {value.plain for core in cores(seen) if (value := core.environment.get("EXT_ENDPOINT")) and value.plain}
    if seen.kubernetes is None or not urls:
        return
    routes = [route for route in seen.kubernetes.routes if _leads_to_registry(route)]
    hosts = {host for route in routes for host in route.hosts}
    for url in urls:
        parts = urlsplit(url)
        if parts.scheme == "http" and any(route.tls for route in routes):
            yield named(
                "RC10",
                "likely",
                Text(
                    f"the external URL is {url}, and the ingress speaks TLS: clients are sent to http and back",
                    f"外部 URL 为 {url}，而 ingress 使用 TLS：客户端会被引向 http 再跳转回来",
                ),
            )
        if hosts and parts.hostname not in hosts:
            told = ", ".join(sorted(hosts))
            yield named(
                "RC11",
                "possible",
                Text(
                    f"the external URL is {url}, and the ingress is for {told}",
                    f"外部 URL 为 {url}，而 ingress 的主机为 {told}",
                ),
            )


def split_paths(seen: Observations) -> Iterator[Finding]:
    for route in seen.kubernetes.routes if seen.kubernetes else ():
        registry, tokens = _backend(route, "/v2/"), _backend(route, "/service/token")
        if _leads_to_registry(route) and registry != tokens:
            yield named(
                "RC21",
                "likely",
                Text(
                    f"the ingress {route.name} leads /v2/ to {registry} and /service/ to {tokens or 'nothing'}",
                    f"ingress {route.name} 把 /v2/ 引向 {registry}，把 /service/ 引向 {tokens or '无'}",
                ),
            )


def services(seen: Observations) -> Iterator[Finding]:
    """What the ingress leads to has to be there, and to lead to pods."""
    cluster = seen.kubernetes
    if cluster is None or cluster.services is None:
        return
    pods = {service.name: service.pods for service in cluster.services}
    for route in cluster.routes:
        if not _leads_to_registry(route):
            continue
        for path in ("/v2/", "/service/token", "/api/"):
            service = _backend(route, path)
            if service and not pods.get(service):
                yield Finding(
                    None,
                    Text("The ingress leads to a service without pods", "ingress 指向的 Service 没有 Pod"),
                    (
                        Text(
                            f"{route.name} leads {path} to {service}, which "
                            + ("selects no pod" if service in pods else "is not there"),
                            f"{route.name} 把 {path} 引向 {service}，"
                            + ("它没有选中任何 Pod" if service in pods else "它不存在"),
                        ),
                    ),
                    "certain",
                    Text(
                        "Compare the service's selector with the pods' labels, and the ingress with the services.",
                        "比较 Service 的选择器与 Pod 的标签，以及 ingress 与 Service。",
                    ),
                )
                return


def unsteady(seen: Observations) -> Iterator[Finding]:
    """A part that restarts again and again, or does not become ready, answers some requests and not others."""
    evidence = []
    for each in seen.instances:
        if each.restarts >= MANY_RESTARTS:
            evidence.append(
                Text(f"{each.name} was restarted {each.restarts} times", f"{each.name} 已重启 {each.restarts} 次")
            )
        elif not each.ready and seen.made_at - each.started_at > STARTED_SECONDS:
            evidence.append(Text(f"{each.name} is not ready", f"{each.name} 未就绪"))
    if evidence:
        yield Finding(
            None,
            Text("Parts of Harbor do not run steadily", "Harbor 的部分组件运行不稳定"),
            tuple(evidence),
            "likely",
            Text(
                "Look at `kubectl describe pod` and at the log of the run before (`kubectl logs --previous`).",
                "查看 `kubectl describe pod` 以及上一次运行的日志 (`kubectl logs --previous`)。",
            ),
        )


_NEXT_POD: Final = Text(
    "The token signing key was changed, and no core has it yet: the next pod to start will differ from the others",
    "令牌签名密钥已更改，但还没有 core 使用它：下一个启动的 Pod 将与其他不同",
)


def _argo(cluster: Kubernetes) -> tuple[Text, ...]:
    managers = {manager for workload in cluster.workloads for manager in workload.managers}
    if not any("argocd" in manager for manager in managers):
        return ()
    return (
        Text(
            "Argo CD applies the chart: it renders without looking at what is there, so each sync makes a new key",
            "由 Argo CD 应用 chart：它渲染时不读取现有对象，因此每次同步都会生成新密钥",
        ),
    )


def _leads_to_registry(route: Route) -> bool:
    return "/v2/" in route.paths or "/v2" in route.paths or set(route.paths) == {"/"}


def _backend(route: Route, path: str) -> str:
    fitting = [prefix for prefix in route.paths if path.startswith(prefix)]
    return route.paths[max(fitting, key=len)] if fitting else ""
