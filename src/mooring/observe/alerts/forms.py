"""What a notice looks like to those who get it."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.message import EmailMessage
from email.utils import format_datetime
from typing import Final
from urllib.parse import quote

from mooring.cluster.clock import SECOND, rfc3339
from mooring.observe.alerts.notices import Notice
from mooring.settings import Settings

JSON: Final = "application/json"
CLOUD_EVENTS: Final = "application/cloudevents+json; charset=utf-8"
SLACK_LIMIT: Final = 3000
EVENT_TYPE: Final = "mooring.alert"


@dataclass(frozen=True)
class Sender:
    """Which registry tells: `source` is its address, or a URN with the cluster's id."""

    cluster_id: str
    source: str


def sender_of(cluster_id: str, settings: Settings) -> Sender:
    return Sender(cluster_id, settings.external_url or f"urn:uuid:{cluster_id}")


@dataclass(frozen=True)
class Posted:
    """A request's body, with the headers that go with it."""

    headers: Mapping[str, str]
    body: bytes


def posted(form: str, notice: Notice, sender: Sender) -> Posted:
    """As `form` says: `json`, `slack`, `cloudevents` (structured) or `cloudevents-binary`."""
    match form:
        case "slack":
            return Posted({"content-type": JSON}, _json({"text": _slack(notice, sender)}))
        case "cloudevents":
            event = {**_attributes(notice, sender), "datacontenttype": JSON, "data": _plain(notice, sender)}
            return Posted({"content-type": CLOUD_EVENTS}, _json(event))
        case "cloudevents-binary":
            attributes = {f"ce-{name}": _header(value) for name, value in _attributes(notice, sender).items()}
            return Posted({**attributes, "content-type": JSON}, _json(_plain(notice, sender)))
        case _:
            return Posted({"content-type": JSON}, _json(_plain(notice, sender)))


def mail(notice: Notice, sender: Sender, *, mail_from: str, mail_to: str) -> EmailMessage:
    """All notices of one alert are one thread, and the id of each is the same at every try."""
    message = EmailMessage()
    message["From"] = mail_from
    message["To"] = mail_to
    message["Subject"] = " ".join(title(notice, sender).split())
    message["Date"] = format_datetime(datetime.fromtimestamp(notice.at / SECOND, UTC))
    message["Message-ID"] = f"<{notice.id}@{sender.cluster_id}.mooring>"
    if notice.alert_id:
        message["References"] = f"<alert-{notice.alert_id}@{sender.cluster_id}.mooring>"
    message["Auto-Submitted"] = "auto-generated"
    lines = [notice.text, "", notice.remedy, "", f"Since: {rfc3339(notice.since)}", f"Registry: {sender.source}"]
    message.set_content("\n".join(lines) + "\n")
    return message


def title(notice: Notice, sender: Sender) -> str:
    about = f" ({notice.subject})" if notice.subject else ""
    return f"[{notice.event}] {notice.condition}{about} at {sender.source}"


def _plain(notice: Notice, sender: Sender) -> dict[str, object]:
    return {
        "id": notice.id,
        "event": notice.event,
        "condition": notice.condition,
        "severity": str(notice.severity),
        "subject": notice.subject,
        "text": notice.text,
        "remedy": notice.remedy,
        "since": rfc3339(notice.since),
        "at": rfc3339(notice.at),
        "alert": notice.alert_id,
        "registry": sender.source,
        "cluster": sender.cluster_id,
    }


def _attributes(notice: Notice, sender: Sender) -> dict[str, str]:
    """CloudEvents 1.0, section "Required attributes"; source and id together are what a receiver tells repeats by."""
    attributes = {
        "specversion": "1.0",
        "id": notice.id,
        "source": sender.source,
        "type": f"{EVENT_TYPE}.{notice.event}",
        "time": rfc3339(notice.at),
    }
    return {**attributes, "subject": notice.subject} if notice.subject else attributes


def _header(value: str) -> str:
    """CloudEvents 1.0, HTTP binding, section 3.1.3.2: what is not printable ASCII, and space, quote and percent."""
    return quote(value, safe="!#$&'()*+,/:;<=>?@[\\]^_`{|}~-.")


def _slack(notice: Notice, sender: Sender) -> str:
    text = "\n".join([title(notice, sender), notice.text, notice.remedy])[:SLACK_LIMIT]
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _json(content: Mapping[str, object]) -> bytes:
    return json.dumps(content, ensure_ascii=False).encode()
