"""What comes back, whatever the other side does."""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest

from mooring.egress.client import Egress, Policy, Reply

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def asked(
    serve: Serve,
    *,
    seconds: float = 5,
    limit: int = 1000,
    heard: list[bytes] | None = None,
    timeout_seconds: float | None = None,
) -> Reply:
    head = [] if heard is None else heard

    async def once() -> Reply:
        over = asyncio.Event()

        async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            head.append(await reader.readuntil(b"\r\n\r\n"))
            await serve(reader, writer)
            writer.close()
            over.set()

        server = await asyncio.start_server(handle, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        async with server, Egress(Policy(private=True, timeout_seconds=seconds)) as egress:
            reply = await egress.ask("GET", f"http://127.0.0.1:{port}/", limit=limit, timeout_seconds=timeout_seconds)
            async with asyncio.timeout(seconds):
                await over.wait()
            return reply

    return asyncio.run(once())


def answering(content: bytes) -> Serve:
    async def serve(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(content)

    return serve


async def silent(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


def test_no_redirect_is_followed() -> None:
    reply = asked(answering(b"HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n"))
    assert (reply.status, reply.header("Location")) == (302, "http://127.0.0.1:1/")


def test_a_body_ends_at_its_limit() -> None:
    reply = asked(answering(b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n" + b"x" * 5000), limit=100)
    assert (reply.status, len(reply.body)) == (200, 100)


@pytest.mark.parametrize(
    ("serve", "trouble"),
    [(answering(b""), "closed"), (answering(b"SSH-2.0-x\r\n\r\n"), "failed"), (silent, "timeout")],
    ids=["closed", "no HTTP", "silent"],
)
def test_trouble_has_a_name(serve: Serve, trouble: str) -> None:
    reply = asked(serve, seconds=0.5)
    assert (reply.status, reply.trouble) == (0, trouble)


@pytest.mark.parametrize(("policy", "own"), [(30, 0.3), (0.3, 30)])
def test_the_shorter_patience_holds(policy: float, own: float) -> None:
    reply = asked(silent, seconds=policy, timeout_seconds=own)
    assert reply.trouble == "timeout"
    assert reply.seconds < 5


def test_no_proxy_or_password_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    passwords = tmp_path / "netrc"
    passwords.write_text("machine 127.0.0.1 login dev password secret\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("NETRC", str(passwords))
    heard: list[bytes] = []
    assert asked(answering(b"HTTP/1.1 204 No Content\r\n\r\n"), heard=heard).status == 204
    (head,) = heard
    assert b"authorization" not in head.lower()
