"""Compose messages.csv from the cores in cores/ and the phrases in phrases.toml.

Usage: ``python make_messages.py [target.csv]``. Standard library only. The same seed gives the
same bytes: only ``random.Random.random`` is drawn from, whose stream Python keeps across versions.
"""

from __future__ import annotations

import csv
import io
import random
import re
import sys
import tomllib
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import accumulate
from pathlib import Path
from typing import Any, TypeVar

HERE = Path(__file__).parent
SEED = 2026
START = datetime(2026, 1, 1)
N_HOURS = 273 * 24  # 1 January to 30 September 2026
N_CUSTOMERS = 640
OTHER = "other"
T = TypeVar("T")
Row = tuple[str, str, str, str, str]  # message, intent, customer, segment, time

SHARE_OF_SEGMENT = {"personal": 0.62, "student": 0.22, "business": 0.16}
SHARE_OF_TWINS = {"en": 0.08, "zh": 0.0}  # stories that the same customer sends again
SHARE_OF_THIRD_USES = 0.8  # of the English plain asks; others have two uses
MOST_ALIKE = 0.58  # a use of a core that is more like an earlier one (Jaccard) is left out
SHARE_WITH_SECOND_QUESTION = 0.12  # of the long messages
SHARE_WITH_SIGNATURE = 0.05  # of the long messages
# Holidays bring card trouble abroad, June a wave of phishing, September new students.
SEASONS: dict[str, dict[int, float]] = {
    "account_takeover": {6: 3.0},
    "card_delivery": {9: 1.8},
    "card_declined": {7: 1.5, 8: 1.5},
    "fee_question": {6: 1.4, 7: 1.5},
    "cash_machine": {7: 1.6, 8: 1.6},
    "identity_check": {9: 1.7},
    "statement_request": {2: 1.8, 3: 1.8},
}
# Messages by hour of the day, relative to each other.
WEEKDAY = (1, 1, 0, 0, 0, 1, 4, 10, 18, 24, 24, 20, 15, 14, 15, 14, 12, 12, 11, 10, 9, 7, 5, 3)
WEEKEND = (2, 1, 1, 0, 0, 0, 1, 2, 4, 7, 9, 9, 8, 7, 7, 7, 6, 6, 6, 6, 6, 5, 4, 3)
LINK = re.compile(r"^(and|also,?|oh and|by the way,?|if not,|另外|还有|顺便)\s*", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Core:
    """One message as first written, before variation."""

    text: str
    intent: str
    language: str  # "en" or "zh"
    segment: str | None  # None: any segment may have written it
    once: bool  # used a single time, as written
    plain: bool  # a plain ask that different customers put alike; otherwise one person's story


@dataclass(frozen=True, slots=True)
class Customer:
    """Who writes; every use of a story belongs to the same customer."""

    name: str
    segment: str
    language: str


class Dice:
    """Draws that need nothing but ``random()``."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(seed)

    def below(self, n: int) -> int:
        """A whole number from 0 to ``n - 1``."""
        return int(self._random.random() * n)

    def chance(self, probability: float) -> bool:
        """True with the given probability."""
        return self._random.random() < probability

    def one_of(self, items: Sequence[T]) -> T:
        """One of the items, all equally likely."""
        return items[self.below(len(items))]

    def weighted(self, cumulative: Sequence[float]) -> int:
        """A place in a list of cumulative weights, drawn by weight."""
        point = self._random.random() * cumulative[-1]
        return min(bisect_right(cumulative, point), len(cumulative) - 1)


def read_cores(folder: Path) -> list[Core]:
    """All cores, intent by intent.

    Marks: ``= `` once as written, ``+ `` a plain ask, ``@segment `` who writes.
    """
    cores = []
    for path in sorted(folder.glob("*.txt")):
        for line in path.read_text(encoding="utf-8").splitlines():
            if not line.strip() or line.startswith("#"):
                continue
            once, plain, segment = line.startswith("= "), line.startswith("+ "), None
            text = line[2:].strip() if once or plain else line.strip()
            if text.startswith("@"):
                segment, text = text[1:].split(" ", 1)
            language = "zh" if re.search(r"[\u4e00-\u9fff]", text) else "en"
            cores.append(Core(text, path.stem, language, segment, once, plain))
    return cores


def make_customers(dice: Dice) -> tuple[list[Customer], list[float]]:
    """Customers and how often each writes: a few write very often, most once or twice."""
    segments = list(SHARE_OF_SEGMENT)
    shares = list(accumulate(SHARE_OF_SEGMENT.values()))
    customers, weights = [], []
    for i in range(N_CUSTOMERS):
        language = "zh" if i % 7 == 3 else "en"
        number = 1 + (i * 389) % 997  # spreads the numbers: rank and number are unrelated
        customers.append(Customer(f"C{number:04d}", segments[dice.weighted(shares)], language))
        weights.append((i + 12) ** -0.75)
    return customers, weights


def hour_weights(season: Mapping[int, float]) -> list[float]:
    """Traffic for each hour of the nine months: busy weekday mornings, quiet nights, growth."""
    weights = []
    for hour in range(N_HOURS):
        at = START + timedelta(hours=hour)
        day = WEEKDAY if at.weekday() < 5 else WEEKEND
        monday = 1.25 if at.weekday() == 0 else 1.0
        growth = 1.03 ** (hour / 730.0)
        weights.append((day[at.hour] + 0.15) * monday * growth * season.get(at.month, 1.0))
    return weights


class Composer:
    """Turns a core into a message a person might have sent."""

    def __init__(self, phrases: dict[str, Any], dice: Dice) -> None:
        self._phrases = phrases
        self._typing = phrases["typing"]
        self._dice = dice

    def compose(self, core: Core, customer: Customer, *, style: str, choice: int) -> str:
        """A message in a style: ``verbatim``, ``plain``, ``short``, ``long`` or ``again``."""
        text = self._fill(self._choose(core.text, choice), core.language).strip()
        if style == "verbatim":
            return text
        if style == "short":
            text = self._shorten(text) if core.language == "en" else self._shorten_zh(text)
        elif style in ("long", "again"):
            text = self._surround(text, core, customer, again=style == "again")
        if core.language == "zh":
            return self._roughen_zh(text)
        return self._roughen(text, rough=0.6 if style == "short" else 0.28)

    def sign(self, text: str, language: str) -> str:
        """The text with a signature of invented personal data, untouched by typing errors."""
        return f"{text} {self._dice.one_of(self._phrases['signatures'][language])}"

    def _choose(self, text: str, choice: int) -> str:
        def pick(match: re.Match[str]) -> str:
            options = match.group(1).split("|")
            return options[(choice + match.start()) % len(options)]

        return re.sub(r"\{([^{}]*)\}", pick, text)

    def _fill(self, text: str, language: str) -> str:
        slots = self._phrases["slots"][language]
        return re.sub(r"<(\w+)>", lambda match: self._dice.one_of(slots[match.group(1)]), text)

    def _surround(self, text: str, core: Core, customer: Customer, *, again: bool) -> str:
        """Opener, context (mostly before the question), core, perhaps a second question, closer."""
        dice, phrases, language = self._dice, self._phrases, core.language
        parts = [text]
        contexts = list(phrases["context"][language])
        if core.plain or core.segment or customer.segment == "student":
            contexts += 3 * phrases.get(f"context_{customer.segment}", {}).get(language, [])
        n_contexts = 0 if core.intent == OTHER else (0, 0, 0, 1, 1, 2)[dice.below(6)]
        for _ in range(n_contexts):
            extra = dice.one_of(contexts)
            if extra not in parts:
                parts.insert(0 if dice.chance(0.7) else len(parts), extra)
        if dice.chance(SHARE_WITH_SECOND_QUESTION):
            self._add_second_question(parts, core)
        if again:
            parts.insert(0, dice.one_of(phrases["follow_up"][language]))
        elif dice.chance(0.6):
            parts.insert(0, dice.one_of(phrases["openers"][language]))
        if dice.chance(0.6):
            cross = phrases["tiers"].get(core.intent, 9) in (2, 3) and dice.chance(0.4)
            parts.append(dice.one_of(phrases["angry" if cross else "closers"][language]))
        filled = [self._fill(part, language) for part in parts]
        if language == "zh":
            return "".join(p if p[-1] in "，。？！：?!" else p + "，" for p in filled).rstrip("，")
        return " ".join(p if p[-1] in ".,?!:)" else p + "." for p in filled)

    def _add_second_question(self, parts: list[str], core: Core) -> None:
        """Add a question that by the tiers must be answered after the core (README)."""
        tiers, questions = self._phrases["tiers"], self._phrases["second"][core.language]
        mine = tiers.get(core.intent, 0)
        allowed = [intent for intent in questions if tiers[intent] >= mine > 0]
        allowed = [intent for intent in allowed if intent != core.intent]
        if not allowed:
            return
        intent = self._dice.one_of(allowed)
        question = self._dice.one_of(questions[intent])
        alone = LINK.sub("", question)  # "And ..." cannot open a message
        if tiers[intent] > mine and alone != question and self._dice.chance(0.5):
            parts.insert(0, alone[0].upper() + alone[1:])
        else:
            parts.append(question)

    def _shorten(self, text: str) -> str:
        """Telegram style: lower case, small words dropped, shorthand."""
        words = []
        for word in text.replace("’", "'").split():
            plain = word.lower()
            if plain in self._typing["droppable"] and self._dice.chance(0.5):
                continue
            if plain in self._typing["shorthand"] and self._dice.chance(0.5):
                plain = self._typing["shorthand"][plain]
            words.append(plain.replace("'", "") if self._dice.chance(0.6) else plain)
        text = " ".join(words).strip()
        return text.rstrip(".") if self._dice.chance(0.7) else re.sub(r"[.,](?= |$)", "", text)

    def _shorten_zh(self, text: str) -> str:
        return re.sub(r"[，。！、]", " ", text).strip()

    def _roughen(self, text: str, *, rough: float) -> str:
        """Typing errors for a share ``rough`` of the messages; now and then all lower or upper."""
        dice = self._dice
        if dice.chance(0.25):
            text = text.lower()
        elif dice.chance(0.04) and len(text) < 120:
            return text.upper()
        if dice.chance(0.2):
            text = text.replace("'", "")
        if dice.chance(rough):
            for _ in range(1 + dice.below(1 + len(text) // 80)):
                text = self._mistype(text)
        if text.endswith(("?", "!")) and dice.chance(0.12):
            text += text[-1] * (1 + dice.below(3))
        return text

    def _mistype(self, text: str) -> str:
        """One slip in a word: neighbouring key, missing, doubled or swapped letter."""
        hidden = re.sub(r"\S+@\S+", lambda match: " " * len(match.group()), text)
        places = [m.start() for m in re.finditer(r"(?<=[a-z])[a-z](?=[a-z])", hidden)]
        if not places:
            return text
        at = self._dice.one_of(places)
        kind = self._dice.below(4)
        if kind == 0:
            new = str(self._dice.one_of(self._typing["neighbours"][text[at]]))
        elif kind == 1:
            new = ""
        elif kind == 2:
            new = text[at] * 2
        else:
            return text[:at] + text[at + 1] + text[at] + text[at + 2 :]
        return text[:at] + new + text[at + 1 :]

    def _roughen_zh(self, text: str) -> str:
        """Wrong homophones, English words between the Chinese, punctuation left out."""
        dice = self._dice
        for word, replacement in self._typing["zh_swaps"].items():
            if word in text and dice.chance(0.12):
                text = text.replace(word, replacement, 1)
        if dice.chance(0.2):
            text = text.replace("，", " ").replace("？", "")
        return text.strip()


def styles_of(core: Core, dice: Dice) -> list[str]:
    """The styles in which a core is used; two uses of a core never share a style."""
    if core.once:
        return ["verbatim"]
    bare = "plain" if dice.chance(0.7) else "short"
    if core.plain:
        rest = "short" if bare == "plain" else "plain"
        third = core.language == "en" and dice.chance(SHARE_OF_THIRD_USES)
        return [bare, "long", rest] if third else [bare, "long"]
    if dice.chance(SHARE_OF_TWINS[core.language]):
        return [bare, "again" if dice.chance(0.5) else "long"]
    return [bare if dice.chance(0.65) else "long"]


def choose_customer(
    core: Core, dice: Dice, customers: Sequence[Customer], weights: Sequence[float]
) -> Customer:
    """A customer of the core's segment who writes its language (some Chinese write English)."""
    chances = []
    for customer, weight in zip(customers, weights, strict=True):
        fits = core.segment in (None, customer.segment)
        same = 1.0 if core.language == customer.language else 0.0
        if core.language == "en" and customer.language == "zh":
            same = 0.25
        if customer.segment == "business" and not (core.segment or core.plain):
            same *= 0.4  # most untagged stories are private
        chances.append(weight * same if fits else 0.0)
    return customers[dice.weighted(list(accumulate(chances)))]


def moment(dice: Dice, cumulative: Sequence[float], first: int, last: int) -> int:
    """An hour in ``first <= hour < last``, drawn by the traffic of the hours."""
    low = cumulative[first - 1] if first else 0.0
    window = [cumulative[hour] - low for hour in range(first, last)]
    return first + dice.weighted(window)


def shingles(text: str) -> frozenset[str]:
    """The letters and digits of a text as overlapping triples; short texts as they are."""
    bare = re.sub(r"[\W_]+", " ", text.lower()).strip()
    return frozenset(bare[i : i + 3] for i in range(max(1, len(bare) - 2)))


def alike(one: frozenset[str], other: frozenset[str]) -> float:
    """Jaccard likeness of two sets of shingles, 0 to 1."""
    return len(one & other) / len(one | other)


class Writer:
    """Hands each core to customers and moments, and keeps the rows."""

    def __init__(self, dice: Dice, phrases: dict[str, Any]) -> None:
        self.rows: list[Row] = []
        self._dice = dice
        self._composer = Composer(phrases, dice)
        self._customers, self._weights = make_customers(dice)
        self._hours: dict[str, list[float]] = {}
        self._seen: set[frozenset[str]] = set()

    def use(self, core: Core) -> None:
        """Add one row for each use of the core, leaving out uses that are too much alike."""
        dice = self._dice
        if core.intent not in self._hours:
            season = SEASONS.get(core.intent, {})
            self._hours[core.intent] = list(accumulate(hour_weights(season)))
        earlier: list[frozenset[str]] = []
        customer, first, last = self._customer(core), 0, N_HOURS - 24 * 10
        for choice, style in enumerate(styles_of(core, dice)):
            if core.plain and choice > 0:
                customer, first, last = self._customer(core), 0, N_HOURS
            text = self._composer.compose(core, customer, style=style, choice=choice)
            if style == "long" and core.intent != OTHER and dice.chance(SHARE_WITH_SIGNATURE):
                text = self._composer.sign(text, core.language)
            hour = moment(dice, self._hours[core.intent], first, last)
            at = START + timedelta(hours=hour, seconds=dice.below(3600))
            first, last = hour + 2, hour + 24 * 10  # a story sent again follows within ten days
            marks = shingles(text)
            if marks in self._seen or any(alike(marks, one) > MOST_ALIKE for one in earlier):
                continue
            self._seen.add(marks)
            earlier.append(marks)
            row = (text, core.intent, customer.name, customer.segment, at.isoformat())
            self.rows.append(row)

    def _customer(self, core: Core) -> Customer:
        return choose_customer(core, self._dice, self._customers, self._weights)


def compose_rows(seed: int = SEED) -> list[Row]:
    """All rows ``(message, intent, customer, segment, time)``, in order of time."""
    phrases = tomllib.loads((HERE / "phrases.toml").read_text(encoding="utf-8"))
    writer = Writer(Dice(seed), phrases)
    for core in read_cores(HERE / "cores"):
        writer.use(core)
    return sorted(writer.rows, key=lambda row: (row[4], row[0]))


def to_csv(rows: Sequence[Row]) -> bytes:
    """The rows as UTF-8 CSV with a header and line feeds."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(("message", "intent", "customer", "segment", "time"))
    writer.writerows(rows)
    return buffer.getvalue().encode("utf-8")


def main() -> None:
    """Write the file named on the command line, else messages.csv beside this script."""
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else HERE / "messages.csv"
    rows = compose_rows()
    target.write_bytes(to_csv(rows))
    print(f"{len(rows)} messages -> {target}")


if __name__ == "__main__":
    main()
