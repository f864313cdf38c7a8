from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from types import ModuleType

import pytest


@pytest.fixture(scope="module")
def floor(repository: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(
        "coverage_floor", repository / "tools" / "coverage_floor.py"
    )
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def file(lines: int, statements: int, taken: int, branches: int) -> dict[str, dict[str, int]]:
    return {
        "summary": {
            "covered_lines": lines,
            "num_statements": statements,
            "covered_branches": taken,
            "num_branches": branches,
        }
    }


REPORT = {
    "files": {
        "src/payoff/__init__.py": file(0, 9, 0, 0),
        "src/payoff/core/money.py": file(9, 10, 8, 10),
        "src\\payoff\\core\\errors.py": file(10, 10, 10, 10),
        "src/payoff/data/checks/texts.py": file(1, 10, 0, 0),
        "tests/core/test_money.py": file(0, 10, 0, 10),
    }
}


def test_shares_are_summed_over_a_package(floor: ModuleType) -> None:
    assert floor.shares(REPORT) == {"": (0.0, 1.0), "core": (0.95, 0.9), "data": (0.1, 1.0)}


def test_what_is_under_the_floor_is_told(floor: ModuleType) -> None:
    told = floor.below(floor.shares(REPORT), 0.9, ("core", "data", "learn"))
    assert told == ["data: 10.0% of statements, floor 90%", "learn: not measured"]
    assert floor.below(floor.shares(REPORT), 0.91, ("core",)) == [
        "core: 90.0% of branches, floor 91%"
    ]


def test_the_exit_code_says_whether_it_holds(
    floor: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "coverage.json"
    path.write_text(json.dumps(REPORT), "utf-8")
    assert floor.main([str(path)]) == 1
    assert "Coverage is too low: data" in capsys.readouterr().err
    whole = {"files": {f"src/payoff/{p}/a.py": file(10, 10, 9, 10) for p in floor.PACKAGES}}
    path.write_text(json.dumps(whole), "utf-8")
    assert floor.main([str(path)]) == 0
    assert floor.main([str(path), "0.95"]) == 1
