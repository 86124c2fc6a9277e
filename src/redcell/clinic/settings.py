"""A site's settings: one TOML file in the data folder, every key with a safe default.

    [site]
    name = "Main Campus"
    phone = "555-0100"

Unknown keys are an error that names the nearest known one. Secrets may stand in the environment:
a value `env:NAME` is read from there.
"""

from __future__ import annotations

import os
import re
import tomllib
from difflib import get_close_matches
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from msgspec import Struct, field

from redcell.errors import SettingsError

FILE = "redcell.toml"


class Site(Struct, frozen=True, forbid_unknown_fields=True):
    """Who runs this, and what its patients are told to call."""

    name: str = "redcell"
    environment: str = ""
    """DEMO, TEST or nothing: shown in words on every page."""
    phone: str = ""
    """The care team's number, day and night."""
    emergency: str = "911"
    time_zone: str = "UTC"
    policy: str = ""
    """The site's policy file, relative to the data folder."""
    calibration: str = ""
    forecast: bool = True
    """Does the red-cell model look ahead at each refresh?"""
    silence_hours: float = 24
    """How long the laboratory feed may be silent before pages say so."""
    reply_days: int = 2
    """Within how many days the team answers a message."""


class Feed(Struct, frozen=True, forbid_unknown_fields=True):
    """One sender of HL7 v2 messages or files."""

    name: str = "lab"
    zone: str = ""
    """Of times without an offset; the site's when empty."""
    authority: str = "urn:redcell:authority:default"
    """Identifier system of patient identifiers that name no assigning authority."""
    authorities: dict[str, str] = {}
    """Assigning authority of HL7 -> identifier system of FHIR."""
    test: bool = False
    """Are test messages (MSH-11 T) taken?"""
    folder: str = ""
    """A drop folder for this feed, relative to the data folder."""


class Mllp(Struct, frozen=True, forbid_unknown_fields=True):
    """The listener for HL7 v2. With a certificate its connections are encrypted."""

    certificate: str = ""
    key: str = ""
    clients: str = ""
    """Certificates of the authorities whose senders are let in; everybody when empty."""
    per_address: int = 64
    """Open connections from one address."""
    idle_seconds: float = 60
    """A connection that sends nothing for so long is closed."""
    plain: bool = False
    """Take unencrypted connections from other machines; in a network that is closed to others."""


class Issuer(Struct, frozen=True, forbid_unknown_fields=True):
    """A CDS client whose tokens are taken."""

    iss: str
    jku: str = ""
    keys: str = ""
    """A JWKS file in the data folder, instead of fetching `jku`."""
    tenant: str = ""
    servers: tuple[str, ...] = ()
    """FHIR servers from which missing prefetch may be fetched."""


class Cds(Struct, frozen=True, forbid_unknown_fields=True):
    """CDS Hooks."""

    issuers: tuple[Issuer, ...] = ()
    origins: tuple[str, ...] = ()
    """Where browsers may call from (CORS)."""
    dated: bool = True
    """Offer prefetch keys with CDS Hooks 3.0 date tokens beside the plain ones."""
    private_hosts: tuple[str, ...] = ()
    """FHIR servers and key addresses in the hospital's own network that may be asked."""
    certificate_header: str = ""
    """With mutual TLS: the header in which the proxy says SUCCESS for a verified certificate."""


class Oidc(Struct, frozen=True, forbid_unknown_fields=True):
    """The hospital's sign-in."""

    issuer: str = ""
    client_id: str = ""
    client_secret: str = ""
    roles_claim: str = "roles"
    roles: dict[str, str] = {}
    """Value of the claim -> role of redcell."""


class SignIn(Struct, frozen=True, forbid_unknown_fields=True):
    """How long a session lasts."""

    idle_minutes: int = 15
    """Without a request, for staff."""
    patient_idle_minutes: int = 60
    """The same for patients and proxies."""
    hours: int = 12
    """In all, whatever is done."""


class Ehr(Struct, frozen=True, forbid_unknown_fields=True):
    """An EHR whose users may open the chart page by SMART launch, and from which patients come."""

    fhir: str
    """Base address of its FHIR server."""
    client_id: str = ""
    client_secret: str = ""
    key: str = ""
    """A private JWK file in the data folder, for SMART Backend Services."""
    scopes: str = "launch openid fhirUser patient/*.rs"
    roles: str = "physician"


class Notice(Struct, frozen=True, forbid_unknown_fields=True):
    """Where red flags and critical values are told."""

    name: str
    url: str = ""
    """A webhook or FHIR REST-hook endpoint."""
    email: str = ""
    secret: str = ""
    """Signs what is sent to `url`."""
    levels: tuple[str, ...] = ("emergency", "same-day-face-to-face", "same-day")
    fhir: bool = False
    """Send a FHIR notification Bundle instead of plain JSON."""


class Mail(Struct, frozen=True, forbid_unknown_fields=True):
    """The mail server for notices."""

    host: str = ""
    port: int = 25
    sender: str = "redcell@localhost"
    tls: bool = False
    user: str = ""
    password: str = ""


