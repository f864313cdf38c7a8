from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from payoff.learn.entry import Entry, customer_hash
from payoff.learn.journal import Journal

Run = Callable[..., Any]


@pytest.fixture
def books(tmp_path: Path) -> Path:
    path = tmp_path / "books.db"
    with Journal.open(path) as journal:
        ann = customer_hash("ann", journal.salt)
        made = Entry("r-1", "a", "t", "refund", "refund", 0.9, 3.2, "USD", 4.0, customer=ann)
        journal.append([made], texts={"r-1": "hello"})
    return path


def test_backup_restore_export_and_forget(payoff_command: Run, tmp_path: Path, books: Path) -> None:
    done = payoff_command("journal", "backup", books, "kept.zip", "--json")
    assert done.json["rows"]["decisions"] == 1
    back = payoff_command("journal", "restore", "kept.zip", "other.db", "--json")
    assert back.json["rows"] == done.json["rows"]
    again = payoff_command("journal", "restore", "kept.zip", "other.db")
    assert (again.code, "PF726" in again.err) == (2, True)
    out = payoff_command("journal", "export", "other.db", "out", "--json")
    assert out.json["rows"] == {"decisions": 1, "feedback": 0, "costs": 0}
    gone = payoff_command("journal", "forget", "other.db", "--customer", "ann", "--json")
    assert gone.json == {"n_decisions": 1, "n_texts": 1, "n_feedback": 0}
    with Journal.open(tmp_path / "other.db") as journal:
        assert journal.read()[0].customer == ""
    assert "nothing" not in payoff_command("journal", "forget", books, "--older-than", "0").out


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("backup", "nowhere.db", "x.zip"), "PF293"),
        (("export", "nowhere.db", "out"), "PF293"),
        (("forget", "nowhere.db", "--customer", "ann"), "PF293"),
        (("forget", "books.db"), "PF290"),
        (("forget", "books.db", "--customer", ""), "PF290"),
        (("restore", "nowhere.zip", "new.db"), "PF725"),
        (("restore", "books.db", "new.db"), "PF725"),
    ],
)
def test_what_is_wrong_is_told(
    payoff_command: Run, tmp_path: Path, books: Path, words: tuple[str, ...], code: str
) -> None:
    assert books.exists()
    done = payoff_command("journal", *words)
    assert done.code == 2
    assert done.err.startswith(code) or code in done.err
    assert not (tmp_path / "nowhere.db").exists()


def test_keys_are_made_listed_and_withdrawn(payoff_command: Run, books: Path) -> None:
    none = payoff_command("keys", "--journal", books)
    assert "whoever asks" in none.out
    made = payoff_command("keys", "add", "shop", "--journal", books, "--days", 30, "--json").json
    assert made["scopes"] == ["decide", "feedback"]
    listed = payoff_command("keys", "list", "--journal", books, "--json").json["keys"]
    assert [(one["key_id"], one["good"]) for one in listed] == [(made["key_id"], True)]
    assert made["key"] not in str(listed)
    words = ("keys", "withdraw", made["key_id"], "--journal", books)
    assert payoff_command(*words).code == 0
    twice = payoff_command(*words)
    assert (twice.code, "PF723" in twice.err) == (2, True)
    shown = payoff_command("keys", "add", "ops", "--scope", "admin", "--journal", books)
    assert "payoff_" in shown.out
    assert made["key_id"] in payoff_command("keys", "--journal", books).out


def test_feedback_comes_from_a_table(payoff_command: Run, tmp_path: Path, books: Path) -> None:
    table = tmp_path / "told.csv"
    table.write_text("request_id,label,worth\nr-1,refund,\nr-2,,2.5\n", "utf-8")
    words = ("feedback", table, "--journal", books, "--json")
    assert payoff_command(*words).json == {"n_new": 2, "n_known": 0, "unknown": ["r-2"]}
    assert payoff_command(*words).json == {"n_new": 0, "n_known": 2, "unknown": ["r-2"]}
    people = payoff_command("feedback", table, "--journal", books)
    assert "0 new, 2 known already" in people.out
    table.write_text("request_id,label,worth\nr-1,,\nr-2,,much\n", "utf-8")
    wrong = payoff_command("feedback", table, "--journal", books)
    assert wrong.code == 2
    assert "told.csv row 1" in wrong.err
    assert "told.csv row 2" in wrong.err
    table.write_text("id,label\nr-1,x\n", "utf-8")
    assert "PF716" in payoff_command("feedback", table, "--journal", books).err
    table.write_text("", "utf-8")
    assert "PF102" in payoff_command("feedback", table, "--journal", books).err
    assert "PF101" in payoff_command("feedback", "nowhere.csv", "--journal", books).err
