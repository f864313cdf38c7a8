"""A generative model that somebody else serves: any OpenAI-compatible endpoint, asked for labels.

Nothing is trained. The model is told the labels, what they mean where that is known, and some
examples if wanted, and answers with one of them. Texts leave this machine; every answer is paid
for once, and kept in the run's folder by the hash of its question. What a run may use at most, in
tokens or in money, is held by a book beside that folder, attempt by attempt.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.recipes.prompt_template import is_chinese, meanings_of, spoken
from payoff.adapt.recipes.recipe import Candidate
from payoff.adapt.recipes.shots import in_turn
from payoff.adapt.workbench import Workbench
from payoff.artifact.runtime.answered_label import Answer
from payoff.artifact.runtime.endpoint import MEMBER, EndpointRuntime, Question
from payoff.artifact.runtime.endpoint_budget import EndpointBudget
from payoff.artifact.runtime.endpoint_client import EndpointClient
from payoff.artifact.runtime.endpoint_limits import EndpointLimits
from payoff.artifact.runtime.paid_answers import FILE, PaidAnswers
from payoff.artifact.runtime.token_price import MILLION, TokenPrice
from payoff.artifact.tier import TierSpec
from payoff.core.errors import AdaptError
from payoff.core.files import disk_errors, whole_folder, write_bytes, write_json
from payoff.core.money import Money

ENDPOINT, MODEL = "PAYOFF_ENDPOINT", "PAYOFF_ENDPOINT_MODEL"
"""Environment variables that name an endpoint and a model there."""

TEMPLATES = {
    "english": (
        "Sort the user's message under exactly one of these labels. Answer with the label as it "
        "is written here and with nothing else.",
        "Labels:",
    ),
    "chinese": ("把用户的消息归入以下类别中的一个。只回答类别名称，不要回答别的内容。", "类别："),
}
"""What the model is told before the labels; values of the setting ``template`` beside ``auto``."""

_MAX_CHARACTERS = 4000  # of a text: what a cent buys many of
_SPARE_TOKENS = 8  # beside those of the longest label
_SECONDS_A_REQUEST = 1.0  # until the endpoint was timed
_FIRST_CAP = 2_000_000


class Api:
    """Labels from an endpoint's answers, zero-shot or with some examples.

    Settings:
        base_url: Address, such as ``https://api.openai.com/v1``.
        model: Name of the model there.
        key_variable: Environment variable with the key; ``none`` where none is needed.
        template: ``english``, ``chinese``, or ``auto`` for the script of the texts.
        shots: Examples told before every text; 0 for none.
        max_parallel: Requests under way at once.
        max_tokens_total: Tokens that a run may use, read and written; 0 for no cap.
        max_money: Money that a run may use, in ``currency``; 0 for no cap. It stands beside the
            cap that the environment may state for all runs and services.
        currency: Of the cap and the prices.
        input_price: Price of a million tokens read; 0 for the dated price of the model.
        output_price: Price of a million tokens written; likewise.
        requests_a_minute: Requests that may be begun in any minute; 0 for no limit.
        tokens_a_minute: Tokens, read and written; likewise.
        tokenizer: A backbone, or a folder with a ``tokenizer.json``, whose tokens a dry run
            counts; the model's own where that is installed, else bytes.
        max_answer_tokens: Longest answer; 0 for what the longest label needs. A model that
            thinks before it answers needs more.

    Attributes:
        name: As registered.
        rungs: All at once.
        needs: What there must be, for whoever finds none.
    """

    name = "api"
    needs = "the variables PAYOFF_ENDPOINT and PAYOFF_ENDPOINT_MODEL in the environment"
    rungs: tuple[float, ...] = (1.0,)
    defaults: tuple[tuple[str, Any], ...] = (
        ("key_variable", "OPENAI_API_KEY"),
        ("template", "auto"),
        ("shots", 0),
        ("max_parallel", 4),
        ("max_tokens_total", _FIRST_CAP),
        ("max_answer_tokens", 0),
    )
    more: tuple[tuple[str, Any], ...] = (
        ("max_money", 0.0),
        ("currency", "USD"),
        ("input_price", 0.0),
        ("output_price", 0.0),
        ("requests_a_minute", 0),
        ("tokens_a_minute", 0),
        ("tokenizer", ""),
    )

    def optional(self, candidate: Candidate, bench: Workbench) -> dict[str, Any]:
        """Settings that a candidate names only where they differ from these."""
        return dict(self.more)

    def standard(self, bench: Workbench) -> list[Candidate]:
        """The endpoint that the environment names; none where it names none."""
        base_url, model = os.environ.get(ENDPOINT, ""), os.environ.get(MODEL, "")
        if not base_url or not model:
            return []
        named = (("base_url", base_url), ("model", model))
        title = f"{self.name} {model} at {urlsplit(base_url).netloc or base_url}"
        return [Candidate(self.name, "", (*named, *self.defaults), title=title)]

    def candidates(self, bench: Workbench) -> list[Candidate]:
        """None: nobody's texts are sent anywhere unless it is asked for."""
        return []

    def seconds(self, candidate: Candidate, bench: Workbench) -> float:
        """A second a request, which is an assumption: asking to find out would cost money."""
        n_texts = max(1, len(bench.validation))
        return float(_SECONDS_A_REQUEST * n_texts / max(1, candidate["max_parallel"]))

    def start(self, candidate: Candidate, bench: Workbench) -> ApiAttempt:
        """Check the settings, and that a key is there.

        Raises:
            AdaptError: PF406 for a wrong setting.
            MachineError: PF803 without httpx; PF811 without a key that may be sent; PF817 where a
                cap is stated that cannot be held.
        """
        attempt = self.unasked(candidate, bench)
        attempt.client.check()
        return attempt

    def unasked(self, candidate: Candidate, bench: Workbench) -> ApiAttempt:
        """The same without a key, to see what would be asked.

        Raises:
            AdaptError: PF406 for a wrong setting.
        """
        settings = dict(self.more) | dict(candidate.settings)
        _check(settings)
        return ApiAttempt(candidate, bench, settings)

    def export(self, candidate: Candidate, bench: Workbench, saved: Path, target: Path) -> TierSpec:
        """The question; neither the key nor any text but the examples told."""
        attempt = self.start(candidate, bench)
        attempt.restore(saved)
        with whole_folder(target) as draft:
            write_json(draft / MEMBER, attempt.question.as_dict())
        settings = {
            name: candidate[name] for name in ("base_url", "model", "key_variable", "max_parallel")
        }
        stated = attempt.stated_price
        if stated is not None:  # a plan reckons with it, as the run does
            read, written = (float(amount * MILLION) for amount in stated.amounts)
            settings |= {"input_price": read, "output_price": written, "currency": stated.currency}
        usage = json.loads((saved / "usage.json").read_text("utf-8"))
        if usage["n_answers"]:
            for kind in ("input_tokens", "output_tokens"):
                settings[f"{kind}_a_text"] = usage[kind] / usage["n_answers"]
        return TierSpec(candidate.name, "endpoint", settings=settings)


