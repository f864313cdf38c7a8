from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.artifact.manifest import Manifest, is_safe_name
from payoff.core.errors import PayoffError

from .conftest import sign


@pytest.fixture
def document(write: Callable[..., Path]) -> dict[str, Any]:
    path = write(as_folder=True) / "manifest.json"
    document = dict(json.loads(path.read_text("utf-8")))
    del document["manifest_sha256"]
    return document


def code(document: Any) -> str:
    content = document if isinstance(document, bytes) else sign(document)
    with pytest.raises(PayoffError) as caught:
        Manifest.from_json(content)
    return caught.value.code


def test_round_trip(document: dict[str, Any]) -> None:
    manifest = Manifest.from_json(sign(document))
    assert json.loads(manifest.to_json()).items() > document.items()
    assert Manifest.from_json(manifest.to_json().encode()) == manifest
    assert manifest.tier_members(0) == ("model.onnx", "tokenizer.json")


def test_newer_format_says_upgrade(document: dict[str, Any]) -> None:
    with pytest.raises(PayoffError, match=r"PF503.*Upgrade payoff"):
        Manifest.from_json(sign(document | {"format": 2, "labels": None}))


@pytest.mark.parametrize("content", [b"", b"[]", b"nul", b"\xff\xfe", b"[" * 100_000])
def test_no_manifest(content: bytes) -> None:
    assert code(content) == "PF501"


@pytest.mark.parametrize("found", [None, True, "1", 0, -1, 1.5])
def test_no_format(document: dict[str, Any], found: object) -> None:
    assert code(document | {"format": found}) == "PF501"


@pytest.mark.parametrize(
    "key", ["name", "labels", "tiers", "members", "created_by", "seed", "input"]
)
@pytest.mark.parametrize("value", [None, 1.5, [1], True])
def test_fields_of_other_types(document: dict[str, Any], key: str, value: object) -> None:
    assert code(document | {key: value}) == "PF504"


def test_tiers_and_members_of_other_shapes(document: dict[str, Any]) -> None:
    tier = document["tiers"][0]
    assert code(document | {"tiers": [tier | {"kind": "images"}]}) == "PF503"
    assert code(document | {"tiers": [tier | {"members": [1]}]}) == "PF504"
    assert code(document | {"tiers": [tier, tier]}) == "PF504"
    assert code(document | {"members": {"x": 1}}) == "PF504"
    assert code(document | {"members": {"x": {"sha256": "0", "bytes": -1}}}) == "PF504"
    assert code(document | {"members": {"manifest.json": {"sha256": "0", "bytes": 1}}}) == "PF502"


def test_its_own_digest_is_checked(document: dict[str, Any]) -> None:
    good = sign(document)
    assert code(json.dumps(document).encode()) == "PF502"
    assert code(good.replace(b'"manifest_sha256": "', b'"manifest_sha256": "0')) == "PF502"
    assert code(good.replace(b"{", b'{"x": {"manifest_sha256": "1"},', 1)) == "PF502"
    assert code(good + b" ") == "PF502"


@given(st.text(max_size=30))
def test_safe_names_stay_inside(name: str) -> None:
    if is_safe_name(name):
        assert not name.startswith(("/", "\\", "."))
        assert ".." not in name.split("/")
        assert not set(name) & set('\\:*?"<>|\0')
