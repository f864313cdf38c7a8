"""The bill of materials names what is inside, and nothing that is not."""

from __future__ import annotations

import hashlib
import re
import tomllib
from pathlib import Path

import pytest

from payoff.adapt.backbones.backbone import Backbone, catalogue
from payoff.artifact.tier import TierSpec
from payoff.core.files import to_json, write_json
from payoff.plan.bill_of_materials import bill_of_materials

TIERS = [
    TierSpec("small", "tokens"),
    TierSpec("big", "endpoint", settings={"base_url": "http://x"}),
]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of the user's own."""
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    (tmp_path / "tokenizer.json").write_bytes(b"{}")
    return tmp_path


def test_weights_and_tokenizer_have_hash_licence_and_place(folder: Path) -> None:
    own = Backbone("mine", "encoder", "plain", title="Mine", licence="MIT", upstream="me/mine")
    made = bill_of_materials("desk", [(own, folder)], TIERS)
    weights, tokenizer = made["components"][:2]
    assert weights["type"] == "machine-learning-model"
    assert weights["hashes"] == [
        {"alg": "SHA-256", "content": hashlib.sha256(b"weights").hexdigest()}
    ]
    assert weights["licenses"] == [{"license": {"id": "MIT"}}]
    assert weights["externalReferences"][0]["url"].endswith("/me/mine")
    assert tokenizer["hashes"][0]["content"] == hashlib.sha256(b"{}").hexdigest()
    assert made["services"] == [
        {"bom-ref": "service:big", "name": "big", "endpoints": ["http://x"]}
    ]


def test_of_a_laid_backbone_the_noted_hash_counts(folder: Path) -> None:
    noted = {"members": {"model.safetensors": {"sha256": "ab" * 32, "size_bytes": 7}}}
    write_json(folder / "payoff.json", noted)
    wordllama = catalogue()["wordllama-256"]
    made = bill_of_materials("desk", [(catalogue()["minilm-l6"], folder), (wordllama, folder)], [])
    by_ref = {one["bom-ref"]: one for one in made["components"]}
    assert by_ref["machine-learning-model:minilm-l6"]["hashes"][0]["content"] == "ab" * 32
    # A file that is not there has no hash, and a licence in words keeps its words.
    table = by_ref["machine-learning-model:wordllama-256"]
    assert "hashes" not in table
    assert "Llama 2" in table["licenses"][0]["license"]["name"]


def test_libraries_are_those_of_serving(repository: Path) -> None:
    made = bill_of_materials("desk", [], [])
    libraries = {one["name"]: one for one in made["components"]}
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    base = {re.split(r"[\[<>=~!; ]", line)[0] for line in project["dependencies"]}
    assert base | {"payoff", "pydantic-core", "h11"} <= set(libraries)
    assert not {"torch", "transformers", "scikit-learn", "polars"} & set(libraries)
    for name, one in libraries.items():
        assert one["purl"] == one["bom-ref"] == f"pkg:pypi/{name}@{one['version']}"
    assert libraries["numpy"]["version"]
    refs = [one["bom-ref"] for one in made["components"]]
    assert refs == list(dict.fromkeys(refs))
    assert made["dependencies"] == [{"ref": "artifact", "dependsOn": refs}]


def test_the_same_gives_the_same_bytes(folder: Path) -> None:
    one = catalogue()["minilm-l6"]
    twice = {to_json(bill_of_materials("desk", [(one, folder)], TIERS)) for _ in range(2)}
    assert len(twice) == 1
