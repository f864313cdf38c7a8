from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import Any

import pytest

from payoff.core.errors import PayoffError, Problems, ProjectError
from payoff.plan.project import Project

SECTIONS = {
    "data": 'path = "a.csv"\ntext = "t"\nlabel = "l"',
    "value": 'currency = "USD"\ncorrect = 3\nwrong = -6\nhandoff = -2',
    "traffic": "per_month = 1000",
}
MONEY = 'currency = "USD"\ncorrect = 3\nwrong = -6\n'


def write(folder: Path, top: str = "", **sections: str) -> Path:
    parts = [f"[{name}]\n{text}" for name, text in (SECTIONS | sections).items() if text]
    (folder / "payoff.toml").write_text("\n".join([top, *parts]), "utf-8")
    return folder


def read_wrong(folder: Path) -> PayoffError:
    with pytest.raises(PayoffError) as told:
        Project.read(folder)
    return told.value


def test_all_that_may_be_said(tmp_path: Path) -> None:
    (tmp_path / "m.csv").write_text("truth,a,b\na,3,-6\nb,-6,3\n", "utf-8")
    write(
        tmp_path,
        'name = "desk"',
        data='path = "a.csv"\ntext = "t"\nlabel = "l"\ngroup = "g"\ntest = "b.csv"\n'
        'unlabelled = "c.csv"',
        value='currency = "USD"\nmatrix = "m.csv"\nnothing = -1.5',
        person="minutes = 3\nwage_per_hour = 20\nerror_rate = 0.1",
        traffic="per_month = 1000\nlow = 800\nhigh = 2000\ngrowth_per_month = 0.1\npeak_factor = 2",
        mix="a = 0.3\nb = 0.7",
        labels='price_each = 0.2\n[labels.descriptions]\na = "First."',
        currency='as_of = 2026-01-05\nsource = "bank"\nrates = {EUR = 1.1}',
        llm='model = "gpt-5-mini"\naccuracy = 0.9',
        hosting='providers = ["aws"]\nregion = "eu"\nlatency_limit_ms = 50',
        search="minutes = 3\nseed = 4\nhorizon_months = 6\nmonths_until_retraining = 3\n"
        'risk_aversion = 0.5\nhour_of_waiting = 10\nbackbones = ["minilm-l6"]\n'
        "prices_on = 2026-02-01",
    )
    project = Project.read(tmp_path)
    terms = project.terms
    assert (project.name, project.minutes, project.seed) == ("desk", 3, 4)
    assert project.backbones == ("minilm-l6",)
    assert project.data["group"] == "g"
    assert project.descriptions == {"a": "First."}
    (tmp_path / "c.csv").write_text("t,x\none,1\n ,2\ntwo,3\n", "utf-8")
    assert project.unlabelled() == ("one", "two")
    assert project.text.startswith('name = "desk"')
    assert terms.payoff.nothing == -1.5
    # Right nine times in ten, else as a wrong action; less three minutes' wage.
    assert terms.payoff.matrix(("a", "b"))[0, 2] == pytest.approx(0.9 * 3 - 0.1 * 6 - 1.0)
    assert terms.traffic.high == 2000
    assert terms.expected_mix == {"a": 0.3, "b": 0.7}
    assert terms.label_price == 0.2
    assert terms.rates is not None
    assert terms.llm == {"model": "gpt-5-mini", "accuracy": 0.9}
    assert (terms.providers, terms.region, terms.latency_limit_ms) == (("aws",), "eu", 50)
    assert (terms.horizon_months, terms.months_until_retraining) == (6, 3)
    assert (terms.risk_aversion, terms.hour_of_waiting, terms.on) == (0.5, 10, date(2026, 2, 1))


def test_what_is_left_out_has_a_default(tmp_path: Path) -> None:
    project = Project.read(write(tmp_path))
    assert project.name == tmp_path.name
    assert (project.minutes, project.seed, project.backbones) == (10.0, 0, ())
    assert project.terms.rates is None
    assert project.terms.expected_mix is None
    assert project.test_set() is None


