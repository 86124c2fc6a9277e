"""The judge of CDS Hooks documents: HL7's vectors word for word, then our own of the same kinds."""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds.world import SHARED, call, cells, ordering
from redcell.web.cds.judge import form_of, judge, outcome, refuses

VECTORS = SHARED / "data" / "cds-hooks-vectors"
FILES = sorted(VECTORS.glob("cdshooks-*.json"))
CARD = {"summary": "x", "indicator": "info", "source": {"label": "x"}}
ACTION = {"type": "create", "description": "x"}
DRAFT = {
    "resourceType": "ServiceRequest",
    "id": "1",
    "status": "draft",
    "intent": "order",
    "subject": {"reference": "Patient/1"},
}
REQUEST = {
    "hook": "order-sign",
    "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
    "fhirServer": "https://ehr.example/fhir",
    "context": {
        "userId": "Practitioner/1",
        "patientId": "1",
        "draftOrders": {
            "resourceType": "Bundle",
            "type": "collection",
            "entry": [{"fullUrl": "https://ehr.example/fhir/ServiceRequest/1", "resource": DRAFT}],
        },
    },
}


def judged(document: Any, form: Any = None, *, strict: bool = False) -> list[tuple[str, str, str]]:
    found = judge(json.dumps(document).encode(), form, strict=strict)
    return [(i.severity, i.code, i.path) for i in found]


@pytest.mark.skipif(not FILES, reason="the vectors are not beside this checkout")
@pytest.mark.parametrize("path", FILES, ids=lambda p: p.stem.removeprefix("cdshooks-"))
def test_a_vector_gets_the_outcome_that_hl7_recorded(path):
    wanted = json.loads((VECTORS / path.name.replace("cdshooks-", "outcome-")).read_bytes())
    assert outcome(judge(path.read_bytes())) == wanted


# -- responses -------------------------------------------------------------------------------------

RESPONSES: list[tuple[str, dict[str, Any], list[tuple[str, str, str]]]] = [
    ("no advice", {"cards": []}, []),
    ("plain card", {"cards": [CARD]}, []),
    (
        "unknown fields are ignored",
        {"cards": [CARD | {"new": {"a": 1}}], "extension": {"b": 2}},
        [],
    ),
    ("nothing at all", {}, [("error", "structure", "CDSHooksResponse")]),
    (
        "source empty",
        {"cards": [CARD | {"source": {}}]},
        [
            ("error", "invalid", "CDSHooksResponse.cards[0].source"),
            ("error", "structure", "CDSHooksResponse.cards[0].source"),
        ],
    ),
    (
        "no source",
        {"cards": [{"summary": "x", "indicator": "info"}]},
        [("error", "structure", "CDSHooksResponse.cards[0]")],
    ),
    (
        "second card without summary",
        {"cards": [CARD, {"indicator": "info", "source": {"label": "x"}}]},
        [("error", "structure", "CDSHooksResponse.cards[1]")],
    ),
    (
        "unknown indicator",
        {"cards": [CARD | {"indicator": "hard-stop"}]},
        [("error", "code-invalid", "CDSHooksResponse.cards[0].indicator")],
    ),
    (
        "suggestion without selectionBehavior",
        {"cards": [CARD | {"suggestions": [{"label": "x"}]}]},
        [("error", "invariant", "CDSHooksResponse.cards[0]")],
    ),
    (
        "suggestion with it",
        {"cards": [CARD | {"suggestions": [{"label": "x"}], "selectionBehavior": "any"}]},
        [],
    ),
    (
        "create without id",
        {
            "cards": [
                CARD
                | {
                    "selectionBehavior": "at-most-one",
                    "suggestions": [
                        {
                            "label": "x",
                            "actions": [
                                ACTION | {"resource": {k: v for k, v in DRAFT.items() if k != "id"}}
                            ],
                        }
                    ],
                }
            ]
        },
        [
            (
                "error",
                "invalid",
                "CDSHooksResponse.cards[0].suggestions[0].actions[0]"
                ".resource/*ServiceRequest/null*/",
            )
        ],
    ),
    (
        "create without resource",
        {
            "cards": [
                CARD
                | {
                    "selectionBehavior": "any",
                    "suggestions": [{"label": "x", "actions": [ACTION]}],
                }
            ]
        },
        [("error", "invariant", "CDSHooksResponse.cards[0].suggestions[0].actions[0]")],
    ),
    (
        "override reason without display",
        {"cards": [CARD | {"overrideReasons": [{"code": "a", "system": "urn:a"}]}]},
        [("error", "structure", "CDSHooksResponse.cards[0].overrideReasons[0]")],
    ),
    (
        "link of unknown type",
        {"cards": [CARD | {"links": [{"label": "x", "url": "https://a", "type": "app"}]}]},
        [("error", "code-invalid", "CDSHooksResponse.cards[0].links[0].type")],
    ),
    (
        "app context on an absolute link",
        {
            "cards": [
                CARD
                | {
                    "links": [
                        {"label": "x", "url": "https://a", "type": "absolute", "appContext": "x"}
                    ]
                }
            ]
        },
        [("error", "invariant", "CDSHooksResponse.cards[0].links[0]")],
    ),
    ("cards null", {"cards": None}, [("error", "invalid", "CDSHooksResponse.cards")]),
    (
        "cards an object",
        {"cards": {"a": 1}},
        [("error", "invalid", "CDSHooksResponse.cards")],
    ),
    (
        "an empty array that says nothing",
        {"cards": [CARD | {"links": []}]},
        [("error", "invalid", "CDSHooksResponse.cards[0].links")],
    ),
]


