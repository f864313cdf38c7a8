"""What the page shows of other scenarios and of changed terms, as texts ready to be set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from payoff.plan.report.figures import amount, entries, finite, interval, percent, pick, words

Summary = Mapping[str, Any]
View = dict[str, Any]


def scenarios(summary: Summary) -> list[View]:
    """A row a scenario, in the order of the summary: the best first.

    Example:
        >>> scenarios({"scenarios": {"scenarios": [{"name": "do nothing"}]}})[0]["cells"][0]["text"]
        'not measured'
    """
    found = []
    for place, one in enumerate(entries(summary, "scenarios", "scenarios")):
        behind = _cell("Behind the best", one.get("behind_best"))
        if place == 0:
            behind |= {"text": "–", "note": "", "known": True, "negative": False}
        loss = finite(one.get("probability_of_loss"))
        found.append(
            {
                "name": words(one.get("name"), missing="unnamed"),
                "reason": words(one.get("reason"), missing=""),
                "cells": [
                    _cell("Profit a month", one.get("profit")),
                    behind,
                    {
                        "label": "Probability of loss",
                        "text": percent(loss),
                        "note": "",
                        "known": loss is not None,
                        "negative": False,
                    },
                ],
            }
        )
    return found


def what_ifs(summary: Summary) -> list[View]:
    """A row a change of the terms, the terms as stated first.

    Example:
        >>> rows = [{"change": "half the traffic", "recommended": "do nothing"}]
        >>> what_ifs({"what_ifs": {"rows": rows}})[0]["recommended"]
        'do nothing'
    """
    return [
        {
            "change": words(one.get("change"), missing="unnamed"),
            "recommended": words(one.get("recommended"), missing="no plan can be held"),
            "changes": one.get("choice_changes") is True,
            "why": words(one.get("why"), missing=""),
            "cells": [_cell("Profit a month", one.get("profit_month"))],
        }
        for one in entries(summary, "what_ifs", "rows")
    ]


def _cell(label: str, money: Any) -> View:
    """An amount with its interval, whose ends stand beside the mean or among the quantiles."""
    mean = finite(pick(money, "mean"))
    ends = money if pick(money, "quantiles") is None else _ends(money)
    return {
        "label": label,
        "text": amount(mean),
        "note": "" if mean is None else interval(ends),
        "known": mean is not None,
        "negative": mean is not None and mean < 0,
    }


def _ends(money: Any) -> dict[str, Any]:
    return {
        "low": pick(money, "quantiles", "0.05"),
        "high": pick(money, "quantiles", "0.95"),
    }
