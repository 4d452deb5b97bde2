"""How many times a second one GET is answered: by wrk, or without it by a small client of our own."""

import asyncio
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Sequence

from bench.registries import Registry
from bench.wire import Unexpected, message, parse

CONNECTIONS = 16
IN_TURN = """\
local targets = {
%s
}
local at = 0
request = function()
  at = at %% #targets + 1
  return wrk.format("GET", targets[at])
end
"""


def client() -> str:
    return "wrk" if shutil.which("wrk") else "a Python client (for higher ceilings: apt-get install wrk)"


def rate(registry: Registry, target: str, fields: bytes, seconds: float) -> float:
    """Answers a second over 16 kept-alive connections; raises Unexpected if one was not 200."""
    if wrk := shutil.which("wrk"):
        return _by_wrk(wrk, registry, target, fields, seconds)
    return asyncio.run(_by_protocol(registry, target, fields, seconds))


def rate_of_many(registry: Registry, targets: Sequence[str], fields: bytes, seconds: float) -> float:
    """The same, over several targets in turn. Raises Unexpected also where there is no wrk."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise Unexpected("several targets in turn need wrk: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        script.write(IN_TURN % "\n".join(f'"{target}",' for target in targets))
        script.flush()
        return _by_wrk(wrk, registry, targets[0], fields, seconds, "-s", script.name)


def _by_wrk(wrk: str, registry: Registry, target: str, fields: bytes, seconds: float, *further: str) -> float:
    command = [wrk, "-t1", f"-c{CONNECTIONS}", f"-d{max(1, round(seconds))}s", *further]
    for field in fields.decode().splitlines():
        command += ["-H", field]
    command.append("http://{}:{}{}".format(*registry.address, target))
    said = subprocess.run(command, capture_output=True, text=True, check=True, timeout=seconds + 60).stdout
    if trouble := re.findall(r"Non-2xx.*|Socket errors.*", said):
        raise Unexpected(f"GET {target}: {'; '.join(trouble)}")
    found = re.search(r"Requests/sec:\s*([\d.]+)", said)
    if not found:
        raise Unexpected(f"wrk said no rate: {said!r}")
    return float(found[1])


class _Asking(asyncio.Protocol):
    """Asks the same again as soon as it is answered, until `until` on the monotonic clock."""

    def __init__(self, request: bytes, until: float) -> None:
        self.request, self.until = request, until
        self.answers, self.data = 0, b""
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self.transport = transport
        transport.write(self.request)

    def data_received(self, data: bytes) -> None:
        self.data += data
        if (end := self.data.find(b"\r\n\r\n")) < 0:
            return
        answer = parse(self.data[: end + 2])
        if answer.status != 200:
            self._fail(f"{answer.status}: {self.data[:300]!r}")
        elif len(self.data) == end + 4 + answer.length:
            self.answers, self.data = self.answers + 1, b""
            if time.monotonic() < self.until:
                self.transport.write(self.request)
            elif not self.done.done():
                self.done.set_result(None)

    def connection_lost(self, error: Exception | None) -> None:
        self._fail(f"the connection was lost: {error}")

    def _fail(self, reason: str) -> None:
        if not self.done.done():
            self.done.set_exception(Unexpected(reason))


async def _by_protocol(registry: Registry, target: str, fields: bytes, seconds: float) -> float:
    loop, start = asyncio.get_running_loop(), time.monotonic()
    host = "{}:{}".format(*registry.address)
    request = message("GET", target, host, fields)
    asking = []
    for _ in range(CONNECTIONS):
        made = loop.create_connection(lambda: _Asking(request, start + seconds), *registry.address)
        asking.append((await made)[1])
    async with asyncio.timeout(seconds + 60):
        await asyncio.gather(*(one.done for one in asking))
    elapsed = time.monotonic() - start
    for one in asking:
        one.transport.close()
    return sum(one.answers for one in asking) / elapsed
