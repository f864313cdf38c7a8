from __future__ import annotations

from pathlib import Path

import pytest

from payoff.core.errors import Problems, ProjectError
from payoff.economics.market.segment_terms import SegmentTerms, read_segment_terms, terms_by_segment


def written(folder: Path, text: str) -> Path:
    path = folder / "market.csv"
    path.write_text(text, "utf-8")
    return path


def test_empty_cells_are_what_nothing_is_stated_of(tmp_path: Path) -> None:
    path = written(tmp_path, "segment,won,competitors,cost_once\nclinics,,Acme,1200\nshops,0.5,,\n")
    clinics, shops = read_segment_terms(path)
    assert clinics == SegmentTerms("clinics", cost_once=1200, competitors="Acme")
    assert shops == SegmentTerms("shops", won=0.5)
    assert clinics.as_dict()["competitors"] == "Acme"


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path) -> None:
    path = written(tmp_path, "segment,won,cost_each\na,2,x\n,1,1\nb,2,-1\n")
    with pytest.raises(Problems) as caught:
        read_segment_terms(path)
    told = [str(problem) for problem in caught.value.problems]
    assert len(told) == 4
    assert "'cost_each' is 'x'" in told[0]
    assert "names no segment" in told[1]
    assert "0 to 1" in told[3] or "0 to 1" in told[2]


@pytest.mark.parametrize(
    ("text", "code"), [("segment,wn\na,1\n", "PF202"), ("won\n1\n", "PF203"), ("", "PF203")]
)
def test_columns_must_be_known(tmp_path: Path, text: str, code: str) -> None:
    with pytest.raises(ProjectError, match=code):
        read_segment_terms(written(tmp_path, text))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("segment,cost_once\nclinics,1,200\n", "row 1: it has more cells than the header"),
        ("segment,won,\nclinics,0.5,7\n", "row 1: a cell stands in a column without a name"),
        ("segment,won,won\nclinics,0.5,0.7\n", "column 'won' is given twice"),
        (f'segment,won\n"{"a" * 200_000}', "it cannot be read"),
    ],
)
def test_no_cell_is_left_out_unsaid(tmp_path: Path, text: str, told: str) -> None:
    with pytest.raises(ProjectError, match="PF203") as caught:
        read_segment_terms(written(tmp_path, text))
    assert told in str(caught.value)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(ProjectError, match="PF203"):
        read_segment_terms(tmp_path / "none.csv")


def test_a_segment_is_stated_once() -> None:
    with pytest.raises(ProjectError, match="stated twice"):
        terms_by_segment([SegmentTerms("a"), SegmentTerms("a")], ["a"], source="t.csv")
    assert terms_by_segment([], ["a"], source="t.csv") == {"a": SegmentTerms("a")}
