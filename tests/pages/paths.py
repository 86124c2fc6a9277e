"""The pages that every check looks at: who opens them, and where they are."""

from __future__ import annotations

from msgspec import Struct


class Shown(Struct, frozen=True):
    """One page; `{item}`, `{held}` and `{proposal}` are numbers that a clinic at work has."""

    path: str
    who: str = "nurse"

    def __str__(self) -> str:
        return f"{self.who} {self.path}"


TEAM = (
    "/today",
    "/today?tab=all",
    "/today?tab=held",
    "/today?q=nobody",
    "/today/huddle",
    "/today/line/okafor",
    "/patients/okafor",
    "/patients/okafor?weeks=520&with=mcv&with=platelets",
    "/patients/okafor?ask=1&drug=capecitabine&delay=7&units=1&on=2026-11-24",
    "/patients/alvarez",
    "/patients/quiet",
    "/patients/evil",
    "/patients/okafor/results",
    "/patients/okafor/results?analyte=hemoglobin",
    "/patients/okafor/treatment",
    "/patients/okafor/symptoms",
    "/patients/okafor/messages",
    "/patients/okafor/release",
    "/patients/okafor/report",
    "/patients/okafor/report?language=es",
    "/patients/okafor/audit",
    "/patients/okafor/why/S-R9",
    "/patients/okafor/source/Patient/okafor",
    "/messages",
    "/messages?tab=mine",
    "/messages?tab=all",
    "/messages/{item}",
    "/messages/new?q=o",
    "/capacity",
    "/account",
    "/nowhere",
)
ADMIN = (
    "/admin",
    "/admin/users",
    "/admin/users/{account}",
    "/admin/feeds",
    "/admin/feeds/{held}",
    "/admin/rules",
    "/admin/rules/{proposal}",
    "/admin/models",
    "/admin/audit",
    "/admin/disclosures?person=okafor",
    "/admin/backups",
    "/admin/safety",
)
PATIENT = (
    "/me",
    "/me/counts",
    "/me/report",
    "/me/call",
    "/me/learn",
    "/me/learn/what-anemia-is",
    "/me/messages",
)
OTHERS = (
    Shown("/capacity", "chair"),
    Shown("/capacity", "bank"),
    Shown("/break-glass", "chair"),
    Shown("/sign-in", ""),
    Shown("/sign-in/link?token=x", ""),
)
PAGES = (
    *(Shown(path) for path in TEAM),
    *OTHERS,
    *(Shown(path, "admin") for path in ADMIN),
    *(Shown(path, "joy") for path in PATIENT),
)
