"""The page: complete, offline, escaped, honest about what was not measured, and usable."""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable, Iterator
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from payoff.core.errors import ProjectError
from payoff.plan.report import readings, views
from payoff.plan.report.advice import to_do
from payoff.plan.report.outlook_view import scenarios, what_ifs
from payoff.plan.report.pictures import PICTURES
from payoff.plan.report.render import render

Make = Callable[..., dict[str, Any]]
VOID = {"meta", "link", "br", "img", "hr", "input"}


class Page(HTMLParser):
    """Elements of a page with their attributes, and whether they are well nested."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.text: list[str] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self._open and self._open[-1] not in ("style", "script"):
            self.text.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name == tag]


@pytest.fixture(scope="module")
def pages(summaries: Make) -> dict[int, str]:
    return {k: render(summaries(k)) for k in (2, 77)}


@pytest.mark.parametrize("k", [2, 77])
def test_the_page_is_whole_and_in_order(k: int, pages: dict[int, str]) -> None:
    page = Page(pages[k])
    levels = [int(tag[1]) for tag, _ in page.elements if re.fullmatch(r"h[1-6]", tag)]
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert levels.count(2) == 12
    assert all(after - before <= 1 for before, after in pairwise(levels))
    ids = [attributes["id"] for _, attributes in page.elements if "id" in attributes]
    assert len(ids) == len(set(ids))
    links = [a["href"] or "" for a in page.all("a")]
    assert {link[1:] for link in links if link.startswith("#")} <= set(ids)
    assert "not measured" in pages[k]


@pytest.mark.parametrize("k", [2, 77])
def test_pictures_have_words_and_tables_have_scopes(k: int, pages: dict[int, str]) -> None:
    page = Page(pages[k])
    pictures = [a for a in page.all("div") if a.get("role") == "img"]
    assert len(pictures) == len(PICTURES)
    assert all(len(a["aria-label"] or "") > 40 for a in pictures)
    assert len(page.all("svg")) == 2 * len(PICTURES)
    assert all(a.get("scope") in ("row", "col") for a in page.all("th"))
    assert len(page.all("caption")) == len(page.all("table"))


@pytest.mark.parametrize("k", [2, 77])
def test_nothing_is_fetched(k: int, pages: dict[int, str]) -> None:
    html = pages[k]
    page = Page(html)
    for tag, attributes in page.elements:
        assert "src" not in attributes
        assert "srcset" not in attributes
        assert "xlink:href" not in attributes
        if "href" in attributes and tag != "a":
            assert (attributes["href"] or "").startswith("data:")
        assert not any(name.startswith("on") for name in attributes)
    outer = [a["href"] or "" for a in page.all("a") if not (a["href"] or "").startswith("#")]
    assert outer == ["https://example.com/pricing"]
    without_links = html.replace("https://example.com/pricing", "")
    assert "http://" not in without_links
    assert "https://" not in without_links
    assert "@import" not in html
    assert "url(" not in html


def test_77_classes_stay_small_and_quick(summaries: Make) -> None:
    summary = summaries(77)
    start = time.process_time()
    html = render(summary)
    assert time.process_time() - start < 5
    assert len(html.encode("utf-8")) < 3_000_000


def _poison(value: Any, texts: list[str]) -> Any:
    """Every text of a summary replaced by markup of its own."""
    if isinstance(value, str):
        texts.append(value)
        return f"</svg></script></style><script>x{len(texts)}()</script><img onerror=\"a\" src='b'>"
    if isinstance(value, dict):
        return {key: _poison(held, texts) for key, held in value.items()}
    return [_poison(held, texts) for held in value] if isinstance(value, list) else value


def test_markup_in_any_text_is_shown_not_read(summaries: Make) -> None:
    texts: list[str] = []
    summary = _poison(summaries(3), texts)
    summary["plans"][0]["status"] = "chosen"
    summary["findings"][1]["rows"] = [{"<i>row</i>": "<script>y()</script>"}]
    summary["accounts"]["costs"] = {"<u>training</u>": 3.0}
    summary["reproduce"]["versions"] = {"<u>torch</u>": "<b>"}
    labels = summary["confusion"]["labels"]
    summary["confusion"]["actions"] = [*labels, "handoff"]
    assert len(texts) > 100
    page = Page(render(summary))
    tags = {tag for tag, _ in page.elements}
    assert not tags & {"img", "u", "b1", "iframe"}
    assert len(page.all("script")) == 1
    assert "<script>y()</script>" in page.text
    assert any("<u>training</u>" in text for text in page.text)


def test_a_link_is_made_only_of_a_web_address(summaries: Make) -> None:
    summary = {"cost_lines": summaries(2)["cost_lines"]}
    for line, source in zip(
        summary["cost_lines"], ["javascript:alert(1)", "data:text/html,x", " http", "price book"],
        strict=False,
    ):  # fmt: skip
        line["source"] = source
    hrefs = [a["href"] or "" for a in Page(render(summary)).all("a")]
    assert all(href.startswith("#") for href in hrefs)


def _nulled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _nulled(held) for key, held in value.items()}
    if isinstance(value, list):
        return [_nulled(held) for held in value]
    return value if isinstance(value, str) else None


def test_each_figure_may_be_missing(summaries: Make) -> None:
    html = render(_nulled(summaries(3)))
    page = Page(html)
    cells = [text for text in page.text if text.strip() == "not measured"]
    assert len(cells) > 60
    assert not page.all("svg")
    empty = re.findall(r"<(td|dd)\b[^>]*>\s*</\1>", html)
    assert empty == []
    assert "None" not in html
    assert "nan" not in " ".join(page.text)


@pytest.mark.parametrize("summary", [{}, {"plans": None}, {"decision": {"profit_month": {}}}])
def test_an_empty_summary_says_so(summary: dict[str, Any]) -> None:
    html = render(summary)
    Page(html)
    assert "No plan was chosen." in html
    assert "The data were not checked." in html
    assert html.count("not measured") > 15


def test_an_unknown_language_is_refused() -> None:
    with pytest.raises(ProjectError) as caught:
        render({}, language="xx")
    assert caught.value.code == "PF203"
    assert "en" in caught.value.expected


def test_sums_that_do_not_agree_are_told(summaries: Make) -> None:
    summary = summaries(2)
    held = views.accounts(summary)
    assert held is not None
    assert held["e_adds_up"]["status"] == held["profit_adds_up"]["status"] == "passed"
    summary["accounts"]["e"] += 7.5
    summary["accounts"]["profit"] = None
    view = views.accounts(summary)
    assert view is not None
    assert view["e_adds_up"] == {
        "status": "failed",
        "text": "does not add up: 7.50 is unexplained",
    }
    assert view["profit_adds_up"]["status"] == "not checked"


def test_the_four_endings_of_a_check_look_different(summaries: Make) -> None:
    summary = summaries(2)
    shown = views.findings(summary)
    assert [v["status"] for v in shown] == [
        "failed", "not checked", "not applicable", "passed", "passed", "passed",
    ]  # fmt: skip
    assert len({v["sign"] for v in shown}) == 4
    assert views.findings({"findings": [{"title": "t", "status": "fine"}]})[0]["status"] == (
        "not checked"
    )


def test_plans_stand_chosen_first_then_by_profit(summaries: Make) -> None:
    rows = views.plans(summaries(2))
    assert rows[0]["status"] == "chosen"
    assert [row["status"] for row in rows][-2:] == ["failed", "not run"]
    profits = [float(row["cells"][-1]["key"]) for row in rows[1:-2]]
    assert profits == sorted(profits, reverse=True)
    assert all(row["why"] for row in rows)


def test_the_page_says_whether_choosing_flattered_the_figures(summaries: Make) -> None:
    summary = summaries(2)
    assert "took no part in choosing" in views.closing(summary)
    summary["plans"][0]["split"] = "validation"
    assert "flatter" in views.closing(summary)
    assert "not stated" in views.closing({})


def test_readings_follow_the_figures(summaries: Make) -> None:
    summary = summaries(6)
    assert readings.read_waterfall(summary) == (
        "Of 61,200 USD of value a month, 19,400 USD is taken, most of it by wrong answers "
        "(58\u202f%): 41,800 USD a month is left."
    )
    assert readings.read_cash(summary).startswith("Cash turns positive in month 2 and reaches")
    assert readings.read_reliability(summary) == (
        "Stated confidence is off by 1.2 points on average, down from 6.1 before calibration."
    )
    assert "so the two may be equal" in readings.read_runner_up(summary)
    assert "no input alone turns the profit into a loss" in readings.read_tornado(summary)
    assert readings.read_cost_lines(summary).startswith("4 of 6 lines are measured")
    assert readings.read_findings(summary) == (
        "Of 6 checks: 1 failed, 1 not checked, 1 not applicable and 3 passed."
    )
    assert "bag-of-words took longest" in readings.read_timeline(summary)


def test_readings_tell_bad_news(summaries: Make) -> None:
    summary = summaries(6)
    summary["calibration"]["ece_after"] = 0.08
    assert "it did not help" in readings.read_reliability(summary)
    summary["drivers"][0]["low_profit"] = -5.0
    assert "“requests a month” alone can turn it into a loss" in readings.read_tornado(summary)
    for month in summary["months"]:
        month["cash_mean"] = -1.0
    assert "below zero over the whole horizon" in readings.read_cash(summary)
    summary["decision"]["payback_months"] = None
    assert views.facts(summary)[1] == ("Payback", "not within 12 months")
    summary["plans"][0]["profit_month"]["mean"] = -7.0
    assert readings.read_frontier(summary).startswith(
        "fine-tune minilm-l6 int8 loses 7.00 USD a month for 8,120 USD"
    )
    summary["decision"]["runner_up"]["gap"] = {"mean": -20.0, "low": -50.0, "high": 5.0}
    assert "would earn 20.00 USD a month more" in readings.read_runner_up(summary)
    summary["decision"]["profit_month"] = {"mean": -900.0, "low": -2000.0, "high": 100.0}
    view = views.hero(summary)
    assert view["losing"]
    assert view["strip"] == {"low": 0.0, "mean": 52.38, "high": 100.0, "zero": 95.24}


def test_every_picture_says_what_to_do(summaries: Make) -> None:
    summary = summaries(6)
    told = to_do(summary)
    assert all(told.values())
    assert told["waterfall"] == "To earn more, begin with wrong answers."
    assert told["frontier"] == "Run fine-tune minilm-l6 int8."
    assert told["cash"] == "Set 19,200 USD aside until month 2."
    assert told["tornado"] == "Find out more about “requests a month” before all other inputs."
    assert told["reliability"].endswith("give or take 1.2 points on average.")
    html = render(summary)
    for sentence in told.values():
        assert sentence in html
    summary["decision"]["recommended"] = "people only"
    for month in summary["months"]:
        month["cash_mean"] = -1.0
    told = to_do(summary)
    assert told["frontier"] == "Run no model, choose “people only”."
    assert told["cash"].startswith("Do not spend this unless")
    assert set(to_do({}).values()) == {""}


def test_scenarios_and_what_ifs_stand_side_by_side(summaries: Make) -> None:
    summary = summaries(2)
    first, second, unknown = scenarios(summary)
    assert [cell["text"] for cell in first["cells"]][:2] == ["41,800", "–"]
    assert second["cells"][1] == {
        "label": "Behind the best", "text": "41,800", "note": "40,900 to 42,700",
        "known": True, "negative": False,
    }  # fmt: skip
    assert [cell["known"] for cell in unknown["cells"]] == [False, False, False]
    assert unknown["reason"] == "its quality was not stated"
    same, other, none = what_ifs(summary)
    assert (same["changes"], other["changes"]) == (False, True)
    assert other["cells"][0]["negative"]
    assert none["recommended"] == "no plan can be held"
    assert "Make sure of the traffic before you act." in render(summary)


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("there is no Chromium on this machine")
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield chromium
        chromium.close()


@pytest.fixture(scope="module")
def files(
    tmp_path_factory: pytest.TempPathFactory, summaries: Make, pages: dict[int, str]
) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    made = {
        "two": pages[2],
        "chinese": render(summaries(6, language="zh")),
        "many": pages[77],
        "nothing": render({}),
    }
    for name, html in made.items():
        (folder / f"{name}.html").write_text(html, "utf-8")
    return {name: folder / f"{name}.html" for name in made}


@pytest.mark.browser
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("name", ["two", "chinese", "many", "nothing"])
def test_it_opens_without_a_request_an_error_or_a_sideways_scroll(
    name: str, theme: str, browser: Any, files: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844}, color_scheme=theme)
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(files[name].as_uri())
    for width in (320, 390, 768, 1000, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        assert page.evaluate("document.documentElement.scrollWidth") <= width, width
    ground = page.evaluate("getComputedStyle(document.body).backgroundColor")
    assert ground == {"light": "rgb(251, 250, 247)", "dark": "rgb(17, 21, 27)"}[theme]
    page.click("#theme")
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") != ground
    page.emulate_media(media="print")
    on_paper = page.evaluate("getComputedStyle(document.documentElement).getPropertyValue('--ink')")
    assert on_paper == "#1b2230"
    assert said == []
    assert all(url.startswith(("file:", "data:")) for url in asked)
    page.close()


@pytest.mark.browser
def test_one_variant_of_a_picture_shows_and_its_words_stay_on_the_page(
    browser: Any, files: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 390, "height": 844})
    page.goto(files["chinese"].as_uri())
    for width in (390, 1280):
        page.set_viewport_size({"width": width, "height": 844})
        shown = page.evaluate(
            "[...document.querySelectorAll('svg')].filter(s => s.checkVisibility()).length"
        )
        assert shown == len(PICTURES)
        outside = page.evaluate(
            """[...document.querySelectorAll('svg text')].filter(t => t.checkVisibility())
               .map(t => [t.textContent, t.getBoundingClientRect()])
               .filter(([_, r]) => r.width && (r.left < 0 || r.right > innerWidth))
               .map(([text]) => text)"""
        )
        assert outside == []
        assert "退款未到账" in page.text_content("figure.heat_map svg >> visible=true")
    page.close()


@pytest.mark.browser
def test_the_plan_table_sorts_by_keyboard_and_stands_without_script(
    browser: Any, files: dict[str, Path]
) -> None:
    page = browser.new_page(viewport={"width": 1280, "height": 844})
    page.goto(files["two"].as_uri())
    cost = page.locator("#plan-table thead th", has_text="Cost a month")
    column = (
        "[...document.querySelectorAll('#plan-table tbody tr')].map(r => r.cells[6].dataset.key)"
    )
    cost.locator("button").focus()
    page.keyboard.press("Enter")
    assert cost.get_attribute("aria-sort") == "descending"
    falling = [float(key) for key in page.evaluate(column) if key]
    assert falling == sorted(falling, reverse=True)
    page.keyboard.press("Enter")
    assert cost.get_attribute("aria-sort") == "ascending"
    keys = page.evaluate(column)
    assert keys[-2:] == ["", ""]
    page.close()
    bare = browser.new_page(java_script_enabled=False, viewport={"width": 1280, "height": 844})
    bare.goto(files["two"].as_uri())
    assert bare.locator("#plan-table tbody tr").count() == 11
    assert not bare.locator("#theme").is_visible()
    bare.close()
