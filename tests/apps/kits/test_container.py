"""The container's command and health check, run as they stand in the Dockerfile."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from payoff.core.errors import ArtifactError
from payoff.learn.journal import Journal

from .conftest import Write, alone, serving
from .dockerfile import command, instructions, lint, only, settings

Environment = Callable[[Path], dict[str, str]]


def test_command_and_health_check(
    write: Write, environment: Environment, tmp_path: Path, tokens: Path
) -> None:
    kit = write("container", tokens).path
    docker = kit / "Dockerfile"
    assert settings(docker)["PORT"] == "8000" == only(docker, "EXPOSE")
    journal = tmp_path / "j.db"
    words = [str(journal) if w == "/journal/decisions.db" else w for w in command(docker)]
    assert str(journal) in words
    check = alone(command(docker, "HEALTHCHECK"))
    here = environment(kit)
    with serving(alone(words), kit, here | {"PORT": "0"}) as url:
        answer = httpx.post(f"{url}/v1/decide", json={"text": "lost card"}, timeout=60)
        assert answer.status_code == 200
        assert answer.json()["decision"]["action"]
        port = url.rsplit(":", 1)[1]
        assert subprocess.run(check, env=here | {"PORT": port}, check=False).returncode == 0
    with Journal.open(journal) as written:
        assert written.count() == 1
    gone = subprocess.run(check, env=here | {"PORT": port}, capture_output=True, check=False)
    assert gone.returncode == 1


def test_the_dockerfile(write: Write, words: Path) -> None:
    docker = write("container", words).path / "Dockerfile"
    lint(docker)
    found = instructions(docker)
    assert sum(name == "FROM" for name, _ in found) == 2
    last_stage = found[[name for name, _ in found].index("FROM", 1) :]
    assert dict(last_stage)["USER"] == "10001"
    assert not [rest for name, rest in last_stage if name == "RUN" and "pip" in rest]
    copied = {rest.split()[0] for name, rest in found if name == "COPY" and "--from" not in rest}
    assert copied == {"requirements.txt", "payoff", "model.payoff"}
    assert all((docker.parent / name).exists() for name in copied)


def test_the_compose_file(write: Write, tokens: Path) -> None:
    kit = write("container", tokens, port="9090").path
    content = yaml.safe_load((kit / "compose.yaml").read_text("utf-8"))
    (name,) = content["services"]
    service = content["services"][name]
    assert name == "tiny-desk-v2"
    assert service["build"] == "."
    assert service["ports"] == ["127.0.0.1:9090:8000"]
    (volume,) = service["volumes"]
    assert volume == f"{next(iter(content['volumes']))}:{only(kit / 'Dockerfile', 'VOLUME')}"
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert "9090" in (kit / "README.md").read_text("utf-8")


def test_only_what_the_artifact_needs_is_pinned(write: Write, words: Path, tokens: Path) -> None:
    def names(artifact: Path) -> set[str]:
        text = (write("container", artifact).path / "requirements.txt").read_text("utf-8")
        assert all(re.fullmatch(r"[a-z0-9-]+==[\w.]+", line) for line in text.splitlines())
        return {line.split("==")[0] for line in text.splitlines()}

    small, large = names(words), names(tokens)
    assert small < large
    assert {"onnxruntime", "tokenizers"} <= large - small
    assert {"fastapi", "uvicorn", "numpy", "pydantic", "sqlalchemy"} <= small
    assert not large & {"torch", "transformers", "polars", "zstandard", "genai-prices", "payoff"}


@pytest.mark.parametrize("port", ["0", "65536", "-1", "8e3", "٣", "", "9" * 400])
def test_ports_that_are_none(port: str, write: Write, words: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match=r"PF507 --set port: .* \(expected a number from 1"):
        write("container", words, port=port)
    assert not list(tmp_path.iterdir())


def test_the_verb_writes_it_and_says_what_was_not_run(
    cli: Callable[..., Any], words: Path, tmp_path: Path
) -> None:
    ran = cli("export", words, "--target", "container", "--out", tmp_path / "kit", "--json")
    assert ran.code == 0, ran.err
    assert ran.json["notes"][0].startswith("not run: `docker build`")
    assert ran.json["size_bytes"] < 3_000_000
    assert sorted(file.name for file in (tmp_path / "kit").iterdir()) == [
        "Dockerfile", "README.md", "compose.yaml", "model.payoff", "payoff", "requirements.txt",
    ]  # fmt: skip
    assert cli("export", words, "--target", "container", "--set", "prt=1").code == 2
