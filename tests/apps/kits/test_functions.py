"""Functions of Google, Azure and Alibaba in processes that find only the kit."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from payoff.core.errors import ArtifactError
from payoff.economics.desk import load

from .conftest import Write
from .events import function_compute

GOOD = '{"text": "someone took my card"}'
HEAVY = {"torch", "transformers", "sklearn", "polars", "fastapi", "sqlalchemy", "onnxruntime"}
MODULES = 'sorted({name.split(".")[0] for name in sys.modules})'
FLASK = f"""
import json, sys
from functions_framework import create_app
client = create_app("decide", "main.py", "http").test_client()
answers = []
for method, path, body in json.loads(open("asked.json").read()):
    got = client.open(path, method=method, data=body)
    answers.append([got.status_code, got.content_type, got.get_data(as_text=True)])
print(json.dumps([answers, {MODULES}]))
"""
AZURE = f"""
import json, sys
import azure.functions
import function_app
known = {{one.get_function_name(): one for one in function_app.app.get_functions()}}
told = {{name: json.loads(str(one)) for name, one in known.items()}}
answers = []
for name, body in json.loads(open("asked.json").read()):
    request = azure.functions.HttpRequest(method="POST", url="/", body=body.encode())
    got = known[name].get_user_function()(request)
    answers.append([got.status_code, got.mimetype, got.get_body().decode()])
print(json.dumps([answers, {MODULES}, told]))
"""
ALIBABA = f"""
import json, sys
import handler
events = json.loads(open("asked.json").read())
answers = [handler.answer(event.encode(), None) for event in events]
print(json.dumps([answers, {MODULES}]))
"""


@pytest.fixture
def decision(words: Path) -> dict[str, Any]:
    with load(words, threads=1) as desk:
        return desk.decide("someone took my card").as_dict()


@pytest.fixture
def asked(run_alone: Callable[..., Any]) -> Callable[..., Any]:
    """What a program in a kit's folder answers to requests."""

    def _asked(kit: Path, code: str, requests: list[Any]) -> Any:
        (kit / "asked.json").write_text(json.dumps(requests), "utf-8")
        answers, modules, *more = run_alone(kit, code)
        assert not set(modules) & HEAVY
        return (answers, *more)

    return _asked


def code_of(body: str) -> str:
    return str(json.loads(body)["error"]["code"])


def test_google(
    write: Write, words: Path, asked: Callable[..., Any], decision: dict[str, Any]
) -> None:
    pytest.importorskip("functions_framework", reason="pip install functions-framework")
    kit = write("google-function", words).path
    assert "functions-framework==3.*" in (kit / "requirements.txt").read_text("utf-8")
    requests = [
        ("POST", "/v1/decide", GOOD),
        ("GET", "/readyz", ""),
        ("POST", "/v1/decide", "{"),
        ("POST", "/v1/decide", '{"text": " "}'),
        ("POST", "/", GOOD),
    ]
    ((good, ready, *bad),) = asked(kit, FLASK, requests)
    assert good[:2] == [200, "application/json"]
    assert json.loads(good[2])["decision"] == decision
    assert json.loads(ready[2]) == {"status": "ready", "journal": False}
    assert [(status, code_of(body)) for status, _, body in bad] == [
        (422, "PF701"), (422, "PF105"), (404, "PF708"),
    ]  # fmt: skip
    assert f"python3{sys.version_info.minor}" in (kit / "README.md").read_text("utf-8")


def test_azure(
    write: Write, words: Path, asked: Callable[..., Any], decision: dict[str, Any]
) -> None:
    pytest.importorskip("azure.functions", reason="pip install azure-functions")
    kit = write("azure-function", words).path
    host = json.loads((kit / "host.json").read_text("utf-8"))
    assert (host["version"], host["extensions"]["http"]["routePrefix"]) == ("2.0", "")
    requests = [("decide", GOOD), ("ready", ""), ("decide", "{"), ("decide", '{"text": ""}')]
    (good, ready, *bad), known = asked(kit, AZURE, requests)
    assert good[:2] == [200, "application/json"]
    assert json.loads(good[2])["decision"] == decision
    assert json.loads(ready[2])["status"] == "ready"
    assert [(status, code_of(body)) for status, _, body in bad] == [(422, "PF701"), (422, "PF105")]
    triggers = {
        name: next(one for one in told["bindings"] if one["type"] == "httpTrigger")
        for name, told in known.items()
    }
    assert {name: (one["route"], one["methods"]) for name, one in triggers.items()} == {
        "decide": ("v1/decide", ["POST"]),
        "ready": ("readyz", ["GET"]),
    }
    assert {one["authLevel"] for one in triggers.values()} == {"FUNCTION"}


def test_alibaba(
    write: Write, words: Path, asked: Callable[..., Any], decision: dict[str, Any]
) -> None:
    kit = write("alibaba-function", words, region="eu-central-1").path
    props = yaml.safe_load((kit / "s.yaml").read_text("utf-8"))["resources"]["decide"]["props"]
    assert (props["region"], props["runtime"]) == ("eu-central-1", "python3.12")
    assert props["handler"] == "handler.answer"
    assert props["functionName"] == "tickets"
    (trigger,) = props["triggers"]
    assert trigger["triggerConfig"]["authType"] == "function"
    http = [
        function_compute("POST", "/v1/decide", GOOD),
        function_compute("POST", "/v1/decide", GOOD, encoded=True),
        function_compute("GET", "/readyz", ""),
        function_compute("POST", "/v1/decide", "{", encoded=True),
        function_compute("POST", "/v1/decide", "no base64 ä") | {"isBase64Encoded": True},
        function_compute("POST", "/v2", GOOD),
    ]
    direct = [GOOD, "{", "[]", '{"text": 1}', '{"requestContext": {}}', '{"requestContext": 1}']
    (answers,) = asked(kit, ALIBABA, [*map(json.dumps, http), *direct])
    for answer in answers[:2]:
        assert (answer["statusCode"], answer["isBase64Encoded"]) == (200, False)
        assert json.loads(answer["body"])["decision"] == decision
    assert json.loads(answers[2]["body"])["status"] == "ready"
    assert [(one["statusCode"], code_of(one["body"])) for one in answers[3:6]] == [
        (422, "PF701"), (422, "PF701"), (404, "PF708"),
    ]  # fmt: skip
    assert json.loads(answers[6])["decision"] == decision
    assert [code_of(body) for body in answers[7:]] == ["PF701"] * 5


@pytest.mark.parametrize("region", ["", "a b", "eu\ncentral", "EU", "x" * 41])
def test_regions_that_are_none(region: str, write: Write, words: Path) -> None:
    with pytest.raises(ArtifactError, match="PF507 --set region"):
        write("alibaba-function", words, region=region)
