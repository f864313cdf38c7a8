"""``payoff tune --task`` and ``--pair``, from a file to a served model."""

from __future__ import annotations

import csv
import json
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tests.adapt import task_samples
from tests.adapt.tiny_backbones import encoder_folder
from tests.economics.pair_artifact import pair_artifact

from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.artifact.task_model import TaskModel

Cli = Callable[..., Any]
COLUMNS = ("--text", "text", "--label", "target")


@pytest.fixture(scope="module", autouse=True)
def quick() -> Iterator[None]:
    from payoff.plan.tuning import tune, tune_task

    with pytest.MonkeyPatch.context() as patch:
        for module in (tune, tune_task):
            quickly = partial(module.measure_latency, seconds=0.05)
            patch.setattr(module, "measure_latency", quickly)
        yield


def written(path: Path, names: Iterable[str], *columns: Iterable[str]) -> Path:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(names)
        writer.writerows(zip(*columns, strict=True))
    return path


SAID = {
    "broken": ("The screen is cracked", "It does not switch on", "A part arrived damaged"),
    "late": ("I have waited three weeks for it", "It came days after the date", "Still not here"),
    "refund": ("I want my money back", "Please refund me", "Return the amount to my card"),
    "rude": ("The agent shouted at me", "Your staff were impolite", "Nobody was friendly"),
}


def complaints(n: int) -> tuple[list[str], list[str]]:
    """Messages of none to three complaints, in words that a pretrained model knows."""
    rng = np.random.default_rng(0)
    texts, cells = [], []
    for number in range(n):
        own = [name for name in SAID if rng.random() < 0.35]
        said = [str(rng.choice(SAID[name])) for name in own] or ["Thanks, all is well"]
        texts.append(f"Order {number}: " + ". ".join(rng.permutation(said).tolist()))
        cells.append("|".join(own))
    return texts, cells


