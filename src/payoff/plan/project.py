"""The project file ``payoff.toml``: read strictly, and all that is wrong told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

from payoff.core.errors import PayoffError, ProjectError, did_you_mean, raise_all
from payoff.data.dataset import Dataset
from payoff.learn.asked import stated_audit_share
from payoff.learn.experiments.hold_back import stated_hold_back
from payoff.learn.spending import SpendingTerms
from payoff.plan.stated_terms import FILE, terms_of, wrong_entry
from payoff.plan.terms import Terms

_TEXT, _NUMBER, _WHOLE, _TABLE, _LIST = str, float, int, dict, list
SCHEMA: dict[str, dict[str, type]] = {
    "": {"name": _TEXT, "floors": _LIST},
    "data": dict.fromkeys(
        (
            *("path", "text", "label", "group", "time", "segment", "out_of_scope"),
            *("pair", "test", "unlabelled"),
        ),
        _TEXT,
    ),
    "value": {
        "currency": _TEXT,
        "correct": _NUMBER,
        "wrong": _NUMBER,
        "handoff": _NUMBER,
        "nothing": _NUMBER,
        "matrix": _TEXT,
        "classes": _TABLE,
        "pairs": _LIST,
        "segments": _TABLE,
    },
    "person": {
        "minutes": _NUMBER,
        "wage_per_hour": _NUMBER,
        "error_rate": _NUMBER,
        "delay_cost": _NUMBER,
        "capacity_per_month": _NUMBER,
    },
    "traffic": {
        "per_month": _NUMBER,
        "low": _NUMBER,
        "high": _NUMBER,
        "growth_per_month": _NUMBER,
        "peak_factor": _NUMBER,
        "at_once": _NUMBER,
        "by_hour": _LIST,
    },
    "mix": {},  # any label: its share of the requests to come
    "labels": {"price_each": _NUMBER, "descriptions": _TABLE},
    "currency": {"as_of": date, "source": _TEXT, "rates": _TABLE},
    "llm": {"model": _TEXT, "accuracy": _NUMBER},
    "hosting": {
        "providers": _LIST,
        "region": _TEXT,
        "latency_limit_ms": _NUMBER,
        "speed_ratio": _NUMBER,
        "retention_months": _NUMBER,
        "prices": _TEXT,
    },
    "own_machine": {
        "name": _TEXT,
        "vcpu": _NUMBER,
        "memory_gib": _NUMBER,
        "purchase": _NUMBER,
        "life_months": _NUMBER,
        "watts": _NUMBER,
        "price_per_kwh": _NUMBER,
        "hosting_per_month": _NUMBER,
    },
    "build": {"hours": _NUMBER, "wage_per_hour": _NUMBER},
    "experiment": {"hold_back": _NUMBER, "hold_back_days": _NUMBER},
    "review": {"audit_share": _NUMBER},
    "budget": {"per_month": _NUMBER},
    "machine": {
        "price_per_hour": _NUMBER,
        "watts_per_cpu": _NUMBER,
        "grams_per_kwh": _NUMBER,
        "country": _TEXT,
    },
    "search": {
        "minutes": _NUMBER,
        "seed": _WHOLE,
        "horizon_months": _WHOLE,
        "months_until_retraining": _WHOLE,
        "risk_aversion": _NUMBER,
        "hour_of_waiting": _NUMBER,
        "backbones": _LIST,
        "prices_on": date,
    },
}
"""Every section of payoff.toml with its keys and their types; all else is an error."""

_REQUIRED = {
    "data": ("path", "text", "label"),
    "value": ("currency",),
    "traffic": ("per_month",),
}


@dataclass(frozen=True)
class Project:
    """A folder with a ``payoff.toml``.

    Args:
        name: Name of the artifact and of the runs.
        folder: Where the file lies; its paths are relative to that.
        data: The section ``[data]``.
        terms: Value, traffic, prices and horizon.
        minutes: Time budget of a search.
        seed: Seed of everything random.
        backbones: Backbones to try; empty to choose by the language of the texts.
        descriptions: Label to what it means; labels may be missing.
        text: The file itself, which goes into the artifact.
        spending: Budget, and what this machine costs.
    """

    name: str
    folder: Path
    data: Mapping[str, str]
    terms: Terms
    minutes: float
    seed: int
    backbones: tuple[str, ...]
    descriptions: Mapping[str, str]
    text: str
    spending: SpendingTerms

    @classmethod
    def read(cls, place: Path) -> Project:
        """Read a project from its folder or its file.

        Raises:
            ProjectError: PF201 where there is no readable file; PF202 for unknown keys; PF203 for
                wrong values. Several at once come as `Problems`.
        """
        path = place / FILE if place.is_dir() else place
        return cls.of_text(_text(path), path)

    @classmethod
    def of_text(cls, text: str, path: Path) -> Project:
        """A project from the text of its file, which need not be written yet.

        Args:
            text: The text.
            path: Where the file lies or will lie.

        Raises:
            ProjectError: As `read` does.
        """
        try:
            content = tomllib.loads(text)
        except (ValueError, RecursionError) as error:  # also of numbers that Python cannot hold
            raise ProjectError("PF201", str(path), f"it is no valid TOML: {error}") from error
        raise_all(_shape_problems(content))
        return _build(content, path, text)

    def dataset(self) -> Dataset:
        """The labelled rows."""
        return self._load(self.data["path"])

    def test_set(self) -> Dataset | None:
        """The rows kept for the report, where a file of its own is named."""
        return self._load(self.data["test"]) if "test" in self.data else None

    def unlabelled(self) -> tuple[str, ...]:
        """Texts without labels, where a file of them is named; empty ones left out."""
        if "unlabelled" not in self.data:
            return ()
        path = self.folder / self.data["unlabelled"]
        rows = Dataset.from_file(path, text=self.data["text"], pair=self.data.get("pair"))
        return tuple(text for text in rows.texts if text.strip())

    def target_rows(self) -> Dataset:
        """The rows, the label column being left for a task to read."""
        return self._load(self.data["path"], without=("label", "out_of_scope"))

    def target_test_rows(self) -> Dataset | None:
        """The same of the rows kept for the report, where a file of its own is named."""
        if "test" not in self.data:
            return None
        return self._load(self.data["test"], without=("label", "out_of_scope"))

    def _load(self, name: str, *, without: tuple[str, ...] = ()) -> Dataset:
        apart = ("path", "test", "unlabelled", *without)
        roles = {k: v for k, v in self.data.items() if k not in apart}
        return Dataset.from_file(self.folder / name, **roles)


def _text(path: Path) -> str:
    try:
        return path.read_text("utf-8-sig")
    except FileNotFoundError as error:
        raise ProjectError(
            "PF201",
            str(path),
            "there is no such file",
            mend="Run `payoff init` in that folder, or name a data file with --text and --label.",
        ) from error
    except (OSError, UnicodeDecodeError) as error:
        raise ProjectError("PF201", str(path), f"it cannot be read: {error}") from error


def _shape_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    """Unknown keys, wrong types and missing keys."""
    problems: list[PayoffError] = []
    for section, value in content.items():
        if section in SCHEMA[""]:
            problems += _type_problem("", section, value, SCHEMA[""][section])
        elif section not in SCHEMA:
            problems.append(_unknown(f"{FILE} [{section}]", section, [*SCHEMA, *SCHEMA[""]]))
        else:
            problems += section_problems(section, value)
    for section, keys in _REQUIRED.items():
        given = content.get(section, {})
        missing = [key for key in keys if key not in given] if isinstance(given, dict) else ()
        if missing:
            problems.append(
                ProjectError(
                    "PF203",
                    f"{FILE} [{section}]",
                    f"{', '.join(missing)} {'is' if len(missing) == 1 else 'are'} missing",
                    mend="`payoff init` writes a commented file.",
                )
            )
    return problems


def section_problems(section: str, value: object) -> list[PayoffError]:
    """Unknown keys and wrong types in a known section, as PF202 and PF203.

    Example:
        >>> print(section_problems("traffic", {"per_mnth": 5})[0].mend)
        Did you mean 'per_month'?
    """
    if not isinstance(value, dict):
        return [wrong_entry(section, "", value, "a section")]
    problems: list[PayoffError] = []
    known = SCHEMA[section]
    for key, entry in value.items():
        if not known:
            problems += _type_problem(section, key, entry, _NUMBER)
        elif key not in known:
            problems.append(_unknown(f"{FILE} [{section}]", key, known))
        else:
            problems += _type_problem(section, key, entry, known[key])
    return problems


def _unknown(where: str, key: str, known: Any) -> ProjectError:
    names = sorted(k for k in known if k)
    return ProjectError(
        "PF202",
        where,
        f"'{key}' is unknown",
        expected=f"one of {', '.join(names)}",
        mend=did_you_mean(key, names),
    )


def _type_problem(section: str, key: str, value: Any, kind: type) -> list[PayoffError]:
    accepted = (int, float) if kind is float else (kind,)
    if isinstance(value, accepted) and not isinstance(value, bool | datetime):
        return []
    words = {
        str: "text in quotes",
        float: "a number",
        int: "a whole number",
        dict: "a section",
        list: "a list in brackets",
        date: "a date such as 2026-11-01",
    }
    expected = words[kind]
    if kind is list and isinstance(value, dict):  # one pair of brackets in place of two
        expected = f"two pairs of brackets: [[{'.'.join(filter(None, (section, key)))}]]"
    return [wrong_entry(section, key, value, expected)]


def _build(content: Mapping[str, Any], path: Path, text: str) -> Project:
    name = content.get("name", path.parent.resolve().name)
    search = content.get("search", {})
    problems = [
        *_name_problems(name),
        *_description_problems(content),
        *_problems_of(lambda: stated_hold_back(content.get("experiment", {}))),
        *_problems_of(lambda: stated_audit_share(content.get("review", {}))),
    ]
    try:
        terms = terms_of(content, path.parent)
    except PayoffError as error:
        problems = [*getattr(error, "problems", (error,)), *problems]
    try:
        spending = SpendingTerms.from_dict(content.get("budget", {}), content.get("machine", {}))
    except PayoffError as error:
        problems += getattr(error, "problems", (error,))
    raise_all(problems)
    return Project(
        name=name,
        folder=path.parent,
        data=content["data"],
        terms=terms,
        minutes=search.get("minutes", 10.0),
        seed=search.get("seed", 0),
        backbones=tuple(search.get("backbones", ())),
        descriptions=content.get("labels", {}).get("descriptions", {}),
        text=text,
        spending=replace(spending, currency=terms.currency, rates=terms.rates),
    )


def _problems_of(read: Callable[[], object]) -> tuple[PayoffError, ...]:
    """What is wrong with a section that is read later, by whoever needs it."""
    try:
        read()
    except PayoffError as error:
        found: tuple[PayoffError, ...] = getattr(error, "problems", (error,))
        return found
    return ()


def _name_problems(name: str) -> list[PayoffError]:
    """The name is that of a file and of folders."""
    if name.strip() and not name.startswith(".") and not set(name) & set('/\\\0<>:"|?*\n'):
        return []
    return [wrong_entry("", "name", name, "a name for a file, without / and the like")]


def _description_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    return [
        wrong_entry("labels.descriptions", label, told, "a sentence in quotes")
        for label, told in content.get("labels", {}).get("descriptions", {}).items()
        if not isinstance(told, str) or not told.strip()
    ]