def test_the_data_lie_beside_the_file(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text("t,l\nhello,x\nbye,y\n", "utf-8")
    (tmp_path / "b.csv").write_text("t,l\nagain,x\n", "utf-8")
    write(tmp_path, data=SECTIONS["data"] + '\ntest = "b.csv"')
    project = Project.read(tmp_path / "payoff.toml")
    assert project.dataset().texts == ["hello", "bye"]
    kept = project.test_set()
    assert kept is not None
    assert kept.texts == ["again"]


def test_the_example_that_carries_its_data_is_right(repository: Path) -> None:
    project = Project.read(repository / "examples" / "support")
    assert project.name == "support"
    assert project.dataset().labels == tuple(sorted(set(project.dataset().targets)))
    assert [f for f in project.terms.payoff.check(project.dataset().labels) if f.failed] == []


def test_no_file_and_no_toml(tmp_path: Path) -> None:
    missing = read_wrong(tmp_path)
    assert missing.code == "PF201"
    assert "payoff init" in missing.mend
    (tmp_path / "payoff.toml").write_text("[data\n", "utf-8")
    assert "no valid TOML" in read_wrong(tmp_path).found
    (tmp_path / "payoff.toml").write_bytes(b"\xff\xfe\x00[")
    assert read_wrong(tmp_path).code == "PF201"
    assert read_wrong(tmp_path / "payoff.toml").code == "PF201"


def test_a_byte_order_mark_is_no_problem(tmp_path: Path) -> None:
    path = write(tmp_path) / "payoff.toml"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes())
    assert Project.read(tmp_path).minutes == 10.0


@pytest.mark.parametrize(
    ("top", "sections", "where", "proposal"),
    [
        ('nmae = "x"', {}, "[nmae]", "name"),
        ("", {"tarffic": "per_month = 1"}, "[tarffic]", "traffic"),
        ("", {"labels": "price_ech = 1"}, "[labels]", "price_each"),
        ("", {"experiment": "holdback = 0.1"}, "[experiment]", "hold_back"),
        ("", {"review": "audit_shares = 0.1"}, "[review]", "audit_share"),
        ("", {"value": MONEY + "handof = -2"}, "[value]", "handoff"),
        (
            "",
            {"value": MONEY + "handoff = -2\nclasses = {refund = {corect = 3}}"},
            "[value.classes.refund]",
            "correct",
        ),
    ],
)
def test_unknown_keys_are_told_with_the_nearest(
    top: str, sections: dict[str, str], where: str, proposal: str, tmp_path: Path
) -> None:
    told = read_wrong(write(tmp_path, top, **sections))
    found = told.problems if isinstance(told, Problems) else (told,)
    unknown = next(problem for problem in found if problem.code == "PF202")
    assert where in unknown.where
    assert unknown.mend == f"Did you mean '{proposal}'?"


