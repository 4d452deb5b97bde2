"""Where credentials may go, by what a registry's challenge names."""

import asyncio
from collections.abc import Mapping
from typing import cast

import pytest

from mooring.egress.client import Egress, Reply
from mooring.errors import Invalid, Unavailable
from mooring.probe.authority import Authority, learn


class Registry:
    """Answers every question with one challenge."""

    def __init__(self, realm: str) -> None:
        self.headers = (("WWW-Authenticate", f'Bearer realm="{realm}",service="registry"'),)

    async def ask(self, method: str, url: str, *, headers: Mapping[str, str] | None = None) -> Reply:
        assert (method, headers) == ("GET", None), "nothing is sent before it is known where to"
        return Reply(401, self.headers, b"", 0, 0)


def learned(url: str, realm: str, *allowed: str) -> Authority:
    return asyncio.run(learn(cast("Egress", Registry(realm)), url, allowed))


@pytest.mark.parametrize(
    ("url", "realm"),
    [
        ("https://registry.example", "https://registry.example/service/token"),
        ("https://registry.example:443", "https://registry.example/service/token"),
        ("http://registry.example:5000", "http://registry.example:5000/service/token"),
    ],
)
def test_its_own_realm_is_asked_at_each_endpoint(url: str, realm: str) -> None:
    assert learned(url, realm) == Authority("bearer", "/service/token", "registry")


@pytest.mark.parametrize(
    ("url", "realm"),
    [
        ("https://registry.example", "https://registry.example:5001/auth"),
        ("http://registry.example", "https://registry.example/auth"),
        ("http://registry.example", "http://registry.example:5001/auth"),
    ],
)
def test_another_port_of_the_same_host_is_asked_there(url: str, realm: str) -> None:
    assert learned(url, realm).fixed == realm.removesuffix("/auth")


@pytest.mark.parametrize(
    "realm",
    [
        "https://thief.example/auth",
        "http://registry.example/auth",
        "https://registry.example.thief.example/auth",
        "https://registry.example@thief.example/auth",
        "//thief.example/auth",
    ],
)
def test_nothing_goes_to_another_host_or_in_the_clear(realm: str) -> None:
    with pytest.raises(Invalid, match="--allow-realm"):
        learned("https://registry.example", realm)


@pytest.mark.parametrize("realm", ["https://registry.example:port/auth", "https://[::1/auth"])
def test_a_realm_that_is_no_address_is_said(realm: str) -> None:
    with pytest.raises(Unavailable, match="no address"):
        learned("https://registry.example", realm)


def test_what_is_allowed_is_asked() -> None:
    found = learned("https://registry.example", "https://auth.example/token", "https://auth.example")
    assert found == Authority("bearer", "/token", "registry", fixed="https://auth.example")
