"""``payoff tune`` for what is no class: entities within texts, and answers."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tests.adapt.tiny_backbones import encoder_folder
from tests.adapt.tiny_decoder import chat_decoder_folder

from payoff.learn.journal import Journal

Cli = Callable[..., Any]


@pytest.fixture
def orders(tmp_path: Path) -> Path:
    """Texts that name orders and towns."""
    lines = []
    for number in range(60):
        town = ("Berlin", "Paris", "Rome")[number % 3]
        text = f"Order {number + 100} to {town} please"
        start = text.index(town)
        spans = [
            {"start": 6, "end": 9, "label": "ORDER"},
            {"start": start, "end": start + len(town), "label": "TOWN"},
        ]
        lines.append(json.dumps({"text": text, "entities": spans}))
    path = tmp_path / "orders.jsonl"
    path.write_text("\n".join(lines) + "\n", "utf-8")
    return path


def test_entities_are_found_and_told_beside_a_dictionary(cli: Cli, orders: Path) -> None:
    backbone = encoder_folder(orders.with_name("tiny"), ["Order 100 to Berlin Paris Rome please"])
    how = ("tune", orders, "--task", "entities", "--recipe", "frozen-head", "--backbone", backbone)
    facts = cli(*how, "--json", "--quiet").json
    assert (facts["task"], facts["labels"], facts["test"]) == ("entities", ["ORDER", "TOWN"], None)
    assert 0.0 <= facts["validation"]["strict"]["f1"] <= 1.0
    ran = cli(*how, "--report")
    assert ran.code == 0, ran.err
    assert "a dictionary" in ran.out
    assert "not looked at" not in ran.out


PROJECT = """
name = "orders"
[data]
path = "orders.jsonl"
text = "text"
label = "label"
[value]
currency = "EUR"
correct = 1
wrong = -1
handoff = 0
[traffic]
per_month = 100
[machine]
price_per_hour = 36
[budget]
per_month = 1.0
"""


def booked(path: Path) -> dict[str, list[str]]:
    with Journal.open(path) as journal:
        lines = [one.line for one in journal.bookings()]
    return {
        "what": sorted({line.what for line in lines}),
        "currency": sorted({line.unit_price.currency for line in lines}),
    }


def test_entities_are_booked_for_the_project_beside_them_within_its_budget(
    cli: Cli, orders: Path
) -> None:
    backbone = encoder_folder(orders.with_name("tiny"), ["Order 100 to Berlin Paris Rome please"])
    how = ("tune", orders, "--task", "entities", "--recipe", "frozen-head", "--backbone", backbone)
    project = orders.with_name("payoff.toml")
    project.write_text(PROJECT.replace("per_month = 1.0", "per_month = 0.0"), "utf-8")
    refused = cli(*how, "--json", "--quiet")
    assert (refused.code, refused.json["error"]["code"]) == (2, "PF620")
    journal = orders.with_name("orders.journal.db")
    assert booked(journal)["what"] == [], "it was refused before it began"
    assert not list(orders.parent.glob("runs/*/candidates/*"))
    project.write_text(PROJECT, "utf-8")
    ran = cli(*how)
    assert ran.code == 0, ran.err
    assert "costs are booked for the project 'orders'" in ran.err
    told = booked(journal)
    trained = [what for what in told["what"] if what.startswith("frozen-head")]
    assert len(trained) == 1
    assert told["what"] == [trained[0], f"measuring {trained[0]}"]
    assert told["currency"] == ["EUR"]
    (month,) = cli("costs", orders.parent, "--json").json["months"]
    assert 0 < float(month["total"]) <= 1.0


def test_a_file_of_no_project_is_booked_without_money(cli: Cli, orders: Path) -> None:
    backbone = encoder_folder(orders.with_name("tiny"), ["Order 100 to Berlin Paris Rome please"])
    how = ("--task", "entities", "--recipe", "frozen-head", "--backbone", backbone)
    assert cli("tune", orders, *how, "--json", "--quiet").code == 0
    told = cli("costs", "orders.journal.db", "--json").json
    assert [float(month["total"]) for month in told["months"]] == [0.0]
    assert told["findings"][0]["code"] == "PF660"
    assert told["findings"][0]["status"] == "failed"
    missing = cli("tune", "nowhere.jsonl", *how, "--json", "--quiet")
    assert missing.json["error"]["code"] == "PF101"
    assert not orders.with_name("nowhere.journal.db").exists()


@pytest.mark.parametrize(
    ("more", "code"),
    [
        (("--recipe", "mixup"), "PF405"),
        (("--recipe", "lora", "--text", "t"), "PF290"),
        (("--recipe", "lora", "--order", "a,b"), "PF290"),
        (("--recipe", "lora", "--trials", "3"), "PF290"),
    ],
)
def test_what_entities_do_not_take_is_told(
    cli: Cli, orders: Path, more: tuple[str, ...], code: str
) -> None:
    ran = cli("tune", orders, "--task", "entities", *more, "--json", "--quiet")
    assert ran.json["error"]["code"] == code


def test_answers_are_learnt_by_lora_alone(cli: Cli, tmp_path: Path) -> None:
    pytest.importorskip("rouge_score", reason="pip install 'payoff[generate]'")
    rows = [(f"Where is desk {word}?", f"Go to {word}.") for word in "abcdefghijklmnopqrstuvwxyz"]
    path = tmp_path / "faq.csv"
    path.write_text("\n".join(["q,a", *(f"{q},{a}" for q, a in rows)]) + "\n", "utf-8")
    backbone = chat_decoder_folder(tmp_path / "decoder", [text for row in rows for text in row])
    how = ("tune", path, "--text", "q", "--label", "a", "--task", "answers", "--backbone", backbone)
    told = cli(*how, "--recipe", "fine-tune", "--json", "--quiet").json["error"]
    assert (told["code"], "lora" in told["mend"]) == ("PF405", True)
    short = ("--set", "epochs=1", "--set", "max_new_tokens=4")
    ran = cli(*how, "--recipe", "lora", *short)
    assert ran.code == 0, ran.err
    what = booked(tmp_path / "faq.journal.db")["what"]
    assert what[0].startswith("answers")
    assert what[1:] == [f"measuring {what[0]}", f"untuned answers of {backbone}"]
    assert "ROUGE-L" in ran.out
    assert "said" in ran.out
