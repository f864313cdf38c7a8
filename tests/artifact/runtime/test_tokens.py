from __future__ import annotations

import json
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from payoff.artifact.runtime import Runtime, open_tier
from payoff.artifact.runtime.threads import physical_cores
from payoff.artifact.runtime.tokens import BATCH_TOKENS, FREE_PADDING_TOKENS, batches
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError

from ..conftest import TABLE, build_onnx, expected_logits


def opened(folder: Path, *, n_labels: int | None = 3, **settings: object) -> Runtime:
    spec = TierSpec("tiny", "tokens", settings={"max_tokens": 8} | settings)
    return open_tier(spec, lambda m: (folder / m).read_bytes(), n_labels=n_labels, threads=1)


def test_order_truncation_unknown_words_and_emptiness(tokens_folder: Path) -> None:
    runtime = opened(tokens_folder)
    texts = ["card", "", "lost card " * 10, "退款 money", "xyz", "my " * 8, "refund"] * 9
    expected = np.stack([expected_logits(text) for text in texts])
    assert np.allclose(runtime.logits(texts), expected, atol=1e-5)
    for text in texts[:7]:
        assert np.allclose(runtime.logits([text])[0], expected_logits(text), atol=1e-5)
    assert runtime.logits([]).shape == (0, 3)
    assert runtime.logits([]).dtype == np.float32


def test_prefix_and_pad_id(tokens_folder: Path) -> None:
    runtime = opened(tokens_folder, prefix="my ", pad_id=4)
    texts = ["card", "refund lost"]
    expected = [expected_logits("my " + text) for text in texts]
    assert np.allclose(runtime.logits(texts), expected, atol=1e-5)


def test_an_optimised_graph_is_left_as_it_is(tokens_folder: Path) -> None:
    runtime = opened(tokens_folder, optimised=True)
    assert np.allclose(runtime.logits(["card"])[0], expected_logits("card"))


def test_a_model_can_be_read_from_a_file_that_goes(tokens_folder: Path, tmp_path: Path) -> None:
    gone = tmp_path / "model.onnx"

    @contextmanager
    def file(member: str):  # type: ignore[no-untyped-def]
        gone.write_bytes((tokens_folder / member).read_bytes())
        yield gone
        gone.unlink()

    spec = TierSpec("tiny", "tokens", settings={"max_tokens": 8})
    runtime = open_tier(spec, lambda m: (tokens_folder / m).read_bytes(), file=file)
    assert not gone.exists()
    assert np.allclose(runtime.logits(["card"])[0], expected_logits("card"))


@pytest.mark.parametrize(
    "settings",
    [
        {"max_tokens": 0},
        {"max_tokens": "8"},
        {"max_tokens": True},
        {"max_pieces": 0},
        {"max_pieces": "2"},
        {"prefix": 1},
        {"pad_id": None},
        {"outputs": "scores"},
    ],
)
def test_wrong_settings(tokens_folder: Path, settings: dict[str, object]) -> None:
    with pytest.raises(ArtifactError, match=r"PF504 tier 'tiny'"):
        opened(tokens_folder, **settings)


