"""A real decoder served behind the protocol: the endpoint tier gives the decoder's own labels."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt.decoder_endpoint import DecoderEndpoint
from tests.adapt.tiny_decoder import ANSWERS, QUESTIONS, chat_decoder_folder
from tests.artifact.chat_server import ChatServer, serving

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.recipes.api import Api
from payoff.adapt.recipes.api_job import job_of
from payoff.adapt.recipes.recipe import Candidate
from payoff.artifact.artifact import Artifact, write_artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.runtime.endpoint import Question
from payoff.artifact.tier import TierSpec
from payoff.core.errors import BackboneError

LABELS = ("card", "fees", "opening hours", "refund")
TEXTS = [*QUESTIONS, "Where is my money?", "When is my refund paid?"]
QUESTION = Question((("system", "Sort it."),), "", "", LABELS, 60, 12)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [*QUESTIONS, *ANSWERS, *LABELS]
    return chat_decoder_folder(
        tmp_path_factory.mktemp("llama") / "tiny", texts, seed=2, initializer_range=0.5
    )


def answered(decoder: DecoderEndpoint, question: Question, texts: list[str], place: Path) -> Any:
    """Scores and usage of an artifact whose only tier is the decoder behind HTTP."""
    (place / "endpoint.json").write_text(json.dumps(question.as_dict()), "utf-8")
    server = ChatServer(decoder.choose, words=lambda text: len(decoder.ids(text)))
    with serving(server):
        settings = {"base_url": server.url, "model": "tiny", "key_variable": "none"}
        made = write_artifact(
            place / "tiny.payoff",
            name="tiny",
            labels=question.labels,
            tiers=[(TierSpec("tiny", "endpoint", settings=settings), place)],
            calibrations=[Calibration()],
            documents={},
            seed=0,
            data_fingerprint="",
        )
        with Artifact.open(made) as artifact:
            return artifact.logits(texts), server


def test_the_tier_gives_the_decoders_labels(folder: Path, tmp_path: Path) -> None:
    decoder = DecoderEndpoint(folder, LABELS)
    scores, server = answered(decoder, QUESTION, TEXTS, tmp_path)
    own = [decoder.plain_label(QUESTION.about(text)) for text in TEXTS]
    assert [LABELS[k] for k in scores.argmax(axis=1)] == own
    assert len(set(own)) > 1
    np.testing.assert_allclose(np.exp(scores).sum(axis=1), 1.0, atol=1e-5)
    assert len(server.bodies) == len(TEXTS)
    assert all(body["response_format"]["json_schema"]["strict"] for body in server.bodies)


def test_smollm2_answers_behind_the_protocol(tmp_path: Path) -> None:
    backbone = find("smollm2-135m")
    if not installed(backbone):
        pytest.skip("smollm2-135m is not installed (payoff backbones install smollm2-135m)")
    decoder = DecoderEndpoint(backbone.path, LABELS)
    scores, _ = answered(decoder, QUESTION, TEXTS[:4], tmp_path)
    own = [decoder.plain_label(QUESTION.about(text)) for text in TEXTS[:4]]
    assert [LABELS[k] for k in scores.argmax(axis=1)] == own


def test_a_dry_run_counts_with_the_models_tokenizer_and_from_above_without(
    folder: Path,
    tmp_path: Path,
    make_bench: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    targets = np.arange(len(TEXTS)) % 2
    bench = make_bench(TEXTS, targets, [])
    texts = [bench.texts[row] for row in bench.validation]
    decoder = DecoderEndpoint(folder, ("label 00", "label 01"))
    server = ChatServer(decoder.choose, words=lambda text: len(decoder.ids(text)))
    with serving(server):
        named = (("base_url", server.url), ("model", "tiny"), *Api.defaults)
        keyless = tuple((k, "none" if k == "key_variable" else v) for k, v in named)

        def job(**more: Any) -> Any:
            candidate = Candidate("api", "", (*keyless, *more.items()))
            attempt = Api().unasked(candidate, bench)
            return job_of(attempt, [*texts, texts[0]]), attempt

        counted, attempt = job(tokenizer=str(folder))
        above, _ = job()
        assert (counted.counted_by, above.counted_by) == (str(folder), "")
        assert counted.n_texts == len(texts) + 1
        assert counted.n_questions == counted.n_requests == len(texts)
        system = attempt.question.messages[0][1]
        contents = len(texts) * len(decoder.ids(system)) + sum(len(decoder.ids(t)) for t in texts)
        assert contents < counted.read < counted.read_at_most < above.read_at_most
        assert counted.written_at_most == len(texts) * (attempt.question.max_answer_tokens + 16)
        assert not server.bodies
        attempt.logits(bench.validation)
        read = sum(one for one, _ in server.charged)
        written = sum(one for _, one in server.charged)
        assert read == contents + len(texts) * 2 * 3  # as the server counts marks
        assert read <= counted.read_at_most
        assert 0 < written <= counted.written_at_most
        after, _ = job(tokenizer=str(folder))
        assert (after.n_requests, after.n_kept, after.read_at_most) == (0, len(texts), 0)
        with pytest.raises(BackboneError, match="PF301"):
            job(tokenizer="nobody-knows-it")
        monkeypatch.setenv("PAYOFF_CACHE", str(tmp_path / "nothing"))
        with pytest.raises(BackboneError, match="PF303"):
            job(tokenizer="minilm-l6")
