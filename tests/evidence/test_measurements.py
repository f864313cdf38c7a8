from __future__ import annotations

import json
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from payoff.artifact.artifact import write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.endpoint import Question
from payoff.artifact.runtime.ngrams import NgramRuntime, NgramVectoriser
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError, MachineError
from payoff.core.files import to_json
from payoff.evidence import footprint
from payoff.evidence.evidence import Evidence
from payoff.evidence.footprint import Footprint, measure_footprint
from payoff.evidence.latency import measure_latency
from payoff.evidence.machine import Machine, this_machine

FROZEN = "tests/artifact/frozen/format-1.zip"


def test_latency_of_something_known() -> None:
    asked: list[int] = []

    def answer(texts: Sequence[str]) -> None:
        asked.append(len(texts))
        time.sleep(0.002)

    found = measure_latency(answer, [str(i) for i in range(100)], seconds=0.1, threads=3)
    assert 2.0 <= found.p50_ms <= found.p95_ms < 50
    assert found.batch_size == 64
    assert 1000 < found.texts_per_s <= 64 / 0.002
    assert found.threads == 3
    assert set(asked) == {1, 64}
    assert asked.count(1) == found.n_measured + 3


def test_latency_with_few_texts_and_no_time() -> None:
    found = measure_latency(len, ["a", "b"], seconds=0)
    assert found.n_measured == 1
    assert found.batch_size == 2
    with pytest.raises(DataError, match="PF106"):
        measure_latency(len, [])


def test_footprint_is_that_of_a_fresh_process(repository: Path) -> None:
    ballast = np.ones(60_000_000)  # 480 MB here must not be counted there
    found = measure_footprint(repository / FROZEN, threads=1)
    assert ballast.sum() == 60_000_000
    assert found.artifact_bytes < 20_000
    assert found.peak_rss_bytes is not None
    assert 10_000_000 < found.peak_rss_bytes < 150_000_000
    assert found.start_s is not None
    assert 0.01 < found.start_s < 30


def tier_of(folder: Path, n_words: int) -> tuple[TierSpec, Path]:
    """A bag of words of so many words, each of which takes some memory."""
    folder.mkdir()
    words = [f"word{number}" for number in range(n_words)]
    vectoriser = NgramVectoriser(words, [], [1.0] * n_words, word=(1, 1))
    members = NgramRuntime(vectoriser, np.ones((n_words, 2)), [0.0, 0.0]).save(folder)
    return TierSpec(folder.name, "ngrams", members=members), folder


def footprint_of(path: Path, tiers: list[tuple[TierSpec, Path]]) -> Footprint:
    calibrations = [Calibration()] * len(tiers)
    write_artifact(
        path, name="a", labels=("bad", "good"), tiers=tiers, calibrations=calibrations,
        documents={}, seed=0, data_fingerprint="",
    )  # fmt: skip
    return measure_footprint(path, text="word1 word2")


def test_footprint_is_that_of_all_models_together(tmp_path: Path) -> None:
    small, large = tier_of(tmp_path / "small", 10), tier_of(tmp_path / "large", 300_000)
    alone = footprint_of(tmp_path / "alone.payoff", [small]).peak_rss_bytes
    of_large = footprint_of(tmp_path / "large.payoff", [large]).peak_rss_bytes
    both = footprint_of(tmp_path / "both.payoff", [large, small]).peak_rss_bytes
    assert alone is not None
    assert of_large is not None
    assert both is not None
    weighs = of_large - alone
    assert weighs > 20_000_000
    assert both > alone + 0.8 * weighs, "the model that is asked first is in memory too"


def test_an_endpoint_is_ready_and_not_asked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    question = Question((), "", "", ("bad", "good"), 100, 8)
    (tmp_path / "endpoint.json").write_text(to_json(question.as_dict()), "utf-8")
    url = "http://127.0.0.1:9/v1"  # nobody listens
    monkeypatch.setenv("PAYOFF_ENDPOINT", url)
    settings = {"base_url": url, "model": "large", "key_variable": "none"}
    api = (TierSpec("api", "endpoint", settings=settings), tmp_path)
    small = tier_of(tmp_path / "small", 10)
    assert footprint_of(tmp_path / "both.payoff", [small, api]).peak_rss_bytes


def test_footprint_of_what_does_not_work(repository: Path, tmp_path: Path) -> None:
    with pytest.raises(ArtifactError, match="PF501"):
        measure_footprint(tmp_path / "none.payoff")
    with pytest.raises(MachineError, match=r"PF807.*TimeoutExpired"):
        measure_footprint(repository / FROZEN, timeout_s=0.01)
    with pytest.raises(DataError, match=r"PF105.*surrogate"):
        measure_footprint(repository / FROZEN, text="x" * 100 + "\ud800")
    long = measure_footprint(repository / FROZEN, text="退款 " * 100_000)
    assert long.peak_rss_bytes


def test_footprint_tells_why_the_process_failed(
    repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(footprint, "_PROGRAM", "raise SystemExit(3)")
    with pytest.raises(MachineError, match=r"PF807.*exit code 3"):
        measure_footprint(repository / FROZEN)


def test_machine(tmp_path: Path) -> None:
    info = tmp_path / "cpuinfo"
    info.write_text("processor: 0\nmodel name\t: Tiny 1 GHz\n")
    assert this_machine(info).cpu == "Tiny 1 GHz"
    assert this_machine(tmp_path / "none").cpu
    info.write_text("processor: 0\n")
    assert this_machine(info).cores >= 1


def example(**more: object) -> Evidence:
    rng = np.random.default_rng(0)
    logits, y = rng.normal(size=(50, 3)), rng.integers(0, 3, 50)
    p = Calibration(2.0).apply(logits)
    return Evidence.of("test", logits, y, probabilities=p, **more)  # type: ignore[arg-type]


def test_evidence_round_trips_through_json() -> None:
    full = example(
        latency=measure_latency(len, ["a"], seconds=0),
        footprint=Footprint(10, None, 0.5),
        training_s=3.5,
        machine=Machine("cpu", 2, "Linux x86_64"),
    )
    for evidence in (full, example(), Evidence("validation", full.quality)):
        again = Evidence.from_dict(json.loads(to_json(evidence.as_dict())))
        assert again == evidence
    assert example().as_dict()["latency"] is None
    assert Evidence.from_dict(full.as_dict() | {"newer": 1}) == full


@pytest.mark.parametrize(
    "content", [{}, {"split": "test"}, {"split": "test", "quality": {"n": 1}}, {"quality": 3}]
)
def test_evidence_of_another_shape(content: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match="PF504"):
        Evidence.from_dict(content)


def test_evidence_tells_before_and_after() -> None:
    evidence = example()
    assert evidence.quality_uncalibrated is not None
    assert evidence.quality.accuracy == evidence.quality_uncalibrated.accuracy
    assert evidence.quality.log_loss < evidence.quality_uncalibrated.log_loss
    assert evidence.ece != evidence.ece_uncalibrated
