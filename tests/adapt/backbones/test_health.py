from __future__ import annotations

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.backbones.backbone import catalogue
from payoff.adapt.backbones.health import backbone_costs, examine_backbones
from payoff.adapt.backbones.weights_file import write_weights
from payoff.core.findings import Status


@pytest.fixture
def laid(own_cache: Path, tiny_encoder: Path) -> Path:
    """A small table laid where wordllama-256 would be."""
    folder = own_cache / "backbones" / "wordllama-256"
    folder.mkdir(parents=True)
    write_weights(folder / "table.safetensors", {"t": np.ones((40, 8), np.float16)})
    (folder / "tokenizer.json").write_bytes((tiny_encoder / "tokenizer.json").read_bytes())
    members = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size_bytes": path.stat().st_size,
        }
        for path in folder.iterdir()
    }
    (folder / "payoff.json").write_text(json.dumps({"members": members}), encoding="utf-8")
    return folder


def test_an_empty_cache_names_the_commands(own_cache: Path) -> None:
    costs = backbone_costs(measure=True)
    assert [cost.backbone.name for cost in costs] == list(catalogue())
    assert not any(cost.installed for cost in costs)
    assert costs[0].mend == "payoff backbones install minilm-l6"
    assert costs[0].as_dict()["texts_per_s"] is None
    assert costs[0].size_bytes == 90_868_376
    findings = examine_backbones()
    assert {finding.status for finding in findings[:-1]} == {Status.NOT_APPLICABLE}
    assert findings[-1].status is Status.PASSED
    assert not own_cache.exists()


def test_what_is_installed_is_measured_when_asked(laid: Path) -> None:
    before = {cost.backbone.name: cost for cost in backbone_costs()}["wordllama-256"]
    assert (before.installed, before.speed, before.mend) == (True, None, "")
    measured = {cost.backbone.name: cost for cost in backbone_costs(measure=True)}
    assert measured["wordllama-256"].speed is not None
    assert measured["minilm-l6"].speed is None
    after = {cost.backbone.name: cost for cost in backbone_costs()}["wordllama-256"]
    assert after == measured["wordllama-256"]
    assert after.as_dict()["texts_per_s"] > 0
    assert after.size_bytes == sum(
        path.stat().st_size for path in laid.iterdir() if path.name != "payoff.json"
    )


def test_altered_files_are_found_with_the_command(laid: Path) -> None:
    def status() -> dict[str, Status]:
        return {finding.title.split(": ")[-1]: finding.status for finding in examine_backbones()}

    assert status()["wordllama-256"] is Status.PASSED
    content = (laid / "tokenizer.json").read_bytes()
    (laid / "tokenizer.json").write_bytes(content[:-1] + b" ")
    assert status()["wordllama-256"] is Status.FAILED
    finding = next(finding for finding in examine_backbones() if finding.failed)
    assert finding.mend == "Run: payoff backbones install wordllama-256 --again"


def test_a_folder_of_wheels_must_be_there(
    own_cache: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_WHEELS", str(tmp_path))
    assert examine_backbones()[-1].status is Status.PASSED
    monkeypatch.setenv("PAYOFF_WHEELS", str(tmp_path / "none"))
    finding = examine_backbones()[-1]
    assert finding.failed
    assert "which is not there" in finding.detail
    assert "PAYOFF_WHEELS" in finding.mend