@dataclass
class ApiAttempt:
    """Questions about a workbench: one step, no pauses."""

    candidate: Candidate
    bench: Workbench
    settings: dict[str, Any]
    _asked: dict[str, Answer] = field(default_factory=dict)

    @cached_property
    def paid(self) -> PaidAnswers:
        """Answers of this run, also of a process that was killed; they outlive its activations."""
        return PaidAnswers(self.bench.folder.with_name(f"{self.bench.folder.name}.endpoint"))

    @property
    def stated_price(self) -> TokenPrice | None:
        """What a token costs where somebody stated it; the dated price of the model else."""
        return _price(self.settings) or EndpointLimits.of().price

    @cached_property
    def client(self) -> EndpointClient:
        """Who asks: within the run's own caps and those that the environment states."""
        said, limits = self.settings, EndpointLimits.of()
        return EndpointClient(
            said["base_url"],
            said["model"],
            key_variable=said["key_variable"],
            max_parallel=said["max_parallel"],
            paid=self.paid,
            budgets=(*self._budgets(), *limits.budgets()),
            price=self.stated_price,
            rate=limits.rate(
                said["base_url"],
                requests=said["requests_a_minute"],
                tokens=said["tokens_a_minute"],
            ),
        )

    def _budgets(self) -> tuple[EndpointBudget, ...]:
        """The run's own caps; their book outlives the run's activations."""
        money = None
        if self.settings["max_money"]:
            money = Money.of(self.settings["max_money"], self.settings["currency"])
        tokens = self.settings["max_tokens_total"]
        if money is None and not tokens:
            return ()
        place = self.bench.folder.with_name(f"{self.bench.folder.name}.endpoint.db")
        return (EndpointBudget(place, money=money, tokens=tokens),)

    @cached_property
    def question(self) -> Question:
        """What is asked about each text."""
        bench, said = self.bench, self.settings
        template = said["template"]
        if template == "auto":
            template = "chinese" if is_chinese(bench.texts) else "english"
        names = spoken(bench.labels)
        meanings = meanings_of(bench.labels, bench.descriptions)
        messages = [("system", instruction(names, meanings, template=template))]
        order = in_turn(bench.targets, bench.train, seed=bench.seed)
        for row in order[: said["shots"]].tolist():
            messages.append(("user", bench.texts[row][:_MAX_CHARACTERS]))
            messages.append(("assistant", names[bench.targets[row]]))
        longest = max(len(name.encode()) for name in names)
        most = said["max_answer_tokens"] or longest + _SPARE_TOKENS
        return Question(tuple(messages), "", "", names, _MAX_CHARACTERS, most)

    def advance(self, share: float) -> None:
        """Write the question, at any share; nothing is asked before there are texts."""
        _ = self.question

    def logits(self, rows: NDArray[np.int64]) -> NDArray[np.float32]:
        """Scores from the answers, ``(len(rows), n_labels)``.

        Raises:
            MachineError: PF811 to PF817; see `EndpointClient.ask`.
        """
        texts = [self.bench.texts[row] for row in rows]
        runtime = EndpointRuntime(self.client, self.question)
        listener = self.bench.progress
        scores = runtime.logits(texts, lambda n: listener.step("asking", n, len(texts)))
        for text in texts:
            key = runtime.key_of(text)
            answer = self.paid.get(key)
            assert answer is not None
            self._asked[key] = answer
        self._tell(runtime)
        return scores

    def _tell(self, runtime: EndpointRuntime) -> None:
        """What a person should know of these answers."""
        n, listener = runtime.n_answers, self.bench.progress
        for finding in runtime.findings():
            if finding.failed:
                listener.say(f"{finding.code} {finding.detail}. {finding.mend}")
        if runtime.n_unscored:
            listener.say(
                f"{self.candidate['model']}: {runtime.n_unscored:,} of {n:,} answers come without"
                " probabilities; the answered label counts as 90 % sure until calibrated"
            )
        used = self.usage()
        listener.say(
            f"{self.candidate['model']}: {used['input_tokens']:,} tokens read and"
            f" {used['output_tokens']:,} written for {used['n_answers']:,} answers"
        )

    def paid_about(self, texts: Sequence[str]) -> dict[str, Answer]:
        """Those answers about texts that are there, by the hashes of their questions."""
        question = self.question
        most, labels = question.max_answer_tokens, question.labels
        keys = [self.client.key_of(question.about(text), most, labels) for text in texts]
        kept = ((key, self.paid.get(key)) for key in keys)
        return {key: answer for key, answer in kept if answer is not None}

    def usage(self) -> dict[str, Any]:
        """What the answers cost in tokens, for whoever prices them; each answer counts once."""
        answers = self._asked.values()
        return {
            "base_url": self.client.base_url,
            "model": self.client.model,
            "n_answers": len(answers),
            "n_unmetered": sum(not answer.metered for answer in answers),
            "input_tokens": sum(answer.input_tokens for answer in answers),
            "output_tokens": sum(answer.output_tokens for answer in answers),
        }

    def save(self, folder: Path) -> None:
        """Write the question, the answers so far and what they cost."""
        write_json(folder / MEMBER, self.question.as_dict())
        write_json(folder / "usage.json", self.usage())
        write_bytes(folder / FILE, self.paid.lines(self._asked))

    def restore(self, folder: Path) -> None:
        """Read them."""
        self.__dict__["question"] = Question.from_json((folder / MEMBER).read_bytes())
        with disk_errors(folder):
            kept = PaidAnswers()
            content = (folder / FILE).read_bytes()
        kept.learn(content)
        self.paid.learn(content)
        self._asked = dict(kept.items())


