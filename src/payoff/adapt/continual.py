"""Learning over time: new labels and new classes come, and what was known stays known.

`remember` is called where the old texts still are and keeps little of them; `extend` trains on new
texts with what was kept; `forgetting` says per class what it cost.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from payoff.adapt.engine.classifier import Classifier, classifier_logits, classifier_vectors
from payoff.adapt.engine.finetuning import FineTuning, Schedule
from payoff.adapt.engine.objectives.objective import Objective
from payoff.adapt.engine.objectives.remembering import Remembering, fisher
from payoff.adapt.engine.reservoir import Reservoir
from payoff.adapt.engine.trunk import Trunk
from payoff.core.errors import AdaptError
from payoff.core.progress import Progress, Silent


@dataclass(frozen=True, slots=True)
class Continual:
    """How a classifier learns more without losing what it knows.

    Args:
        kept_texts: Old texts that are kept, at most, spread over their classes.
        replay: Old texts for each new one in an epoch (each kept text at least once); 0 for none.
        balance: Make up for old classes being met less often than they are in truth.
        consolidation: Strength of elastic weight consolidation; 0 for none.
        fisher_texts: Old texts from which it is estimated what mattered, at most.
        distillation: Weight of the old model's answers; 0 for none.
        temperature: At which those are compared.
        objective: What the texts are learnt by; where not given, smoothed cross-entropy, the only
            one that ``balance`` changes.
        seed: Seed of everything random.
    """

    kept_texts: int = 3000
    replay: float = 1.0
    balance: bool = True
    consolidation: float = 0.0
    fisher_texts: int = 200
    distillation: float = 0.0
    temperature: float = 2.0
    objective: Objective | None = None
    seed: int = 0


@dataclass(frozen=True, slots=True)
class Memory:
    """What is left of a training once its texts are gone.

    Args:
        classifier: As trained; it is not changed.
        kept: Rows of the texts that are kept.
        n_seen: Texts of each class that it was trained on, ``(n_old,)``.
        fisher: How much each trained weight mattered; empty where it was not asked for.
    """

    classifier: Classifier
    kept: NDArray[np.int64]
    n_seen: NDArray[np.int64]
    fisher: Mapping[str, Tensor] = field(default_factory=dict)


def remember(
    classifier: Classifier,
    trunk: Trunk,
    targets: NDArray[np.int64],
    *,
    rows: NDArray[np.int64],
    how: Continual,
    before: Memory | None = None,
) -> Memory:
    """Keep of a training what `extend` will need.

    Args:
        classifier: As trained.
        trunk: The texts.
        targets: Class of each, ``(n_texts,)``.
        rows: Those that it was trained on; after `extend`, the new ones.
        how: How much is kept.
        before: What `extend` started from; its kept texts may stay kept.
    """
    n_seen = np.bincount(targets[rows], minlength=classifier.head.out_features)
    if before is not None:
        n_seen[: len(before.n_seen)] += before.n_seen
        rows = np.concatenate([before.kept, rows])
    rng = np.random.default_rng(how.seed)
    reservoir = Reservoir(how.kept_texts, seed=how.seed)
    for row in rng.permutation(rows):
        reservoir.add(int(row), int(targets[row]))
    mattered: dict[str, Tensor] = {}
    if how.consolidation > 0:
        some = np.sort(rng.permutation(rows)[: how.fisher_texts])
        mattered = fisher(classifier, trunk, some, seed=how.seed)
    return Memory(classifier, reservoir.kept(), n_seen, mattered)


def extend(
    memory: Memory,
    trunk: Trunk,
    targets: NDArray[np.int64],
    *,
    rows: NDArray[np.int64],
    n_labels: int,
    how: Continual,
    schedule: Schedule,
    progress: Progress | None = None,
) -> FineTuning:
    """A training on new texts that starts from the old classifier; call its ``advance``.

    Args:
        memory: What was kept of before.
        trunk: The kept and the new texts, of the encoder that the old classifier has.
        targets: Class of each text, ``(n_texts,)``; new classes come after the old ones.
        rows: The new texts, of old or new classes.
        n_labels: Classes from now on.
        how: What holds on to the old.
        schedule: Rates and lengths; its depth is that of the old classifier, whatever it says.
        progress: Told the steps.

    Raises:
        AdaptError: PF405 where there is no new text, or none of a new class.
    """
    old = memory.classifier
    if not len(rows):
        raise AdaptError("PF405", "continual learning", "there are no new texts")
    classifier = widened(old, trunk, targets, rows=rows, n_labels=n_labels)
    stream = np.concatenate([rows, _replayed(memory.kept, len(rows), how)])
    answers = None
    if how.distillation > 0:
        asked = np.union1d(rows, memory.kept)
        answers = torch.zeros(len(trunk.tokens), old.head.out_features)
        answers[asked] = torch.from_numpy(classifier_logits(old, trunk, asked))
    objective = Remembering(
        how.objective,
        shift=_shift(memory.n_seen, targets[rows], targets[stream], n_labels=n_labels)
        if how.balance
        else None,
        consolidation=how.consolidation,
        weights={name: weight.detach().clone() for name, weight in old.named_parameters()},
        fisher=memory.fisher,
        distillation=how.distillation,
        answers=answers,
        temperature=how.temperature,
    )
    return FineTuning(
        classifier,
        trunk,
        targets,
        rows=stream,
        schedule=replace(schedule, depth=old.depth),
        objective=objective,
        progress=progress or Silent(),
    )


def _replayed(kept: NDArray[np.int64], n_new: int, how: Continual) -> NDArray[np.int64]:
    """The kept rows, repeated evenly until there are as many as are wanted."""
    if not len(kept) or how.replay <= 0:
        return np.zeros(0, np.int64)
    wanted = max(len(kept), round(how.replay * n_new))
    rest = np.random.default_rng(how.seed).permutation(kept)[: wanted % len(kept)]
    return np.concatenate([np.tile(kept, wanted // len(kept)), rest])


def _shift(
    n_seen: NDArray[np.int64],
    new: NDArray[np.int64],
    stream: NDArray[np.int64],
    *,
    n_labels: int,
) -> Tensor:
    """Logarithms of how often each class is met over how often there were texts of it.

    A class that is not met at all counts as met half a time.
    """
    known = np.concatenate([n_seen, np.zeros(n_labels - len(n_seen), np.int64)])
    texts = known + np.bincount(new, minlength=n_labels)
    met = np.maximum(np.bincount(stream, minlength=n_labels), 0.5)
    return torch.from_numpy(np.log(met / np.maximum(texts, 0.5)).astype(np.float32))


def widened(
    old: Classifier,
    trunk: Trunk,
    targets: NDArray[np.int64],
    *,
    rows: NDArray[np.int64],
    n_labels: int,
) -> Classifier:
    """A copy of a classifier with a head for more classes.

    The row of a new class points from the mean of the other classes' vectors to its own, as long
    as the old rows are on average. Its bias is such that on its own texts it draws level with the
    best old class on average: texts that are less like it keep their old answer.

    Args:
        old: Not changed.
        trunk: The texts.
        targets: Class of each text.
        rows: Texts of all new classes.
        n_labels: Classes from now on.

    Raises:
        AdaptError: PF405 where a new class has no text.
    """
    weight, bias = (part.detach().numpy() for part in (old.head.weight, old.head.bias))
    new = range(len(weight), n_labels)
    missing = sorted(set(new) - set(targets[rows].tolist()))
    if missing:
        raise AdaptError(
            "PF405",
            "continual learning",
            f"{len(missing)} of {len(new)} new classes have no text (the first is {missing[0]})",
            expected="one or more of each",
        )
    if len(new):
        vectors, own = classifier_vectors(old, trunk, rows), targets[rows]
        means = {label: vectors[own == label].mean(axis=0) for label in np.unique(own).tolist()}
        length = np.linalg.norm(weight, axis=1).mean()
        best = (vectors @ weight.T + bias).max(axis=1)
        for label in new:
            others = [mean for other, mean in means.items() if other != label]
            way = means[label] - np.mean(others, axis=0) if others else means[label]
            row = way * (length / max(float(np.linalg.norm(way)), 1e-12))
            level = float((best - vectors @ row)[own == label].mean())
            weight = np.concatenate([weight, row[None]])
            bias = np.append(bias, np.float32(level))
    wide = Classifier(old.trunk[0], old.depth, weight, bias, adaptation=old.adaptation)
    head = {"head.weight": wide.head.weight.detach(), "head.bias": wide.head.bias.detach()}
    wide.load_state_dict(old.state_dict() | head)
    return wide


@dataclass(frozen=True, slots=True)
class Forgetting:
    """What a training cost on each class that was known before.

    Args:
        by_class: Accuracy before minus accuracy after, of each class that has texts; below 0 where
            it became better.

    Example:
        >>> lost = forgetting(np.array([0, 0, 1]), np.array([0, 2, 1]), np.array([0, 0, 1]))
        >>> lost.by_class, lost.worst, lost.mean
        ({0: 0.5, 1: 0.0}, 0.5, 0.25)
    """

    by_class: Mapping[int, float]

    @property
    def worst(self) -> float:
        """Of the class that lost most."""
        return max(self.by_class.values())

    @property
    def mean(self) -> float:
        """Over classes, each counting the same."""
        return float(np.mean(list(self.by_class.values())))


def forgetting(
    before: NDArray[np.int64], after: NDArray[np.int64], targets: NDArray[np.int64]
) -> Forgetting:
    """Compare the answers of two classifiers on the same texts, class by class.

    Args:
        before: Predicted classes of the old classifier, ``(n,)``.
        after: Of the new one, ``(n,)``.
        targets: True classes, ``(n,)``; at least one.
    """
    lost = (before == targets).astype(np.float64) - (after == targets)
    classes = np.unique(targets).tolist()
    return Forgetting({label: float(lost[targets == label].mean()) for label in classes})
