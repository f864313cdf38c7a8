"""The support desk of examples/support with its customers, in a time that is given, not waited for.

Requests are composed by the example's own composer (`examples/support/make_messages.py`) from its
own cores, with seeds of their own: sample data, no real customers. The contact form puts the number
of the case behind each message, so that no text comes twice and none is among the project's rows.
The money is that of the example's payoff.toml.

At launch the bank offers no direct debits: the project's rows have none. Then it does, and
customers ask about them; a new price list brings twice as many complaints about fees, and the wave
of phishing is over: a quarter as many say that their account is taken over or their card stolen.
"""

from __future__ import annotations

import importlib.util
import shutil
import sys
import tomllib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import polars as pl

from payoff.economics.desk import Desk
from payoff.economics.policy import Policy
from payoff.learn.entry import Entry, packed_probabilities, text_hash
from payoff.learn.experiments import book, course_events
from payoff.learn.experiments.assignment import arm_of
from payoff.learn.feedback import Feedback, take
from payoff.learn.journal import Journal
from payoff.learn.review import waiting
from payoff.plan.labels import label_study
from payoff.plan.project import Project
from payoff.plan.search import search

SUPPORT = Path(__file__).resolve().parent.parent / "examples" / "support"
NEW = "direct_debit"
TIMES = {"fee_complaint": 2.0, "account_takeover": 0.25, "card_stolen": 0.25}
LAUNCH = datetime(2026, 10, 1, tzinfo=UTC)
RECIPES = ("bag-of-words",)
MINUTES = 30.0  # more than it takes, so that a busy machine trains the same
N_CUSTOMERS = 8_000


def at(day: float) -> str:
    """A time so many days after the launch, as the journal writes it."""
    return (LAUNCH + timedelta(days=day)).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def composer() -> Any:
    """The example's make_messages.py as a module."""
    name = "support_make_messages"
    if name not in sys.modules:
        spec = importlib.util.spec_from_file_location(name, SUPPORT / "make_messages.py")
        assert spec is not None
        assert spec.loader is not None
        sys.modules[name] = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(sys.modules[name])
    return sys.modules[name]


@contextmanager
def without_label_study() -> Iterator[None]:
    """A run without its study of what labels are worth, which takes a tenth of its minutes."""
    with mock.patch.object(label_study, "SHARE", 0.0):
        yield


def launched(folder: Path) -> Project:
    """The example as a project without the intent that is new later, and its first version."""
    folder.mkdir(parents=True)
    rows = pl.read_csv(SUPPORT / "messages.csv", infer_schema=False)
    rows.filter(pl.col("intent") != NEW).write_csv(folder / "messages.csv")
    shutil.copyfile(SUPPORT / "payoff.toml", folder / "payoff.toml")
    project = Project.read(folder)
    with without_label_study():
        plan = search(
            project.dataset(),
            project.terms.payoff,
            traffic=project.terms.traffic,
            terms=project.terms,
            minutes=MINUTES,
            seed=project.seed,
            name=project.name,
            runs=folder / "runs",
            only=RECIPES,
            project=project.text,
        )
    plan.save(folder / f"{project.name}.payoff")
    plan.desk.close()
    return project


@dataclass(frozen=True)
class Request:
    """What a customer sends, and what it truly is about."""

    text: str
    label: str
    customer: str


class Customers:
    """Who write to the bank.

    Args:
        seed: Of all that they write.
    """

    def __init__(self, seed: int) -> None:
        made = composer()
        phrases = tomllib.loads((SUPPORT / "phrases.toml").read_text("utf-8"))
        self._made, self._dice = made, made.Dice(seed)
        self._composer = made.Composer(phrases, self._dice)
        self._cores: dict[str, list[Any]] = {}
        for core in made.read_cores(SUPPORT / "cores"):
            self._cores.setdefault(core.intent, []).append(core)
        segments = list(made.SHARE_OF_SEGMENT)
        self._people = [
            made.Customer(f"K{number:05d}", segments[number % len(segments)], "en")
            for number in range(N_CUSTOMERS)
        ]
        self._number = 0
        self._rng = np.random.default_rng(seed)

    def send(self, n: int, mix: Mapping[str, float]) -> list[Request]:
        """So many requests of a mix of intents."""
        labels, shares = list(mix), np.array(list(mix.values()))
        drawn = self._rng.choice(len(labels), n, p=shares / shares.sum())
        return [self._one(labels[place]) for place in drawn]

    def _one(self, label: str) -> Request:
        dice = self._dice
        core, person = dice.one_of(self._cores[label]), dice.one_of(self._people)
        style = dice.one_of(self._made.styles_of(core, dice))
        text = self._composer.compose(core, person, style=style, choice=dice.below(6))
        self._number += 1
        return Request(f"{text} (case {self._number:07d})", label, person.name)


