"""Plug-ins: what lies in the folder is registered, and what is registered lies there."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path
from typing import Any

import pytest

from payoff.core.registry import Registry

GROUPS: dict[str, tuple[str, ...]] = {
    "payoff.recipes": ("adapt/recipes/",),
    "payoff.compressors": ("adapt/compress/",),
    "payoff.targets": ("adapt/export/formats/", "apps/kits/"),
}


def declared(repository: Path, group: str) -> dict[str, str]:
    content = tomllib.loads((repository / "pyproject.toml").read_text("utf-8"))
    entries: dict[str, str] = content["project"]["entry-points"].get(group, {})
    return entries


def named_plugins(modules: Any, folders: tuple[str, ...]) -> set[str]:
    """Public classes of folders that bear a plug-in's name: ``name = "…"`` in their body."""
    found = set()
    for module in modules:
        if not module.name.startswith(folders):
            continue
        for node in module.public():
            if not isinstance(node, ast.ClassDef):
                continue
            for statement in node.body:
                targets = getattr(statement, "targets", [getattr(statement, "target", None)])
                named = any(getattr(target, "id", "") == "name" for target in targets)
                if named and isinstance(getattr(statement, "value", None), ast.Constant):
                    place = module.name.removesuffix(".py").replace("/", ".")
                    found.add(f"payoff.{place}:{node.name}")
    return found


@pytest.mark.parametrize("group", GROUPS)
def test_the_folder_equals_the_registry(modules: Any, repository: Path, group: str) -> None:
    assert named_plugins(modules, GROUPS[group]) == set(declared(repository, group).values())


@pytest.mark.parametrize("group", GROUPS)
def test_a_name_in_the_registry_is_the_name_of_the_class(repository: Path, group: str) -> None:
    for name, place in declared(repository, group).items():
        module, _, cls = place.partition(":")
        path = repository / "src" / Path(*module.split(".")).with_suffix(".py")
        assert f"class {cls}" in path.read_text("utf-8")
        assert f'name = "{name}"' in path.read_text("utf-8").replace(": str", "").replace(
            ": ClassVar[str]", ""
        )


@pytest.mark.parametrize("group", GROUPS)
def test_what_is_installed_is_what_is_declared(repository: Path, group: str) -> None:
    ours = set(declared(repository, group))
    assert ours <= set(Registry(group, "plug-in").names)
