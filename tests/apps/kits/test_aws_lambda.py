"""The handler with real events in a process that finds only the kit; the template by cfn-lint."""

from __future__ import annotations

import json
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path
from typing import Any

import pytest
from tests.apps.kits.linters import linter

from payoff.apps.kits import aws_lambda
from payoff.apps.kits.kit import ROOMS
from payoff.core.errors import ArtifactError
from payoff.economics.desk import load

from .conftest import Write
from .dockerfile import command, lint
from .events import api_gateway, function_url

ASK = """
import json, sys
import handler
from pathlib import Path
events = json.loads(Path("events.json").read_text())
answers = [handler.answer(event, None) for event in events]
print(json.dumps([answers, sorted({name.split(".")[0] for name in sys.modules})]))
"""
GOOD = '{"text": "someone took my card"}'


def asked(
    run_alone: Callable[..., Any], kit: Path, events: list[Any]
) -> tuple[list[dict[str, Any]], set[str]]:
    """The handler's answers to events, and what it imported."""
    (kit / "events.json").write_text(json.dumps(events), "utf-8")
    answers, modules = run_alone(kit, ASK)
    return answers, set(modules)


@pytest.mark.parametrize("kind", ["words", "tokens"])
def test_events(
    kind: str, write: Write, run_alone: Callable[..., Any], request: pytest.FixtureRequest
) -> None:
    artifact = request.getfixturevalue(kind)
    events = [
        function_url("POST", "/v1/decide", GOOD),
        api_gateway("POST", "/v1/decide", GOOD, encoded=True),
        api_gateway("POST", "/v1/decide", GOOD, stage="prod"),
        {"text": "someone took my card"},
        function_url("GET", "/readyz", None),
    ]
    answers, modules = asked(run_alone, write("aws-lambda", artifact).path, events)
    with load(artifact, threads=1) as desk:
        expected = desk.decide("someone took my card").as_dict()
    for answer in answers[:3]:
        assert answer["statusCode"] == 200
        assert answer["headers"]["content-type"] == "application/json"
        assert json.loads(answer["body"])["decision"] == expected
    assert answers[3]["decision"] == expected
    assert json.loads(answers[4]["body"]) == {"status": "ready", "journal": False}
    heavy = {"torch", "transformers", "sklearn", "polars", "fastapi", "sqlalchemy", "click"}
    assert not modules & heavy
    assert ("onnxruntime" in modules) == (kind == "tokens")


def test_bad_requests_get_our_codes(
    write: Write, run_alone: Callable[..., Any], words: Path
) -> None:
    bad = [
        ("POST", "/v1/decide", "{", 422, "PF701"),
        ("POST", "/v1/decide", "", 422, "PF701"),
        ("POST", "/v1/decide", None, 422, "PF701"),
        ("POST", "/v1/decide", '{"text": 1}', 422, "PF701"),
        ("POST", "/v1/decide", '{"text": "\ud800"}', 422, "PF701"),
        ("POST", "/v1/decide", '{"text": " "}', 422, "PF105"),
        ("POST", "/v1/decide", json.dumps({"texts": ["a"] * 257}), 413, "PF702"),
        ("GET", "/v1/decide", None, 404, "PF708"),
        ("POST", "/", GOOD, 404, "PF708"),
    ]
    events: list[Any] = [
        function_url(*one[:3], encoded=encoded) for encoded in (False, True) for one in bad
    ]
    events += [function_url("POST", "/v1/decide", "ä not in base64") | {"isBase64Encoded": True}]
    balancer = {"requestContext": {"elb": {}}, "httpMethod": "GET", "path": "/readyz"}
    events += [{}, [], None, "text", balancer, {"requestContext": "http"}, {"text": ""}]
    answers, _ = asked(run_alone, write("aws-lambda", words).path, events)
    for (*_, status, code), answer in zip([*bad, *bad, (422, "PF701")], answers, strict=False):
        error = json.loads(answer["body"])["error"]
        assert (answer["statusCode"], error["code"]) == (status, code), error
    direct = [answer["error"]["code"] for answer in answers[-7:]]
    assert direct == ["PF701"] * 6 + ["PF105"]


def test_the_templates(write: Write, words: Path, tokens: Path, tmp_path: Path) -> None:
    kits = {
        "zip": write("aws-lambda", words, package="zip", memory="512").path,
        "image": write("aws-lambda", tokens, package="image", memory="512").path,
    }
    for package, kit in kits.items():
        has_row = "| `Dockerfile` |" in (kit / "README.md").read_text("utf-8")
        assert has_row == (kit / "Dockerfile").exists() == (package == "image")
    lint(kits["image"] / "Dockerfile")
    assert command(kits["image"] / "Dockerfile") == ["handler.answer"]
    text = (kits["zip"] / "template.yaml").read_text("utf-8")
    assert "Handler: handler.answer" in text
    broken = tmp_path / "broken.yaml"
    broken.write_text(text.replace("MemorySize: 512", "MemorySizes: 512"), "utf-8")
    files = [broken, *(kit / "template.yaml" for kit in kits.values())]
    ran = subprocess.run(
        [linter("cfn-lint", "cfn-lint"), "--format", "parseable", *map(str, files)],
        capture_output=True,
        text=True,
        check=False,
    )
    lines = ran.stdout.splitlines()
    assert any("MemorySizes" in line for line in lines)
    assert all(line.startswith(str(broken)) for line in lines)


def test_the_limit_is_told_with_how_near_it_came(
    write: Write, tokens: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kit = write("aws-lambda", tokens, package="image").path
    size_bytes = tokens_size(kit, tokens)
    fitting, small = ({"image": 1 << 40, "zip": size_bytes - less} for less in (0, 1))
    monkeypatch.setattr(aws_lambda, "LIMITS", small)
    with pytest.raises(ArtifactError, match="PF506") as caught:
        write("aws-lambda", tokens, package="zip")
    told = str(caught.value)
    assert f"unpacked it would take {size_bytes / 1e6:.0f} MB" in told
    assert "100% of what the host takes" in told
    assert f"at most {size_bytes / 1e6:.0f} MB" in told
    assert "onnxruntime" in told
    assert "--target aws-lambda --set package=image" in told
    shutil.rmtree(kit)
    assert not list(tmp_path.iterdir())
    monkeypatch.setattr(aws_lambda, "LIMITS", fitting)
    assert write("aws-lambda", tokens, package="zip").path.is_dir()


def tokens_size(kit: Path, artifact: Path) -> int:
    """Bytes of code, libraries and members, counted file by file."""
    pins = [line.split("==")[0] for line in (kit / "requirements.txt").read_text().splitlines()]
    paths = {Path(str(file.locate())) for name in pins for file in (distribution(name).files or ())}
    code = [file for room in ROOMS for file in (kit / "payoff" / room).rglob("*")]
    with zipfile.ZipFile(artifact) as members:
        content = sum(one.file_size for one in members.infolist())
    counted = [p for p in (*paths, *code) if p.is_file() and p.suffix != ".pyc"]
    return content + sum(path.stat().st_size for path in counted)


@pytest.mark.parametrize(
    "options", [{"package": "tar"}, {"memory": "64"}, {"memory": "20000"}, {"memory": "1 GB"}]
)
def test_options_that_are_wrong(options: dict[str, str], write: Write, words: Path) -> None:
    with pytest.raises(ArtifactError, match="PF507"):
        write("aws-lambda", words, **options)
