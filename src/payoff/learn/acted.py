"""Acted: which decisions were acted upon, and are no shadow's beside them."""

from __future__ import annotations

from payoff.learn.experiments.assignment import SHADOW
from payoff.learn.tables import decisions

ACTED = (decisions.c.experiment == "") | ~decisions.c.request_id.endswith(SHADOW)
"""The condition; a treatment in the shadow is asked, and what it says is written beside."""
