"""A frozen encoder and a head that also learns from made-up texts, where those are seen to help."""

from __future__ import annotations

import json
import zlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.encode import encode
from payoff.adapt.recipes.frozen_head import FrozenHead, fit_seconds
from payoff.adapt.recipes.linear import HeadAttempt, LinearHead, fit_logistic
from payoff.adapt.recipes.named_fit import usual_names
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.workbench import Workbench
from payoff.core.errors import AdaptError
from payoff.core.files import write_json
from payoff.data.allotment import VALIDATION, allot_by_class
from payoff.data.augment import augmenter_named, augmenters
from payoff.data.augment.augmenter import Augmenter
from payoff.data.augment.synonyms import Synonyms
from payoff.data.duplicates import alike, clusters, near_pairs
from payoff.evidence.calibration import fit_temperature

_JUDGED = 0.3  # share of the training rows by which augmenters are judged
_FILE = "augmentation.json"

Examples = tuple[NDArray[np.float32], NDArray[np.int64]]
"""Vectors, ``(n, width)``, and their classes, ``(n,)``."""


class Augmented(FrozenHead):
    """The frozen head on training texts and altered copies of them.

    Each augmenter in turn is tried on a part of the training rows and judged by the others; its
    copies are kept where they lower the log loss, after calibration, by more than its standard
    error. The rows that the search chooses by are never looked at.

    Args:
        augmenters: Those that may be named in the setting ``augmenters``, beside the registered
            ones, functions (``module:function``) and the paths of tables of synonyms (``….csv``);
            the usual setting names all of these, or all registered ones where None.
    """

    name = "augmented"
    tasks = ("classes",)

    def __init__(self, augmenters: Sequence[Augmenter] | None = None) -> None:
        self._given = augmenters

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: a recipe is searched where a measurement shows that it can win."""
        return []

    def standard(self, bench: Workbench) -> list[Candidate]:
        """Every augmenter that is to be had, one copy of each text from each."""
        given = augmenters() if self._given is None else self._given
        names = ",".join(augmenter.name for augmenter in given)
        return [
            Candidate(self.name, name, (("C", 10.0), ("augmenters", names), ("copies", 1)))
            for name in bench.backbones
            if bench.opened(name).backbone.family == "encoder"
        ]

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """Those of the frozen head, a pass over the copies, and a fit for each augmenter."""
        opened = bench.opened(candidate.backbone)
        n_tried, copies = len(self._augmenters(candidate)), candidate["copies"]
        n_train, n_labels = len(bench.train), len(bench.labels)
        passes = opened.forward_seconds() * n_train / len(bench.texts) * copies * n_tried
        sizes = [round(n_train * (1 + copies * k) * (1 - _JUDGED)) for k in range(n_tried + 1)]
        last = fit_seconds(n_train * copies * n_tried, n_labels)
        fits = sum(fit_seconds(size, n_labels) for size in sizes) + last
        return float(super().seconds(candidate, bench) + passes + fits)

    def start(self, candidate: Candidate, bench: Workbench) -> AugmentedAttempt:
        """Encode (or reuse what is encoded).

        Raises:
            AdaptError: PF401 for an unknown augmenter; PF406 where none is named or ``copies`` is
                below 1.
            DataError: PF1xx for a table of synonyms that cannot be used.
        """
        if candidate["copies"] < 1:
            raise AdaptError(
                "PF406",
                "recipe 'augmented', setting 'copies'",
                f"{candidate['copies']}",
                expected="at least 1",
            )
        return AugmentedAttempt(
            bench.opened(candidate.backbone).trunk.pooled(),
            bench.targets,
            bench.train,
            len(bench.labels),
            candidate["C"],
            candidate=candidate,
            bench=bench,
            augmenters=self._augmenters(candidate),
        )

    def _augmenters(self, candidate: Candidate) -> tuple[Augmenter, ...]:
        given = {augmenter.name: augmenter for augmenter in self._given or ()}
        names = [name.strip() for name in candidate["augmenters"].split(",")]
        if not all(names):
            raise AdaptError(
                "PF406",
                "recipe 'augmented', setting 'augmenters'",
                f"'{candidate['augmenters']}' has an empty name",
                expected="names of augmenters, MODULE:FUNCTION, or CSV tables of synonyms, with"
                " commas between",
            )
        return tuple(given.get(name) or _named(name) for name in names)


def _named(name: str) -> Augmenter:
    return Synonyms.from_csv(name) if name.lower().endswith(".csv") else augmenter_named(name)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came out about one augmenter.

    Args:
        augmenter: Its name.
        kept: Whether the head learns from its copies.
        n_copies: Texts that it changed.
        n_judged: Training rows by which it was judged; 0 where it was not judged.
        gain: By how much the mean log loss on these fell, in nats.
        standard_error: Of the gain.
    """

    augmenter: str
    kept: bool
    n_copies: int
    n_judged: int
    gain: float
    standard_error: float

    def __str__(self) -> str:
        done = "kept" if self.kept else "left out"
        if not self.n_judged:
            return f"{self.augmenter} {done}: it changed nothing, or too few rows can judge"
        return f"{self.augmenter} {done}: log loss {-self.gain:+.4f} ± {self.standard_error:.4f}"


