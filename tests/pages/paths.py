"""The pages that every check looks at."""

from __future__ import annotations

PATHS = (
    "/today",
    "/today?tab=all",
    "/today?tab=held",
    "/today?q=nobody",
    "/today/huddle",
    "/today/line/okafor",
    "/patients/okafor",
    "/patients/okafor?weeks=520&with=mcv&with=platelets",
    "/patients/alvarez",
    "/patients/quiet",
    "/patients/evil",
    "/patients/okafor/results",
    "/patients/okafor/results?analyte=hemoglobin",
    "/patients/okafor/treatment",
    "/patients/okafor/symptoms",
    "/patients/okafor/audit",
    "/patients/okafor/why/S-R9",
    "/patients/okafor/source/Patient/okafor",
    "/nowhere",
)
