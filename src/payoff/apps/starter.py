"""The first ``payoff.toml`` of a project: what was answered, and what else may be said."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from string import Template

from payoff.core.errors import PayoffError, ProjectError, raise_all


@dataclass(frozen=True, slots=True, kw_only=True)
class Starter:
    """What `payoff init` asks for.

    Args:
        name: Name of the project; the artifact will be ``NAME.payoff``.
        path: Data file, relative to the project's folder.
        text: Column of the texts.
        label: Column of the labels.
        currency: Three capital letters.
        correct: What one request that is answered rightly is worth.
        wrong: What one that is answered wrongly is worth; usually negative.
        handoff: What one that goes to a person is worth, all in; ``None`` where ``minutes`` and
            ``wage_per_hour`` say it.
        minutes: Minutes that a person spends on one request.
        wage_per_hour: What one hour of that person costs.
        error_rate: Share of requests that the person gets wrong.
        delay_cost: What waiting for a person costs, a request.
        capacity_per_month: Requests that people can take in a month.
        per_month: Requests a month, as expected.
        search_minutes: How long a run may search for the best plan.

    Raises:
        ProjectError: PF203 where a person's cost is missing, half given or given twice, or where
            a number is out of range; `EconomicsError` PF610 for the currency; `Problems` where
            there are several.

    Example:
        >>> starter = Starter(path="tickets.csv", text="message", label="intent", correct=3.2,
        ...                   wrong=-7.5, minutes=4, wage_per_hour=30, per_month=40_000)
        >>> "wage_per_hour = 30" in project_toml(starter)
        True
    """

    path: str
    text: str
    label: str
    correct: float
    wrong: float
    per_month: float
    name: str = "project"
    currency: str = "USD"
    handoff: float | None = None
    minutes: float | None = None
    wage_per_hour: float | None = None
    error_rate: float | None = None
    delay_cost: float | None = None
    capacity_per_month: float | None = None
    low: float | None = None
    high: float | None = None
    search_minutes: float = field(default=10.0)

    def __post_init__(self) -> None:
        raise_all(_problems(self))


_TEMPLATE = Template("""\
# What payoff needs to know to find the plan that earns the most. Then: payoff run
# Unknown keys are errors. Lines that begin with # may be filled in later.
name = $name

[data]
path = $path
text = $text
label = $label
# pair = "answer"              # a second text, where two texts are one example
# group = "customer"           # rows of one customer never stand in both training and test data
# time = "created_at"          # train on the past, report on what came later
# segment = "country"          # tell the profit of each market segment
# out_of_scope = "other"       # the label of requests that belong to none of the classes
# test = "test.csv"            # a test set of your own
# unlabelled = "more.csv"      # more texts without labels; some recipes learn from them

[value]                        # what one request is worth, in money
currency = $currency
correct = $correct
wrong = $wrong
$handoff
# nothing = 0.0                # what a request is worth that nobody answers
# matrix = "values.csv"        # a whole table truth x action, in place of the numbers above

# [value.classes.refund]       # where one class is worth more, or its errors cost more
# wrong = -25.0

# [[value.pairs]]              # where one confusion costs more than the others
# truth = "card_stolen"
# action = "opening_hours"
# value = -80.0

# [value.segments.enterprise]  # where a segment of [data] segment is worth something else
# wrong = -40.0

$person

[traffic]
per_month = $per_month
$range
# growth_per_month = 0.03      # three percent more every month
# peak_factor = 4.0            # requests of the busiest hour against the average hour
# by_hour = [1, 1, 1, 1, 1, 1, 2, 4, 8, 9, 9, 8, 7, 8, 9, 9, 8, 6, 4, 3, 2, 2, 1, 1]
# at_once = 1.0                # requests that come together, on average

# [[floors]]                   # what the machine's own errors must not exceed
# label = "card_stolen"
# at_most = 0.01               # at most 1 % of these messages answered as something else
# confidence = 0.95

# [labels]
# price_each = 0.08            # what it costs to have one more text labelled
# descriptions = { refund = "The customer wants money back." }

# [mix]                        # share of every label to come, where it differs from the data
# refund = 0.2                 # all of them sum to 1

# [currency]                   # rates into the currency above, where prices come in others
# as_of = 2026-01-31
# source = "my bank"
# rates = { EUR = 1.08 }

# [llm]                        # a language model to ask where the own model is unsure
# model = "gpt-5-mini"
# accuracy = 0.93              # measured on your own texts

# [hosting]                    # where it may run; all that the price book knows if left out
# providers = ["hetzner", "aws"]
# region = "eu-central-1"
# latency_limit_ms = 200       # 95 of 100 answers must come sooner
# speed_ratio = 1.0            # how many times as fast as this machine a rented one is
# retention_months = 12        # how long requests and their answers are kept
# prices = "prices.csv"        # prices of your own: payoff prices add

# [own_machine]                # a machine of your own to run on, beside what can be rented
# name = "the box under the desk"
# vcpu = 4
# memory_gib = 16
# purchase = 900.0
# life_months = 36
# watts = 40.0
# price_per_kwh = 0.30
# hosting_per_month = 10.0     # place, network and care

# [build]                      # people's hours until it runs, once
# hours = 40
# wage_per_hour = 60.0

# [machine]                    # what this machine costs, for the books (payoff costs)
# price_per_hour = 0.10
# watts_per_cpu = 4.0          # for energy and carbon, which are quantities and never money
# country = "DE"               # of the electricity
# grams_per_kwh = 300.0        # in its place

# [experiment]                 # after a promotion some customers stay with the old version
# hold_back = 0.05             # where the new one surely loses it is rolled back; 0 for nobody
# hold_back_days = 28

