"""The package's root is its interface: sorted, complete and quick to import."""

from __future__ import annotations

import subprocess
import sys

import payoff

HEAVY = {"torch", "transformers", "sklearn", "polars", "pandas", "scipy", "onnxruntime", "rich"}


def imported_by(code: str) -> set[str]:
    """Top-level modules that a fresh process has after running ``code``."""
    probe = f"{code}\nimport sys\nprint(*{{name.split('.')[0] for name in sys.modules}})"
    result = subprocess.run(
        [sys.executable, "-c", probe], capture_output=True, text=True, check=True
    )
    return set(result.stdout.splitlines()[-1].split())


def test_all_is_sorted_and_every_name_resolves() -> None:
    assert payoff.__all__ == sorted(payoff.__all__)
    assert dir(payoff) == payoff.__all__
    for name in payoff.__all__:
        assert getattr(payoff, name) is not None


def test_an_unknown_name_is_an_attribute_error() -> None:
    assert not hasattr(payoff, "nothing_of_that_name")


def test_importing_payoff_imports_nothing_heavy() -> None:
    assert not imported_by("import payoff") & (HEAVY | {"numpy"})


def test_what_serving_needs_is_imported_without_training_libraries() -> None:
    code = "import payoff; payoff.load; payoff.Desk; payoff.Payoff; payoff.evaluate; payoff.Money"
    assert not imported_by(code) & HEAVY


def test_the_service_is_imported_without_training_libraries() -> None:
    modules = imported_by("import payoff.cli.serve, payoff.serve.run")
    assert not modules & {"torch", "transformers", "sklearn", "polars", "pandas"}


def test_help_imports_no_numbers() -> None:
    code = "from payoff.cli.main import run_command_line; run_command_line(['--help'])"
    assert not imported_by(code) & (HEAVY | {"numpy"})
