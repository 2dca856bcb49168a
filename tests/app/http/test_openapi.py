"""The OpenAPI document against the server: requests made from it at random never fail, and answers are as it says."""

import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi import checks

from app.http.api import http_app
from app.http.guard import Door
from app.http.tokens import Tokens
from app.web.services import Services

EXAMPLES = 3  # of each operation, that fit the document and that do not
CHECKS = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]


def test_random_requests_are_answered_as_described(services: Services, tokens: Tokens, lease: str) -> None:
    app = http_app(services, Door(tokens, is_open=True))
    described = schemathesis.openapi.from_asgi("/api/openapi.json", app)
    tried = []
    for result in described.get_all_operations():
        operation = result.ok()
        for mode in schemathesis.GenerationMode:

            @settings(max_examples=EXAMPLES, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
            @given(case=operation.as_strategy(generation_mode=mode))
            def answers(case: schemathesis.Case) -> None:
                case.call_and_validate(checks=CHECKS)

            answers()
        tried.append(operation.label)
    assert len(tried) == 23


def test_every_operation_says_what_it_is(services: Services, tokens: Tokens) -> None:
    document = http_app(services, Door(tokens, is_open=True)).openapi()
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            assert operation["summary"], (method, path)
            assert operation["security"] == [{"HTTPBearer": []}], (method, path)
            assert "4XX" in operation["responses"], (method, path)
