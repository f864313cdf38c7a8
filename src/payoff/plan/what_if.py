"""What-if: all plans of a finished run reckoned again under changed terms, without training."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from payoff import __version__
from payoff.core.errors import PayoffError, ProjectError, did_you_mean, raise_all
from payoff.economics.payoff_check import check_segments
from payoff.economics.value_tables import segment_names
from payoff.plan.kept import Kept
from payoff.plan.project import SCHEMA, section_problems
from payoff.plan.standing import Standing
from payoff.plan.stated_terms import terms_of
from payoff.plan.terms import Terms

_MONEY: Final = ("value", "person", "traffic", "mix", "labels")
_ASKED: Final = (*_MONEY, "currency", "llm", "hosting", "own_machine", "build", "search")
"""Sections of payoff.toml that say what a finished run would earn."""

_LEARNT: Final = {
    "labels": ("descriptions",),
    "search": ("minutes", "seed", "hour_of_waiting", "backbones"),
    "value": ("currency",),
}
"""Keys that change what is learnt, or the unit of everything: they need a new run."""

_FORMS: Final = ("correct", "wrong", "handoff", "classes", "pairs")


@dataclass(frozen=True, eq=False)
class WhatIf:
    """How the plans of a run stand, and how they would.

    Args:
        changes: What was changed, as ``section.key = value`` in words.
        before: Under the terms of the run: what it reported, under the names of
            `Standing.as_dict`.
        after: Under the changed terms.
        notes: What to know of the figures.

    Example:
        >>> what_if("runs/support-1a2b3c", ["traffic.per_month=100000"])  # doctest: +SKIP
    """

    changes: tuple[str, ...]
    before: Mapping[str, Any]
    after: Standing
    notes: tuple[str, ...] = ()

    @property
    def choice_changes(self) -> bool:
        """Whether something else would be done."""
        return bool(self.before["recommended"] != self.after.recommended)

    @property
    def sentence(self) -> str:
        """What to do, in one sentence."""
        before, after = self.before["recommended"], self.after.recommended
        gain = self.after.best_profit.mean
        if not self.choice_changes:
            return f"It stays {after}, which would earn {gain} a month."
        return f"It would be {after} in place of {before}, and earn {gain} a month."

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "changes": list(self.changes),
            "choice_changes": self.choice_changes,
            "sentence": self.sentence,
            "notes": list(self.notes),
            "before": dict(self.before),
            "after": self.after.as_dict(),
        }


def what_if(folder: Path | str, assignments: Sequence[str]) -> WhatIf:
    """Reckon all plans of a finished run again, from what it measured.

    Which candidates were trained and exported stays as it was; all that follows from them (what is
    done with each request, where the model runs, what that costs, which plan is chosen) is reckoned
    anew, by the code that the search uses. Where ``traffic.per_month`` is changed alone, a stated
    ``low`` and ``high`` change by the same factor.

    Args:
        folder: The run's folder.
        assignments: ``section.key=value`` as payoff.toml would say it, such as
            ``traffic.per_month=100000`` or ``value.classes.refund.wrong=-20``.

    Raises:
        ProjectError: PF290 where an assignment is none, PF202 for an unknown key, PF203 for a wrong
            value, PF291 where the run is not finished, PF292 where it kept no evidence; several at
            once come as `Problems`.
        EconomicsError: PF616 where no plan's host holds the changed limits.
    """
    kept = Kept.read(Path(folder))
    after = Standing.of(kept, _terms(kept, assignments))
    summary = read_summary(Path(folder))
    return WhatIf(tuple(assignments), _reported(summary), after, _notes(kept, summary, after))


def read_summary(folder: Path) -> dict[str, Any]:
    """What a finished run reported.

    Raises:
        ProjectError: PF291 where there is nothing that can be read.
    """
    try:
        told: dict[str, Any] = json.loads((folder / "summary.json").read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise ProjectError(
            "PF291", str(folder), f"its summary.json cannot be read ({type(error).__name__})"
        ) from error
    return told


def standing(folder: Path | str, assignments: Sequence[str] = ()) -> Standing:
    """How the plans of a finished run stand under its terms, or under changed ones.

    Raises:
        As `what_if` does.

    Example:
        >>> standing("runs/support-1a2b3c").scenarios().best.name  # doctest: +SKIP
        'build bag-of-words fp32'
    """
    kept = Kept.read(Path(folder))
    return Standing.of(kept, _terms(kept, assignments))


def _terms(kept: Kept, assignments: Sequence[str]) -> Terms:
    stated = kept.sections["traffic"]
    changes = _with_range(stated, changes_of(assignments))
    sections = changed(kept.sections, changes)
    if "by_hour" in changes.get("traffic", {}) and stated.get("by_hour"):
        sections["traffic"] = _without_their_peak(sections["traffic"], changes["traffic"])
    terms = terms_of(sections, Path())
    if "segments" in changes.get("value", {}):
        known = [*kept.sections["value"].get("segments", {}), *kept.segments]
        check_segments(terms.payoff, segment_names(known), source="the run's rows")
    return terms


def _with_range(traffic: Mapping[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    """The changes, with the stated range of the traffic moved by the same factor as its middle."""
    new = changes.get("traffic", {})
    if not new.get("per_month", 0) > 0:
        return changes
    likely, before = new["per_month"], traffic["per_month"]
    moved = {
        end: likely if traffic[end] == before else traffic[end] * (likely / before)
        for end in ("low", "high")
        if end in traffic
    }
    return {**changes, "traffic": moved | new}


def _without_their_peak(traffic: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The traffic without the peak that the hours of before said, unless one is given too."""
    kept = dict(traffic)
    if "peak_factor" not in new:
        kept.pop("peak_factor", None)
    return kept


