"""The page about refusals says of each reason what a client of a real server gets."""

import json
import re
from collections.abc import Iterator

import pytest

from mooring import errors
from mooring.errors import MooringError
from mooring.refusals import RULINGS, Reason
from tests import server as servers
from tests.docs.pages import Page, page
from tests.docs.provoked import PROVOCATIONS, Site, furnished

ENGLISH, CHINESE = page("docs/refusals.md"), page("docs/refusals.zh-CN.md")
NUMBER = re.compile(r"request: [0-9a-f]{16}")

both = pytest.mark.parametrize("language", [ENGLISH, CHINESE], ids=["en", "zh-CN"])
each_reason = pytest.mark.parametrize("reason", Reason)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """A server of its own: some of what is done here spoils an account for others."""
    server = servers.start(tmp_path_factory.mktemp("refusals") / "data")
    try:
        yield furnished(server)
    finally:
        server.kill()


@both
def test_has_every_reason_once_and_no_other(language: Page) -> None:
    headings = re.findall(r"^### (\w+)$", language.prose, re.MULTILINE)
    assert headings == list(Reason)


def test_every_reason_is_provoked() -> None:
    assert set(PROVOCATIONS) == set(Reason)


@each_reason
def test_shows_what_a_client_gets(site: Site, reason: Reason) -> None:
    answer = PROVOCATIONS[reason](site)
    (error,) = json.loads(answer.body)["errors"]
    assert (error["detail"]["reason"], answer.status, error["code"]) == (
        reason,
        RULINGS[reason].status,
        RULINGS[reason].code,
    )
    assert error["detail"]["request_id"] == answer.headers["x-request-id"]
    message = NUMBER.sub("request: N", error["message"])
    assert message.endswith(f"(reason: {reason}, request: N)")
    for language in (ENGLISH, CHINESE):
        assert message in NUMBER.sub("request: N", language.sections[reason]), language.name


def test_a_refusal_is_in_the_log_as_the_page_says(site: Site) -> None:
    answer = PROVOCATIONS[Reason.NO_PERMISSION](site)
    number = answer.headers["x-request-id"]
    (line,) = [json.loads(line) for line in site.server.log.read_text().splitlines() if number in line]
    (shown,) = [json.loads(text) for text in re.findall(r'^\{"reason".*\}$', ENGLISH.text, re.MULTILINE)]
    assert list(line) == list(shown)
    assert (line["event"], line["reason"], line["subject"]) == ("refused", "no_permission", "bob")


def test_a_refusal_is_counted_as_the_page_says(site: Site) -> None:
    PROVOCATIONS[Reason.MALFORMED](site)
    metrics = site.ask("/metrics").body.decode()
    assert re.search(r'^mooring_refusals_total\{reason="malformed",replica="[^"]+"\} [1-9]', metrics, re.MULTILINE)


@both
def test_names_every_other_code(language: Page) -> None:
    codes = {kind.code for kind in vars(errors).values() if isinstance(kind, type) and issubclass(kind, MooringError)}
    missing = {code for code in codes - {"CLIENT_CLOSED"} if f"`{code}`" not in language.text}
    assert not missing