def instruction(names: Sequence[str], meanings: Sequence[str], *, template: str) -> str:
    """What the model is told to do.

    Example:
        >>> print(instruction(["card", "refund"], ["", "money back"], template="english"))
        Sort the user's message under exactly one of these labels. Answer with the label as it is\
 written here and with nothing else.
        Labels:
        - card
        - refund (money back)
    """
    wish, heading = TEMPLATES[template]
    pairs = zip(names, meanings, strict=True)
    listed = [f"- {name} ({meaning})" if meaning else f"- {name}" for name, meaning in pairs]
    return "\n".join([wish, heading, *listed])


def _price(settings: Mapping[str, Any]) -> TokenPrice | None:
    """What a token costs, where the settings state it."""
    read, written = settings["input_price"], settings["output_price"]
    if not read and not written:
        return None
    return TokenPrice.of_million(read, written, settings["currency"], "settings of the recipe")


def _check(settings: Mapping[str, Any]) -> None:
    """Refuse values that no setting has.

    Raises:
        AdaptError: PF406.
    """
    parts = urlsplit(settings["base_url"])
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise _wrong("base_url", settings["base_url"], "an address such as https://host/v1")
    if parts.username or parts.password or parts.query or parts.fragment:
        raise _wrong("base_url", "an address with more than a host and a path", "no secret in it")
    if not settings["model"]:
        raise _wrong("model", "''", f"a name; or set {MODEL}")
    if settings["template"] not in ("auto", *TEMPLATES):
        raise _wrong("template", settings["template"], f"auto, {', '.join(TEMPLATES)}")
    for setting, usual in (*Api.defaults, *Api.more):
        lowest = 1 if setting == "max_parallel" else 0
        if isinstance(usual, int | float) and settings[setting] < lowest:
            raise _wrong(setting, settings[setting], f"{lowest} or more")
    if bool(settings["input_price"]) != bool(settings["output_price"]):
        raise _wrong("output_price", settings["output_price"], "both prices, or neither")
    currency = settings["currency"]
    if not (len(currency) == 3 and currency.isalpha() and currency.isupper()):
        raise _wrong("currency", currency, "three capital letters such as USD, EUR, CNY")


def _wrong(setting: str, found: Any, expected: str) -> AdaptError:
    return AdaptError("PF406", f"api, setting '{setting}'", f"{found}", expected=expected)
