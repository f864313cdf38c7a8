"""New topics of a model, from its journal."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from payoff.learn.journal import Journal
from payoff.learn.watching.journal_window import Requests, oldest
from payoff.learn.watching.kept_reference import FIRST_REQUESTS, KeptReference
from payoff.learn.watching.reference import Reference
from payoff.learn.watching.topics import NewTopic, new_topics
from payoff.learn.watching.watched_model import WatchedModel
from payoff.learn.watching.window import Window


def topics_of(
    journal: Journal, model: WatchedModel, kept: KeptReference, recent: Requests
) -> tuple[NewTopic, ...] | None:
    """New topics among the requests of now that the model is unsure of.

    Args:
        journal: Where the requests of the quiet period are.
        model: Which version.
        kept: The quiet period.
        recent: Requests of now.

    Returns:
        None where no text is kept, or there are no earlier requests to compare with.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> topics_of(journal, model, kept, recent)[0].name  # doctest: +SKIP
        'crypto, wallet'
    """
    first = oldest(journal, model, FIRST_REQUESTS)
    until_id = kept.until_id
    if kept.of_launch:  # its rows have no texts: the first requests are compared with
        if len(first.window) < FIRST_REQUESTS:
            return None
        until_id = int(first.ids[-1])
    window, reference = recent.window.rows(recent.ids > until_id), kept.reference
    if window.texts is None or not any(window.texts):
        return None
    told = window.rows(np.array([bool(text) for text in window.texts]))
    before = first.ids <= until_id
    return new_topics(
        told.texts or (),
        np.flatnonzero(_unsure(told, reference)).astype(np.int64),
        reference.worth - told.expected,
        before=_texts_unsure(first.window.rows(before), reference),
        times_before=len(told) / max(int(before.sum()), 1),
        least_at_stake=0.1 * reference.least_gap * len(told),
    )


def _unsure(window: Window, reference: Reference) -> NDArray[np.bool_]:
    return np.asarray(window.probabilities.max(axis=1) < reference.unsure_below)


def _texts_unsure(window: Window, reference: Reference) -> tuple[str, ...]:
    """Texts that the model was unsure of, as far as they are kept."""
    if window.texts is None:
        return ()
    places = np.flatnonzero(_unsure(window, reference))
    return tuple(window.texts[i] for i in places if window.texts[i])
