"""Kits of container images for hosts that bring their own contract."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from payoff.core.errors import ArtifactError

from .conftest import Write, alone, serving
from .dockerfile import command, lint, only, settings

Environment = Callable[[Path], dict[str, str]]


def found(kit: Path, name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((kit / name).read_text("utf-8"))
    return content


def test_kserve(write: Write, environment: Environment, tokens: Path) -> None:
    kit = write("kserve", tokens, image="registry.example/team/desk:2").path
    lint(kit / "Dockerfile")
    service = found(kit, "inference-service.yaml")
    assert (service["kind"], service["metadata"]["name"]) == ("InferenceService", "tiny-desk-v2")
    (container,) = service["spec"]["predictor"]["containers"]
    assert container["name"] == "kserve-container"
    assert container["image"] == "registry.example/team/desk:2"
    port = container["ports"][0]["containerPort"]
    assert str(port) == settings(kit / "Dockerfile")["PORT"]
    words = alone(command(kit / "Dockerfile"))
    with serving(words, kit, environment(kit) | {"PORT": "0"}) as url:
        for probe in ("readinessProbe", "livenessProbe"):
            assert container[probe]["httpGet"]["port"] == port
            assert httpx.get(url + container[probe]["httpGet"]["path"], timeout=60).is_success
        tensor = {"name": "text", "shape": [1], "datatype": "BYTES", "data": ["lost card"]}
        address = [
            line for line in (kit / "README.md").read_text().splitlines() if "/infer" in line
        ]
        path = address[0].split("`POST ")[-1].split("`")[0]
        answer = httpx.post(url + path, json={"inputs": [tensor]})
        assert answer.json()["model_name"] == "Tiny desk (v2)"


def test_sagemaker(write: Write, environment: Environment, words: Path, tmp_path: Path) -> None:
    kit = write("sagemaker", words).path
    lint(kit / "Dockerfile")
    assert settings(kit / "Dockerfile")["PORT"] == "8080" == only(kit / "Dockerfile", "EXPOSE")
    entry = command(kit / "Dockerfile", "ENTRYPOINT")
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.write_text(f'#!/bin/sh\nexec {" ".join(alone(["python"]))} "$@"\n', "utf-8")
    python.chmod(0o755)
    here = environment(kit)
    here |= {"PORT": "0", "PATH": f"{python.parent}:{here['PATH']}"}
    with serving([*entry, "serve"], kit, here) as url:
        assert httpx.get(f"{url}/ping", timeout=60).status_code == 200
        answer = httpx.post(f"{url}/invocations", json={"text": "someone took my card"})
        assert answer.json()["decision"]["label"] == "card"
        assert httpx.post(f"{url}/invocations", content=b"{").status_code == 422


def test_google_cloud_run(write: Write, environment: Environment, words: Path) -> None:
    kit = write("google-cloud-run", words).path
    lint(kit / "Dockerfile")
    spec = found(kit, "service.yaml")["spec"]["template"]["spec"]
    (container,) = spec["containers"]
    assert container["image"] == "LOCATION-docker.pkg.dev/PROJECT/payoff/tickets"
    assert str(container["ports"][0]["containerPort"]) == settings(kit / "Dockerfile")["PORT"]
    words_of = alone(command(kit / "Dockerfile"))
    with serving(words_of, kit, environment(kit) | {"PORT": "0"}) as url:
        for probe in ("startupProbe", "livenessProbe"):
            assert httpx.get(url + container[probe]["httpGet"]["path"], timeout=60).is_success
        assert httpx.get(f"{url}/readyz").json()["journal"] is False
    assert not list(kit.glob("*.db*"))


@pytest.mark.parametrize("image", ["", "a b", "x\ny: 1", "-a", "a" * 300, "a}", "ä"])
def test_images_that_have_no_name(image: str, write: Write, words: Path) -> None:
    for target in ("kserve", "google-cloud-run"):
        with pytest.raises(ArtifactError, match="PF507 --set image"):
            write(target, words, image=image)