def _reported(summary: Mapping[str, Any]) -> dict[str, Any]:
    """What the run reported, under the names of `Standing.as_dict`."""
    decision = summary["decision"]
    model = decision["recommended"] == "model"
    keys = ("name", "kind", "profit_month", "automated_share", "hosting")
    return {
        "currency": summary["currency"],
        "chosen": decision["plan"],
        "recommended": decision["plan"] if model else decision["recommended"],
        **{
            key: decision[key]
            for key in (
                *("profit_month", "probability_of_loss", "break_even_per_month"),
                *("payback_months", "runner_up"),
            )
        },
        "accounts": summary["accounts"],
        "plans": [
            {key: plan[key] for key in keys} | {"why_not": plan["why"]}
            for plan in summary["plans"]
            if plan["profit_month"] or plan["kind"] == "baseline"
        ],
    }


def _notes(kept: Kept, summary: Mapping[str, Any], after: Standing) -> tuple[str, ...]:
    """Where the two do not compare like with like."""
    notes = []
    made = summary["reproduce"]
    if made["versions"]["payoff"] != __version__ or made["prices"] != after.prices:
        notes.append(
            "The run was made by another version of payoff or with another price book: part of "
            "the difference is due to that."
        )
    if after.chosen != kept.chosen:
        notes.append(
            f"{kept.chosen} was reported as trained on all rows but the test rows if the time "
            f"allowed it, {after.chosen} without the validation rows too: a run under these terms "
            "would train the new choice on all of them."
        )
    return tuple(notes)


def changes_of(assignments: Sequence[str]) -> dict[str, Any]:
    """The sections that assignments state, all that is wrong with them told at once.

    Raises:
        ProjectError: PF290, PF202 or PF203; `Problems` where there are several.

    Example:
        >>> changes_of(["traffic.per_month=100_000", "value.wrong = -20"])
        {'traffic': {'per_month': 100000}, 'value': {'wrong': -20}}
        >>> changes_of(["traffic.per_mnth=5"])
        Traceback (most recent call last):
        ...
        payoff.core.errors.ProjectError: PF202 --set traffic.per_mnth: there is no such key. \
Did you mean 'traffic.per_month'?
    """
    sections: dict[str, Any] = {}
    problems: list[PayoffError] = []
    for assignment in assignments:
        try:
            change = _parsed(assignment)
            _check(assignment, change)
        except PayoffError as error:
            problems += getattr(error, "problems", (error,))
        else:
            sections = changed(sections, change)
    raise_all(problems)
    return sections


def changed(sections: Mapping[str, Any], changes: Mapping[str, Any]) -> dict[str, Any]:
    """The sections with some entries replaced or added.

    A matrix takes the place of what was said in another form.

    Example:
        >>> changed({"value": {"wrong": -7, "correct": 3}}, {"value": {"wrong": -20}})
        {'value': {'wrong': -20, 'correct': 3}}
    """
    merged = dict(sections)
    for key, entry in changes.items():
        old = merged.get(key)
        nested = isinstance(entry, Mapping) and isinstance(old, Mapping)
        merged[key] = changed(old, entry) if nested and isinstance(old, Mapping) else entry
    value = changes.get("value", {})
    if isinstance(value, Mapping) and "matrix" in value:
        beside = [name for name in _FORMS if name not in value]
        merged["value"] = {k: v for k, v in merged["value"].items() if k not in beside}
    return merged


def _parsed(assignment: str) -> dict[str, Any]:
    """One assignment as TOML reads it; text needs no quotes."""
    key, sign, value = assignment.partition("=")
    if not key.isascii() and not set(key) & set("\"'"):
        key = ".".join(_bare(part) for part in key.split("."))
    if sign:
        for text in (value, json.dumps(value.strip(), ensure_ascii=False)):
            try:
                return tomllib.loads(f"{key} = {text}")
            except tomllib.TOMLDecodeError:
                continue
    raise ProjectError(
        "PF290",
        f"--set {assignment}",
        "it is no assignment",
        expected="section.key=value",
        mend="Write it as in payoff.toml: --set traffic.per_month=100000",
    )


def _bare(part: str) -> str:
    """A part of a key as TOML takes it, which has quotes around all but plain letters."""
    name = part.strip()
    return name if name.isascii() else json.dumps(name, ensure_ascii=False)


def _check(assignment: str, change: Mapping[str, Any]) -> None:
    """Refuse keys that are unknown or need a new run, and values of another kind."""
    where = f"--set {assignment.partition('=')[0].strip()}"
    known = [
        f"{section}.{key}"
        for section, keys in SCHEMA.items()
        for key in keys
        if section in _ASKED and key not in _LEARNT.get(section, ())
    ]
    section, entries = next(iter(change.items()))
    keys = list(entries) if isinstance(entries, dict) else []
    other = bool(section) and section in SCHEMA and section not in _ASKED
    if other or any(key in _LEARNT.get(section, ()) for key in keys):
        raise ProjectError(
            "PF203",
            where,
            "it is no term by which a finished run can be reckoned again",
            expected=f"a key of {', '.join(_ASKED)}",
            mend="What is learnt, what may be spent and the currency need a new run: change "
            "payoff.toml and run again.",
        )
    if section == "mix" and keys:
        raise_all(section_problems(section, entries))
        return
    if not keys or section not in SCHEMA or keys[0] not in SCHEMA[section]:
        name = f"{section}.{keys[0]}" if keys else section
        same_end = [k for k in known if k.endswith(f".{section if not keys else keys[0]}")]
        mend = f"Did you mean '{same_end[0]}'?" if same_end else did_you_mean(name, known)
        raise ProjectError(
            "PF202", where, "there is no such key", mend=mend or "docs: project file."
        )
    raise_all(section_problems(section, entries))
