"""Delivers a notice: to a webhook, to a FHIR REST-hook, or by mail.

A webhook gets a POST with JSON and these headers:

    Idempotency-Key: 812 pager             the same for every attempt: take it once
    X-Redcell-Timestamp: 1795860000        seconds since 1970
    X-Redcell-Signature: sha256=...        HMAC-SHA256 of "TIMESTAMP.BODY" with the secret

A mail holds an id and a link, nothing else about the person: mail is read by many machines.
Requests go to the addresses that the settings name and nowhere else; a redirect is not followed.
"""

from __future__ import annotations

import hashlib
import hmac
import socket
from email.message import EmailMessage
from typing import Any

import msgspec

from redcell import clock
from redcell.clinic.news import CORRECTION, ESCALATION, News
from redcell.clinic.settings import Mail, Notice, Settings
from redcell.errors import RedcellError, SettingsError

SECONDS = 10
"""How long a destination may take."""
GOOD = range(200, 300)
SUBJECTS = {
    CORRECTION: "a value that was acted on was corrected",
    ESCALATION: "a report or message waits, and nobody has taken it on",
    "break-glass": "a patient was opened by break-glass",
}


class NotDeliveredError(RedcellError):
    """The destination did not take the notice; it is tried again."""


def deliver(settings: Settings, notice: Notice, news: News, key: str, *, at: int) -> str:
    """Tell one destination; how it was told.

    Raises:
        NotDeliveredError: it did not take the notice.
        SettingsError: its address is not one to which anything may be sent.
    """
    if notice.url:
        body = msgspec.json.encode(_bundle(settings, news) if notice.fhir else _plain(news, key))
        kind = "application/fhir+json" if notice.fhir else "application/json"
        post(notice, body, kind, key, at=at)
    if notice.email:
        send_mail(settings.mail, message(settings, notice, news, key))
    return " and ".join(["webhook"] * bool(notice.url) + ["mail"] * bool(notice.email))


# -- webhook ---------------------------------------------------------------------------------------


