"""The nearest training rows, blended with a logistic regression."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.frozen_head import fit_seconds
from payoff.adapt.recipes.linear import LinearHead
from payoff.adapt.recipes.named_fit import Fit, usual_fit
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import whole_folder, write_json

_MOST_ROWS = 50_000  # they are all in the model: beyond, it is large and slow
_ONE_FOLD = 5_000  # rows above which one fold is enough to choose by
_FOLDS = 5
_PIECE = 1 << 23  # similarities that are in memory at once

NUMBERS = (3, 5, 10, 20, 40)
TEMPERATURES = (0.02, 0.05, 0.1, 0.2)
SHARES = (0.05, 0.1, 0.2, 0.3, 0.45, 0.6, 0.8)
SHARPNESSES = tuple(float(s) for s in np.geomspace(0.5, 16.0, 16))


@dataclass(frozen=True, slots=True)
class Mix:
    """How neighbours and head are blended.

    Args:
        k: How many neighbours.
        temperature: Of their similarities: the lower, the more the nearest counts.
        share: Weight of the neighbours, 0–1; the head has the rest.
        sharpness: What the head's logits are multiplied by.
        chosen: How these came about.
    """

    k: int = 5
    temperature: float = 0.05
    share: float = 0.2
    sharpness: float = 4.0
    chosen: str = "fixed: no label has two training rows to choose by"


@dataclass(frozen=True, slots=True)
class NeighbourBlend:
    """Log of a blend of two probabilities (Khandelwal et al. 2020, equation 3, for classes).

    Args:
        head: The other part; its logits are sharp enough to be blended.
        vectors: Training rows, ``(n, width)``, normalised.
        classes: Their classes, ``(n,)``.
        k: How many neighbours.
        temperature: Of their similarities.
        share: Weight of the neighbours, 0–1.
    """

    head: LinearHead
    vectors: NDArray[np.float32]
    classes: NDArray[np.int64]
    k: int
    temperature: float
    share: float

    FLOOR: ClassVar[float] = 1e-12
    """Added to every probability, so that its log is finite."""

    def __call__(self, vectors: NDArray[np.float32]) -> NDArray[np.float32]:
        """``(n, width)`` to ``(n, n_labels)``."""
        logits = self.head(vectors)
        similarity, rows = nearest(vectors, self.vectors, self.k)
        near = np.zeros_like(logits)
        each = np.arange(len(logits))[:, None]
        np.add.at(near, (each, self.classes[rows]), _softmax(similarity / self.temperature))
        blended = self.share * near + (1.0 - self.share) * _softmax(logits)
        return np.asarray(np.log(blended + self.FLOOR), np.float32)

    def save(self, folder: Path) -> None:
        """Write ``head.npz`` and ``neighbours.npz``."""
        self.head.save(folder)
        mix = np.array([self.k, self.temperature, self.share])
        np.savez(folder / "neighbours.npz", vectors=self.vectors, classes=self.classes, mix=mix)

    @classmethod
    def restore(cls, folder: Path) -> NeighbourBlend:
        """Read what `save` wrote."""
        with np.load(folder / "neighbours.npz", allow_pickle=False) as arrays:
            k, temperature, share = arrays["mix"].tolist()
            vectors, classes = arrays["vectors"], arrays["classes"]
        return cls(LinearHead.restore(folder), vectors, classes, int(k), temperature, share)


class Neighbours:
    """What the nearest rows say, as far as it helps the head."""

    name = "neighbours"
    rungs = (1.0,)

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: a recipe is searched where a measurement shows that it can win."""
        return []

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate an encoder, with the head that is the best start."""
        return [
            Candidate(self.name, name, (("C", 10.0),))
            for name in bench.backbones
            if bench.opened(name).backbone.family == "encoder"
        ]

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """A pass of the encoder where it is still to be done, the heads, and the similarities."""
        opened = bench.opened(candidate.backbone)
        n, width = len(bench.train), opened.encoder.shape.width
        passes = 0.0 if opened.trunk.is_prepared() else opened.forward_seconds()
        fits = 2 if n > _ONE_FOLD else 1 + _FOLDS
        judged = n / _FOLDS if n > _ONE_FOLD else n
        compared = judged * n * (width * 4e-11 + 1e-8)
        return passes + fits * fit_seconds(n, len(bench.labels)) + compared

    def start(self, candidate: Candidate, bench: Workbench) -> NeighboursAttempt:
        """Encode (or reuse what is encoded).

        Raises:
            AdaptError: PF405 where there are more rows than a model should carry.
        """
        if len(bench.train) > _MOST_ROWS:
            raise AdaptError(
                "PF405",
                f"recipe '{self.name}'",
                f"{len(bench.train):,} training rows",
                expected=f"at most {_MOST_ROWS:,}, since all of them are kept in the model",
                mend="Use fine-tune: with so many rows it is better and its model is smaller.",
            )
        return NeighboursAttempt(candidate, bench)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """The encoder, the head and the training rows as one ONNX graph."""
        from payoff.adapt.export.onnx_neighbours import write_neighbours
        from payoff.adapt.export.tokens_tier import write_encoder_tier

        opened = bench.opened(candidate.backbone)
        blend = NeighbourBlend.restore(saved)
        with whole_folder(target) as draft:
            plain = draft / "plain"
            spec = write_encoder_tier(
                opened, opened.encoder.layers, blend.head, plain, name=candidate.name
            )
            write_neighbours(plain / "model.onnx", draft / "model.onnx", blend)
            (plain / "model.onnx").unlink()
            for path in plain.iterdir():
                path.rename(draft / path.name)
            plain.rmdir()
        return spec


@dataclass
class NeighboursAttempt:
    """One blend: one step, no pauses."""

    candidate: Candidate
    bench: Workbench
    blend: NeighbourBlend | None = field(default=None)
    mix: Mix | None = field(default=None)

    def advance(self, share: float) -> None:
        """Choose the mix and fit, at any share."""
        if self.blend is not None:
            return
        bench = self.bench
        vectors = np.array(bench.opened(self.candidate.backbone).trunk.pooled()[bench.train])
        targets = bench.train_targets
        fit = usual_fit(bench, self.candidate.backbone, strength=self.candidate["C"])
        self.mix = choose_mix(vectors, targets, fit, seed=bench.seed)
        head = fit(vectors, targets)
        sharpness = np.float32(self.mix.sharpness)
        self.blend = NeighbourBlend(
            LinearHead(sharpness * head.weight, sharpness * head.bias),
            vectors,
            targets,
            self.mix.k,
            self.mix.temperature,
            self.mix.share,
        )

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """``(len(rows), n_labels)``."""
        assert self.blend is not None
        # Not linear in a text's vector, so that pieces are blended one by one, as when served.
        return self.bench.opened(self.candidate.backbone).trunk.by_piece(self.blend, rows)

    def save(self, folder: Path) -> None:
        """Write the blend, and in ``mix.json`` how it was chosen."""
        assert self.blend is not None
        assert self.mix is not None
        self.blend.save(folder)
        write_json(folder / "mix.json", asdict(self.mix))

    def restore(self, folder: Path) -> None:
        """Read the blend."""
        self.blend = NeighbourBlend.restore(folder)
        self.mix = Mix(**json.loads((folder / "mix.json").read_text("utf-8")))


def nearest(
    vectors: NDArray[np.float32], rows: NDArray[np.float32], k: int
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """The most similar of ``rows`` to each of ``vectors``, the nearest first.

    Args:
        vectors: ``(n, width)``.
        rows: ``(n_rows, width)``.
        k: How many; all of them where there are fewer.

    Returns:
        Similarities and indices into ``rows``, ``(n, k)`` each.

    Example:
        >>> nearest(np.eye(2)[:1], np.array([[0.0, 1.0], [0.8, 0.6], [1.0, 0.0]]), 2)[1].tolist()
        [[2, 1]]
    """
    k = min(k, len(rows))
    similarities = np.empty((len(vectors), k), np.float32)
    found = np.empty((len(vectors), k), np.int64)
    step = max(1, _PIECE // len(rows))
    for start in range(0, len(vectors), step):
        piece = vectors[start : start + step] @ rows.T
        near = np.argpartition(-piece, k - 1, axis=1)[:, :k]
        value = np.take_along_axis(piece, near, axis=1)
        order = np.lexsort((near, -value), axis=1)
        similarities[start : start + step] = np.take_along_axis(value, order, axis=1)
        found[start : start + step] = np.take_along_axis(near, order, axis=1)
    return similarities, found


def choose_mix(
    vectors: NDArray[np.float32], targets: NDArray[np.int64], fit: Fit, *, seed: int
) -> Mix:
    """The mix with the lowest log loss on training rows that were left out.

    Head and neighbours leave out the same fold: with a single row left out the neighbours would
    know more than a head that has a fold less, and be trusted too much.

    Args:
        vectors: ``(n, width)``, normalised.
        targets: ``(n,)``.
        fit: Makes the head.
        seed: Which rows make a fold.
    """
    fold = folds(targets, _FOLDS, seed=seed)
    used = np.unique(fold[fold >= 0])[: 1 if len(targets) > _ONE_FOLD else _FOLDS]
    if not len(used):
        return Mix()
    parts = [_left_out(vectors, targets, fold == number, fit) for number in used]
    logits, similarity, right = (np.concatenate(column) for column in zip(*parts, strict=True))
    truth = np.concatenate([targets[fold == number] for number in used])
    sharpness = min(SHARPNESSES, key=lambda s: -np.log(_of_truth(s * logits, truth)).sum())
    head = _of_truth(sharpness * logits, truth)
    best, lowest = Mix(), np.inf
    for k in NUMBERS:
        for temperature in TEMPERATURES:
            weights = _softmax(similarity[:, :k] / temperature)
            near = (weights * right[:, :k]).sum(axis=1)
            for share in SHARES:
                loss = -np.log(share * near + (1.0 - share) * head + NeighbourBlend.FLOOR).sum()
                if loss < lowest:
                    chosen = f"by log loss over {len(used)} of {_FOLDS} folds of the training rows"
                    best, lowest = Mix(k, temperature, share, sharpness, chosen), loss
    return best


def _left_out(
    vectors: NDArray[np.float32],
    targets: NDArray[np.int64],
    out: NDArray[np.bool_],
    fit: Fit,
) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any]]:
    """Of the rows ``out``: head's logits, similarities of neighbours, whether they are right.

    The neighbours are padded to the largest number with some that weigh nothing.
    """
    head = fit(vectors[~out], targets[~out])
    similarity, rows = nearest(vectors[out], vectors[~out], max(NUMBERS))
    right = targets[~out][rows] == targets[out][:, None]
    lacking = ((0, 0), (0, max(NUMBERS) - similarity.shape[1]))
    return (
        head(vectors[out]),
        np.pad(similarity, lacking, constant_values=-np.inf),
        np.pad(right, lacking),
    )


def _softmax(scores: NDArray[Any]) -> NDArray[Any]:
    raised: NDArray[Any] = np.exp(scores - scores.max(axis=1, keepdims=True))
    shares: NDArray[Any] = raised / raised.sum(axis=1, keepdims=True)
    return shares


def _of_truth(logits: NDArray[Any], truth: NDArray[np.int64]) -> NDArray[Any]:
    """Probability of each row's own class, ``(n,)``."""
    own: NDArray[Any] = _softmax(logits)[np.arange(len(truth)), truth]
    above_zero: NDArray[Any] = np.maximum(own, 1e-12)
    return above_zero
