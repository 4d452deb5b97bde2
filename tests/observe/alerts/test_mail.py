"""Notices by mail: over TLS or not at all where there is a password, and to the address that was looked at."""

import asyncio
import socket
from pathlib import Path
from typing import Any

import pytest

from mooring.errors import ConfigurationError
from mooring.observe.alerts import channels
from mooring.observe.alerts.channels import Undelivered
from mooring.observe.alerts.conditions import Severity
from mooring.observe.alerts.forms import Sender
from mooring.observe.alerts.notices import Notice
from mooring.settings import load
from tests.observe.alerts.receivers import PASSWORD, USERNAME, Mailbox, mail_server
from tests.server import HOST

SENDER = Sender("5d0c1f4e", "https://registry.example")
AT = 1_795_000_000_000_000
NOTICE = Notice(
    "a1b2", 7, "mail", "firing", "probe_failing", Severity.CRITICAL, "", "upload: 401\nBcc: x", "Look.", AT, AT
)


def send(mailbox: Mailbox, scheme: str = "smtp", notice: Notice = NOTICE, **settings: Any) -> None:
    given = {
        "alert_mail_server": f"{scheme}://{HOST}:{mailbox.port}",
        "alert_mail_username": USERNAME,
        "alert_mail_password": PASSWORD,
        "alert_mail_from": "Mooring <registry@mail.example>",
        "alert_mail_to": "oncall@mail.example, Ops <ops@mail.example>",
        "alert_private": True,
    }
    asyncio.run(channels.send(notice, SENDER, load(**{**given, **settings})))


@pytest.fixture
def trusted(certificate: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> tuple[Path, Path]:
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate[0]))
    return certificate


@pytest.mark.parametrize(("scheme", "at_once"), [("smtp", False), ("smtps", True)])
def test_a_mail(trusted: tuple[Path, Path], scheme: str, at_once: bool) -> None:
    with mail_server(trusted, at_once=at_once) as mailbox:
        send(mailbox, scheme)
    (mail,) = mailbox.mails
    assert mailbox.recipients == [["oncall@mail.example", "ops@mail.example"]]
    assert mail["Subject"] == "[firing] probe_failing at https://registry.example"
    assert mail["From"] == "Mooring <registry@mail.example>"
    assert mail["Message-ID"] == "<a1b2@5d0c1f4e.mooring>"
    assert mail["References"] == "<alert-7@5d0c1f4e.mooring>"
    assert mail["Bcc"] is None
    content = mail.get_content().replace("\r\n", "\n")
    assert "upload: 401\nBcc: x\n\nLook.\n" in content
    assert "Since: 2026-11-" in content
    begun = [] if at_once else ["EHLO", "STARTTLS"]
    words = [line.split()[0].upper() for line in mailbox.said]
    assert words == [*begun, "EHLO", "AUTH", "MAIL", "RCPT", "RCPT", "DATA", "QUIT"]


def test_who_signs_his_certificate_himself_gets_nothing(certificate: tuple[Path, Path]) -> None:
    with mail_server(certificate) as mailbox, pytest.raises(Undelivered, match="certificate"):
        send(mailbox)
    assert mailbox.mails == []
    assert not [line for line in mailbox.said if line.upper().startswith(("AUTH", "MAIL"))]


@pytest.mark.parametrize("scheme", ["smtp", "smtp+plain"])
def test_no_password_goes_in_the_clear(scheme: str) -> None:
    with mail_server() as mailbox, pytest.raises(Undelivered) as refused:
        send(mailbox, scheme)
    assert mailbox.mails == []
    assert not [line for line in mailbox.said if line.startswith("AUTH")]
    assert PASSWORD not in str(refused.value)


def test_without_its_starttls_a_server_gets_nothing() -> None:
    with mail_server() as mailbox, pytest.raises(Undelivered):
        send(mailbox, "smtp", alert_mail_username=None)
    assert not [line for line in mailbox.said if line.upper().startswith("MAIL")]