def post(notice: Notice, body: bytes, kind: str, key: str, *, at: int) -> None:
    """Send a body to a destination's address, signed."""
    check_address(notice.url)
    seconds = str(at // clock.SECOND)
    headers = {
        "Content-Type": kind,
        "Idempotency-Key": key,
        "X-Redcell-Timestamp": seconds,
        "User-Agent": "redcell",
    }
    if notice.secret:
        headers["X-Redcell-Signature"] = signature(notice.secret, seconds, body)
    status = _status(notice, headers, body)
    if status not in GOOD:
        raise NotDeliveredError(f"{notice.name}: answered {status}")


def _status(notice: Notice, headers: dict[str, str], body: bytes) -> int:
    """What a destination answers; its body is not looked at."""
    import httpcore

    from redcell.reach import Allowed, Guard

    steps = dict.fromkeys(("connect", "read", "write", "pool"), SECONDS)
    sent = {"timeout": steps}
    guard = Guard(Allowed(everyone=True))
    try:
        with (
            httpcore.ConnectionPool(network_backend=guard) as pool,
            pool.stream(
                "POST", notice.url, headers=list(headers.items()), content=body, extensions=sent
            ) as answer,
        ):
            return answer.status
    except (
        httpcore.NetworkError,
        httpcore.TimeoutException,
        httpcore.ProtocolError,
        httpcore.UnsupportedProtocol,
        OSError,
    ) as error:
        raise NotDeliveredError(f"{notice.name}: {type(error).__name__}") from None


def signature(secret: str, seconds: str, body: bytes) -> str:
    """What the receiver computes to know that a notice is ours and was not changed."""
    signed = hmac.new(secret.encode(), seconds.encode() + b"." + body, hashlib.sha256)
    return f"sha256={signed.hexdigest()}"


def check_address(url: str) -> None:
    """Refuse addresses to which no notice may go.

    Raises:
        SettingsError: not https (http on loopback alone), with a password in it, or the host is
            not one that may be reached.
    """
    from redcell.reach import AddressError, Allowed, secure_origin

    try:
        found = secure_origin(url, plain=True)
    except AddressError as error:
        raise SettingsError(f"notices: url must be https://HOST/PATH: {error}.") from None
    try:
        rows = socket.getaddrinfo(found.host, found.port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError):
        raise NotDeliveredError("the destination's name is not known now.") from None
    everyone = Allowed(everyone=True)
    if not all(everyone.fits(str(row[4][0]), found.host) for row in rows):
        raise SettingsError("notices: url leads to an address that is no destination.")


def _plain(news: News, key: str) -> dict[str, Any]:
    return {"id": key, "source": "redcell", **msgspec.to_builtins(news)}


# -- FHIR ------------------------------------------------------------------------------------------


def _bundle(settings: Settings, news: News) -> dict[str, Any]:
    """A Bundle with a Communication, and a DetectedIssue for each red flag."""
    subject = {"reference": f"Patient/{news.person}"}
    issues = [
        {
            "resourceType": "DetectedIssue",
            "id": f"issue-{news.assessment}-{flag.rule.lower()}",
            "status": "preliminary",
            "severity": "high",
            "code": {"coding": [{"system": "urn:redcell:rule", "code": flag.rule}]},
            "patient": subject,
            "identifiedDateTime": news.at,
        }
        for flag in news.red_flags
    ]
    name = hashlib.sha256(msgspec.json.encode(news)).hexdigest()[:32]
    communication: dict[str, Any] = {
        "resourceType": "Communication",
        "id": f"notice-{name}",
        "status": "completed",
        "category": [{"coding": [{"system": "urn:redcell:notice", "code": news.kind}]}],
        "priority": "urgent" if news.red_flags else "routine",
        "subject": subject,
        "sent": news.at,
        "payload": [{"contentString": line(settings, news)}],
    }
    about = [{"reference": f"DetectedIssue/{issue['id']}"} for issue in issues]
    if news.resource:
        about.append({"reference": news.resource})
    if about:
        communication["about"] = about
    found = [communication, *issues]
    return {
        "resourceType": "Bundle",
        "type": "collection",
        "timestamp": news.at,
        "entry": [{"resource": one} for one in found],
    }


# -- mail ------------------------------------------------------------------------------------------


def line(settings: Settings, news: News) -> str:
    """What is said in words: what kind of news, of which id, and where to read it."""
    return f"redcell: {_subject(news)}. Patient {news.person}. {_link(settings, news)}"


def _link(settings: Settings, news: News) -> str:
    return f"{settings.base_url.rstrip('/')}/patients/{news.person}"


def _subject(news: News) -> str:
    return SUBJECTS.get(news.kind) or f"now {news.urgency}"


def message(settings: Settings, notice: Notice, news: News, key: str) -> EmailMessage:
    """The mail."""
    mail = EmailMessage()
    mail["From"] = settings.mail.sender
    mail["To"] = notice.email
    mail["Subject"] = f"redcell: {_subject(news)}"
    mail["Message-ID"] = f"<{hashlib.sha256(key.encode()).hexdigest()[:32]}@redcell>"
    mail["Auto-Submitted"] = "auto-generated"
    said = (f"redcell: {_subject(news)}", f"Patient {news.person}", _link(settings, news))
    mail.set_content("\n".join((*said, "")))
    return mail


def send_mail(server: Mail, mail: EmailMessage) -> None:
    """Hand a mail to the mail server."""
    import smtplib

    if not server.host:
        raise SettingsError("notices by email need a mail server: [mail] host in redcell.toml.")
    try:
        with smtplib.SMTP(server.host, server.port, timeout=SECONDS) as smtp:
            if server.tls:
                import ssl

                smtp.starttls(context=ssl.create_default_context())
            if server.user:
                smtp.login(server.user, server.password)
            smtp.send_message(mail)
    except (OSError, smtplib.SMTPException) as error:
        raise NotDeliveredError(f"mail: {type(error).__name__}") from None
