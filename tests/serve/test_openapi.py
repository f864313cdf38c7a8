"""What the service says of itself in OpenAPI holds for requests that nobody would think of.

``PAYOFF_FUZZ=500 pytest tests/serve/test_openapi.py`` tries so many of each address and kind, with
another seed each time; by itself a few that never change.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from tests.serve.conftest import answering

from payoff.economics.desk import load
from payoff.learn.api_keys import make_key
from payoff.learn.journal import Journal
from payoff.serve.app import create_app

schemathesis = pytest.importorskip("schemathesis", reason="pip install 'payoff[dev]'")

N = int(os.environ.get("PAYOFF_FUZZ", "0"))
OPERATIONS = [
    ("POST", "/v1/decide"),
    ("POST", "/invocations"),
    ("POST", "/v1/feedback"),
    ("POST", "/v1/review"),
    ("GET", "/v1/review/next"),
    ("GET", "/v1/model"),
    ("GET", "/v1/models"),
    ("POST", "/v1/models/{name}/release"),
    ("POST", "/v1/models/{name}/rollback"),
    ("GET", "/healthz"),
    ("GET", "/readyz"),
    ("GET", "/ping"),
    ("GET", "/metrics"),
    ("GET", "/v2"),
    ("GET", "/v2/health/live"),
    ("GET", "/v2/health/ready"),
    ("GET", "/v2/models/{name}"),
    ("GET", "/v2/models/{name}/ready"),
    ("POST", "/v2/models/{name}/infer"),
]


@pytest.fixture(scope="module")
def service(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    folder = tmp_path_factory.mktemp("openapi")
    with load(artifact, threads=1) as desk, Journal.open(folder / "j.db") as journal:
        key = make_key(journal, "all", ["admin"])[1]
        app = create_app(desk, journal=journal, dashboard=True, texts="whole")
        with answering(app) as client:
            client.timeout = httpx.Timeout(60.0)
            client.headers["authorization"] = f"Bearer {key}"
            yield client


@pytest.fixture(scope="module")
def schema(service: httpx.Client) -> Any:
    return schemathesis.openapi.from_dict(service.get("/openapi.json").json())


def test_every_address_is_tried(schema: Any) -> None:
    told = {(one.ok().method.upper(), one.ok().path) for one in schema.get_all_operations()}
    assert told == set(OPERATIONS)


@pytest.mark.parametrize("wrong", [False, True], ids=["right", "wrong"])
@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_answers_are_those_of_the_schema(
    service: httpx.Client, schema: Any, method: str, path: str, wrong: bool
) -> None:
    from schemathesis.checks import not_a_server_error
    from schemathesis.specs.openapi.checks import (
        content_type_conformance,
        negative_data_rejection,
        response_schema_conformance,
        status_code_conformance,
    )

    checks = [
        not_a_server_error,
        status_code_conformance,
        content_type_conformance,
        response_schema_conformance,
        negative_data_rejection,
    ]
    mode = schemathesis.GenerationMode
    operation = schema[path][method]
    has_input = bool(operation.body or operation.query)
    if wrong and not has_input:
        pytest.skip("it takes nothing that could be wrong")
    known = {"path_parameters": {"name": "tickets"}} if "{name}" in path else {}
    cases = operation.as_strategy(mode.NEGATIVE if wrong else mode.POSITIVE, **known)
    if known and not wrong:
        cases |= operation.as_strategy(mode.POSITIVE)

    @settings(
        max_examples=(N or 5) if has_input or known else 1,
        derandomize=not N,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
    @given(case=cases)
    def hold(case: Any) -> None:
        url, headers = str(service.base_url), dict(service.headers)
        answer = case.call(base_url=url, headers=headers, timeout=60.0)
        case.validate_response(answer, checks=checks)

    hold()
