"""The catalogue of codes and the source hold each other to account."""

from __future__ import annotations

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from payoff.core import errors
from payoff.core.codes import catalogue

CODE = re.compile(r"\bPF\d{3}\b")
HUNDREDS = {
    "DataError": "1",
    "ProjectError": "2",
    "BackboneError": "3",
    "AdaptError": "4",
    "ArtifactError": "5",
    "EconomicsError": "6",
    "ServiceError": "7",
    "MachineError": "8",
}


def made(modules: Any) -> Iterator[tuple[str, str, str]]:
    """File, name of what is made, and code of every call whose first argument is a code."""
    for module in modules:
        for node in ast.walk(module.tree):
            if not isinstance(node, ast.Call) or not node.args:
                continue
            first, function = node.args[0], node.func
            name = (
                function.attr
                if isinstance(function, ast.Attribute)
                else getattr(function, "id", "")
            )
            if isinstance(first, ast.Constant) and CODE.fullmatch(str(first.value)):
                yield module.name, name, first.value


def test_every_code_in_the_source_is_in_the_catalogue_and_the_other_way_round(
    modules: Any,
) -> None:
    used: dict[str, str] = {}
    for module in modules:
        for text in module.constants():
            used |= dict.fromkeys(CODE.findall(text), module.name)
    known = set(catalogue())
    assert {code: where for code, where in used.items() if code not in known} == {}
    assert sorted(known - set(used)) == []


def test_docstrings_name_only_codes_that_exist(modules: Any) -> None:
    named = {code: m.name for m in modules for code in CODE.findall(m.text)}
    named.pop("PF000", None)  # the example of a code that the catalogue lacks
    assert {code: where for code, where in named.items() if code not in catalogue()} == {}


def test_an_error_has_a_code_of_its_own_hundred(modules: Any) -> None:
    wrong = [
        (file, name, code)
        for file, name, code in made(modules)
        if name in HUNDREDS and code[2] != HUNDREDS[name]
    ]
    assert not wrong


def test_errors_and_findings_are_kept_apart(modules: Any) -> None:
    kinds = dict.fromkeys(HUNDREDS, "error") | {"Finding": "finding"}
    wrong = [
        (file, name, code)
        for file, name, code in made(modules)
        if name in kinds and code in catalogue() and catalogue()[code].kind != kinds[name]
    ]
    assert not wrong


def test_the_classes_are_those_of_the_tree() -> None:
    tree = {
        cls.__name__
        for cls in errors.PayoffError.__subclasses__()
        if cls.__module__ == errors.__name__
    }
    assert tree == {*HUNDREDS, "Problems"}


def test_the_catalogue_is_in_order_and_whole(repository: Path) -> None:
    text = (repository / "src/payoff/core/codes.toml").read_text("utf-8")
    codes = re.findall(r"^\[(PF\d{3})\]$", text, re.MULTILINE)
    assert codes == sorted(set(codes))
    for code, entry in tomllib.loads(text).items():
        assert entry["kind"] in {"error", "finding"}, code
        assert not entry["title"].endswith("."), code
        assert entry["explanation"].endswith("."), code
        assert entry["mend"], code
        if entry["kind"] == "error":
            assert 400 <= entry["http_status"] < 600, code


@pytest.mark.parametrize("code", sorted(catalogue()))
def test_a_code_can_be_explained(code: str) -> None:
    assert catalogue()[code].code == code
