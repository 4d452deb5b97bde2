"""Does the store of a Mooring hold what its index names?"""

from collections.abc import Iterator
from typing import Final

from mooring.doctor.findings import Finding
from mooring.doctor.observations import Observations
from mooring.doctor.texts import Text, counted, same

SHOWN: Final = 5


def store(seen: Observations) -> Iterator[Finding]:
    look = seen.installation.store if seen.installation else None
    if look is None or not look.fault_count:
        return
    yield Finding(
        None,
        Text("The store lacks bytes that the index names", "存储缺少索引所列的数据"),
        (
            Text(
                f"{counted(look.fault_count, 'fault')} in {counted(look.looked_at, 'blob')} ({look.manner})",
                f"{look.looked_at} 个 blob 中有 {look.fault_count} 处错误 ({look.manner})",
            ),
            *(same(f"{fault.what}: {fault.text}") for fault in look.faults[:SHOWN]),
        ),
        "certain",
        Text(
            "`mooring check` names every one. Push the images again that need them, or restore the store from its backup.",
            "`mooring check` 会逐一列出。请重新推送需要它们的镜像，或从备份恢复存储。",
        ),
    )
