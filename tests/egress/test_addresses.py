"""No request leaves for a private address unless it was meant."""

import asyncio
import socket
from typing import Any

import pytest
from aiohttp import ThreadedResolver

from mooring.egress.addresses import is_public
from mooring.egress.client import Egress, Policy

PRIVATE = (
    "127.0.0.1", "127.9.9.9", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
    "224.0.0.1", "255.255.255.255", "::1", "::", "fe80::1", "fe80::1%eth0", "fc00::1", "ff02::1", "::ffff:127.0.0.1",
    "::ffff:169.254.169.254", "64:ff9b::7f00:1", "2002:7f00:1::", "2001:db8::1",
)  # fmt: skip
PUBLIC = ("1.1.1.1", "93.184.215.14", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::101:101")


@pytest.mark.parametrize("address", PRIVATE)
def test_private(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize("address", PUBLIC)
def test_public(address: str) -> None:
    assert is_public(address)


def trouble(url: str, policy: Policy) -> str:
    async def once() -> str:
        async with Egress(policy) as egress:
            return (await egress.ask("GET", url)).trouble

    return asyncio.run(once())


@pytest.fixture
def port() -> Any:
    """Of a server that must not be reached; it would answer nothing at all."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server.getsockname()[1]
        with pytest.raises(TimeoutError):
            server.accept()


@pytest.mark.parametrize("host", ["127.0.0.1", "[::ffff:127.0.0.1]", "2130706433", "0x7f.1", "127.1", "localhost"])
def test_is_refused_before_a_connection(host: str, port: int) -> None:
    assert trouble(f"http://{host}:{port}/", Policy()) in {"address", "failed"}


def test_a_name_that_leads_inside_is_refused(monkeypatch: pytest.MonkeyPatch, port: int) -> None:
    async def inside(*_: object) -> list[dict[str, Any]]:
        return [
            {"hostname": "x", "host": host, "port": port, "family": socket.AF_INET, "proto": 0, "flags": 0}
            for host in ("1.1.1.1", "127.0.0.1")
        ]

    monkeypatch.setattr(ThreadedResolver, "resolve", inside)
    assert trouble(f"http://rebound.example:{port}/", Policy()) == "address"