@dataclass(kw_only=True)
class AugmentedAttempt(HeadAttempt):
    """The choice of augmenters and the fit of the head: one step, no pauses.

    Args:
        candidate: Which.
        bench: The texts.
        augmenters: Those to try, in this order.
        verdicts: What came out about each, once trained.
    """

    candidate: Candidate
    bench: Workbench
    augmenters: tuple[Augmenter, ...]
    verdicts: tuple[Verdict, ...] = field(default=())

    @property
    def kept(self) -> tuple[str, ...]:
        """Names of the augmenters whose copies the head learns from."""
        return tuple(verdict.augmenter for verdict in self.verdicts if verdict.kept)

    def advance(self, share: float) -> None:
        """Choose and fit, at any share."""
        if self.head is None:
            self.head = self._fit(self.train, self._choose())
            for verdict in self.verdicts:
                self.bench.progress.say(f"{self.candidate.name}: {verdict}")

    def save(self, folder: Path) -> None:
        """Write the head, and what was kept."""
        super().save(folder)
        write_json(folder / _FILE, {"verdicts": [asdict(verdict) for verdict in self.verdicts]})

    def restore(self, folder: Path) -> None:
        """Read both."""
        super().restore(folder)
        told = json.loads((folder / _FILE).read_text("utf-8"))
        self.verdicts = tuple(Verdict(**verdict) for verdict in told["verdicts"])

    def _choose(self) -> list[Examples]:
        """Judge each augmenter beside those kept before it; the copies of all that are kept."""
        learnt, judged = inner_split(self.bench)
        may_judge = len(judged) > 1
        losses = self._losses(self._fit(learnt, []), judged) if may_judge else np.zeros(0)
        inner: list[Examples] = []
        whole: list[Examples] = []
        verdicts = []
        for augmenter in self.augmenters:
            texts, rows = self._copies(augmenter)
            mine = np.isin(rows, learnt)
            if not may_judge or not mine.any():
                verdicts.append(Verdict(augmenter.name, False, len(texts), 0, 0.0, 0.0))
                continue
            tried = self._encoded(texts, rows, mine)
            new = self._losses(self._fit(learnt, [*inner, tried]), judged)
            fall = losses - new
            gain, error = float(fall.mean()), float(fall.std(ddof=1) / np.sqrt(len(fall)))
            kept = gain > error
            verdicts.append(Verdict(augmenter.name, kept, len(texts), len(judged), gain, error))
            if kept:
                losses, inner = new, [*inner, tried]
                whole += [tried, self._encoded(texts, rows, ~mine)]
        self.verdicts = tuple(verdicts)
        return whole

    @cached_property
    def _names(self) -> Examples:
        return usual_names(self.bench, self.candidate.backbone, strength=self.strength)

    def _fit(self, rows: NDArray[np.int64], more: Sequence[Examples]) -> LinearHead:
        """A head on some rows, names and copies, penalised as if there were no copies."""
        examples = [(self.vectors[rows], self.targets[rows]), self._names, *more]
        vectors, targets = (np.concatenate(part) for part in zip(*examples, strict=True))
        n_own = len(rows) + len(self._names[1])
        strength = self.strength * n_own / len(targets)
        return fit_logistic(vectors, targets, n_labels=self.n_labels, strength=strength)

    def _losses(self, head: LinearHead, rows: NDArray[np.int64]) -> NDArray[np.float64]:
        """Log loss of each row, ``(n,)``, at the temperature that suits the head best.

        A head is served at such a temperature, so that copies earn nothing by making it bolder.
        """
        logits = head(self.vectors[rows]).astype(np.float64)
        logits /= fit_temperature(logits, self.targets[rows]).temperature
        logits -= logits.max(axis=1, keepdims=True)
        right = logits[np.arange(len(rows)), self.targets[rows]]
        losses: NDArray[np.float64] = np.log(np.exp(logits).sum(axis=1)) - right
        return losses

    def _copies(self, augmenter: Augmenter) -> tuple[list[str], NDArray[np.int64]]:
        """Altered training texts and the row that each was made from; the unaltered left out."""
        sources = [self.bench.texts[row] for row in self.train]
        rng = np.random.default_rng([self.bench.seed, zlib.crc32(augmenter.name.encode())])
        texts, rows = [], []
        for _ in range(self.candidate["copies"]):
            made = augmenter.augment(sources, rng)
            for row, source, text in zip(self.train.tolist(), sources, made, strict=True):
                if text != source:
                    texts.append(text)
                    rows.append(row)
        return texts, np.array(rows, dtype=np.int64)

    def _encoded(
        self, texts: Sequence[str], rows: NDArray[np.int64], chosen: NDArray[np.bool_]
    ) -> Examples:
        """Vectors of the chosen copies, with their classes."""
        wanted = [text for text, is_chosen in zip(texts, chosen, strict=True) if is_chosen]
        vectors = encode(self.bench.opened(self.candidate.backbone), wanted)
        return vectors, self.targets[rows[chosen]]


def inner_split(bench: Workbench) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Training rows to learn from and training rows to judge by.

    Each class is cut in proportion, and texts that are alike or near stay together, since an
    altered copy of a text to judge by would flatter its augmenter.
    """
    texts = [bench.texts[row] for row in bench.train]
    keys, place = alike(texts)
    together = clusters(len(keys), near_pairs(keys).pairs)[place]
    targets = bench.train_targets
    part = allot_by_class(texts, targets.astype(str).tolist(), together, (_JUDGED, 0.0), bench.seed)
    judged = part == VALIDATION
    # A class all of whose texts are near those of others could be gone from the rows to learn.
    judged &= ~np.isin(targets, np.setdiff1d(targets, targets[~judged]))
    return bench.train[~judged], bench.train[judged]
