"""Kept: what comes back is what was kept, and what cannot be read is said."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import numpy as np
import pytest
from tests.plan.simulated_run import kept_of

from payoff.core.errors import ProjectError
from payoff.economics.payoff import Payoff
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.traffic import Traffic
from payoff.plan.kept import Kept
from payoff.plan.search_runs import SearchRuns
from payoff.plan.terms import Terms

DAY = date(2026, 11, 22)
TERMS = Terms(
    Payoff(3, -7, -2, currency="USD"),
    Traffic(40_000),
    on=DAY,
    rates=ExchangeRates.of("USD", {"EUR": 1.08}, as_of=DAY, source="a bank"),
)


def test_what_is_read_is_what_was_written(tmp_path: Path) -> None:
    kept = replace(kept_of(TERMS), searched=SearchRuns(3, 90.5))
    kept.write(tmp_path)
    again = Kept.read(tmp_path)
    assert again.searched == kept.searched
    assert again.reckoning(TERMS).searched == kept.searched
    assert again.sections == kept.sections
    assert again.sections["search"]["prices_on"] == DAY
    for name in ("labels", "seed", "chosen", "n_labelled", "request_bytes", "characters_per_text"):
        assert getattr(again, name) == getattr(kept, name)
    for name in ("training_counts", "validation_truth", "test_truth"):
        np.testing.assert_array_equal(getattr(again, name), getattr(kept, name))
    for read, written in zip(again.options, kept.options, strict=True):
        assert (read.name, read.training_s) == (written.name, written.training_s)
        assert read.evidence == written.evidence
        np.testing.assert_array_equal(read.test, written.test)
        np.testing.assert_array_equal(read.validation, written.validation)
    assert {path.name for path in tmp_path.iterdir()} == {"kept.json", "kept.npz"}


def test_a_run_that_is_read_again_is_read_once_until_its_files_are_others(tmp_path: Path) -> None:
    first, second = (kept_of(TERMS, seed=seed) for seed in (0, 1))
    first.write(tmp_path)
    read = Kept.read(tmp_path)
    assert Kept.read(tmp_path) is read
    with pytest.raises(ValueError, match="read-only"):
        read.options[0].test[0, 0] = 1.0
    second.write(tmp_path)
    again = Kept.read(tmp_path)
    np.testing.assert_array_equal(again.options[0].test, second.options[0].test)
    assert (again.options[0].test != read.options[0].test).any()


def test_what_is_missing_or_altered_is_said(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="PF292") as missing:
        Kept.read(tmp_path)
    assert "Run it again" in str(missing.value)
    kept_of(TERMS).write(tmp_path)
    whole = (tmp_path / "kept.npz").read_bytes()
    for broken in (b"", b"no arrays", whole[: len(whole) // 2]):
        (tmp_path / "kept.npz").write_bytes(broken)
        with pytest.raises(ProjectError, match="PF292"):
            Kept.read(tmp_path)
    (tmp_path / "kept.npz").write_bytes(whole)
    for text in ("{", "[]", '{"format": 99}', '{"format": 1}'):
        (tmp_path / "kept.json").write_text(text)
        with pytest.raises(ProjectError, match="PF292"):
            Kept.read(tmp_path)
