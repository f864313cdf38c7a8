"""Self-training: what a head makes of texts without labels becomes more to learn from."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numpy.typing import NDArray

from payoff.adapt.recipes.closed_form import ClosedForm, ClosedFormAttempt
from payoff.adapt.recipes.folds import folds
from payoff.adapt.recipes.frozen_head import fit_seconds as logistic_seconds
from payoff.adapt.recipes.linear import LinearHead, fit_logistic
from payoff.adapt.recipes.named_fit import usual_names
from payoff.adapt.recipes.needs import need_family, need_unlabelled
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.soft_targets import fit_soft, one_hot
from payoff.adapt.workbench import Workbench
from payoff.artifact.calibration import Calibration
from payoff.core.errors import AdaptError
from payoff.evidence.calibration import fit_temperature
from payoff.evidence.quality import log_losses

_FOLDS = 3


class SelfTraining(ClosedForm):
    """A head on frozen vectors tells what the unlabelled texts may be, and one learns that too.

    How sure it may be taken to be is measured: its temperature is fitted on training rows that it
    had not seen. As many texts are taken, the surest first, as keep the expected share of wrong
    guesses among them at ``error``. Each is learnt as the calibrated probabilities say, not as its
    likeliest class: taken for certain, guesses at easy texts made the head worse than its teacher
    (BANKING77's training rows, 10 labels a class). Where rows that were held out say that it is
    worse even so, as with texts that are mostly of a few classes, the first head is kept.
    """

    name = "self-training"
    defaults = (("C", 10.0), ("error", 0.1), ("rounds", 2))

    def standard(self, bench: Workbench) -> list[Candidate]:
        """One candidate an encoder; none where there are no texts without labels."""
        return super().standard(bench) if bench.unlabelled else []

    def fit_seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """The pass over the unlabelled texts, a head a fold and round, and the last."""
        opened = bench.opened(candidate.backbone)
        seconds = 0.0
        if not opened.unlabelled_trunk.is_prepared():
            a_token = opened.forward_seconds() / max(1, len(opened.tokens.ids))
            seconds = a_token * len(opened.unlabelled_tokens.ids)
        n_labels, n_train = len(bench.labels), len(bench.train)
        more = logistic_seconds(n_train + len(bench.unlabelled), n_labels)
        n_refits = candidate["rounds"] * (_FOLDS + 1)
        return float(seconds + (_FOLDS + 1) * logistic_seconds(n_train, n_labels) + n_refits * more)

    def start(self, candidate: Candidate, bench: Workbench) -> ClosedFormAttempt:
        """Encode (or reuse what is encoded).

        Raises:
            AdaptError: PF405 where the backbone is no encoder, or there is no unlabelled text.
        """
        need_family(self.name, bench, candidate.backbone)
        need_unlabelled(self.name, bench)
        return super().start(candidate, bench)

    def fit(self, candidate: Candidate, bench: Workbench) -> LinearHead:
        """The head after the last round.

        Raises:
            AdaptError: PF405 where no label has two training rows, so that nothing says how sure
                the head may be taken to be.
        """
        opened = bench.opened(candidate.backbone)
        vectors, targets = opened.trunk.pooled()[bench.train], bench.train_targets
        named, classes = usual_names(bench, candidate.backbone, strength=candidate["C"])
        school = _School(
            np.concatenate([vectors, named]),
            np.concatenate([targets, classes]),
            opened.unlabelled_trunk.pooled(),
            len(bench.labels),
            candidate["C"],
        )
        fold = folds(targets, _FOLDS, seed=bench.seed)
        return school.head(
            np.concatenate([fold, np.full(len(named), -1)]),  # names are learnt, and judge nothing
            error=candidate["error"],
            rounds=candidate["rounds"],
        )


@dataclass(frozen=True, slots=True)
class _School:
    """Labelled and unlabelled vectors, and how heads are fitted on them.

    Beside the head on all rows, a head is taught without each fold, by itself from the first
    round on: its scores of that fold say how sure such a head may be taken to be, and how good it
    is.
    """

    vectors: NDArray[np.float32]
    targets: NDArray[np.int64]
    unlabelled: NDArray[np.float32]
    n_labels: int
    strength: float

    def head(self, fold: NDArray[np.int64], *, error: float, rounds: int) -> LinearHead:
        apart = [fold == number for number in range(_FOLDS) if (fold == number).any()]
        if not apart:
            raise AdaptError(
                "PF405",
                "recipe 'self-training'",
                "no label has two training rows",
                expected="two rows of at least one label, to measure how sure the head may be",
                mend="Label more rows.",
            )
        pupils = [~out for out in apart] + [np.ones(len(fold), bool)]
        teachers = heads = [self._teacher(rows) for rows in pupils]
        calibration, first_losses = self._judged(teachers, apart)
        losses = first_losses
        for _ in range(rounds):
            heads = [
                self._taught(head, rows, calibration, error)
                for head, rows in zip(heads, pupils, strict=True)
            ]
            calibration, losses = self._judged(heads, apart)
        more = losses - first_losses
        is_worse = more.mean() > more.std() / np.sqrt(len(more))  # beyond a standard error
        return (teachers if is_worse else heads)[-1]

    def _teacher(self, rows: NDArray[np.bool_]) -> LinearHead:
        return fit_logistic(
            self.vectors[rows], self.targets[rows], n_labels=self.n_labels, strength=self.strength
        )

    def _judged(
        self, heads: list[LinearHead], apart: list[NDArray[np.bool_]]
    ) -> tuple[Calibration, NDArray[np.float64]]:
        """The temperature of scores of rows that the heads had not seen, and each one's loss."""
        unseen = [
            (head(self.vectors[out]), self.targets[out])
            for head, out in zip(heads[:-1], apart, strict=True)
        ]
        logits, truth = (np.concatenate(part) for part in zip(*unseen, strict=True))
        calibration = fit_temperature(logits, truth)
        return calibration, log_losses(calibration.apply(logits), truth)

    def _taught(
        self, head: LinearHead, rows: NDArray[np.bool_], calibration: Calibration, error: float
    ) -> LinearHead:
        """A head fitted on the labelled rows and on what ``head`` makes of other texts."""
        guessed = calibration.apply(head(self.unlabelled))
        texts = confident(guessed, error=error)
        known = one_hot(self.targets[rows], self.n_labels)
        return fit_soft(
            np.concatenate([self.vectors[rows], self.unlabelled[texts]]),
            np.concatenate([known, guessed[texts]]),
            strength=self.strength,
        )


def confident(probabilities: npt.NDArray[np.float64], *, error: float) -> NDArray[np.int64]:
    """The most texts whose guesses are expected to be wrong in a share of ``error`` at most.

    A text's expected error is what its most probable label lacks to 1. Texts are taken by rising
    expected error for as long as the mean of it stays within ``error``.

    Args:
        probabilities: Calibrated, ``(n, n_labels)``.
        error: 0–1.

    Returns:
        Rows, the surest first, ``(n_taken,)``.

    Example:
        >>> p = np.array([[0.6, 0.4], [0.02, 0.98], [0.92, 0.08]])
        >>> confident(p, error=0.05).tolist()  # (0.02 + 0.08) / 2
        [1, 2]
    """
    sure = probabilities.max(axis=1)
    order = np.argsort(-sure, kind="stable")
    expected = np.cumsum(1.0 - sure[order]) / np.arange(1, len(order) + 1)
    return np.asarray(order[: int((expected <= error + 1e-12).sum())], np.int64)