@pytest.mark.parametrize("given", ["Ops <", "<", "a@[b", "a@mail.example\nBcc: b@mail.example"])
@pytest.mark.parametrize("setting", ["alert_mail_from", "alert_mail_to"])
def test_what_is_no_address_is_a_notice_that_did_not_come_through(setting: str, given: str) -> None:
    with mail_server() as mailbox, pytest.raises(Undelivered):
        send(mailbox, "smtp+plain", NOTICE, alert_mail_username=None, **{setting: given})
    assert mailbox.mails == []


@pytest.mark.parametrize("setting", ["alert_mail_username", "alert_mail_password"])
def test_a_login_that_smtp_cannot_carry_is_told_without_it(trusted: tuple[Path, Path], setting: str) -> None:
    with mail_server(trusted) as mailbox, pytest.raises(Undelivered, match="not ASCII") as refused:
        send(mailbox, "smtp", NOTICE, **{setting: "gehäuse"})
    assert mailbox.mails == []
    assert refused.value.__cause__ is None


def test_a_relay_on_this_machine_needs_neither() -> None:
    with mail_server() as mailbox:
        send(mailbox, "smtp+plain", alert_mail_username=None)
    assert len(mailbox.mails) == 1


@pytest.mark.parametrize(
    ("word", "says"), [("AUTH", "550"), ("MAIL", "550"), ("RCPT", "none of the recipients"), ("DATA", "550")]
)
def test_a_refusal_is_told_by_its_number(trusted: tuple[Path, Path], word: str, says: str) -> None:
    with mail_server(trusted) as mailbox:
        mailbox.refuses = word
        with pytest.raises(Undelivered, match=says) as refused:
            send(mailbox)
    assert PASSWORD not in str(refused.value)
    assert mailbox.mails == []


def test_a_wrong_password_is_told_without_it(trusted: tuple[Path, Path]) -> None:
    with mail_server(trusted) as mailbox, pytest.raises(Undelivered, match="535") as refused:
        send(mailbox, alert_mail_password="another-Password-1")
    assert "another-Password-1" not in str(refused.value)


def test_one_that_says_nothing_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channels, "MAIL_SECONDS", 0.2)
    with mail_server() as mailbox:
        mailbox.silent = True
        with pytest.raises(Undelivered, match="in time"):
            send(mailbox)


def test_a_private_address_is_used_only_where_that_is_meant() -> None:
    with mail_server() as mailbox, pytest.raises(Undelivered, match="private address"):
        send(mailbox, alert_private=False)
    assert mailbox.said == []


def test_a_name_that_changes_its_address_gains_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Public when it is looked at, private afterwards: the connection goes where was looked."""
    asked: list[str] = []
    connected: list[tuple[str, int]] = []

    def resolve(host: str, port: int, *_: object, **__: object) -> list[tuple[object, ...]]:
        asked.append(host)
        address = "1.1.1.1" if len(asked) == 1 else HOST
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    def connect(address: tuple[str, int], *_: object, **__: object) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr(socket, "create_connection", connect)
    with mail_server() as mailbox, pytest.raises(Undelivered):
        send(mailbox, alert_mail_server=f"smtp://rebound.example:{mailbox.port}", alert_private=False)
    assert connected == [("1.1.1.1", mailbox.port)]


@pytest.mark.parametrize(
    "server", ["mail.example", "http://mail.example", "smtp://user:secret@mail.example", "smtp://"]
)
def test_an_address_that_is_none_is_refused(server: str) -> None:
    with pytest.raises(ConfigurationError, match="alert_mail_server") as refused:
        load(alert_mail_server=server)
    assert "secret" not in refused.value.text


def test_a_webhook_that_is_none_is_refused_without_it() -> None:
    with pytest.raises(ConfigurationError, match="alert_webhook") as refused:
        load(alert_webhook="hooks.example/SECRET")
    assert "SECRET" not in refused.value.text
