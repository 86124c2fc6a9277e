"""Reads: one resource, one version, every version, or what a search finds."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlencode

from msgspec import Struct
from msgspec.structs import replace

from redcell.clinic import conclusions
from redcell.clinic.versions import ID
from redcell.identity.table import Verdict
from redcell.store import facts, persons, search
from redcell.web.fhir import events, origins, suppress
from redcell.web.fhir.access import grant, may_see, require
from redcell.web.fhir.criteria import Criteria, criteria, cursor_text
from redcell.web.fhir.everything import everything
from redcell.web.fhir.find import Asked, Page, find, limits
from redcell.web.fhir.kinds import AUDITED, CONCLUDED, SERVED, TRACED
from redcell.web.fhir.outcome import FhirError, outcome, unknown
from redcell.web.fhir.respond import etag, resource_of, version_headers
from redcell.web.fhir.spans import compared
from redcell.web.fhir.standing import resources_of
from redcell.web.security.authorize import log_refusal

Json = dict[str, Any]
LONGEST_NUMBER = 12


class Read(Struct, frozen=True):
    """What is answered, and whose it is."""

    body: Json
    patients: tuple[str | None, ...] = ()
    headers: dict[str, str] = {}


def one(asked: Asked, kind: str, rid: str) -> Read:
    """One resource as it is now.

    Raises:
        FhirError: 404 for what is not there, or not to be seen.
    """
    _require_id(kind, rid)
    if kind == AUDITED:
        return Read(*events.event(asked, rid))
    if kind == TRACED:
        resource, owners = origins.provenance(asked, rid)
        return Read(suppress.cleared(asked, [resource])[0], owners)
    fact = facts.read_one(asked.connection, kind, rid)
    if fact is not None:
        (resource,) = resources_of(asked.connection, [fact])
        if not _may_read(asked, fact.patient, kind, resource):
            log_refusal(asked.caller, "fhir-read", "GET", Verdict.UNKNOWN)
            raise unknown(kind, rid)
        if asked.sight.hides(fact.patient, resource):
            raise suppress.suppressed(asked, fact.patient)
        (resource,) = suppress.cleared(asked, [resource])
        return Read(resource, (fact.patient,), version_headers(fact))
    return _concluded(asked, kind, rid)


def _concluded(asked: Asked, kind: str, rid: str) -> Read:
    made = conclusions.by_id(asked.clinic, asked.connection, rid, asked.sees)
    for resource in made.resources if made is not None and kind in CONCLUDED else ():
        same = (resource["resourceType"], resource["id"]) == (kind, rid)
        if made is not None and same and grant(asked.caller, kind, "r", resource):
            if all(one is not resource for one in suppress.shown_of(asked, made)):
                raise suppress.suppressed(asked, made.person)
            (shown,) = suppress.cleared(asked, [resource])
            return Read(shown, (made.person,), {"ETag": etag(1)})
    raise unknown(kind, rid)


def _may_read(asked: Asked, patient: str | None, kind: str, resource: Json) -> bool:
    seen = may_see(asked.connection, asked.caller, patient)
    return seen and grant(asked.caller, kind, "r", resource)


def version(asked: Asked, kind: str, rid: str, number: str) -> Read:
    """One version of a resource.

    Raises:
        FhirError: 404.
    """
    _require_open(kind)
    _require_id(kind, rid)
    if kind == TRACED or "." in rid:
        found = one(asked, kind, rid) if number == "1" else None
        if found is not None and found.body["meta"]["versionId"] == "1":
            return found
    for past in search.versions(asked.connection, kind, rid):
        if str(past.version) == number and _now_seen(asked, kind, rid):
            resource = resource_of(past)
            if _may_read(asked, past.patient, kind, resource):
                if _is_hidden(asked, past):
                    raise suppress.suppressed(asked, past.patient, "fhir-vread")
                (resource,) = suppress.cleared(asked, [resource])
                return Read(resource, (past.patient,), version_headers(past))
    raise unknown(kind, f"{rid}/_history/{number[:LONGEST_NUMBER]}")


def _now_seen(asked: Asked, kind: str, rid: str) -> bool:
    """Is the current version to be seen? One that moved to somebody else takes its past along."""
    now = facts.read_one(asked.connection, kind, rid)
    return now is not None and may_see(asked.connection, asked.caller, now.patient)


def _is_hidden(asked: Asked, past: search.Past) -> bool:
    """Is a version withheld? By its own label, or by that of the version which counts now."""
    now = facts.read_one(asked.connection, past.kind, past.rid)
    versions = (past, now) if now is not None else (past,)
    return any(asked.sight.hides(one.patient, resource_of(one)) for one in versions)


def history(asked: Asked, kind: str, rid: str, query: Mapping[str, str], base: str) -> Read:
    """Every version of a resource that may be seen, the newest first.

    Raises:
        FhirError: 404 when there is none.
    """
    _require_open(kind)
    _require_id(kind, rid)
    past = search.versions(asked.connection, kind, rid)
    if not past:
        found = one(asked, kind, rid)
        shown = [{"fullUrl": f"{base}/{kind}/{rid}", "resource": found.body}]
        return Read(_bundle("history", shown, 1, {}), found.patients)
    if not _now_seen(asked, kind, rid):
        raise unknown(kind, rid)
    seen = [v for v in past if _may_read(asked, v.patient, kind, resource_of(v))]
    if not seen:
        raise unknown(kind, rid)
    whole, seen = seen, [v for v in seen if not _is_hidden(asked, v)]
    if not seen:
        raise suppress.suppressed(asked, whole[0].patient, "fhir-history")
    count, before, since = _paging(query)
    wanted = [v for v in seen if v.version < before and v.received >= since]
    shown = [_past(asked, v, base) for v in wanted[:count]]
    shown += [_left_out(kind, rid)] if len(seen) < len(whole) else []
    links = {"self": f"{base}/{kind}/{rid}/_history"}
    if len(wanted) > count > 0:
        after = urlencode({**query, "_before": wanted[count - 1].version})
        links["next"] = f"{base}/{kind}/{rid}/_history?{after}"
    patients = tuple({v.patient for v in seen})
    return Read(_bundle("history", shown, len(seen), links), patients)


def _paging(query: Mapping[str, str]) -> tuple[int, int, int]:
    """`_count`, `_before` and `_since` of a history."""
    numbers = []
    for name, default in (("_count", 100), ("_before", 1 << 60)):
        text = query.get(name, "")
        if text and not (text.isascii() and text.isdecimal() and len(text) <= LONGEST_NUMBER):
            raise FhirError(400, "value", f"{name}: expected a whole number.", f"http.{name}")
        numbers.append(int(text) if text else default)
    since = query.get("_since", "")
    try:
        low = compared(since).span.low if since else -(1 << 62)
    except ValueError as error:
        raise FhirError(400, "value", "_since: not an instant.", "http._since") from error
    return numbers[0], numbers[1], low


def _left_out(kind: str, rid: str) -> Json:
    """Says in a history that a version is missing; such a Bundle has no matches beside which."""
    return {
        "request": {"method": "GET", "url": f"{kind}/{rid}/_history"},
        "response": {"status": "200", "outcome": outcome([suppress.NOTICE])},
    }


def _past(asked: Asked, past: search.Past, base: str) -> Json:
    made = past.version == 1
    (resource,) = suppress.cleared(asked, [resource_of(past)])
    return {
        "fullUrl": f"{base}/{past.kind}/{past.rid}",
        "resource": resource,
        "request": {
            "method": "POST" if made else "PUT",
            "url": past.kind if made else f"{past.kind}/{past.rid}",
        },
        "response": {
            "status": "201" if made else "200",
            "etag": etag(past.version),
            "lastModified": resource["meta"]["lastUpdated"],
        },
    }


# -- searches --------------------------------------------------------------------------------------


def found(
    asked: Asked, kind: str, pairs: Iterable[tuple[str, str]], base: str, *, strict: bool = False
) -> Read:
    """What a search finds, as a Bundle.

    Raises:
        FhirError: 400 for what is not understood.
    """
    require_served(kind)
    c = criteria(kind, pairs, strict=strict)
    if kind == AUDITED:
        page = events.events(asked, c)
    elif kind == TRACED:
        page = origins.provenances(asked, c)
    else:
        page = find(asked, c)
    missing = kind != AUDITED and suppress.may_miss(asked, _people(asked, c))
    return Read(searchset(c, _cleared(asked, page), base, kind, missing=missing), page.patients)


def _people(asked: Asked, c: Criteria) -> list[str] | None:
    """Of whom a search is, whatever else it asks for; `None` for everybody."""
    patients = limits(asked, c)
    if patients is None:
        return None
    return sorted(set(persons.people_of(asked.connection, patients).values()))


def _cleared(asked: Asked, page: Page) -> Page:
    return replace(page, resources=suppress.cleared(asked, page.resources))


def all_about(
    asked: Asked, rid: str, pairs: Sequence[tuple[str, str]], base: str, *, strict: bool = False
) -> Read:
    """`Patient/$everything` as a Bundle.

    Raises:
        FhirError: 404, or 400 for what is not understood.
    """
    _require_id("Patient", rid)
    named = dict(pairs)
    kinds = tuple(k for k in named.get("_type", "").split(",") if k)
    since = named.get("_since")
    plain = [(n, v) for n, v in pairs if n not in ("_type", "_since", "start", "end")]
    if since:
        plain.append(("_lastUpdated", f"ge{since}"))
    c = criteria("Patient", plain, strict=strict)
    page = everything(asked, rid, c, kinds)
    missing = suppress.may_miss(asked, [persons.person_of(asked.connection, rid)])
    also = {"_type": ",".join(kinds)}
    path = f"Patient/{rid}/$everything"
    bundle = searchset(c, _cleared(asked, page), base, path, also=also, missing=missing)
    return Read(bundle, page.patients)


def searchset(
    c: Criteria,
    page: Page,
    base: str,
    path: str,
    *,
    also: Mapping[str, str] | None = None,
    missing: bool = False,
) -> Json:
    """A page as a Bundle with its links; what was not understood stands beside the matches."""
    used = [(n, v) for n, v in c.used if n != "_after"]
    used += [(n, v) for n, v in (also or {}).items() if v]
    address = f"{base}/{path}"
    links = {"self": f"{address}?{urlencode(used)}" if used else address}
    if page.next is not None:
        links["next"] = f"{address}?{urlencode([*used, ('_after', cursor_text(page.next))])}"
    shown: list[Json] = [
        {
            "fullUrl": f"{base}/{resource['resourceType']}/{resource['id']}",
            "resource": resource,
            "search": {"mode": "match"},
        }
        for resource in page.resources
    ]
    issues = [*c.issues, suppress.NOTICE] if missing else c.issues
    if issues:
        shown.append({"resource": outcome(issues), "search": {"mode": "outcome"}})
    return _bundle("searchset", shown, page.total, links)


def _bundle(kind: str, shown: list[Json], total: int | None, links: Mapping[str, str]) -> Json:
    bundle: Json = {"resourceType": "Bundle", "type": kind}
    if total is not None:
        bundle["total"] = total
    if links:
        bundle["link"] = [{"relation": name, "url": url} for name, url in links.items()]
    return bundle | ({"entry": shown} if shown else {})


def by_address(asked: Asked, url: str, base: str) -> Read:
    """What the address of a GET entry names.

    Raises:
        FhirError: 400 for an address that is not offered in a Bundle.
    """
    path, _, query = url.partition("?")
    kind, *rest = path.split("/")
    _require_open(kind)
    require(asked.caller, kind, "r" if rest else "s")
    match rest:
        case []:
            return found(asked, kind, parse_qsl(query), base)
        case [rid]:
            return one(asked, kind, rid)
        case [rid, "_history"]:
            return history(asked, kind, rid, dict(parse_qsl(query)), base)
        case [rid, "_history", number]:
            return version(asked, kind, rid, number)
    raise FhirError(400, "not-supported", "this address is not offered in a Bundle.")


def _require_id(kind: str, rid: str) -> None:
    """What is no id at all names nothing."""
    require_served(kind)
    if not ID.fullmatch(rid):
        raise FhirError(404, "not-found", f"{kind}: there is no such id.")


def _require_open(kind: str) -> None:
    """Refuse the audit, which has addresses and rules of its own."""
    require_served(kind)
    if kind == AUDITED:
        raise FhirError(404, "not-supported", f"{AUDITED} is read and searched by itself.")


def require_served(kind: str) -> None:
    """Refuse a type that is not served.

    Raises:
        FhirError: 404.
    """
    if kind not in SERVED:
        shown = kind if kind.isalpha() and kind.isascii() else "this type"
        known = ", ".join(SERVED)
        raise FhirError(404, "not-supported", f"{shown[:60]} is not served. redcell has: {known}.")
