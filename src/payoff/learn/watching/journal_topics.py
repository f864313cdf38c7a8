"""New topics of a model, from its journal."""

from __future__ import annotations

import numpy as np

from payoff.learn.journal import Journal
from payoff.learn.watching.journal_window import Requests, oldest
from payoff.learn.watching.kept_reference import FIRST_REQUESTS, KeptReference
from payoff.learn.watching.topics import NewTopic, new_topics
from payoff.learn.watching.watched_model import WatchedModel


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
        None where no text is kept.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.

    Example:
        >>> topics_of(journal, model, kept, recent)[0].name  # doctest: +SKIP
        'crypto, wallet'
    """
    window, reference = recent.window, kept.reference
    if window.texts is None:
        return None
    has_text = np.array([bool(text) for text in window.texts])
    told = window.rows(has_text)
    unsure = told.probabilities.max(axis=1) < reference.unsure_below
    return new_topics(
        told.texts or (),
        np.flatnonzero(unsure).astype(np.int64),
        reference.worth - told.expected,
        before=_unsure_before(journal, model, kept),
        times_before=len(told) / reference.n,
        least_at_stake=0.1 * reference.least_gap * len(told),
    )


def _unsure_before(journal: Journal, model: WatchedModel, kept: KeptReference) -> tuple[str, ...]:
    """Texts of the quiet period that the model was unsure of, as far as they are kept."""
    first = oldest(journal, model, FIRST_REQUESTS)
    window = first.window.rows(first.ids <= kept.until_id)
    if window.texts is None:
        return ()
    unsure = window.probabilities.max(axis=1) < kept.reference.unsure_below
    return tuple(window.texts[i] for i in np.flatnonzero(unsure) if window.texts[i])