# [review]                     # the queue of requests that people label
# audit_share = 0.2            # of it is drawn by chance, to check the model

# [budget]                     # stops a run before it would be exceeded
# per_month = 40.0

[search]
minutes = $search_minutes
seed = 0
horizon_months = 12
# months_until_retraining = 6
# risk_aversion = 0.0          # above 0: a smaller mean for a smaller risk of loss
# hour_of_waiting = 0.0        # what an hour of searching costs you
# backbones = ["minilm-l6"]    # pretrained models to try; chosen by language if left out
# prices_on = 2026-01-31       # reckon with the prices of that day
""")


def project_toml(starter: Starter) -> str:
    """The text of a ``payoff.toml`` that `payoff run` accepts as it is."""
    person = starter.minutes is not None
    return _TEMPLATE.substitute(
        name=toml_string(starter.name),
        path=toml_string(starter.path),
        text=toml_string(starter.text),
        label=toml_string(starter.label),
        currency=toml_string(starter.currency),
        correct=_number(starter.correct),
        wrong=_number(starter.wrong),
        handoff="# handoff = -4.1              # follows from [person] where it is left out"
        if starter.handoff is None
        else f"handoff = {_number(starter.handoff)}",
        person=_person(starter) if person else _NO_PERSON,
        per_month=_number(starter.per_month),
        range=_range(starter.low, starter.high),
        search_minutes=_number(starter.search_minutes),
    )


def toml_string(text: str) -> str:
    r"""A TOML basic string.

    Example:
        >>> print(toml_string('a "b"'))
        "a \"b\""
    """
    return json.dumps(text, ensure_ascii=False).replace("\x7f", "\\u007f")


def _number(value: float) -> str:
    return str(int(value)) if float(value).is_integer() else repr(float(value))


_NINE_OF_TEN = "nine months of ten lie between low and high"

_EXTRAS = {
    "error_rate": ("0.02", "people err too"),
    "delay_cost": ("0.5", "what waiting for a person costs, a request"),
    "capacity_per_month": ("6000", "requests that they can take"),
}


def _extras(starter: Starter | None = None) -> str:
    """What more may be said of a person: as it was said, else as a comment."""
    lines = []
    for key, (example, meaning) in _EXTRAS.items():
        value = getattr(starter, key) if starter is not None else None
        told = f"# {key} = {example}" if value is None else f"{key} = {_number(value)}"
        lines.append(f"{told:<30} # {meaning}")
    return "\n".join(lines)


_NO_PERSON = """\
# [person]                     # who takes over, and what that costs
# minutes = 4
# wage_per_hour = 30
""" + _extras()


def _person(starter: Starter) -> str:
    return "\n".join(
        [
            "[person]                       # who takes over, and what that costs",
            f"minutes = {_number(starter.minutes or 0)}",
            f"wage_per_hour = {_number(starter.wage_per_hour or 0)}",
            _extras(starter),
        ]
    )


def _range(low: float | None, high: float | None) -> str:
    if low is None or high is None:
        return f"# low = 20000                  # {_NINE_OF_TEN}\n# high = 70000"
    return f"low = {_number(low)}                    # {_NINE_OF_TEN}\nhigh = {_number(high)}"


def _money_problems(starter: Starter) -> list[PayoffError]:
    """What is wrong with the currency and with what is said of a person."""
    from payoff.economics.person import Person  # reckons with numbers, as does the next
    from payoff.plan.stated_terms import check_currency

    problems = _told_by(lambda: check_currency(starter.currency))
    if starter.minutes is None or starter.wage_per_hour is None:
        return problems
    said = {"minutes": starter.minutes, "wage_per_hour": starter.wage_per_hour}
    said |= {key: getattr(starter, key) for key in _EXTRAS if getattr(starter, key) is not None}
    return [*problems, *_told_by(lambda: Person.from_dict(said))]


def _told_by(check: Callable[[], object]) -> list[PayoffError]:
    """What a check complains about."""
    try:
        check()
    except PayoffError as error:
        return list(getattr(error, "problems", (error,)))
    return []


def _problems(starter: Starter) -> list[PayoffError]:
    problems: list[PayoffError] = []

    def wrong(where: str, found: str, expected: str) -> None:
        problems.append(ProjectError("PF203", f"payoff.toml {where}", found, expected=expected))

    half = (starter.minutes is None) != (starter.wage_per_hour is None)
    if half:
        wrong("[person]", "minutes or wage_per_hour is missing", "both")
    if starter.handoff is None and starter.minutes is None and not half:
        wrong("[value.handoff]", "it is missing", "a value, or a person's minutes and wage")
    if starter.handoff is not None and starter.minutes is not None:
        wrong("[value.handoff]", "it is given, and a person's minutes too", "one of the two")
    more = [key for key in _EXTRAS if getattr(starter, key) is not None]
    if more and starter.minutes is None:
        wrong("[person]", f"{more[0]} is given without minutes", "a person's minutes and wage")
    problems += _money_problems(starter)
    if (starter.low is None) != (starter.high is None):
        wrong("[traffic]", "low or high is missing", "both, or neither")
    elif (
        starter.low is not None
        and starter.high is not None
        and not starter.low <= starter.per_month <= starter.high
    ):
        wrong("[traffic]", "per_month is not between low and high", "low <= per_month <= high")
    for where, value in (
        ("[traffic.per_month]", starter.per_month),
        ("[search.minutes]", starter.search_minutes),
    ):
        if value <= 0:
            wrong(where, f"it is {value:g}", "a number above 0")
    return problems or _told_by(lambda: _check_text(project_toml(starter)))


def _check_text(text: str) -> None:
    """Refuse what `payoff run` would refuse; files need not be there yet."""
    from payoff.plan.project import Project

    Project.of_text(text, Path("payoff.toml"))