@pytest.mark.parametrize("backbone", ["tiny", "minilm-l6"])
def test_several_labels_end_to_end(
    backbone: str, cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts, cells = complaints(240)
    assert "" in cells
    if backbone == "tiny":
        backbone = str(encoder_folder(tmp_path / "tiny", texts))
    else:
        monkeypatch.delenv("PAYOFF_CACHE")  # where a user has it
        if not installed(find(backbone)):
            pytest.skip(f"{backbone} is not installed: payoff backbones install {backbone}")
    file = written(tmp_path / "t.csv", ("text", "target"), texts, cells)
    how = ("tune", file, *COLUMNS, "--task", "multi-label", "--recipe", "frozen-head")
    ran = cli(*how, "--backbone", backbone, "--report", "--json", "--quiet")
    assert ran.code == 0, ran.out
    for rows in ("validation", "test"):
        judged = ran.json[rows]
        assert judged["quality"]["micro_f1"] > judged["baseline"]["micro_f1"] + 0.1
        assert judged["quality"]["log_loss"] < judged["baseline"]["log_loss"]
    assert ran.json["task"]["labels"] == sorted(SAID)
    said = TaskModel.open(tmp_path / ran.json["tier"]).answers(texts)
    wanted = [tuple(sorted(filter(None, cell.split("|")))) for cell in cells]
    how = ("predict", tmp_path / ran.json["tier"], file, "--text", "text", "--out", "said.csv")
    assert cli(*how).code == 0
    with (tmp_path / "said.csv").open(encoding="utf-8") as table:
        answered = [tuple(json.loads(row["answer"])) for row in csv.DictReader(table)]
    assert answered == said
    right = [one == other for one, other in zip(said, wanted, strict=True)]
    assert sum(right) / len(right) > (0.9 if backbone == "minilm-l6" else 0.5)


def test_grades_in_a_stated_order(cli: Cli, tmp_path: Path) -> None:
    texts, cells = task_samples.ordinal(150, n_grades=3)
    named = [{"1": "low", "2": "mid", "3": "high"}[cell] for cell in cells]
    file = written(tmp_path / "t.csv", ("text", "target"), texts, named)
    how = ("tune", file, *COLUMNS, "--task", "ordinal", "--recipe", "bag-of-words")
    told = cli(*how, "--json", "--quiet").json["error"]
    assert (told["code"], "--order" in told["mend"]) == ("PF114", True)
    ran = cli(*how, "--order", "low, mid,high")
    assert ran.code == 0, ran.err
    for part in ("bag-of-words C=1.0, ordinal", "quadratic kappa", "reads no text", "not looked"):
        assert part in ran.out


def test_a_number_in_a_project(cli: Cli, tmp_path: Path) -> None:
    texts, cells = task_samples.regression(200)
    written(tmp_path / "t.csv", ("text", "target"), texts[:150], cells[:150])
    written(tmp_path / "u.csv", ("text", "target"), texts[150:], cells[150:])
    (tmp_path / "payoff.toml").write_text(
        '[data]\npath = "t.csv"\ntext = "text"\nlabel = "target"\ntest = "u.csv"\n'
        '[value]\ncurrency = "USD"\ncorrect = 1\nwrong = -1\nhandoff = 0\n'
        "[traffic]\nper_month = 100\n",
        "utf-8",
    )
    how = ("tune", tmp_path, "--task", "regression", "--recipe", "bag-of-words", "--report")
    facts = cli(*how, "--json", "--quiet").json
    assert facts["test"]["quality"]["n"] == 50
    assert facts["test"]["quality"]["mae"] < 0.8 * facts["test"]["quality"]["constant_mae"]
    assert "r2" in cli(*how).out
    how = ("predict", tmp_path / facts["tier"], "--text", texts[0], "--json", "--quiet")
    answer = cli(*how).json["answers"][0]
    assert answer["text"] == texts[0]
    assert 0 < answer["answer"] < 20_000
    assert cli(*how[:4]).out.splitlines()[0] == "text,answer"
    assert cli(*how, "--pair", "b").json["error"]["code"] == "PF105"


def test_pairs_end_to_end(cli: Cli, tmp_path: Path) -> None:
    first, second, cells = task_samples.pairs(150)
    file = written(tmp_path / "t.csv", ("text", "reply", "target"), first, second, cells)
    test = written(tmp_path / "u.csv", ("text", "reply", "target"), *task_samples.pairs(40, seed=4))
    how = ("tune", file, *COLUMNS, "--recipe", "bag-of-words", "--test", test, "--report")
    with_reply = cli(*how, "--pair", "reply", "--json", "--quiet")
    assert with_reply.code == 0, with_reply.out
    without = cli(*how, "--json", "--quiet").json
    grades = ("--task", "ordinal", "--order", "solved,open", "--pair", "reply")
    told = cli(*how, *grades, "--json", "--quiet").json
    assert told["test"]["quality"]["accuracy"] > 0.9
    how = ("predict", told["tier"], test, "--text", "text", "--pair", "reply", "--out", "o.jsonl")
    assert cli(*how).code == 0
    first_line = json.loads((tmp_path / "o.jsonl").read_text("utf-8").splitlines()[0])
    assert list(first_line) == ["row", "text", "pair", "answer"]
    accuracy = [one["test"]["quality"]["accuracy"] for one in (with_reply.json, without)]
    assert accuracy[0] > 0.9
    assert accuracy[1] < 0.75


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (("--task", "multilabel"), "PF407"),
        (("--task", "ordinal", "--recipe", "focal"), "PF405"),
        (("--task", "regression"), "PF114"),
        (("--task", "regression", "--order", "a,b"), "PF407"),
        (("--order", "a,b"), "PF290"),
        (("--task", "multi-label", "--unlabelled", "t.csv"), "PF290"),
        (("--pair", "nowhere"), "PF103"),
    ],
)
def test_what_is_wrong_is_told(
    cli: Cli, tmp_path: Path, arguments: tuple[str, ...], code: str
) -> None:
    file = written(tmp_path / "t.csv", ("text", "target"), *task_samples.multi_label(30))
    usual = () if "--recipe" in arguments else ("--recipe", "bag-of-words")
    ran = cli("tune", file, *COLUMNS, *usual, *arguments, "--json", "--quiet")
    assert ran.code != 0
    assert ran.json["error"]["code"] == code


def test_a_task_needs_a_column(cli: Cli, tmp_path: Path) -> None:
    file = written(tmp_path / "t.csv", ("text", "target"), *task_samples.multi_label(30))
    how = ("tune", file, "--text", "text", "--recipe", "lora", "--task", "multi-label")
    assert cli(*how, "--json", "--quiet").json["error"]["code"] == "PF290"


def test_pairs_are_predicted_and_evaluated(cli: Cli, tmp_path: Path) -> None:
    artifact = pair_artifact(tmp_path)
    first, second = ["a day", "good", "good"], ["bad", "day", "night"]
    file = written(tmp_path / "t.csv", ("q", "a", "y"), first, second, ["bad", "good", "bad"])
    one = cli("predict", artifact, "--text", "a day", "--pair", "bad", "--json", "--quiet").json
    assert one["decisions"][0]["action"] == "bad"
    how = ("predict", artifact, file, "--text", "q", "--pair", "a", "--json", "--quiet")
    decided = cli(*how).json["decisions"]
    assert [(d["row"], d["text"], d["action"]) for d in decided] == [
        (1, "a day", "bad"),
        (2, "good", "good"),
        (3, "good", "good"),
    ]
    how = ("evaluate", artifact, file, "--text", "q", "--pair", "a", "--label", "y", "--seconds")
    assert cli(*how, "0", "--json", "--quiet").json["accuracy"] == pytest.approx(2 / 3)
    told = cli("predict", artifact, "--text", "a", "--text", "b", "--pair", "c", "--json")
    assert told.json["error"]["code"] == "PF290"
