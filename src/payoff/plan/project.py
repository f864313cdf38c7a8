"""The project file ``payoff.toml``: read strictly, and all that is wrong told at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any

from payoff.core.errors import PayoffError, Problems, ProjectError, did_you_mean, raise_all
from payoff.data.dataset import Dataset
from payoff.economics.payoff import Payoff
from payoff.economics.person import Person
from payoff.economics.prices.exchange import ExchangeRates
from payoff.economics.stated import Stated
from payoff.economics.traffic import Traffic
from payoff.plan.terms import Terms

FILE = "payoff.toml"

_TEXT, _NUMBER, _WHOLE, _TABLE, _LIST = str, float, int, dict, list
SCHEMA: dict[str, dict[str, type]] = {
    "": {"name": _TEXT},
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
    },
    "mix": {},  # any label: its share of the requests to come
    "labels": {"price_each": _NUMBER, "descriptions": _TABLE},
    "currency": {"as_of": date, "source": _TEXT, "rates": _TABLE},
    "llm": {"model": _TEXT, "accuracy": _NUMBER},
    "hosting": {"providers": _LIST, "region": _TEXT, "latency_limit_ms": _NUMBER},
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

_RANGES: dict[str, dict[str, dict[str, float]]] = {
    "search": {
        "minutes": {"above": 0},
        "seed": {"at_least": 0},
        "horizon_months": {"at_least": 1},
        "months_until_retraining": {"at_least": 1},
        "risk_aversion": {"at_least": 0},
        "hour_of_waiting": {"at_least": 0},
    },
    "labels": {"price_each": {"at_least": 0}},
    "llm": {"accuracy": {"at_least": 0, "at_most": 1}},
    "hosting": {"latency_limit_ms": {"above": 0}},
}
"""What no other room checks; TOML also has nan and inf."""


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

    @classmethod
    def read(cls, place: Path) -> Project:
        """Read a project from its folder or its file.

        Raises:
            ProjectError: PF201 where there is no readable file; PF202 for unknown keys; PF203 for
                wrong values. Several at once come as `Problems`.
        """
        path = place / FILE if place.is_dir() else place
        text = _text(path)
        try:
            content = tomllib.loads(text)
        except tomllib.TOMLDecodeError as error:
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
        elif not isinstance(value, dict):
            problems.append(_wrong(section, "", value, "a section"))
        else:
            problems += _section_problems(section, value)
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


def _section_problems(section: str, value: Mapping[str, Any]) -> list[PayoffError]:
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
    return [_wrong(section, key, value, words[kind])]


def _wrong(section: str, key: str, value: Any, expected: str) -> ProjectError:
    where = ".".join(part for part in (section, key) if part)
    return ProjectError("PF203", f"{FILE} [{where}]", f"{value!r} is wrong", expected=expected)


def _build(content: Mapping[str, Any], path: Path, text: str) -> Project:
    problems: list[PayoffError] = []

    def attempt(make: Any) -> Any:
        try:
            return make()
        except Problems as found:
            problems.extend(found.problems)
        except PayoffError as error:
            problems.append(error)
        return None

    search = content.get("search", {})
    name = content.get("name", path.parent.resolve().name)
    payoff = attempt(lambda: _payoff(content, path.parent))
    traffic = attempt(lambda: Traffic.from_dict(content["traffic"]))
    rates = attempt(lambda: _rates(content))
    problems += [*_name_problems(name), *_range_problems(content), *_list_problems(content)]
    problems += _description_problems(content)
    raise_all(problems)
    hosting = content.get("hosting", {})
    terms = Terms(
        payoff,
        traffic,
        label_price=content.get("labels", {}).get("price_each"),
        horizon_months=search.get("horizon_months", 12),
        months_until_retraining=search.get("months_until_retraining", 6),
        latency_limit_ms=hosting.get("latency_limit_ms"),
        risk_aversion=search.get("risk_aversion", 0.0),
        llm=content.get("llm", {}),
        rates=rates,
        providers=tuple(hosting.get("providers", ())),
        region=hosting.get("region", ""),
        on=search.get("prices_on", date.today()),
        expected_mix=content.get("mix") or None,
        hour_of_waiting=search.get("hour_of_waiting", 0.0),
    )
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
    )


def _payoff(content: Mapping[str, Any], folder: Path) -> Payoff:
    value, person = content["value"], content.get("person")
    if "matrix" in value:
        beside = [key for key in value if key not in ("matrix", "currency", "nothing")]
        if beside:
            raise ProjectError(
                "PF203",
                f"{FILE} [value]",
                f"beside matrix, {', '.join(beside)} would not count",
                mend="Remove them, or remove matrix.",
            )
        return Payoff.from_csv(
            folder / value["matrix"],
            currency=value["currency"],
            person=None if person is None else Person.from_dict(person),
            nothing=value.get("nothing", 0.0),
        )
    return Payoff.from_dict({**value, "person": person})


def _rates(content: Mapping[str, Any]) -> ExchangeRates | None:
    section = content.get("currency")
    if section is None:
        return None
    missing = [key for key in ("as_of", "source", "rates") if key not in section]
    if missing:
        raise ProjectError(
            "PF203",
            f"{FILE} [currency]",
            f"{', '.join(missing)} missing",
            expected='as_of = 2026-11-01, source = "where you read it", rates = {EUR = 1.08}',
        )
    base = content["value"]["currency"]
    return ExchangeRates.of(
        base, section["rates"], as_of=section["as_of"], source=section["source"]
    )


def _name_problems(name: str) -> list[PayoffError]:
    """The name is that of a file and of folders."""
    if name.strip() and not name.startswith(".") and not set(name) & set('/\\\0<>:"|?*\n'):
        return []
    return [_wrong("", "name", name, "a name for a file, without / and the like")]


def _range_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    problems: list[PayoffError] = []
    for section, ranges in _RANGES.items():
        stated = Stated(f"{FILE} [{section}]")
        for key, limits in ranges.items():
            if key in content.get(section, {}):
                stated.number(key, content[section][key], **limits)
        problems += stated.problems
    mix = Stated(f"{FILE} [mix]")
    for label, share in content.get("mix", {}).items():
        mix.number(label, share, above=0)
    return problems + mix.problems


def _description_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    return [
        _wrong("labels.descriptions", label, told, "a sentence in quotes")
        for label, told in content.get("labels", {}).get("descriptions", {}).items()
        if not isinstance(told, str) or not told.strip()
    ]


def _list_problems(content: Mapping[str, Any]) -> list[PayoffError]:
    return [
        _wrong(section, key, entry, "a list of names in quotes")
        for section, key in (("hosting", "providers"), ("search", "backbones"))
        for entry in content.get(section, {}).get(key, ())
        if not isinstance(entry, str)
    ]
