"""The sample data of the support example: complete, repeatable, neither trivial nor hopeless."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
import tomllib
from collections import Counter
from datetime import datetime
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "examples" / "support"
OTHER = "other"
COLUMNS = ["message", "intent", "customer", "segment", "time"]
CHINESE = re.compile(r"[\u4e00-\u9fff]")
PERSONAL = re.compile(
    r"@example\.(?:com|net|org)|4111 1111 1111 1111|5555 5555 5555 4444"
    r"|DE89|GB82WEST|07700 900\d{3}|\+1 202 555 01\d\d|020 7946 0958"
)


def read(name: str) -> list[dict[str, str]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    return read("messages.csv")


def test_columns_and_size(rows: list[dict[str, str]]) -> None:
    assert list(rows[0]) == COLUMNS
    assert all(None not in row and all(row.values()) for row in rows)
    assert 1_600 <= len(rows) <= 3_000


def test_messages_are_unique_apart_from_case_and_punctuation(rows: list[dict[str, str]]) -> None:
    bare = [
        re.sub(r"[\W_]+", " ", row["message"].lower()).strip() or row["message"] for row in rows
    ]
    assert [text for text, n in Counter(bare).items() if n > 1] == []
    assert all(row["message"] == row["message"].strip() for row in rows)


def test_no_mark_of_the_composer_is_left(rows: list[dict[str, str]]) -> None:
    assert [row["message"] for row in rows if re.search(r"[{}|<>]|^[=+@] ", row["message"])] == []


def test_24_intents_and_other_with_natural_imbalance(rows: list[dict[str, str]]) -> None:
    counts = Counter(row["intent"] for row in rows)
    share_of_other = counts[OTHER] / len(rows)
    intents = {intent: n for intent, n in counts.items() if intent != OTHER}
    assert len(intents) == 24
    assert 0.07 <= share_of_other <= 0.11
    assert min(intents.values()) >= 20
    assert max(intents.values()) / len(rows) <= 0.09
    assert max(intents.values()) >= 3 * min(intents.values())


def test_share_of_chinese_in_every_intent(rows: list[dict[str, str]]) -> None:
    chinese = [row for row in rows if CHINESE.search(row["message"])]
    assert 0.12 <= len(chinese) / len(rows) <= 0.155
    assert {row["intent"] for row in chinese} == {row["intent"] for row in rows}


def test_customers_are_many_and_heavy_tailed(rows: list[dict[str, str]]) -> None:
    sizes = sorted(Counter(row["customer"] for row in rows).values(), reverse=True)
    assert 550 <= len(sizes) <= 650
    assert sizes[0] >= 4 * len(rows) / len(sizes)
    assert all(re.fullmatch(r"C\d{4}", row["customer"]) for row in rows)
    pairs = {(row["customer"], row["segment"]) for row in rows}
    assert len(pairs) == len(sizes), "a customer has one segment"
    assert {row["segment"] for row in rows} == {"personal", "business", "student"}


def test_times_run_over_nine_months_with_a_weekly_rhythm(rows: list[dict[str, str]]) -> None:
    times = [datetime.fromisoformat(row["time"]) for row in rows]
    assert times == sorted(times)
    assert {(time.year, time.month) for time in times} == {(2026, month) for month in range(1, 10)}
    weekday_mornings = sum(time.weekday() < 5 and 8 <= time.hour < 12 for time in times)
    nights = sum(time.hour < 4 for time in times)
    assert weekday_mornings / len(rows) > 0.25
    assert nights / len(rows) < 0.05


def test_some_messages_carry_invented_personal_data(rows: list[dict[str, str]]) -> None:
    found = sum(bool(PERSONAL.search(row["message"])) for row in rows)
    assert 0.01 <= found / len(rows) <= 0.025
    addresses = [m for row in rows for m in re.findall(r"\S+@[\w.]*\w", row["message"])]
    assert addresses
    assert all(re.search(r"@example\.(com|net|org)$", address) for address in addresses)


def test_composer_reproduces_the_file_byte_for_byte(tmp_path: Path) -> None:
    target = tmp_path / "again.csv"
    command = [sys.executable, str(FOLDER / "make_messages.py"), str(target)]
    subprocess.run(command, check=True, capture_output=True)
    assert target.read_bytes() == (FOLDER / "messages.csv").read_bytes()


def test_faq_answers_every_intent(rows: list[dict[str, str]]) -> None:
    faq = read("faq.csv")
    assert set(faq[0]) == {"intent", "language", "question", "answer"}
    intents = {row["intent"] for row in rows} - {OTHER}
    assert {row["intent"] for row in faq if row["language"] == "en"} == intents
    chinese = [row for row in faq if row["language"] == "zh"]
    assert len({row["intent"] for row in chinese}) >= 8
    assert {row["intent"] for row in chinese} <= intents
    assert all(bool(CHINESE.search(row["answer"])) == (row["language"] == "zh") for row in faq)


def test_project_file_names_columns_and_labels_of_the_data(rows: list[dict[str, str]]) -> None:
    project = tomllib.loads((FOLDER / "payoff.toml").read_text(encoding="utf-8"))
    data, labels = project["data"], {row["intent"] for row in rows}
    assert {data[key] for key in ("text", "label", "group", "time", "segment")} == set(COLUMNS)
    assert data["out_of_scope"] == OTHER
    assert set(project["value"]["classes"]) <= labels
    for pair in project["value"]["pairs"]:
        assert pair["truth"] != pair["action"]
        assert {pair["truth"], pair["action"]} <= labels
    dearest = min(project["value"]["classes"].values(), key=lambda value: value["wrong"])
    assert dearest["wrong"] < 10 * project["value"]["classes"]["opening_hours"]["wrong"]


def test_readme_states_the_counts_of_the_file(rows: list[dict[str, str]]) -> None:
    readme = (FOLDER / "README.md").read_text(encoding="utf-8")
    counts = Counter(row["intent"] for row in rows)
    assert f"{len(rows):,} messages" in readme
    for intent, n in counts.items():
        assert re.search(rf"^\| `{intent}` \| {n} \|", readme, re.MULTILINE), intent


def test_bag_of_words_is_neither_perfect_nor_lost(rows: list[dict[str, str]]) -> None:
    pytest.importorskip("sklearn")
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold, cross_val_score
    from sklearn.pipeline import make_pipeline, make_union
    from sklearn.svm import LinearSVC

    texts = [row["message"] for row in rows]
    intents = [row["intent"] for row in rows]
    customers = [row["customer"] for row in rows]
    model = make_pipeline(
        make_union(
            TfidfVectorizer(ngram_range=(1, 2), sublinear_tf=True),
            TfidfVectorizer(analyzer="char_wb", ngram_range=(2, 4), sublinear_tf=True),
        ),
        LinearSVC(random_state=0),
    )
    mixed = StratifiedKFold(3, shuffle=True, random_state=0)
    grouped = StratifiedGroupKFold(3, shuffle=True, random_state=0)
    by_message = cross_val_score(model, texts, intents, cv=mixed).mean()
    by_customer = cross_val_score(model, texts, intents, groups=customers, cv=grouped).mean()
    assert 0.65 < by_message < 0.93
    assert 0.65 < by_customer < 0.93
    assert by_message - by_customer < 0.06, "messages of a customer give each other away"
