"""The page at `/`: this registry's own address, in the reader's language, and nothing that a browser would run."""

import base64
import hashlib
import re

import pytest

from mooring.web.landing import preferred_language
from tests.api import Answer, Api
from tests.server import Server


def page(server: Server, **headers: str) -> Answer:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Api(server.url, "", "").request("GET", "/", headers=named)


def test_shows_the_commands_with_its_own_address(server: Server) -> None:
    answer = page(server)
    text = answer.body.decode()
    assert (answer.status, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert f"docker login {server.address}\n" in text
    assert f"docker push {server.address}/library/IMAGE" in text


def test_speaks_chinese_to_who_asks_for_it(server: Server) -> None:
    english, chinese = (
        page(server, accept_language="de,en;q=0.5"),
        page(server, accept_language="zh-CN,zh;q=0.9,en;q=0.8"),
    )
    assert '<html lang="en">' in english.body.decode()
    assert '<html lang="zh-CN">' in chinese.body.decode()
    assert (english.headers["content-language"], chinese.headers["content-language"]) == ("en", "zh-CN")
    assert english.headers["vary"] == "Accept-Language"


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("", "en"),
        ("zh", "zh-CN"),
        ("zh-TW", "zh-CN"),
        ("en-GB,zh;q=0.9", "en"),
        ("fr, zh;q=0.2, en;q=0.1", "zh-CN"),
        ("zh;q=0, *", "en"),
        ("zh;q=nan,en;q=x", "en"),
        (";;,,q=", "en"),
    ],
)
def test_weighs_languages(header: str, language: str) -> None:
    assert preferred_language(header) == language


def test_runs_nothing_and_loads_nothing(server: Server) -> None:
    answer = page(server)
    text = answer.body.decode()
    (style,) = re.findall(r"<style>(.*?)</style>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"style-src 'sha256-{digest}';" in policy
    assert "unsafe" not in policy
    assert not re.search(r"<script|<iframe|<form|\son\w+=|style=|https?://", text)


def test_says_that_docker_wants_https_only_where_it_does(server: Server) -> None:
    note = '<p class="note" {}>'
    assert note.format("hidden") in page(server).body.decode()
    assert note.format("") in page(server, host="registry.internal").body.decode()
    assert note.format("hidden") in page(server, host="registry.internal", x_forwarded_proto="https").body.decode()


def test_does_not_repeat_markup_from_the_host(server: Server) -> None:
    text = page(server, x_forwarded_host='"><script>alert(1)</script>').body.decode()
    assert "<script" not in text


def test_its_links_lead_somewhere(server: Server) -> None:
    links = re.findall(r'href="(/[^"]*)"', page(server).body.decode())
    assert links
    for link in links:
        assert Api(server.url, "", "").request("GET", link).status == 200, link
