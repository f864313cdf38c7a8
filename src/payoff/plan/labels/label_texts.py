"""Label texts: which unlabelled texts to have labelled first, by a finished run's model."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from payoff.core.csv_rows import CsvRows
from payoff.core.errors import ProjectError
from payoff.core.files import write_bytes
from payoff.core.progress import Progress
from payoff.economics.desk import load
from payoff.economics.labels.label_worth import LabelWorth
from payoff.economics.labels.text_worth import choose_texts, value_of_truth
from payoff.economics.policy import Policy
from payoff.plan.booked_answers import booked_answers

_BLOCK: Final = 1024
_WIDTH: Final = 128
USUAL_COUNT: Final = 100
"""Texts that are chosen where neither the user nor the curve says how many."""


@dataclass(frozen=True, eq=False)
class TextsToLabel:
    """Texts in the order in which to have them labelled.

    Args:
        texts: The texts, the first to label first.
        rows: Their places in what was given, counted from 0.
        guesses: The label that the model would say.
        value: What it would be worth to know the label of such a request, money per request.
        reach: What each adds beyond those before it, over what a text at random would.
        worth: What its label is expected to bring over the horizon; None where the curve does not
            tell.
        currency: Of all money.
        n_given: How many texts were given, without repetitions and empty ones.
    """

    texts: tuple[str, ...]
    rows: NDArray[np.int64]
    guesses: tuple[str, ...]
    value: NDArray[np.float64]
    reach: NDArray[np.float64]
    worth: NDArray[np.float64] | None
    currency: str
    n_given: int

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {"n_given": self.n_given, "currency": self.currency, "texts": self._table()}

    def _table(self) -> list[dict[str, Any]]:
        worth = [None] * len(self.texts) if self.worth is None else self.worth.round(6).tolist()
        columns = zip(
            self.texts, self.rows.tolist(), self.guesses, self.value, self.reach, worth, strict=True
        )
        return [
            {
                "text": text,
                "row": row,
                "guess": guess,
                "value_of_truth": round(float(value), 6),
                "reach": round(float(reach), 4),
                "worth": money,
            }
            for text, row, guess, value, reach, money in columns
        ]

    def write(self, path: Path) -> None:
        """Write them as a CSV file with an empty column ``label`` to fill in.

        Raises:
            MachineError: PF801 or PF802 where it cannot be written.
        """
        sheet = io.StringIO()
        writer = CsvRows(sheet)
        columns = ("text", "label", "guess", "value_of_truth", "reach", "worth", "row")
        writer.writerow(columns)
        for line in self._table():
            writer.writerow(["" if line.get(c) is None else line[c] for c in columns])
        write_bytes(path, sheet.getvalue().encode("utf-8"))


def texts_to_label(
    folder: Path,
    texts: Sequence[str],
    worth: LabelWorth,
    policy: Policy,
    *,
    backbone: str = "",
    count: int | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> TextsToLabel:
    """Choose texts by what their labels are expected to bring, in money.

    Args:
        folder: The run's folder, which holds its artifact.
        texts: Texts without labels; empty ones and repetitions are left out.
        worth: Of a label at random, by which the chosen ones are priced.
        policy: What is done at which probabilities, under the terms that are asked about.
        backbone: Whose vectors say which texts are alike; the texts' own words where empty.
        count: How many; as many as are to be bought where None, or `USUAL_COUNT`.
        seed: Of the sample that stands for many texts.
        progress: Who listens.

    Raises:
        ProjectError: PF292 where the run's artifact is gone; PF290 where there is no text.
        ArtifactError: PF5xx where it cannot be used.
        EconomicsError: PF620 where the month's budget does not hold what its endpoints would
            charge; else as `payoff.plan.booked_answers.booked_answers` does.
        BackboneError: As `payoff.adapt.text_vectors.text_vectors` does.
    """
    first = {text: row for row, text in reversed(list(enumerate(texts))) if text.strip()}
    rows = np.array(sorted(first.values()), np.int64)
    if not len(rows):
        raise ProjectError("PF290", "--texts", "there is no text in the file")
    kept = [texts[row] for row in rows]
    probabilities = _probabilities(folder, kept)
    values = value_of_truth(policy, probabilities)
    chosen = choose_texts(
        values, _vectors(kept, backbone, progress), count or _count(worth), seed=seed
    )
    relative = chosen.reach / chosen.mean_reach if chosen.mean_reach > 0 else chosen.reach
    each = None if worth.doubt else float(worth.next_label.mean) * relative
    guesses = policy.shifted(probabilities).argmax(axis=1)
    return TextsToLabel(
        tuple(kept[row] for row in chosen.rows),
        rows[chosen.rows],
        tuple(policy.labels[guesses[row]] for row in chosen.rows),
        chosen.value,
        relative,
        each,
        worth.currency,
        len(kept),
    )


def _count(worth: LabelWorth) -> int:
    purchase = None if worth.doubt else worth.purchase
    return purchase.labels if purchase is not None and purchase.labels else USUAL_COUNT


def _probabilities(folder: Path, texts: Sequence[str]) -> NDArray[np.float64]:
    """Calibrated, by the model that the run would serve, ``(n, k)``."""
    found = sorted(folder.glob("*.payoff"))
    if not found:
        raise ProjectError(
            "PF292", str(folder), "its artifact is gone", expected="NAME.payoff beside the report"
        )
    with load(found[0]) as desk, booked_answers(desk, found[0]):
        # What is paid for is asked together, so that its price is known before the first question.
        size = len(texts) if desk.artifact.endpoints() else _BLOCK
        blocks = range(0, len(texts), size)
        return np.concatenate([desk.probabilities(texts[start : start + size]) for start in blocks])


def _vectors(
    texts: Sequence[str], backbone: str, progress: Progress | None
) -> NDArray[np.floating[Any]]:
    if backbone:
        from payoff.adapt.text_vectors import text_vectors

        return text_vectors(texts, backbone, progress=progress)
    from payoff.data.segments.latent import latent_vectors
    from payoff.data.segments.terms import TermTable

    return latent_vectors(TermTable.of(list(texts)), width=_WIDTH)
