"""Where notices go. Addresses that hold secrets are in the settings of each replica, and in nothing that is told."""

import asyncio
import smtplib
import ssl
from typing import Final

from mooring.egress.client import Egress, Policy
from mooring.errors import ConfigurationError
from mooring.observe.alerts import forms
from mooring.observe.alerts.forms import Sender
from mooring.observe.alerts.mail import MailFailed, send_mail
from mooring.observe.alerts.notices import Notice
from mooring.settings import Settings

WEBHOOK, MAIL = "webhook", "mail"
WEBHOOK_SECONDS: Final = 20
MAIL_SECONDS: Final = 60
ANSWER_LIMIT: Final = 4096

TROUBLES: Final = {
    "timeout": "did not answer in time",
    "refused": "could not be connected to",
    "name": "has a name that leads nowhere",
    "closed": "closed the connection",
    "tls": "has a certificate that is not trusted, or no TLS",
    "address": "has a private address: set alert_private if that is meant",
}
"""In our words: a library's may hold the address, and with it a secret."""


class Undelivered(Exception):
    """Why a notice did not come through, for a person, with no secret in it."""


def configured(settings: Settings) -> list[str]:
    """Channels that are set up."""
    wanted = {WEBHOOK: settings.alert_webhook is not None, MAIL: bool(settings.alert_mail_server)}
    return [name for name, there in wanted.items() if there]


async def send(notice: Notice, sender: Sender, settings: Settings) -> None:
    """Raises Undelivered."""
    if notice.channel == WEBHOOK and settings.alert_webhook is not None:
        await _post(notice, sender, settings, settings.alert_webhook.get_secret_value())
    elif notice.channel == MAIL and settings.alert_mail_server:
        await _mail(notice, sender, settings)
    else:
        raise Undelivered("this replica has no such channel")


async def _post(notice: Notice, sender: Sender, settings: Settings, url: str) -> None:
    made = forms.posted(settings.alert_webhook_form, notice, sender)
    policy = Policy(private=settings.alert_private, timeout_seconds=WEBHOOK_SECONDS)
    async with Egress(policy) as egress:
        reply = await egress.ask("POST", url, headers=made.headers, body=made.body, limit=ANSWER_LIMIT)
    if reply.trouble:
        raise Undelivered(f"the webhook {TROUBLES.get(reply.trouble, 'could not be asked')}")
    if not 200 <= reply.status < 300:
        raise Undelivered(f"the webhook answered {reply.status}")


async def _mail(notice: Notice, sender: Sender, settings: Settings) -> None:
    if not settings.alert_mail_to or not settings.alert_mail_from:
        raise Undelivered("alert_mail_to and alert_mail_from are not both set")
    try:
        message = forms.mail(notice, sender, mail_from=settings.alert_mail_from, mail_to=settings.alert_mail_to)
    except (ValueError, IndexError, AttributeError) as error:
        # The standard library's parser ends so at "<", "a@[b" and a line's end.
        raise Undelivered("alert_mail_from or alert_mail_to is not an address") from error
    try:
        async with asyncio.timeout(MAIL_SECONDS):
            await send_mail(message, settings)
    except TimeoutError as error:
        raise Undelivered("the mail server did not answer in time") from error
    except smtplib.SMTPResponseException as error:
        raise Undelivered(f"the mail server answered {error.smtp_code}") from error
    except smtplib.SMTPRecipientsRefused as error:
        codes = sorted({str(code) for code, _ in error.recipients.values()})
        raise Undelivered(f"the mail server takes none of the recipients ({', '.join(codes)})") from error
    except (MailFailed, ConfigurationError) as error:
        raise Undelivered(str(error)) from error
    except ssl.SSLError as error:
        raise Undelivered(f"the mail server {TROUBLES['tls']}") from error
    except UnicodeEncodeError:
        # Not as its cause: that one holds the password.
        raise Undelivered("the login at the mail server has letters that are not ASCII") from None
    except (smtplib.SMTPException, OSError) as error:
        raise Undelivered(f"the mail server could not be used: {type(error).__name__}") from error
