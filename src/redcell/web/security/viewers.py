"""Who looks, as far as restricted facts go: care team, the person, family, or a program."""

from __future__ import annotations

from redcell.clinic.sensitivity.consents import Audience
from redcell.clinic.sensitivity.labels import Level
from redcell.clinic.sensitivity.sight import Viewer
from redcell.clinic.settings import Sensitivity
from redcell.identity.caller import STAFF, Caller
from redcell.identity.table import GLASS_ROLES

CARE = STAFF | GLASS_ROLES


def viewer_of(caller: Caller, sensitivity: Sensitivity) -> Viewer:
    """A caller as one who looks.

    Who comes with a token is a program, whoever uses it: where the data goes from there, nobody
    here sees. The program that somebody lets fetch their own data gets what they see themselves.
    """
    own = frozenset({caller.own} - {""}) if caller.has("patient") else frozenset[str]()
    if caller.scopes is not None or not caller.has(*CARE, "patient", "proxy"):
        trusted = caller.account in sensitivity.clients
        return Viewer(Audience.PROGRAM, own=own, most=Level.VERY if trusted else Level.OPEN)
    if caller.has(*CARE):
        very = caller.has(*sensitivity.very_restricted_roles)
        most = Level.VERY if very else Level.RESTRICTED
        return Viewer(Audience.CARE, opened=caller.glass, most=most)
    return Viewer(Audience.FAMILY, own=own)
