"""Drift: what explains a loss, in money. It never raises an alarm of its own."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

from payoff.learn.watching.expected_loss import ExpectedLoss, mix_now
from payoff.learn.watching.feature import PREDICTED, SURENESS
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.window import Floats, Window

SURPRISING = 3.5
"""Standard deviations from which a change of shares is no chance: once in 4,000 looks."""


@dataclass(frozen=True, slots=True)
class Part:
    """One of the parts that a loss adds up from.

    Args:
        cause: ``"launch"``, ``"mix"``, ``"strange"``, ``"meaning"`` or ``"cost"``.
        loss: Money a request; negative where it is a gain.
        detail: What it is, in one sentence.
    """

    cause: str
    loss: float
    detail: str

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Mark:
    """A feature whose distribution has changed, and what that change would cost by itself.

    Marks overlap: a text of strange words is a text of which the model is unsure.

    Args:
        feature: Which.
        loss: Money a request that the change of its shares alone explains.
        moved: Share of the requests that would have to change cells, 0 to 1.
        surprise: Standard deviations beyond chance.
        grown: The cell that has grown most.
    """

    feature: str
    loss: float
    moved: float
    surprise: float
    grown: str

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Drift:
    """Why requests are worth what they are worth now.

    Args:
        parts: They add up to the loss, the largest first.
        marks: What has changed about the requests, by how much each explains, the most first.

    Example:
        >>> parts = (Part("mix", 0.4, "Other labels come."), Part("cost", 0.0, "No dearer."))
        >>> Drift(parts, ()).main.cause
        'mix'
    """

    parts: tuple[Part, ...]
    marks: tuple[Mark, ...]

    @property
    def main(self) -> Part:
        """The part that explains most."""
        return self.parts[0]

    def mark(self, feature: str) -> Mark | None:
        """What is known of one feature; None where requests do not have it, or it is at rest."""
        return next((one for one in self.marks if one.feature == feature), None)

    def as_dict(self) -> dict[str, Any]:
        """The same facts as plain values."""
        return {
            "parts": [part.as_dict() for part in self.parts],
            "marks": [mark.as_dict() for mark in self.marks],
        }


def explained(
    window: Window, reference: Reference, loss: ExpectedLoss, *, mix: Floats | None = None
) -> Drift:
    """Take a loss apart.

    What the mix of labels costs is the change of the shares times what requests of each label were
    worth (Kitagawa 1955, JASA 50(272)); what the probabilities say beyond that comes of texts that
    are stranger to the model; what labels corrected comes of another meaning.

    Args:
        window: Requests of now.
        reference: The quiet period.
        loss: Of the window.
        mix: Share of each label now, where `mix_now` was asked already.

    Example:
        >>> import numpy as np
        >>> from payoff.economics.value_tables import ValueTables
        >>> from payoff.learn.watching.expected_loss import expected_loss
        >>> tables = ValueTables(np.array([[3.0, -7.0, -1.0], [-7.0, 9.0, -1.0]]))
        >>> def requests(share):
        ...     rng = np.random.default_rng(0)
        ...     p = rng.beta(8, 1, 400)
        ...     p = np.where(rng.random(400) < share, p, 1 - p)  # the first of two labels
        ...     p = np.stack([1 - p, p], axis=1)
        ...     return Window(probabilities=p, actions=p.argmax(axis=1), tables=tables)
        >>> reference = Reference.of(requests(0.8), ("shops", "clinics"))
        >>> now = requests(0.2)
        >>> loss = expected_loss(now, reference)
        >>> drift = explained(now, reference, loss)
        >>> drift.main.cause
        'mix'
        >>> total = sum(part.loss for part in drift.parts)
        >>> bool(np.isclose(total, loss.awaited - loss.worth + loss.cost))
        True
    """
    shares = mix_now(window, reference) if mix is None else mix
    moved = shares - reference.mix
    by_mix = -float(moved @ reference.worth_by_label)
    grown = reference.labels[int(moved.argmax())]
    shrunk = reference.labels[int(moved.argmin())]
    beyond = reference.worth - loss.without_labels - by_mix
    parts = [
        Part("mix", by_mix, f"More requests are '{grown}', fewer '{shrunk}'."),
        Part("strange", beyond, "The model is less sure of texts of the same labels."),
        Part("meaning", 0.0 - loss.correction, _told_by_labels(loss)),
        Part("cost", loss.cost, "What asking models costs, against what was usual."),
        Part(
            "launch",
            reference.awaited - reference.worth,
            "What was usual before, against the forecast.",
        ),
    ]
    return Drift(tuple(sorted(parts, key=lambda part: -part.loss)), _marks(window, reference))


def _told_by_labels(loss: ExpectedLoss) -> str:
    if not loss.n_labels:
        return "Not seen: without labels nobody can tell whether texts mean something else."
    return f"{loss.n_labels} labels say so, against what the probabilities say."


def _marks(window: Window, reference: Reference) -> tuple[Mark, ...]:
    found = []
    for feature in reference.features:
        codes = feature.codes(window, reference.words)
        profile = feature.profile
        if codes is None:
            continue
        surprise = profile.surprise(codes)
        if surprise >= SURPRISING or profile.name in (SURENESS, PREDICTED):
            moved, grown = profile.moved(codes), profile.most_grown(codes)
            found.append(Mark(profile.name, -profile.explained(codes), moved, surprise, grown))
    return tuple(sorted(found, key=lambda mark: -mark.loss))
