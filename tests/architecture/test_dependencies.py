"""What is imported is declared, and what an extra brings is asked for by its name."""

from __future__ import annotations

import ast
import importlib.metadata
import re
import subprocess
import sys
import textwrap
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

# Rooms and files that may ask for an extra; whoever serves must not.
MAY_ASK = {
    "tune": ("adapt/", "plan/", "data/checks/label_errors.py"),
    "excel": ("data/readers/tables.py",),
    "data": ("data/readers/source.py", "learn/parquet.py"),
    "client": ("serve/client.py",),
    "generate": ("evidence/answers.py", "plan/tuning/answers.py"),
    "api": ("artifact/runtime/",),
    "postgres": ("learn/database.py",),
    "dashboard": ("serve/dashboard/",),
    "otel": ("serve/traces.py",),
    "sweep": ("plan/",),
    "mlflow": ("plan/trackers/", "adapt/export/formats/"),
    "tensorboard": ("plan/trackers/",),
    "wandb": ("plan/trackers/",),
    "signing": ("artifact/signature.py",),
    "tflite": ("adapt/export/formats/",),
}

FOR_US = ("dev", "docs")
"""Extras of whoever works on payoff."""

TABLES = {"data": {"polars"}, "apps": {"polars"}}
"""Rooms that read tables, behind the door that asks for the extra ``data``."""


