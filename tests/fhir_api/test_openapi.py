"""The OpenAPI description of the FHIR routes is true: schemathesis asks by it, in process."""

from __future__ import annotations

import re

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from fhir_api.conftest import Api
from fhir_api.resources import hemoglobin, patient
from redcell.clinic.service import Clinic, make_store
from redcell.identity.caller import Caller

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]


@pytest.fixture(scope="module")
def served(tmp_path_factory):
    folder = tmp_path_factory.mktemp("openapi")
    make_store(folder)
    clinic = Clinic(folder)
    api = Api(clinic, "/openapi.json")
    api.as_(Caller("x", roles=frozenset({"nurse", "admin"})))
    api.put("Patient/p", patient("p"))
    api.put("Observation/h", hemoglobin("h", "p"))
    yield api
    api.close()
    clinic.close()


@pytest.mark.trust("F9")
def test_every_route_is_described(served):
    described = served.app.openapi()["paths"]
    for path, item in described.items():
        for method, operation in item.items():
            where = f"{method} {path}"
            names = {p["name"] for p in operation.get("parameters", ())}
            assert set(re.findall(r"{(\w+)}", path)) <= names, where
            assert {"400", "401", "403", "404", "503"} <= set(operation["responses"]), where
            if method in ("post", "put"):
                assert operation["requestBody"]["content"], where


@pytest.mark.trust("F9")
def test_answers_are_as_described(served):
    schema = schemathesis.openapi.from_asgi("/openapi.json", served.app)
    operations = [found.ok() for found in schema.get_all_operations()]
    assert len(operations) > 12
    for operation in operations:
        strategy = operation.as_strategy()

        @settings(
            max_examples=12,
            deadline=None,
            derandomize=True,
            database=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=strategy)
        def asks(case):
            answer = case.call(headers={"Authorization": "Bearer test"})
            case.validate_response(answer, checks=CHECKS)

        asks()
