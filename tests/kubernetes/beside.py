"""What a kubelet would answer, served beside the API server: logs of pods, and requests handed on to them."""

import asyncio
import ssl
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import aiohttp
from aiohttp import web

from tests.kubernetes.api import Kubernetes

HOP: Final = frozenset({"content-length", "transfer-encoding", "content-encoding", "connection"})


@contextmanager
def beside(api: Kubernetes, logs: Mapping[str, str], ports: Mapping[str, int]) -> Iterator[str]:
    """The address of both. `logs` and `ports` are by pod; the port is where the pod's core answers on this machine."""
    ready, over = threading.Event(), threading.Event()
    where: list[str] = []

    async def serve() -> None:
        context = ssl.create_default_context(cafile=str(api.authority))
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=context), auto_decompress=False) as session:

            async def log(request: web.Request) -> web.StreamResponse:
                return web.Response(text=logs.get(request.match_info["pod"], ""))

            async def core(request: web.Request) -> web.StreamResponse:
                pod = request.match_info["pod"].partition(":")[0]
                rest = request.raw_path.partition("/proxy")[2]
                return await passed_on(session, request, f"http://127.0.0.1:{ports[pod]}{rest}")

            async def other(request: web.Request) -> web.StreamResponse:
                return await passed_on(session, request, api.url + request.raw_path)

            application = web.Application()
            pods = "/api/v1/namespaces/{namespace}/pods/{pod}"
            application.router.add_get(f"{pods}/log", log)
            application.router.add_get(f"{pods}/proxy/{{path:.*}}", core)
            application.router.add_route("*", "/{path:.*}", other)
            runner = web.AppRunner(application, access_log=None)
            await runner.setup()
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            where.append(f"http://127.0.0.1:{runner.addresses[0][1]}")
            ready.set()
            await asyncio.to_thread(over.wait)
            await runner.cleanup()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    assert ready.wait(30)
    try:
        yield where[0]
    finally:
        over.set()
        thread.join(30)


async def passed_on(session: aiohttp.ClientSession, request: web.Request, url: str) -> web.StreamResponse:
    headers = {name: value for name, value in request.headers.items() if name.lower() not in {"host", *HOP}}
    async with session.request(request.method, url, headers=headers, data=await request.read()) as reply:
        kept = {name: value for name, value in reply.headers.items() if name.lower() not in HOP}
        return web.Response(status=reply.status, body=await reply.read(), headers=kept)


def kubeconfig(path: Path, url: str, token: str) -> Path:
    path.write_text(f"""\
apiVersion: v1
kind: Config
current-context: test
clusters: [{{name: test, cluster: {{server: "{url}"}}}}]
users: [{{name: test, user: {{token: "{token}"}}}}]
contexts: [{{name: test, context: {{cluster: test, user: test}}}}]
""")
    path.chmod(0o600)
    return path
