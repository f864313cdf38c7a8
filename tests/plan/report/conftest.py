"""Plausible summaries of runs, for any number of classes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from payoff.plan.report.charts.segment_map import map_of

Summary = dict[str, Any]

LATIN = [
    "card_stolen", "refund_missing", "billing", "cash_withdrawal_not_recognised",
    "exchange_rate", "account_takeover", "limits", "pin_forgotten", "top_up_failed",
    "transfer_pending", "card_delivery_estimate", "identity_check", "statement_request",
]  # fmt: skip
CHINESE = ["银行卡被盗", "退款未到账", "账单疑问", "无法识别的取款交易", "汇率", "账户被盗用"]


def make_labels(k: int, language: str = "en") -> list[str]:
    """As many labels as asked for."""
    stems = CHINESE if language == "zh" else LATIN
    rounds = range(-(-k // len(stems)))
    return [stem if i == 0 else f"{stem}_{i + 1}" for i in rounds for stem in stems][:k]


def money(mean: float, spread: float) -> dict[str, float]:
    return {"mean": mean, "low": mean - spread, "high": mean + 1.1 * spread}


def _plans(rng: np.random.Generator, language: str) -> list[Summary]:
    def plan(
        name: str, recipe: str | None, backbone: str | None, precision: str | None,
        status: str, why: str, cost: float | None, profit: float | None, quality: float | None,
    ) -> Summary:  # fmt: skip
        measured = quality is not None
        return {
            "name": name,
            "kind": "model" if recipe else "baseline",
            "recipe": recipe,
            "backbone": backbone,
            "precision": precision,
            "status": status,
            "why": why,
            "split": "test" if status == "chosen" else "validation",
            "accuracy": quality,
            "macro_f1": None if quality is None else quality - 0.008,
            "log_loss": 0.21 if measured else None,
            "ece": 0.014 if measured else None,
            "automated_share": None if quality is None else quality - 0.03,
            "accuracy_automated": 0.974 if measured else None,
            "latency_p50_ms": 1.7 if measured and recipe else None,
            "latency_p95_ms": float(rng.uniform(0.4, 9)) if measured and recipe else None,
            "texts_per_s": 420.0 if measured and recipe else None,
            "size_bytes": int(rng.uniform(2e6, 9e7)) if measured and recipe else None,
            "training_s": float(rng.uniform(2, 240)) if measured and recipe else None,
            "cost_month": cost,
            "value_month": None if profit is None or cost is None else profit + cost,
            "profit_month": None if profit is None else money(profit, 1400.0),
            "hosting": "one instance, 2 cores" if recipe else None,
        }

    people = "只用人工" if language == "zh" else "people only"
    return [
        plan("fine-tune minilm-l6 int8", "fine-tune", "minilm-l6", "int8", "chosen",
             "Earns the most on validation", 8120.0, 41_800.0, 0.941),
        plan("fine-tune minilm-l6", "fine-tune", "minilm-l6", "fp32", "lost",
             "As good, but needs a larger instance", 8260.0, 41_500.0, 0.943),
        plan("frozen-head minilm-l6", "frozen-head", "minilm-l6", "fp32", "lost",
             "More handoffs", 9400.0, 39_600.0, 0.928),
        plan("frozen-head mpnet-base", "frozen-head", "mpnet-base", "fp32", "lost",
             "Slower and dearer at the same accuracy", 9900.0, 39_900.0, 0.936),
        plan("static-head wordllama-256", "static-head", "wordllama-256", "fp32", "lost",
             "Automates less", 12_400.0, 34_100.0, 0.884),
        plan("bag-of-words", "bag-of-words", None, "fp32", "lost", "Automates less",
             11_200.0, 36_900.0, 0.911),
        plan("fine-tune mpnet-base", "fine-tune", "mpnet-base", "fp32", "failed",
             "Training exceeded the time limit of 10 minutes", None, None, None),
        plan("frozen-head e5-small-multi", "frozen-head", "e5-small-multi", "fp32", "not run",
             "The weights are not on this machine and the run was offline", None, None, None),
        plan("LLM API", None, None, None, "lost", "Tokens cost more than they bring",
             21_900.0, 26_300.0, 0.902),
        plan(people, None, None, None, "lost", "Every request costs a person 4 minutes",
             164_000.0, -58_000.0, None),
        plan("do nothing", None, None, None, "lost", "Earns nothing", 0.0, 0.0, None),
    ]  # fmt: skip


def _confusion(rng: np.random.Generator, labels: list[str]) -> Summary:
    k = len(labels)
    counts = rng.poisson(0.35 if k > 20 else 3.0, size=(k, k + 1)).astype(float)
    counts[np.arange(k), np.arange(k)] = rng.integers(30, 60, size=k)
    counts[:, k] = rng.poisson(5, size=k)
    value = np.where(np.eye(k, k + 1, dtype=bool), 3.2, -rng.gamma(2, 9, size=(k, k + 1)))
    value[:, k] = -1.1
    scale = 40_000 / counts.sum()
    return {
        "labels": labels,
        "actions": [*labels, "handoff"],
        "counts": counts.astype(int).tolist(),
        "money": (counts * value * scale).round(2).tolist(),
    }


def _bins(rng: np.random.Generator, bias: float) -> list[Summary]:
    middles = np.arange(0.05, 1.0, 0.1)
    return [
        {
            "low": round(float(m - 0.05), 2),
            "high": round(float(m + 0.05), 2),
            "confidence": float(m),
            "accuracy": float(np.clip(m - bias * (1 - m) * 2 + rng.normal(0, 0.012), 0, 1)),
            "n": int(8 + 900 * m**6),
        }
        for m in middles
    ]


def _findings(labels: list[str]) -> list[Summary]:
    def finding(
        code: str, title: str, status: str, detail: str = "", mend: str = "",
        rows: list[Summary] | None = None, n: int = 0,
    ) -> Summary:  # fmt: skip
        return {"code": code, "title": title, "status": status, "detail": detail, "mend": mend,
                "rows": rows or [], "n_affected": n}  # fmt: skip

    return [
        finding("PF151", "No text is empty", "passed", "0 of 12,040 texts"),
        finding("PF152", "No text is in train and test", "failed", "17 of 1,806 test texts",
                "Run with duplicates dropped before the split.",
                [{"row": 17, "text": "where is my <b>card</b>?", "label": labels[0]},
                 {"row": 912, "text": "Where is my card", "label": labels[1]}], 17),
        finding("PF153", "Every label has enough examples", "passed", "Smallest: 61 rows"),
        finding("PF154", "No label contradicts its text", "not checked",
                "cleanlab is not installed", "Run: pip install 'payoff[tune]'"),
        finding("PF155", "Label mix is stable over time", "not applicable",
                "The data have no time column"),
        finding("PF156", "Texts are in one language", "passed"),
    ]  # fmt: skip


def _labels() -> Summary:
    """Measured at five sizes, read on up to four times as many, and some to buy."""
    sizes = [500 * 2**power for power in range(5)]
    line = [
        {
            "labels": n,
            "mean": 2.2 - 20 * n**-0.6,
            "low": 2.1 - 22 * n**-0.6,
            "high": 2.3 - 18 * n**-0.6,
        }
        for n in (*sizes, 16_000, 32_000)
    ]
    points = [{"labels": n, "mean": 2.2 - 20 * n**-0.6, "error": 0.05} for n in sizes]
    return {
        "sentence": "Buy 1,200 more labels at 0.50 USD each: over the horizon they bring "
                    "3,400 USD beyond their cost (5 to 95 %: 900.00 to 6,100 USD).",
        "crossing_sentence": "",
        "labels_now": 8428,
        "purchase": {"labels": 1200},
        "curve": {"points": points, "line": line, "basis": ""},
    }  # fmt: skip


def _market(rng: np.random.Generator, language: str) -> Summary:
    """Three segments, one of which had nothing answered alone."""
    names = ["企业", "商店", "学校"] if language == "zh" else ["enterprise", "shops", "schools"]
    codes = rng.integers(0, 3, 300)
    plane = rng.normal(size=(300, 2)) + 4 * np.eye(3, 2)[codes]
    segments = [
        {"name": name, "requests_month": requests, "automated_share": alone,
         "accuracy_automated": right, "profit_month": {"mean": m, "low": 0.8 * m, "high": 1.2 * m}}
        for name, requests, alone, right, m in zip(
            names, (20_000, 14_000, 6_000), (0.9, 0.7, 0.0), (0.98, 0.96, None),
            (30_000.0, 12_000.0, -200.0), strict=True)
    ]  # fmt: skip
    return {
        "of": "column 'plan'",
        "sentence": f"Enter '{names[0]}', then '{names[1]}'; leave '{names[2]}'.",
        "market": {"segments": segments},
        "shares": dict(zip(names, (0.5, 0.35, 0.15), strict=True)),
        "map": map_of(plane, codes, [{"name": name, "note": "9%"} for name in names]),
    }


def _compression() -> Summary:
    forms = [("fp32", 91e6, 0.0), ("int8", 23e6, 0.1), ("trim+int8+zstd", 9.1e6, 0.3)]
    told = [
        {
            "name": f"fine-tune tiny {way}",
            "model": "fine-tune tiny",
            "way": way,
            "size_bytes": size,
            "memory_bytes": 2 * size,
            "start_s": 0.4,
            "p50_ms": 1.5,
            "texts_per_s": 900.0,
            "lost": lost,
            "profit": {"mean": 1000.0 - lost, "low": 900.0, "high": 1100.0},
            "status": "chosen" if way == "int8" else "on the frontier",
        }
        for way, size, lost in forms
    ]
    return {"forms": told, "lost_on_test": 0.2, "refused": []}


def _cascade() -> Summary:
    """Two models alone, and both in turn."""

    def point(tiers: list[str], cost: float, worth: float, shares: list[float]) -> Summary:
        return {"tiers": tiers, "cost": cost, "worth": worth, "shares": shares,
                "chosen": worth == 2.4}  # fmt: skip

    small, large = "bag-of-words", "fine-tune minilm-l6 int8"
    return {
        "chosen": False,
        "sentence": "No cascade pays: the best one earned less than its last model alone.",
        "tiers": [
            {"name": small, "reached": 1.0, "share": 0.8, "cost_month": 0.004},
            {"name": large, "reached": 0.2, "share": 0.2, "cost_month": 80.0},
        ],
        "points": [
            point([small], 1e-7, 1.0, [1.0]),
            point([small, large], 0.002, 2.3, [0.8, 0.2]),
            point([large], 0.008, 2.4, [1.0]),
        ],
    }


def _outlook(profit: dict[str, float]) -> Summary:
    """Three scenarios, one of no known profit, and three changes, one of which nobody can hold."""

    def spread(mean: float) -> Summary:
        return {"mean": mean, "quantiles": {"0.05": mean - 900.0, "0.95": mean + 900.0}}

    listed = [
        {"name": "build fine-tune minilm-l6 int8", "profit": spread(profit["mean"]),
         "behind_best": spread(0.0), "probability_of_loss": 0.0004, "reason": ""},
        {"name": "do nothing", "profit": spread(0.0), "behind_best": spread(profit["mean"]),
         "probability_of_loss": 0.0, "reason": ""},
        {"name": "LLM API", "profit": None, "behind_best": None,
         "reason": "its quality was not stated"},
    ]  # fmt: skip
    rows = [
        {"change": "as stated", "recommended": "fine-tune minilm-l6 int8", "profit_month": profit,
         "choice_changes": False, "why": ""},
        {"change": "half the traffic", "recommended": "do nothing",
         "profit_month": money(-3.0, 1.0), "choice_changes": True, "why": ""},
        {"change": "twice the traffic", "recommended": None, "profit_month": None,
         "choice_changes": True, "why": "no host holds it"},
    ]  # fmt: skip
    return {
        "scenarios": {"sentence": "Build fine-tune minilm-l6 int8 now.", "scenarios": listed},
        "what_ifs": {"sentence": "Make sure of the traffic before you act.", "rows": rows},
    }


def _cost_lines() -> list[Summary]:
    def line(
        step: str, what: str, quantity: float, unit: str, price: float, source: str,
        measured: bool,
    ) -> Summary:  # fmt: skip
        return {"step": step, "what": what, "quantity": quantity, "unit": unit,
                "unit_price": price, "amount": quantity * price, "currency": "USD",
                "as_of": "2025-06-01", "source": source, "measured": measured}  # fmt: skip

    return [
        line("people", "handoffs", 3920.0, "handoffs", 1.95, "payoff.toml [person]", False),
        line("inference", "t4g.small, on demand", 730.0, "h", 0.0168,
             "https://example.com/pricing", True),
        line("training", "10 candidates, once a month", 0.27, "h", 0.19, "measured here", True),
        line("storage", "journal and artifact", 1.4, "GB-month", 0.023, "price book", True),
        line("transfer", "answers out", 0.021, "GB", 0.09, "price book", True),
        line("labels", "new labels", 300.0, "labels", 0.15, "payoff.toml [labels]", False),
    ]  # fmt: skip


def make_summary(k: int = 6, *, seed: int = 0, language: str = "en") -> Summary:
    """A plausible summary of a run with ``k`` classes."""
    rng = np.random.default_rng(seed)
    labels = make_labels(k, language)
    profit = money(41_800.0, 3100.0)
    cash = np.cumsum(np.full(12, profit["mean"])) - 61_000.0
    spread = 6000.0 + 2600.0 * np.arange(1, 13)
    costs = {"people": 7644.0, "inference": 12.26, "training": 0.05, "storage": 0.03,
             "transfer": 0.0, "labels": 45.0, "build": 418.66}  # fmt: skip
    e_model, e_cloud = profit["mean"] + sum(costs.values()), 310.0
    drivers = [
        ("requests a month", 30_000, 55_000, 30_900.0, 57_900.0),
        ("wrong answers", "+20 %", "−20 %", 37_200.0, 46_400.0),
        ("minutes a handoff", 6, 3, 38_700.0, 43_900.0),
        ("wage an hour", 38, 26, 40_500.0, 42_900.0),
        ("label mix", "bad", "good", 40_900.0, 42_600.0),
        ("cloud prices", 1.3, 0.8, 41_796.0, 41_803.0),
    ]
    candidates = [p["name"] for p in _plans(rng, language) if p["recipe"]][:7]
    ends = np.cumsum([3.1, 9.4, 36.0, 22.0, 61.0, 210.5, 145.2])
    return {
        "name": "客服分类" if language == "zh" else "support",
        "created": "2025-06-24T14:03:11+00:00",
        "seed": seed,
        "currency": "USD",
        "horizon_months": 12,
        "decision": {
            "sentence": "Run fine-tune minilm-l6 int8 on one small instance: it earns about "
            "41,800 USD a month and answers nine requests in ten alone.",
            "plan": "fine-tune minilm-l6 int8",
            "profit_month": profit,
            "probability_of_loss": 0.0004,
            "automated_share": 0.902,
            "accuracy_automated": 0.974,
            "cost_month": 8120.0,
            "latency_p95_ms": 3.4,
            "break_even_per_month": 6120,
            "payback_months": 1.5,
            "runner_up": {"plan": "fine-tune minilm-l6", "gap": money(300.0, 410.0)},
        },
        "plans": _plans(rng, language),
        "waterfall": [
            {"step": "right answers", "amount": 61_200.0},
            {"step": "wrong answers", "amount": -11_280.0},
            *({"step": step, "amount": -cost} for step, cost in costs.items()),
            {"step": "profit", "amount": 61_200.0 - 11_280.0 - 8120.0, "total": True},
        ],
        "months": [
            {"month": m + 1, "cash_mean": float(cash[m]), "cash_low": float(cash[m] - spread[m]),
             "cash_high": float(cash[m] + 1.1 * spread[m])}
            for m in range(12)
        ],
        "confusion": _confusion(rng, labels),
        "calibration": {"before": _bins(rng, 0.11), "after": _bins(rng, 0.01),
                        "ece_before": 0.061, "ece_after": 0.012},
        "drivers": [
            {"name": n, "low_input": a, "high_input": b, "low_profit": p, "high_profit": q}
            for n, a, b, p, q in drivers
        ],
        "labels": _labels(),
        "market": _market(rng, language),
        **_outlook(profit),
        "cascade": _cascade(),
        "compression": _compression(),
        "search": {"sentence": "The search stopped because nothing was left to try."},
        "accounts": {"e_model": e_model, "e_cloud": e_cloud, "e": e_model + e_cloud,
                     "costs": costs, "profit": profit["mean"]},
        "cost_lines": _cost_lines(),
        "findings": _findings(labels),
        "split": {"train": 8428, "validation": 1806, "test": 1806,
                  "how": "stratified at random, duplicates kept together"},
        "reproduce": {
            "command": "payoff run support --seed 0",
            "seed": seed,
            "versions": {"payoff": "0.1.0", "python": "3.11.9", "torch": "2.13.0"},
            "data_fingerprint": "9f2c" * 16,
            "machine": "2 cores, AVX2, 8 GB",
            "seconds": 487.2,
        },
        "timeline": [
            {"candidate": name, "start_s": float(end - length), "end_s": float(end)}
            for name, end, length in zip(
                candidates, ends, [3.1, 9.4, 36.0, 22.0, 61.0, 210.5, 145.2], strict=False)
        ],
    }  # fmt: skip


@pytest.fixture(scope="session")
def summaries() -> Callable[..., Summary]:
    """The maker of summaries."""
    return make_summary