def test_wrong_models(tokens_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((tokens_folder / "tokenizer.json").read_bytes())
    (tmp_path / "model.onnx").write_bytes(b"no graph")
    with pytest.raises(ArtifactError, match=r"PF504.*model.onnx"):
        opened(tmp_path)
    build_onnx(tmp_path / "model.onnx", inputs=("ids", "attention_mask"))
    with pytest.raises(ArtifactError, match=r"PF504.*the graph takes"):
        opened(tmp_path)
    build_onnx(tmp_path / "model.onnx", table=TABLE[:, :2])
    with pytest.raises(ArtifactError, match=r"PF504.*2 columns \(expected 3 labels"):
        opened(tmp_path)
    build_onnx(tmp_path / "model.onnx", table=TABLE[:3])
    with pytest.raises(ArtifactError, match=r"PF504 model.onnx: it failed on \(1, 1\)"):
        opened(tmp_path).logits(["退款"])


@pytest.mark.parametrize("content", [b"", b"{}", b"no", json.dumps({"version": 9}).encode()])
def test_wrong_tokenizer(tokens_folder: Path, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.onnx").write_bytes((tokens_folder / "model.onnx").read_bytes())
    (tmp_path / "tokenizer.json").write_bytes(content)
    with pytest.raises(ArtifactError, match=r"PF504.*tokenizer.json"):
        opened(tmp_path)


def test_errors_of_the_reader_pass_through(tokens_folder: Path) -> None:
    def read(member: str) -> bytes:
        raise ArtifactError("PF502", member, "changed")

    with pytest.raises(ArtifactError, match="PF502"):
        open_tier(TierSpec("t", "tokens"), read)

    def half(member: str) -> bytes:
        return (tokens_folder / member).read_bytes() if "tok" in member else read(member)

    with pytest.raises(ArtifactError, match="PF502"):
        open_tier(TierSpec("t", "tokens"), half)


def test_unusable_texts(tokens_folder: Path) -> None:
    with pytest.raises(DataError, match="PF105 text 1"):
        opened(tokens_folder).logits(["\0"])


@given(st.lists(st.integers(0, 600), max_size=200))
def test_batches_cover_every_row_once_within_the_budget(found: list[int]) -> None:
    lengths = np.array(found, dtype=np.int64)
    parts = list(batches(lengths))
    assert sorted(int(i) for part in parts for i in part) == list(range(len(found)))
    for part in parts:
        longest = max(1, int(lengths[part].max()))
        assert len(part) == 1 or longest * len(part) <= BATCH_TOKENS
        wasted = int((longest - lengths[part]).sum())
        assert wasted <= max(FREE_PADDING_TOKENS, 0.1 * longest * len(part))


def test_padding_of_real_lengths_is_small() -> None:
    lengths = np.random.default_rng(0).lognormal(2.6, 0.5, 2000).astype(np.int64) + 2
    parts = list(batches(lengths))
    padded = sum(len(part) * int(lengths[part].max()) for part in parts)
    assert padded / lengths.sum() < 1.1
    assert len(parts) < 60


def test_cores(tmp_path: Path) -> None:
    allowed = physical_cores(tmp_path, tmp_path / "none")
    assert allowed >= 1
    quota = tmp_path / "cpu.max"
    quota.write_text("50000 100000\n")
    assert physical_cores(tmp_path, quota) == 1
    quota.write_text("max 100000\n")
    assert physical_cores(tmp_path, quota) == allowed


def test_twins_count_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.sched_getaffinity", lambda _: {0, 1, 2, 3}, raising=False)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    for cpu, twins in enumerate(["0,2", "1,3", "0,2", "1,3"]):
        place = tmp_path / f"cpu{cpu}/topology"
        place.mkdir(parents=True)
        (place / "thread_siblings_list").write_text(twins + "\n")
    assert physical_cores(tmp_path, tmp_path / "none") == 2


def test_a_long_text_gets_the_mean_of_its_pieces(tokens_folder: Path) -> None:
    runtime = opened(tokens_folder, max_pieces=3)
    words = ["card", "lost", "refund", "money", "my"]
    chosen = np.random.default_rng(0).choice(words, 40).tolist()
    texts = ["card", " ".join(chosen[:17]), "", " ".join(chosen), " ".join(chosen[:8])]
    pieces = [chosen[:6], chosen[6:12], chosen[12:17]]  # as long as each other, 8 at most
    expected = sum(len(p) * expected_logits(" ".join(p)) for p in pieces) / 17
    logits = runtime.logits(texts)
    assert np.allclose(logits[1], expected, atol=1e-5)
    pieces = [chosen[:8], chosen[8:16], chosen[16:24]]  # and what is beyond is cut
    expected = sum(expected_logits(" ".join(p)) for p in pieces) / 3
    assert np.allclose(logits[3], expected, atol=1e-5)
    for text, row in zip(texts, logits, strict=True):
        assert np.allclose(runtime.logits([text])[0], row, atol=1e-5)
    whole = [0, 2, 4]
    assert np.allclose(
        logits[whole], opened(tokens_folder).logits([texts[i] for i in whole]), atol=1e-6
    )
    assert np.allclose(opened(tokens_folder).logits(texts)[3], expected_logits(texts[4]), atol=1e-5)