def canonical(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


@pytest.fixture(scope="module")
def declared(repository: Path) -> dict[str, set[str]]:
    """Distributions of the base (under ``""``) and of each extra."""
    project = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": project["dependencies"]} | project["optional-dependencies"]
    return {
        extra: {canonical(re.split(r"[\[<>=~!; ]", line)[0]) for line in lines}
        for extra, lines in groups.items()
    }


@pytest.fixture(scope="module")
def distributions() -> dict[str, set[str]]:
    """Distributions that bring a top-level module."""
    found = importlib.metadata.packages_distributions()
    return {module: {canonical(name) for name in names} for module, names in found.items()}


def required(modules: Any) -> Iterator[tuple[str, str, str]]:
    """File, module and extra of every ``require("module", "extra", …)``."""
    for module in modules:
        for node in ast.walk(module.tree):
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require":
                values = [a.value for a in node.args[:2] if isinstance(a, ast.Constant)]
                if len(values) == 2:
                    yield module.name, str(values[0]), str(values[1])


def imported(modules: Any) -> Iterator[tuple[str, str]]:
    """File and top-level module of every import of something that is not Python's or ours."""
    for module in modules:
        for node in ast.walk(module.tree):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [node.module or ""]
            for name in names:
                top = name.split(".")[0]
                if top != "payoff" and top not in sys.stdlib_module_names:
                    yield module.name, top


def test_every_import_is_of_a_declared_dependency(
    modules: Any, declared: dict[str, set[str]], distributions: dict[str, set[str]]
) -> None:
    known = set().union(*(names for extra, names in declared.items() if extra not in FOR_US))
    asked = [(file, module.split(".")[0]) for file, module, _ in required(modules)]
    undeclared = {
        (file, top)
        for file, top in (*imported(modules), *asked)
        if not distributions.get(top, {canonical(top)}) & known
    }
    assert not undeclared


def test_rooms_that_serve_import_only_what_the_base_brings(
    modules: Any, declared: dict[str, set[str]], distributions: dict[str, set[str]]
) -> None:
    rooms = ("core", "artifact", "evidence", "economics", "learn", "serve", "data", "apps", "cli")
    beyond = {
        (file, top)
        for file, top in imported(m for m in modules if m.room in rooms)
        if not distributions.get(top, {top})
        & (declared[""] | TABLES.get(file.split("/")[0], set()))
    }
    assert not beyond


def test_an_extra_is_asked_for_where_it_may_be_and_by_its_own_name(
    modules: Any, declared: dict[str, set[str]]
) -> None:
    for file, module, extra in required(modules):
        assert extra in MAY_ASK, (file, module)
        assert file.startswith(MAY_ASK[extra]), (file, module)
        assert extra in declared


BLOCK = """
import sys
from importlib.abc import MetaPathFinder

class Absent(MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {blocked!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""


def without(blocked: set[str], code: str, folder: Path) -> str:
    """What a fresh process says that runs ``code`` where some modules are not installed."""
    result = subprocess.run(
        [sys.executable, "-c", BLOCK.format(blocked=blocked) + textwrap.dedent(code)],
        cwd=folder,
        capture_output=True,
        text=True,
        check=False,
    )
    return result.stdout + result.stderr.strip()[-2000:]


TUNE = {
    "altair", "cleanlab", "jinja2", "onnx", "peft", "safetensors", "scipy",
    "sklearn", "torch", "transformers", "vl_convert",
}  # fmt: skip


def test_excel_files_without_the_extra_tell_its_pip_line(tmp_path: Path) -> None:
    (tmp_path / "t.xlsx").write_bytes(b"PK\x03\x04 some workbook")
    code = "import payoff; payoff.Dataset.from_excel('t.xlsx', text='a')"
    told = without({"fastexcel"}, code, tmp_path)
    assert "PF803" in told
    assert "pip install 'payoff[excel]'" in told


@pytest.mark.parametrize("name", ["t.csv", "t.jsonl", "t.parquet", "t.xlsx"])
def test_tables_without_the_extra_tell_its_pip_line(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("a\nb\n", "utf-8")
    code = f"import payoff; payoff.Dataset.from_file({name!r}, text='a')"
    told = without({"polars", "_polars_runtime_32"}, code, tmp_path)
    assert "PF803 polars" in told
    assert "pip install 'payoff[data]'" in told


def test_each_library_of_tune_tells_its_pip_line(tmp_path: Path) -> None:
    for module in sorted(TUNE):
        code = f"from payoff.core.extras import require; require({module!r}, 'tune', 'this')"
        told = without({module}, code, tmp_path)
        assert f"PF803 {module}" in told
        assert "pip install 'payoff[tune]'" in told


def test_a_search_without_the_extra_tells_its_pip_line(tmp_path: Path) -> None:
    code = """
        import payoff, polars
        rows = {"t": ["where is my card", "refund please"], "y": ["card", "refund"]}
        tickets = payoff.Dataset.from_frame(polars.DataFrame(rows), text="t", label="y")
        worth = payoff.Payoff(correct=3, wrong=-7, handoff=-2, currency="USD")
        import payoff.plan.search
        print("imported")
        payoff.search(tickets, worth, traffic=payoff.Traffic(900))
    """
    told = without(TUNE, code, tmp_path)
    assert told.startswith("imported\n")
    assert "PF803 torch" in told
    assert "pip install 'payoff[tune]'" in told
    assert not list(tmp_path.iterdir())  # no run was begun


def test_label_noise_without_the_extra_is_not_checked_and_tells_its_pip_line(
    tmp_path: Path,
) -> None:
    code = """
        import polars as pl, payoff
        from payoff.data.inspection import inspect
        rows = {"t": [f"text {n}" for n in range(60)], "y": ["a", "b"] * 30}
        data = payoff.Dataset.from_frame(pl.DataFrame(rows), text="t", label="y")
        for finding in inspect(data, label_noise=True):
            if finding.code == "PF162":
                print(finding.status, finding.detail, finding.mend)
    """
    told = without({"cleanlab", "sklearn", "scipy"}, code, tmp_path)
    assert told.startswith("not checked")
    assert "pip install 'payoff[tune]'" in told


def test_the_base_alone_loads_decides_and_prices(tmp_path: Path, repository: Path) -> None:
    frozen = repository / "tests" / "artifact" / "frozen" / "format-1.zip"
    code = f"""
        import payoff
        from payoff.cli.main import run_command_line
        worth = payoff.Payoff(correct=3, wrong=-7, handoff=-2, currency="USD")
        print(worth.of(truth="a", action="handoff"))
        print(payoff.load({str(frozen)!r}).decide("someone took my card").label)
        print(run_command_line(["prices", "--kind", "egress_gb", "--json"]))
        print(run_command_line(["--help"]))
    """
    told = without(TUNE | {"fastexcel", "pandas", "pyarrow"}, code, tmp_path)
    assert told.startswith("-2.00 USD\ncard\n")
    assert "Error" not in told
    assert told.rstrip().endswith("0")