WRONG: dict[str, tuple[dict[str, str], str]] = {
    "a number for a section": ({"top": "data = 3", "data": ""}, "[data]"),
    "text for a section": ({"top": "traffic = 'x'", "traffic": ""}, "[traffic]"),
    "a list for a section": ({"top": "value = [1]", "value": ""}, "[value]"),
    "missing keys": ({"data": 'path = "a.csv"'}, "text, label are missing"),
    "a missing section": ({"traffic": ""}, "per_month is missing"),
    "text for a number": ({"traffic": 'per_month = "x"'}, "[traffic.per_month]"),
    "true for a number": ({"traffic": "per_month = true"}, "[traffic.per_month]"),
    "a number for text": ({"data": 'path = 3\ntext = "t"\nlabel = "l"'}, "[data.path]"),
    "a fraction for a whole number": ({"search": "seed = 1.5"}, "[search.seed]"),
    "a time for a day": ({"search": "prices_on = 2026-01-01T00:00:00"}, "[search.prices_on]"),
    "a share in words": ({"mix": 'a = "much"'}, "[mix.a]"),
    "a negative share": ({"mix": "a = -1"}, "[mix]"),
    "no traffic": ({"traffic": "per_month = 0"}, "[traffic]"),
    "a range upside down": ({"traffic": "per_month = 10\nlow = 20"}, "[traffic]"),
    "no time": ({"search": "minutes = 0"}, "'minutes' is 0"),
    "time without end": ({"search": "minutes = inf"}, "'minutes' is inf"),
    "no number of minutes": ({"search": "minutes = nan"}, "'minutes' is nan"),
    "a negative seed": ({"search": "seed = -1"}, "'seed' is -1"),
    "no months": ({"search": "horizon_months = 0"}, "'horizon_months' is 0"),
    "courage": ({"search": "risk_aversion = -1"}, "'risk_aversion' is -1"),
    "backbones by number": ({"search": "backbones = [1]"}, "[search.backbones]"),
    "a provider by number": ({"hosting": "providers = [1]"}, "[hosting.providers]"),
    "no latency": ({"hosting": "latency_limit_ms = 0"}, "'latency_limit_ms' is 0"),
    "a label's meaning by number": (
        {"labels": "[labels.descriptions]\na = 3"},
        "[labels.descriptions.a]",
    ),
    "all held back": ({"experiment": "hold_back = 1.0"}, "'hold_back' is 1.0"),
    "no days of it": ({"experiment": "hold_back_days = 0"}, "'hold_back_days' is 0"),
    "nothing but what is drawn": ({"review": "audit_share = 1"}, "'audit_share' is 1"),
    "less than nothing drawn": ({"review": "audit_share = -0.5"}, "'audit_share' is -0.5"),
    "labels that pay": ({"labels": "price_each = -1"}, "'price_each' is -1"),
    "better than all right": ({"llm": "accuracy = 1.5"}, "'accuracy' is 1.5"),
    "a worth that is none": ({"value": MONEY + "handoff = nan"}, "[value]"),
    "nothing of handing over": ({"value": MONEY}, "handoff"),
    "no worth": ({"value": 'currency = "USD"\nhandoff = -1'}, "'correct' is missing"),
    "half a person": ({"value": MONEY, "person": "minutes = 3"}, "'wage_per_hour' is missing"),
    "a person and a price": ({"person": "minutes = 3\nwage_per_hour = 20"}, "one of them"),
    "a class as a number": ({"value": MONEY + "handoff = -2\nclasses = {a = 3}"}, "classes.a"),
    "a floor in one pair of brackets": (
        {"floors": "at_most = 0.1"},
        "two pairs of brackets: [[floors]]",
    ),
    "a pair in one pair of brackets": (
        {"value.pairs": 'truth = "a"\naction = "b"\nvalue = -1'},
        "two pairs of brackets: [[value.pairs]]",
    ),
    "a pair as text": ({"value": MONEY + 'handoff = -2\npairs = ["a"]'}, "[value.pairs]"),
    "half a pair": ({"value": MONEY + 'handoff = -2\npairs = [{truth = "a"}]'}, "[value.pairs]"),
    "a matrix and more": (
        {"value": 'currency = "USD"\nmatrix = "m.csv"\ncorrect = 1'},
        "beside matrix, correct would not count",
    ),
    "no matrix": ({"value": 'currency = "USD"\nmatrix = "m.csv"'}, "m.csv"),
    "rates without a day": ({"currency": "rates = {EUR = 1.1}"}, "as_of, source missing"),
    "a name with folders": ({"top": 'name = "../x"'}, "[name]"),
    "no name": ({"top": 'name = " "'}, "[name]"),
    "a hidden name": ({"top": 'name = ".x"'}, "[name]"),
    "more digits than a number holds": (
        {"value": MONEY + f"handoff = -{'9' * 400}"},
        "'handoff' is -999",
    ),
    "more requests than there are": (
        {"traffic": "per_month = 1e13"},
        "'per_month' is 10000000000000.0",
    ),
    "more months than there are": (
        {"search": "horizon_months = 1_000_000_000"},
        "'horizon_months' is 1000000000",
    ),
    "a seed that no library takes": ({"search": "seed = 4294967296"}, "'seed' is 4294967296"),
}


@pytest.mark.parametrize("case", WRONG)
def test_wrong_values_are_told_with_their_place(case: str, tmp_path: Path) -> None:
    sections, told = WRONG[case]
    sections = dict(sections)
    error = read_wrong(write(tmp_path, sections.pop("top", ""), **sections))
    assert isinstance(error, ProjectError | Problems)
    assert error.code == "PF203"
    assert told in str(error)


@pytest.mark.parametrize(
    ("sections", "code"),
    [
        ({"value": 'currency = "usd"\ncorrect = 3\nwrong = -6\nhandoff = -2'}, "PF610"),
        ({"currency": 'as_of = 2026-01-01\nsource = "x"\nrates = {EUR = "dear"}'}, "PF602"),
    ],
)
def test_money_that_is_none_is_told(sections: dict[str, Any], code: str, tmp_path: Path) -> None:
    assert read_wrong(write(tmp_path, **sections)).code == code


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    write(
        tmp_path,
        "bogus = 1",
        data='path = "a.csv"\ntext = "t"',
        value="currency = 3",
        traffic='per_month = "many"\nlwo = 2',
    )
    told = read_wrong(tmp_path)
    assert isinstance(told, Problems)
    assert sorted(p.code for p in told.problems) == ["PF202", "PF202", "PF203", "PF203", "PF203"]

    write(
        tmp_path,
        value='currency = "USD"\ncorrect = nan\nwrong = inf\nhandoff = -2',
        traffic="per_month = -1\npeak_factor = 0",
        search="minutes = 0\nseed = -1",
        labels="price_each = -1",
    )
    told = read_wrong(tmp_path)
    assert isinstance(told, Problems)
    assert len(told.problems) == 7


@pytest.mark.parametrize("value", ["9" * 5000, "[" * 5000])
def test_toml_that_python_cannot_hold_is_told(value: str, tmp_path: Path) -> None:
    told = read_wrong(write(tmp_path, top=f"name = {value}"))
    assert told.code == "PF201"
