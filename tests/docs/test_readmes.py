"""The two READMEs are kept in step: same sections, same commands, same figures, same links."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
ENGLISH = (ROOT / "README.md").read_text("utf-8")
CHINESE = (ROOT / "README.zh.md").read_text("utf-8")


def headings(text: str) -> list[int]:
    outside = re.sub(r"^```.*?^```$", "", text, flags=re.S | re.M)
    return [len(marks) for marks in re.findall(r"^(#+) ", outside, flags=re.M)]


def code_blocks(text: str) -> list[str]:
    return re.findall(r"^```\w*\n(.*?)^```$", text, flags=re.S | re.M)


def links(text: str) -> set[str]:
    return set(re.findall(r"\]\(([^)#]+)\)", text)) - {"README.md", "README.zh.md"}


def figures(text: str) -> list[str]:
    block = re.search(r"<!-- figures:begin.*?-->(.*?)<!-- figures:end -->", text, flags=re.S)
    assert block is not None
    return re.findall(r"\d+(?:[.,]\d+)*", block.group(1))


def test_same_sections() -> None:
    assert headings(ENGLISH) == headings(CHINESE)


def test_same_commands_and_code() -> None:
    assert code_blocks(ENGLISH) == code_blocks(CHINESE)


def test_same_links() -> None:
    assert links(ENGLISH) == links(CHINESE)


def test_same_figures() -> None:
    assert figures(ENGLISH) == figures(CHINESE)


@pytest.mark.parametrize("text", [ENGLISH, CHINESE])
def test_every_link_leads_somewhere(text: str) -> None:
    missing = [link for link in links(text) if not (ROOT / link).exists()]
    assert missing == []
