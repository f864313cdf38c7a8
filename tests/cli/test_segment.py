from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

Cli = Callable[..., object]


def columns(tickets: Path) -> tuple[str | Path, ...]:
    return (tickets, "--text", "message", "--label", "intent")


def test_a_column_without_a_service_says_that_quality_is_not_measured(cli, tickets: Path) -> None:
    ran = cli("segment", *columns(tickets), "--column", "intent", "--json", "-q")
    assert ran.code == 0, ran.out
    assert ran.json["market"] is None
    assert [one["n_rows"] for one in ran.json["segments"]] == [30, 30, 30]
    assert "quality not measured" in ran.json["sentence"]
    assert ran.json["models"] == []
    people = cli("segment", *columns(tickets), "--column", "intent", "-q")
    assert "not measured" in people.out
    assert "billing" in people.out


def test_clusters_are_found_by_their_words(cli, tickets: Path) -> None:
    ran = cli("segment", tickets, "--text", "message", "--json", "-q")
    assert ran.code == 0, ran.out
    assert ran.json["stability"]["k"] == len(ran.json["segments"])
    assert sum(one["n_rows"] for one in ran.json["segments"]) == 90
    again = cli("segment", tickets, "--text", "message", "--clusters", "auto", "--json", "-q")
    assert again.json == ran.json


def test_a_service_is_judged_inside_each_segment(cli, tickets: Path, artifact: Path) -> None:
    ran = cli(
        *("segment", *columns(tickets), "--segment", "intent", "--json", "-q"),
        *("--with", artifact, "--per-month", "3000"),
    )
    assert ran.code == 0, ran.out
    market = ran.json["market"]
    assert market["measured"]
    assert market["currency"] == "USD"
    total = sum(one["profit_month"]["mean"] for one in market["segments"])
    assert market["whole_month"]["mean"] == pytest.approx(total - market["service_month"])
    assert {one["verdict"] for one in ran.json["models"]} == {"not measured"}
    assert "not measured, only the shared one was" in ran.json["sentence"]
    assert any("not known" in note for note in ran.json["notes"])
    profits = [one["profit_month"]["mean"] for one in market["segments"]]
    assert profits == sorted(profits, reverse=True)


def test_without_traffic_amounts_are_for_a_thousand_requests(
    cli, tickets: Path, artifact: Path
) -> None:
    given = ("segment", *columns(tickets), "--column", "intent", "--with", artifact)
    ran = cli(*given, "--json", "-q")
    assert ran.json["per"] == "1000 requests"
    assert any("1,000 requests" in note for note in ran.json["notes"])
    people = cli(*given, "-q")
    assert "Money in USD for 1,000 requests" in people.out
    assert "enter" in people.out


def test_an_own_model_is_compared_where_it_was_measured(cli, tickets: Path, artifact: Path) -> None:
    own = tickets.parent / "own.payoff"
    shutil.copy(artifact, own)
    ran = cli(
        *("segment", *columns(tickets), "--column", "intent", "--json", "-q"),
        *("--with", artifact, "--own", f"card={own}", "--per-month", "3000"),
    )
    assert ran.code == 0, ran.out
    verdicts = {one["segment"]: one["verdict"] for one in ran.json["models"]}
    assert verdicts == {"card": "shared", "billing": "not measured", "refund": "not measured"}
    assert "One model for all of those measured. Of 2 segments" in ran.json["sentence"]


def test_what_is_stated_is_valued_and_ordered(cli, tickets: Path) -> None:
    stated = tickets.parent / "market.csv"
    stated.write_text("segment,value_each,cost_month,won,competitors\ncard,5,,0.4,Acme\n", "utf-8")
    given = (
        *("segment", *columns(tickets), "--column", "intent", "--per-month", "900"),
        *("--stated", stated, "--value-each", "1", "--currency", "EUR", "-q"),
    )
    ran = cli(*given, "--json")
    assert ran.code == 0, ran.out
    assert ran.json["market"]["segments"][0]["name"] == "card"
    assert ran.json["market"]["segments"][0]["accuracy_automated"] is None
    assert "Acme, 40% won" in cli(*given).out


@pytest.mark.parametrize("ending", ["svg", "png", "html"])
def test_the_map_is_written(cli, tickets: Path, ending: str) -> None:
    path = tickets.parent / f"map.{ending}"
    given = ("segment", *columns(tickets), "--column", "intent", "--map", path, "--theme", "dark")
    ran = cli(*given, "--json", "-q")
    assert ran.code == 0, ran.out
    assert ran.json["map"] == str(path)
    start = {"svg": b"<svg", "png": b"\x89PNG", "html": b"<!doctype html>"}[ending]
    assert path.read_bytes().startswith(start)


@pytest.mark.parametrize(
    ("given", "code", "told"),
    [
        (("--column", "intnt"), "PF103", "Did you mean 'intent'"),
        (("--column", "intent", "--clusters", "3"), "PF290", "names the segments already"),
        (("--column", "intent", "--segment", "message"), "PF290", "another one"),
        (("--clusters", "many"), "PF290", "a whole number, or auto"),
        (("--clusters", "1"), "PF115", "one segment only"),
        (("--clusters", "91"), "PF106", "90 rows"),
        (("--map", "map.gif"), "PF290", ".svg, .png or .html"),
        (("--own", "card=a.payoff"), "PF290", "no shared model"),
        (("--with", "none.payoff"), "PF501", "none.payoff"),
        (("--column", "intent", "--value-each", "2"), "PF290", "without a currency"),
        (("--backbone", "minilm-6"), "PF301", "Did you mean 'minilm-l6'"),
    ],
)
def test_what_cannot_be_done_is_told(
    cli, tickets: Path, given: tuple[str, ...], code: str, told: str
) -> None:
    ran = cli("segment", *columns(tickets), *given, "--json", "-q")
    assert ran.code == 2
    assert ran.json["error"]["code"] == code
    assert told in str(ran.json["error"])


def test_an_own_model_needs_a_segment_that_is_there(cli, tickets: Path, artifact: Path) -> None:
    given = ("segment", *columns(tickets), "--column", "intent", "--with", artifact, "--json", "-q")
    ran = cli(*given, "--own", f"crad={artifact}")
    assert (ran.code, ran.json["error"]["code"]) == (2, "PF203")
    assert "Did you mean 'card'" in ran.json["error"]["mend"]
    assert cli(*given, "--own", "card").json["error"]["code"] == "PF290"


def test_costs_a_month_need_the_traffic(cli, tickets: Path) -> None:
    stated = tickets.parent / "market.csv"
    stated.write_text("segment,cost_month\ncard,5\n", "utf-8")
    ran = cli(
        *("segment", *columns(tickets), "--column", "intent", "--stated", stated, "--json", "-q"),
        *("--value-each", "1", "--currency", "EUR"),
    )
    assert ran.json["error"]["code"] == "PF290"
    assert "--per-month" in ran.json["error"]["mend"]


def test_a_service_needs_labels(cli, tickets: Path, artifact: Path) -> None:
    ran = cli(
        *("segment", tickets, "--text", "message", "--column", "intent", "--json", "-q"),
        *("--with", artifact),
    )
    assert ran.json["error"]["code"] == "PF103"
    assert "label" in ran.json["error"]["found"]


def test_few_rows_are_told(cli, tmp_path: Path) -> None:
    few = tmp_path / "few.csv"
    few.write_text("t\n" + "where is it\n" * 20, "utf-8")
    ran = cli("segment", few, "--text", "t", "--json", "-q")
    assert ran.json["error"]["code"] == "PF106"
    assert "at least 50" in ran.json["error"]["expected"]
