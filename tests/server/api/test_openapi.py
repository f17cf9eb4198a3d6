"""The OpenAPI document is true: what fits it, and much that does not, is answered as it says, and never with 5xx."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext, suppress
from http import HTTPStatus
from typing import Any, Final

import httpx
import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.schemas import BaseSchema
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    negative_data_rejection,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from exchange.gateway.access import Role
from exchange.testing import RunningExchange, run_exchange

CHECKS: Final = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    negative_data_rejection,
]
WHO: Final = {"admin": Role.ADMIN, "trader": Role.TRADER, "nobody": None}
"""As whom the routes are tried: the name of a user, and their role."""
VOIDS_THE_LOGIN: Final = "/api/v1/logout"


@pytest.fixture(scope="module")
def exchange() -> Iterator[RunningExchange]:
    with run_exchange(users={"trader": 1_000_000}, time="real") as running:
        running.add_user("admin", role=Role.ADMIN)
        running.market.quote("SHFE.rb2701", bid=3_590, ask=3_610)
        yield running


@pytest.fixture(scope="module")
def schema(exchange: RunningExchange) -> BaseSchema:
    """The document without its word on tokens: here each of those who ask has the token that they have."""
    document = httpx.get(f"{exchange.http_url}/openapi.json").json()
    for _, operation in operations(document):
        operation.pop("security", None)
    return schemathesis.openapi.from_dict(document)


def headers_of(exchange: RunningExchange, who: str) -> dict[str, str]:
    return {} if WHO[who] is None else {"Authorization": f"Bearer {exchange.token(who)}"}


def try_all(
    exchange: RunningExchange, schema: BaseSchema, who: str, mode: GenerationMode, examples_per_operation: int
) -> int:
    """Try every operation; returns how many requests were made."""
    headers = headers_of(exchange, who)
    requests = 0
    for result in schema.get_all_operations():
        operation = result.ok()
        if operation.path == VOIDS_THE_LOGIN and who != "nobody":
            continue

        @settings(
            max_examples=examples_per_operation,
            derandomize=True,
            database=None,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        )
        @given(case=operation.as_strategy(mode))
        def conforms(case: Case) -> None:
            nonlocal requests
            requests += 1
            answer = case.call(base_url=exchange.http_url, headers=headers)
            # An address longer than the port reads is refused before the routes hear of it.
            if answer.status_code != HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE:
                case.validate_response(answer, checks=CHECKS)

        # Some operations take nothing that could be wrong, such as a list without parameters.
        with suppress(Unsatisfiable) if mode is GenerationMode.NEGATIVE else nullcontext():
            conforms()
    return requests


@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_as_documented(
    exchange: RunningExchange, schema: BaseSchema, who: str, mode: GenerationMode
) -> None:
    assert try_all(exchange, schema, who, mode, examples_per_operation=2) >= 30


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE])
@pytest.mark.parametrize("who", WHO)
def test_every_answer_is_as_documented_at_length(
    exchange: RunningExchange, schema: BaseSchema, who: str, mode: GenerationMode
) -> None:
    assert try_all(exchange, schema, who, mode, examples_per_operation=20) >= 250


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_every_body_and_answer_has_an_example(exchange: RunningExchange) -> None:
    document = httpx.get(f"{exchange.http_url}/openapi.json").json()
    models = document["components"]["schemas"]
    without = []
    for name, operation in operations(document):
        contents = [operation["requestBody"]] if "requestBody" in operation else []
        contents += [answer for answer in operation["responses"].values() if "content" in answer]
        for content in contents:
            media = content["content"].get("application/json", {"example": "plain text"})
            if "example" not in media and "example" not in resolved(media["schema"], models):
                without.append(f"{name}: {media}")
    assert without == []


def resolved(schema: dict[str, Any], models: dict[str, Any]) -> dict[str, Any]:
    """The model behind a schema that only names it; that of the items of a list."""
    schema = schema.get("items", schema)
    for each in schema.get("anyOf", ()):
        if "$ref" in each:
            schema = each
    if "$ref" not in schema:
        return schema
    found: dict[str, Any] = models[schema["$ref"].rpartition("/")[2]]
    return found


def test_every_operation_tells_its_errors_in_the_one_shape(exchange: RunningExchange) -> None:
    document = httpx.get(f"{exchange.http_url}/openapi.json").json()
    for name, operation in operations(document):
        for status, answer in operation["responses"].items():
            if int(status) >= 400 and not name.endswith("readyz"):
                schema = answer["content"]["application/json"]["schema"]
                assert schema == {"$ref": "#/components/schemas/ErrorAnswer"}, f"{name}: {status}"