@pytest.mark.parametrize(
    ("document", "wanted"), [r[1:] for r in RESPONSES], ids=[r[0] for r in RESPONSES]
)
def test_responses(document, wanted):
    assert judged(document, "response") == wanted


# -- requests --------------------------------------------------------------------------------------


def changed(path: str, value: Any) -> dict[str, Any]:
    """The good request with one place changed; `...` takes it out."""
    found = copy.deepcopy(REQUEST)
    target: Any = found
    *steps, last = [int(p) if p.isdigit() else p for p in path.split(".")]
    for step in steps:
        target = target[step]
    if value is ...:
        del target[last]
    else:
        target[last] = value
    return found


CONTEXT = "CDSHooksRequest.context"
ENTRY = f"{CONTEXT}.draftOrders/*Bundle/null*/.entry[0]"
RESOURCE = f"{ENTRY}.resource/*ServiceRequest/1*/"
REQUESTS: list[tuple[str, str, Any, list[tuple[str, str, str]]]] = [
    ("good", "hook", "order-sign", []),
    (
        "patientId a reference",
        "context.patientId",
        "Patient/1",
        [("error", "invalid", f"{CONTEXT}.patientId")],
    ),
    (
        "patientId too long",
        "context.patientId",
        "a" * 65,
        [("error", "invalid", f"{CONTEXT}.patientId")],
    ),
    (
        "encounterId a reference",
        "context.encounterId",
        "Encounter/1",
        [("error", "invalid", f"{CONTEXT}.encounterId")],
    ),
    ("no patientId", "context.patientId", ..., [("error", "structure", CONTEXT)]),
    ("no userId", "context.userId", ..., [("error", "structure", CONTEXT)]),
    ("no draft orders", "context.draftOrders", ..., [("error", "structure", CONTEXT)]),
    ("no hook", "hook", ..., [("error", "structure", "CDSHooksRequest")]),
    ("no hookInstance", "hookInstance", ..., [("error", "structure", "CDSHooksRequest")]),
    (
        "hookInstance not a UUID",
        "hookInstance",
        "1",
        [("error", "invalid", "CDSHooksRequest.hookInstance")],
    ),
    ("no context", "context", ..., [("error", "structure", "CDSHooksRequest")]),
    (
        "context empty",
        "context",
        {},
        [("error", "invalid", CONTEXT), *[("error", "structure", CONTEXT)] * 3],
    ),
    ("unknown field", "context.priority", "high", []),
    (
        "draft without resourceType",
        "context.draftOrders.entry.0.resource.resourceType",
        ...,
        [("fatal", "invalid", f"{CONTEXT}.draftOrders.entry[0].resource")],
    ),
    (
        "draft of an unknown type",
        "context.draftOrders.entry.0.resource.resourceType",
        "Order",
        [("fatal", "invalid", f"{CONTEXT}.draftOrders.entry[0].resource")],
    ),
    (
        "draft orders without resourceType",
        "context.draftOrders.resourceType",
        ...,
        [("fatal", "invalid", f"{CONTEXT}.draftOrders")],
    ),
    (
        "draft with an invalid status",
        "context.draftOrders.entry.0.resource.status",
        "new",
        [("error", "code-invalid", f"{RESOURCE}.status")],
    ),
    (
        "draft with an invalid intent",
        "context.draftOrders.entry.0.resource.intent",
        "wish",
        [("error", "code-invalid", f"{RESOURCE}.intent")],
    ),
    (
        "draft without status",
        "context.draftOrders.entry.0.resource.status",
        ...,
        [("error", "structure", RESOURCE)],
    ),
    (
        "entry without fullUrl",
        "context.draftOrders.entry.0.fullUrl",
        ...,
        [
            ("error", "invalid", ENTRY),
            ("error", "required", f"{CONTEXT}.draftOrders.entry[0]"),
            ("error", "required", f"{RESOURCE}.subject"),
        ],
    ),
    (
        "fullUrl of something else",
        "context.draftOrders.entry.0.fullUrl",
        "https://ehr.example/fhir/ServiceRequest/2",
        [("error", "invalid", ENTRY)],
    ),
    (
        "draft with an unknown extension",
        "context.draftOrders.entry.0.resource.extension",
        [{"url": "https://ehr.example/x", "valueString": "x"}],
        [("error", "structure", f"{RESOURCE}.extension[0]")],
    ),
    (
        "authorization without server",
        "fhirServer",
        ...,
        [],
    ),
    (
        "prefetch key that is no resource",
        "prefetch",
        {"a": {"resourceType": "Patient", "id": "1"}, "b": {"resource": {}}, "c": None},
        [("fatal", "invalid", "CDSHooksRequest.prefetch[1].value")],
    ),
    (
        "prefetch with a bad gender",
        "prefetch",
        {"a": {"resourceType": "Patient", "id": "1", "gender": "f"}},
        [("error", "code-invalid", "CDSHooksRequest.prefetch[0].value/*Patient/1*/.gender")],
    ),
]


