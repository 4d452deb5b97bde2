"""A Harbor in a namespace: its objects, its logs, and a token of each core where the API server passes that on."""

from typing import Final

from mooring.doctor.inside.found import Found
from mooring.doctor.inside.logs import searched
from mooring.doctor.inside.marks import Marker
from mooring.doctor.kubernetes.harbor import Part, cluster, instances, parts
from mooring.doctor.kubernetes.objects import component
from mooring.doctor.kubernetes.reading import Cluster
from mooring.doctor.observations import Door, Gap
from mooring.doctor.texts import Text, same

LOGGED: Final = frozenset({"core", "registry", "jobservice"})


async def examine(asked: Cluster, namespace: str, marker: Marker) -> Found:
    """Raises Unavailable when the namespace can't be read or has no Harbor."""
    objects, gaps = await asked.objects(namespace)
    running = parts(objects)
    found = Found(instances(objects, running, marker), gaps=gaps, kubernetes=cluster(objects, running))
    for part in running:
        if component(part.container) in LOGGED:
            await _search(asked, namespace, part, found)
    for part in running:
        if component(part.container) == "core":
            await _ask(asked, namespace, part, found)
    return found


async def _search(asked: Cluster, namespace: str, part: Part, found: Found) -> None:
    text, trouble = await asked.log(namespace, part.pod_name, str(part.container["name"]))
    if trouble:
        found.gaps.append(Gap(Text(f"the log of {part.pod_name}", f"{part.pod_name} 的日志"), same(trouble)))
        return
    found.logs += searched(part.pod_name, text.splitlines())
    found.logs_read.append(part.pod_name)


async def _ask(asked: Cluster, namespace: str, part: Part, found: Found) -> None:
    """Not without the right to `pods/proxy`, which a Role for reading need not have."""
    grants = await asked.tokens(namespace, part.pod_name, part.port)
    if not grants:
        found.gaps.append(
            Gap(
                Text(f"a token of {part.pod_name}", f"{part.pod_name} 的令牌"),
                Text("it can't be asked through the API server (pods/proxy)", "无法经由 API server 询问 (pods/proxy)"),
            )
        )
        return
    found.doors.append(Door(name=f"pod {part.pod_name}", url="", direct=True, ping=grants[0].answer, anonymous=grants))
