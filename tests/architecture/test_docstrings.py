"""Everything public says what it is, and shows it by an example that is run."""

from __future__ import annotations

import ast
from typing import Any

import pytest

ROOMS_WITH_EXAMPLES = ("core", "data", "artifact", "evidence", "economics", "learn")
# Nobody makes a protocol, and a list of constants or of fields shows itself.
BODILESS = {"Protocol", "Enum", "StrEnum", "TypedDict", "NamedTuple"}


def bases(node: ast.ClassDef) -> set[str]:
    names = (base.value if isinstance(base, ast.Subscript) else base for base in node.bases)
    return {
        name.attr if isinstance(name, ast.Attribute) else getattr(name, "id", "") for name in names
    }


def is_error(node: ast.ClassDef) -> bool:
    return any(name.endswith("Error") for name in bases(node))


def is_record(node: ast.ClassDef) -> bool:
    """A dataclass that says its fields, and does nothing but hand them out."""
    dataclass = any("dataclass" in ast.dump(decorator) for decorator in node.decorator_list)
    told = "Args:" in (ast.get_docstring(node) or "")
    handing_out = {"as_dict", "from_dict", "to_json", "from_json"}
    working = [
        d.name
        for d in node.body
        if isinstance(d, ast.FunctionDef)
        and not d.name.startswith("_")
        and d.name not in handing_out
        and not any(getattr(x, "id", "") == "property" for x in d.decorator_list)
    ]
    return dataclass and told and not working


def test_everything_public_has_a_docstring(modules: Any) -> None:
    lacking = []
    for module in modules:
        if not ast.get_docstring(module.tree):
            lacking.append(module.name)
        for node in module.public():
            inside = module.public(node.body) if isinstance(node, ast.ClassDef) else ()
            for definition in (node, *inside):
                setter = any(
                    isinstance(d, ast.Attribute) and d.attr in {"setter", "overload"}
                    for d in definition.decorator_list
                )
                if not setter and not ast.get_docstring(definition):
                    lacking.append(f"{module.name}: {definition.name}")
    assert not lacking


@pytest.mark.parametrize("room", ROOMS_WITH_EXAMPLES)
def test_public_functions_and_classes_show_an_example(modules: Any, room: str) -> None:
    lacking = []
    for module in modules:
        if module.room != room:
            continue
        for node in module.public():
            if isinstance(node, ast.ClassDef) and (
                bases(node) & BODILESS or is_error(node) or is_record(node)
            ):
                continue
            inside = module.public(node.body) if isinstance(node, ast.ClassDef) else ()
            shown = any(">>>" in (ast.get_docstring(d) or "") for d in (node, *inside))
            if not shown:
                lacking.append(f"{module.name}: {node.name}")
    assert not lacking