@pytest.mark.parametrize(
    ("path", "value", "wanted"), [r[1:] for r in REQUESTS], ids=[r[0] for r in REQUESTS]
)
def test_requests(path, value, wanted):
    assert judged(changed(path, value)) == wanted


def test_a_token_needs_the_server_that_it_is_for():
    token = {
        "access_token": "x",
        "token_type": "Bearer",
        "expires_in": 1,
        "scope": "a",
        "subject": "b",
    }
    found = changed("fhirServer", ...) | {"fhirAuthorization": token}
    assert judged(found) == [("error", "invariant", "CDSHooksRequest")]
    assert judged(REQUEST | {"fhirAuthorization": token}) == []
    assert judged(REQUEST | {"fhirAuthorization": token | {"token_type": "MAC"}}) == [
        ("error", "code-invalid", "CDSHooksRequest.fhirAuthorization.token_type")
    ]


def test_the_calls_of_our_own_tests_are_valid():
    """Beside the extensions that only redcell defines, which HL7's validator cannot know."""
    for one in (call(), ordering("order-select", cells(2)), ordering("order-sign", cells(2))):
        assert all(".extension[" in path for _, _, path in judged(one))


# -- lists of services -----------------------------------------------------------------------------

SERVICE = {"hook": "patient-view", "description": "x", "id": "a"}
SERVICES: list[tuple[str, dict[str, Any], list[tuple[str, str, str]]]] = [
    ("none", {"services": []}, []),
    ("one", {"services": [SERVICE]}, []),
    (
        "templates",
        {"services": [SERVICE | {"prefetch": {"p": "Patient/{{context.patientId}}"}}]},
        [],
    ),
    (
        "no id",
        {"services": [{"hook": "a", "description": "b"}]},
        [("error", "structure", "CDSHooksServices.services[0]")],
    ),
    (
        "template not a text",
        {"services": [SERVICE | {"prefetch": {"p": 1}}]},
        [("error", "invalid", "CDSHooksServices.services[0].prefetch[0].value")],
    ),
]