def usual_mix() -> dict[str, float]:
    """Shares of the example's rows, without the intent that is new later."""
    rows = pl.read_csv(SUPPORT / "messages.csv", infer_schema=False)
    counts = Counter(rows["intent"].to_list())
    del counts[NEW]
    return {label: n / counts.total() for label, n in sorted(counts.items())}


def changed_mix() -> dict[str, float]:
    """A fifth is about direct debits, more complain about fees, fewer are robbed."""
    usual = {label: share * TIMES.get(label, 1.0) for label, share in usual_mix().items()}
    whole = sum(usual.values())
    return {label: 0.8 * share / whole for label, share in usual.items()} | {NEW: 0.2}


@dataclass
class SupportDesk:
    """The desk after its launch: each day has its requests, and what comes out of them.

    Args:
        project: What decisions are worth.
        journal: Where they are written.
        desk: The version that decides.
        customers: Who ask.
        rng: Which tickets are closed.
        day: Days since the launch.
        truth: What each request was about.
    """

    project: Project
    journal: Journal
    desk: Desk
    customers: Customers
    rng: np.random.Generator
    day: int = 0
    truth: dict[str, str] = field(default_factory=dict)

    @contextmanager
    def clock(self) -> Iterator[None]:
        """The time of experiments is that of the desk."""
        with (
            mock.patch.object(book, "now_utc") as looked,
            mock.patch.object(course_events, "now_utc") as written,
        ):
            looked.side_effect = written.side_effect = lambda: at(self.day)
            yield

    def pass_day(
        self, n: int, mix: Mapping[str, float], arms: Mapping[str, Desk] | None = None
    ) -> list[str]:
        """Decide on a day's requests, in an experiment by the arm of each customer; their ids."""
        course = book.running_on(self.journal, self.project.name) if arms else None
        asked = self.customers.send(n, mix)
        ids = [f"d{self.day}-{number}" for number in range(n)]
        arm = [
            "" if course is None else arm_of(course, one.customer, request_id)
            for one, request_id in zip(asked, ids, strict=True)
        ]
        entries: list[Entry] = []
        for name in sorted(set(arm)):
            rows = [number for number in range(n) if arm[number] == name]
            desk = (arms or {}).get(name, self.desk)
            decisions, said = desk.decide_fully([asked[row].text for row in rows])
            entries += [
                Entry(
                    request_id=ids[row],
                    artifact_sha256=desk.artifact.sha256,
                    text_sha256=text_hash(asked[row].text),
                    action=done.action,
                    label=done.label,
                    probability=done.probability,
                    worth=float(done.worth),
                    currency=desk.currency,
                    latency_ms=1.0,
                    time_utc=at(self.day + row / n),
                    customer=asked[row].customer,
                    experiment=course.experiment.name if course else "",
                    arm=name,
                    probabilities=packed_probabilities(shares),
                )
                for row, done, shares in zip(rows, decisions, said, strict=True)
            ]
        entries.sort(key=lambda one: one.time_utc)
        texts = {request_id: one.text for request_id, one in zip(ids, asked, strict=True)}
        self.journal.append(entries, texts=texts)
        self.truth |= {request_id: one.label for request_id, one in zip(ids, asked, strict=True)}
        self.day += 1
        return ids

    def close_tickets(self, ids: Sequence[str], share: float) -> None:
        """The ticket system tells what some were about, by chance: labels that nobody pays for."""
        chosen = self.rng.random(len(ids)) < share
        told = [
            Feedback(one, self.truth[one], source="system", time_utc=at(self.day))
            for one, closed in zip(ids, chosen, strict=True)
            if closed
        ]
        take(self.journal, told)

    def buy_labels(self, most: int) -> tuple[int, float]:
        """Let a person label what waits and is worth more than a label's price, the dearest first.

        Returns:
            How many labels, and what they are worth together by the review queue.
        """
        price = self.project.terms.label_price or 0.0
        queue = waiting(self.journal, self.desk.policy)
        chosen = [one for one in queue if one.worth > price][:most]
        told = [
            Feedback(
                one.request_id,
                self.truth[one.request_id],
                source="person",
                person="ann",
                seconds=40.0,
                time_utc=at(self.day),
            )
            for one in chosen
        ]
        take(self.journal, told)
        return len(told), sum(one.worth for one in chosen)

    def profits(self, ids: Sequence[str]) -> np.ndarray[Any, np.dtype[np.float64]]:
        """What requests were truly worth, by the project's payoff and by what was done."""
        wanted = self._entries(ids)
        labels = tuple(sorted({*self.desk.labels, *self.truth.values()}))
        policy = Policy.from_payoff(self.project.terms.payoff, labels)
        place = {label: number for number, label in enumerate((*labels, "handoff"))}
        truth = np.array([place[self.truth[one.request_id]] for one in wanted])
        return policy.realised(truth, np.array([place[one.action] for one in wanted]), None)

    def _entries(self, ids: Sequence[str]) -> list[Entry]:
        among = set(ids)
        return [one for one in self.journal.read(10_000_000) if one.request_id in among]