class Tls(Struct, frozen=True, forbid_unknown_fields=True):
    """TLS without a proxy: PEM files, relative to the data folder."""

    certificate: str = ""
    key: str = ""


class Messages(Struct, frozen=True, forbid_unknown_fields=True):
    """After how many minutes an item that nobody took on escalates, step by step."""

    emergency: tuple[int, ...] = (15, 30, 60)
    now: tuple[int, ...] = (60, 120, 240)
    ordinary: tuple[int, ...] = (1440, 2880, 4320)


class Audit(Struct, frozen=True, forbid_unknown_fields=True):
    """Where the audit is anchored."""

    anchor: str = "audit-anchor.jsonl"
    """A file, best on another machine; relative to the data folder."""
    every: int = 100
    """Entries between two anchors."""


class Sensitivity(Struct, frozen=True, forbid_unknown_fields=True):
    """Who sees facts that their labels restrict. A choice of each site: the defaults, nobody, are
    the strictest, and nobody has verified them for yours.
    """

    very_restricted_roles: tuple[str, ...] = ()
    """Roles of the care team that see very restricted facts without breaking the glass."""
    clients: tuple[str, ...] = ()
    """Ids of programs of their own that get restricted facts; an app that somebody uses is none."""


class Settings(Struct, frozen=True, forbid_unknown_fields=True):
    """Everything a site can set."""

    site: Site = field(default_factory=Site)
    database: str = ""
    """A postgresql:// address; SQLite in the data folder when empty."""
    secure_cookies: bool = True
    """Off only on loopback, where there is no TLS."""
    base_url: str = ""
    """The address by which others reach this service, for example https://redcell.example.org."""
    proxies: tuple[str, ...] = ()
    """Addresses of reverse proxies whose X-Forwarded headers are believed."""
    frame_ancestors: tuple[str, ...] = ()
    """EHRs that may show the chart page in a frame."""
    feeds: tuple[Feed, ...] = ()
    mllp: Mllp = field(default_factory=Mllp)
    cds: Cds = field(default_factory=Cds)
    sign_in: SignIn = field(default_factory=SignIn)
    oidc: Oidc = field(default_factory=Oidc)
    ehr: tuple[Ehr, ...] = ()
    notices: tuple[Notice, ...] = ()
    mail: Mail = field(default_factory=Mail)
    tls: Tls = field(default_factory=Tls)
    messages: Messages = field(default_factory=Messages)
    audit: Audit = field(default_factory=Audit)
    sensitivity: Sensitivity = field(default_factory=Sensitivity)

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.site.time_zone)

    def feed(self, name: str) -> Feed:
        """The settings of a feed; defaults for one that is not named."""
        return next((f for f in self.feeds if f.name == name), Feed(name=name))


def load_settings(folder: Path) -> Settings:
    """The settings of a data folder; the defaults where it has no file.

    Raises:
        SettingsError: with the place and what was expected.
    """
    path = folder / FILE
    if not path.is_file():
        return Settings()
    try:
        data = _from_environment(tomllib.loads(path.read_text(encoding="utf-8")))
        found = msgspec.convert(data, Settings)
        _ = found.zone
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: not a TOML file: {error}") from error
    except (msgspec.ValidationError, KeyError, ValueError, OSError) as error:
        raise SettingsError(f"{path}: {error}.{_nearest(str(error))}") from error
    return found


SECRETS = frozenset({"client_secret", "password", "secret"})
MASK = "***"


def masked(settings: Settings) -> dict[str, Any]:
    """The settings as plain data, to be shown: what is secret is masked."""
    found: dict[str, Any] = msgspec.to_builtins(settings)
    return {name: _masked(name, value) for name, value in found.items()}


def _masked(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _masked(key, inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_masked(name, inner) for inner in value]
    if name in SECRETS and value:
        return MASK
    if isinstance(value, str) and "://" in value:
        return _ADDRESS_SECRET.sub(rf"\1{MASK}@", value)
    return value


_ADDRESS_SECRET = re.compile(r"(://[^/@:]*:)[^@/]*@")


def _nearest(text: str) -> str:
    if "unknown field" not in text:
        return ""
    wrong = text.partition("unknown field `")[2].partition("`")[0]
    structs = (
        Settings, Site, Feed, Mllp, Cds, Issuer, SignIn, Oidc, Ehr, Notice, Mail, Tls, Messages,
        Audit, Sensitivity,
    )  # fmt: skip
    known = {name for s in structs for name in s.__struct_fields__}
    near = get_close_matches(wrong, known, n=1)
    return f" Did you mean {near[0]!r}?" if near else ""


def _from_environment(value: Any) -> Any:
    """Replace `env:NAME` by what the environment has under this name."""
    if isinstance(value, dict):
        return {key: _from_environment(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_from_environment(inner) for inner in value]
    if isinstance(value, str) and value.startswith("env:"):
        name = value.removeprefix("env:")
        if name not in os.environ:
            raise ValueError(f"the environment has no {name}")
        return os.environ[name]
    return value
