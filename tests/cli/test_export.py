"""``payoff export``: targets listed, written, refused; and what is signed is asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.artifact.test_signature import make_pair
from tests.conftest import Ran

from payoff.artifact.target import Targets


def test_every_target_is_listed_with_its_options(cli: Callable[..., Ran]) -> None:
    told = cli("export", "--list", "--json")
    assert told.code == 0
    for target in Targets().all():
        assert told.json[target.name] == {"title": target.title, "options": dict(target.options)}
    assert "key: private key" in cli("export", "--list").out


@pytest.mark.parametrize("name", Targets().registry.names)
def test_a_target_says_what_it_is_and_does_not_write_over_what_is_there(
    name: str, cli: Callable[..., Ran], artifact: Path, tmp_path: Path
) -> None:
    target = Targets().named(name)
    assert target.name == name
    assert target.title
    (tmp_path / "there").mkdir()
    told = cli("export", artifact, "--target", name, "--out", tmp_path / "there")
    assert told.code != 0
    assert "PF290" in told.err
    assert not list((tmp_path / "there").iterdir())


def test_what_is_missing_or_unknown_is_told(cli: Callable[..., Ran], artifact: Path) -> None:
    assert "no artifact is given" in cli("export", "--target", "onnx").err
    assert "no target is given" in cli("export", artifact).err
    told = cli("export", artifact, "--target", "onxx")
    assert "PF401" in told.err
    assert "Did you mean 'onnx'?" in told.err
    told = cli("export", artifact, "--target", "signed", "--set", "kee=x.pem")
    assert "PF507" in told.err
    assert "Did you mean 'key'?" in told.err
    assert "PF290" in cli("export", artifact, "--target", "signed", "--set", "key").err
    assert "PF501" in cli("export", "nowhere.payoff", "--target", "onnx").err


def test_a_model_of_n_grams_is_no_onnx_graph(
    cli: Callable[..., Ran], artifact: Path, tmp_path: Path
) -> None:
    told = cli("export", artifact, "--target", "onnx", "--out", tmp_path / "out", "--json")
    assert told.code != 0
    assert "PF506" in told.err + told.out
    assert not (tmp_path / "out").exists()


def test_signed_ones_are_served_where_keys_are_configured_and_others_are_not(
    cli: Callable[..., Ran], payoff_command: Callable[..., Ran], artifact: Path, tmp_path: Path
) -> None:
    private, public = make_pair(tmp_path / "keys", "mine")
    own = shutil.copy(artifact, tmp_path / "topics.payoff")
    told = cli("export", own, "--target", "signed", "--set", f"key={private}", "--json")
    assert told.code == 0, told.err
    made = Path(told.json["path"])
    assert made == tmp_path / "topics-signed"
    assert told.json["size_bytes"] == made.stat().st_size
    assert "payoff serve" in told.json["next_step"]
    refused = payoff_command("serve", own, PAYOFF_TRUSTED_KEYS=str(public))
    assert refused.code != 0
    assert "PF508" in refused.err
    (tmp_path / "new.csv").write_text("message\nI want my money back\n", "utf-8")
    said = payoff_command(
        *("predict", made, "new.csv", "--text", "message", "--json"),
        PAYOFF_TRUSTED_KEYS=str(public),
    )
    assert said.code == 0, said.err
    assert "refund" in json.dumps(said.json)
