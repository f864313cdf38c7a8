from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from tokenizers import Tokenizer, models, pre_tokenizers

from payoff.adapt.backbones.weights_file import write_weights

Cli = Callable[..., Any]


def test_doctor_examines(cli: Cli) -> None:
    ran = cli("doctor")
    assert ran.code == 0
    assert "✓ PF850 Python" in ran.out
    assert "✗ PF856" in ran.out  # nothing is installed in this test's cache
    assert "– PF351" in ran.out
    assert row_of("minilm-l6", ran.out) == (
        "minilm-l6 22.7 91 not measured payoff backbones install minilm-l6"
    )
    assert "--measure" not in ran.out  # there is nothing to be measured
    assert cli("doctor", "--strict").code == 1
    told = cli("doctor", "--json").json
    assert told["machine"]["payoff"]
    assert {"PF351", "PF352"} <= {finding["code"] for finding in told["findings"]}
    assert sum(told["counts"].values()) == len(told["findings"])
    assert [cost["installed"] for cost in told["backbones"]] == [False] * 5


def test_doctor_measures_what_is_installed_and_finds_what_was_altered(
    cli: Cli, tmp_path: Path
) -> None:
    folder = lay_table(tmp_path / "cache" / "backbones" / "wordllama-256")
    assert "--measure` measures" in cli("doctor").out
    costs = {cost["name"]: cost for cost in cli("doctor", "--measure", "--json").json["backbones"]}
    measured = costs["wordllama-256"]
    assert measured["installed"]
    assert measured["texts_per_s"] > 0
    assert costs["minilm-l6"]["texts_per_s"] is None
    ran = cli("doctor")
    told = row_of("wordllama-256", ran.out)
    assert told.endswith(f" 0 {measured['texts_per_s']:,.0f} yes")
    assert "✓ PF351" in ran.out
    content = (folder / "table.safetensors").read_bytes()
    (folder / "table.safetensors").write_bytes(content[:-1] + b"\x01")
    altered = cli("doctor").out
    assert "✗ PF351" in altered
    assert "payoff backbones install wordllama-256 --again" in altered


def row_of(name: str, out: str) -> str:
    """A model's row of the table, with single spaces."""
    lines = [" ".join(line.split()) for line in out.splitlines()]
    return next(line for line in lines if line.startswith(f"{name} "))


def lay_table(folder: Path) -> Path:
    """Lay a small table of static vectors where a packaged one would be."""
    folder.mkdir(parents=True)
    words = {"[UNK]": 0, "where": 1, "is": 2, "my": 3, "card": 4}
    tokenizer = Tokenizer(models.WordLevel(words, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.Whitespace()
    tokenizer.save(str(folder / "tokenizer.json"))
    write_weights(folder / "table.safetensors", {"t": np.ones((5, 8), np.float16)})
    members = {
        path.name: {
            "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
            "size_bytes": path.stat().st_size,
        }
        for path in folder.iterdir()
    }
    (folder / "payoff.json").write_text(json.dumps({"members": members}), "utf-8")
    return folder
