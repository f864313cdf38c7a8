"""A model card as hubs of models read it: facts in front, words behind."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

_FENCE = "---\n"
_LINE_ENDS = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")
_LICENCES = {"apache-2.0": "apache-2.0", "mit": "mit"}
_METRICS = ("accuracy", "macro_f1", "auc", "brier", "log_loss")
"""Of ``evidence.json``; a hub shows whatever is named."""


def hub_facts(
    *,
    name: str,
    licences: Sequence[str] = (),
    languages: Sequence[str] = (),
    base_models: Sequence[str] = (),
    evidence: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """What stands in front of a card; what is not known is left out.

    Args:
        name: Of the model.
        licences: Of the pretrained weights, as their authors state them.
        languages: What they were trained for, in the catalogue's words.
        base_models: Hub ids of the pretrained weights.
        evidence: ``evidence.json``: measured on rows that took no part in training or choosing.

    Example:
        >>> hub_facts(name="desk", licences=["MIT"], languages=["English mostly"])["license"]
        'mit'
        >>> hub_facts(name="desk")
        {'pipeline_tag': 'text-classification', 'tags': ['payoff', 'text-classification']}
    """
    facts: dict[str, Any] = {
        "pipeline_tag": "text-classification",
        "tags": ["payoff", "text-classification"],
    }
    stated = sorted({licence for licence in licences if licence and licence != "not stated"})
    if len(stated) == 1 and stated[0].lower() in _LICENCES:
        facts["license"] = _LICENCES[stated[0].lower()]
    elif stated:
        facts |= {"license": "other", "license_name": "; ".join(stated)}
    spoken = sorted({code for words in languages if (code := _language(words))})
    if spoken:
        facts["language"] = spoken
    if base_models:
        facts["base_model"] = sorted(set(base_models))
    quality = (evidence or {}).get("quality")
    metrics = [
        {"type": metric, "name": metric.replace("_", " "), "value": quality[metric]}
        for metric in _METRICS
        if isinstance(quality, Mapping) and isinstance(quality.get(metric), float)
    ]
    if metrics:
        result = {
            "task": {"type": "text-classification"},
            "dataset": {"type": "private", "name": "rows that took no part in training"},
            "metrics": metrics,
        }
        facts["model-index"] = [{"name": name, "results": [result]}]
    return facts


def with_front(card: str, facts: Mapping[str, Any]) -> str:
    r"""A card with these facts in front, in place of those that it has.

    Values are written as JSON, which is YAML as well.

    Args:
        card: Markdown, with facts in front or without.
        facts: By their names.

    Example:
        >>> with_front("# desk\n", {"license": "mit"})
        '---\nlicense: "mit"\n---\n# desk\n'
    """
    lines = [f"{key}: {_yaml(value)}\n" for key, value in sorted(facts.items())]
    return _FENCE + "".join(lines) + _FENCE + split_front(card)[1]


def split_front(card: str) -> tuple[dict[str, Any], str]:
    r"""The facts in front of a card that `with_front` wrote, and the rest.

    Example:
        >>> split_front('---\nlicense: "mit"\n---\n# desk\n')
        ({'license': 'mit'}, '# desk\n')
        >>> split_front("# desk\n")
        ({}, '# desk\n')
    """
    if not card.startswith(_FENCE):
        return {}, card
    front, end, rest = card[len(_FENCE) - 1 :].partition("\n" + _FENCE)
    front = front.removeprefix("\n")
    if not end:
        return {}, card
    facts = {}
    for line in front.split("\n") if front else []:
        key, _, value = line.partition(": ")
        try:
            facts[key] = json.loads(value)
        except ValueError:
            return {}, card
    return facts, rest


def _yaml(value: Any) -> str:
    """A value as JSON on one line, also for those who end lines at other signs."""
    told = json.dumps(value, ensure_ascii=False)
    return _LINE_ENDS.sub(lambda sign: f"\\u{ord(sign[0]):04x}", told)


def _language(words: str) -> str:
    """The code of what a catalogue says of languages; empty where that is nothing definite."""
    if words.startswith("English"):
        return "en"
    return "multilingual" if words.startswith("about ") else ""
