"""What must be so before the service can be reached from other machines."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import TYPE_CHECKING

from redcell.clinic.service import Clinic
from redcell.clinic.settings import Settings
from redcell.errors import SettingsError

if TYPE_CHECKING:
    from redcell.web.serving import Serving


def is_loopback(host: str) -> bool:
    """Can this address be reached from this machine alone?"""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def check(clinic: Clinic, serving: Serving) -> None:
    """Refuse what would be unsafe.

    Raises:
        SettingsError: with what to set.
    """
    settings = clinic.settings
    if bool(settings.tls.certificate) != bool(settings.tls.key):
        raise SettingsError("redcell.toml: [tls] needs both certificate and key.")
    if settings.cds.certificate_header and not settings.proxies:
        raise SettingsError(
            "redcell.toml: [cds] certificate_header is a proxy's word. Name the proxy's address: "
            'proxies = ["10.0.0.5"]; from nobody else is it believed.'
        )
    _check_mllp(settings, serving)
    if is_loopback(serving.host):
        return
    needed = list(_needed(clinic, settings))
    if serving.cds_open:
        needed.insert(0, "leave out --cds-open: CDS calls without a token are for loopback alone")
    if needed:
        raise SettingsError(
            f"{serving.host} can be reached from other machines. Before redcell serves there:\n"
            + "\n".join(f"  - {one}" for one in needed)
        )


def _check_mllp(settings: Settings, serving: Serving) -> None:
    """Results carry names: unencrypted, they come from this machine alone, unless allowed."""
    if serving.mllp_port is None or is_loopback(serving.mllp_host):
        return
    if bool(settings.mllp.certificate) != bool(settings.mllp.key):
        raise SettingsError("redcell.toml: [mllp] needs both certificate and key.")
    if settings.mllp.certificate or settings.mllp.plain:
        return
    raise SettingsError(
        f"HL7 v2 on {serving.mllp_host} can be reached from other machines, unencrypted. Before "
        "redcell listens there:\n"
        "  - set [mllp] certificate and key (and clients, to know the senders), or\n"
        "  - put a proxy with TLS here in front, and leave --mllp-host at 127.0.0.1, or\n"
        "  - in a network of its own, closed to everybody else: [mllp] plain = true"
    )


def _needed(clinic: Clinic, settings: Settings) -> Iterator[str]:
    if not settings.tls.certificate and not settings.proxies:
        yield (
            "set [tls] certificate and key, or put a reverse proxy with TLS in front and name its "
            'address: proxies = ["10.0.0.5"]'
        )
    if not settings.base_url.startswith("https://"):
        yield 'set the address that people use: base_url = "https://redcell.example.org"'
    if not settings.secure_cookies:
        yield "set secure_cookies = true"
    if settings.site.environment.upper() == "DEMO":
        yield 'make a folder for real use: this one says environment = "DEMO"'
    if not _has_accounts(clinic):
        yield "make an account (redcell user add), or set [oidc]"


def _has_accounts(clinic: Clinic) -> bool:
    """Is there anybody who may sign in?"""
    import sqlalchemy as sa

    from redcell.store.schema import accounts

    if clinic.settings.oidc.issuer:
        return True
    query = sa.select(accounts.c.id).where(accounts.c.disabled.is_(None)).limit(1)
    with clinic.database.read() as connection:
        return connection.scalar(query) is not None