@pytest.mark.parametrize(
    ("document", "wanted"), [r[1:] for r in SERVICES], ids=[r[0] for r in SERVICES]
)
def test_services(document, wanted):
    assert judged(document) == wanted


# -- strictly --------------------------------------------------------------------------------------

STRICT: list[tuple[str, Any, dict[str, Any], str]] = [
    (
        "summary of 140",
        "response",
        {"cards": [CARD | {"uuid": "1", "summary": "x" * 140}]},
        ".summary",
    ),
    ("raw HTML", "response", {"cards": [CARD | {"uuid": "1", "detail": "a <b>"}]}, "cards[0]"),
    ("no uuid", "response", {"cards": [CARD]}, "cards[0]"),
    ("http", "request", REQUEST | {"fhirServer": "http://ehr.example/fhir"}, ".fhirServer"),
    (
        "user without type",
        "request",
        changed("context.userId", "1"),
        ".context.userId",
    ),
    (
        "selection that is no draft",
        "request",
        changed("context.selections", ["ServiceRequest/9"]) | {"hook": "order-select"},
        ".selections[0]",
    ),
    (
        "token of 3.0",
        "services",
        {"services": [SERVICE | {"prefetch": {"p": "Observation?date=ge{{today()}}"}}]},
        "prefetch[0].value",
    ),
]


@pytest.mark.parametrize(
    ("form", "document", "place"), [r[1:] for r in STRICT], ids=[r[0] for r in STRICT]
)
def test_strict_asks_more(form, document, place):
    assert judged(document, form) == []
    ((_, _, path),) = judged(document, form, strict=True)
    assert path.endswith(place)


# -- reading ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"[]", b"1", b'{"cards":[],"cards":[]}', b"\xff\xfe{}", b"[" * 200, b'{"a":' * 80],
    ids=["nothing", "broken", "array", "number", "twice", "utf-16", "deep", "deep objects"],
)
def test_what_is_not_usable_json_is_one_fatal_issue(text):
    (found,) = judge(text)
    assert (found.severity, found.path) == ("fatal", "$")


def test_issues_carry_line_and_column():
    text = b'{\n  "cards": [\n    {\n      "summary": "x",\n      "indicator": "bad"\n    }\n  ]\n}'
    assert [(i.path, i.at) for i in judge(text)] == [
        ("CDSHooksResponse.cards[0]", "[3,6]"),
        ("CDSHooksResponse.cards[0].indicator", "[5,25]"),
    ]


def test_a_document_is_known_by_its_fields():
    assert form_of({"services": []}) == "services"
    assert form_of({"hook": "a"}) == "request"
    assert form_of({"cards": []}) == form_of({}) == "response"


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "hook",
                    "hookInstance",
                    "context",
                    "prefetch",
                    "cards",
                    "services",
                    "source",
                    "suggestions",
                    "actions",
                    "resource",
                    "draftOrders",
                    "entry",
                    "resourceType",
                    "id",
                    "fullUrl",
                    "links",
                    "extension",
                    "status",
                ]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=25,
)


@given(JSON, st.sampled_from(["request", "response", "services", None]), st.booleans())
def test_no_document_breaks_the_judge(document, form, strict):
    found = judge(json.dumps(document).encode(), form, strict=strict)
    assert outcome(found)["resourceType"] == "OperationOutcome"
    assert refuses(found) or all(i.severity in ("warning", "information") for i in found)
