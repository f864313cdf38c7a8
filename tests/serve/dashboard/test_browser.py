"""The dashboard in a real browser: by keyboard only, without errors, usable by all."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from payoff.economics.desk import Desk
from payoff.learn.feedback import told_of

from .conftest import House
from .shop import promote_bad

pytestmark = pytest.mark.browser
Open = Callable[..., House]
PAGES = ("", "/decisions", "/review", "/try", "/versions")
FIGURES = ("/costs", "/experiments", "/experiments?experiment=cheaper-model", "/drift")


@pytest.fixture
def home(house: Open, busy: None) -> House:
    return house()


@pytest.fixture
def page(chromium: Any, home: House) -> Iterator[Any]:
    context = chromium.new_context(locale="en-GB")
    opened = context.new_page()
    problems: list[str] = []
    opened.on(
        "console",
        lambda one: (
            problems.append(one.text)
            if one.type in ("error", "warning") and "request=nobody" not in one.location["url"]
            else None
        ),
    )
    opened.on("pageerror", lambda error: problems.append(str(error)))
    opened.on(
        "request",
        lambda one: problems.append(one.url) if not one.url.startswith((home.base, "data:")) else 0,
    )
    yield opened
    assert problems == []
    context.close()


def sign_in(page: Any, home: House) -> None:
    page.goto(f"{home.base}/dashboard")
    page.wait_for_function("document.activeElement.id === 'key'")
    page.keyboard.type(home.key)
    page.keyboard.press("Enter")
    page.wait_for_url("**/dashboard")


def focused(page: Any) -> str:
    return str(page.evaluate("document.activeElement.textContent.trim()"))


def tab_to(page: Any, text: str) -> None:
    for _ in range(40):
        page.keyboard.press("Tab")
        if focused(page) == text:
            return
    raise AssertionError(f"'{text}' cannot be reached by Tab")


def show(page: Any, address: str) -> None:
    """Open a page and wait until what it shows has been added up."""
    page.goto(address)
    page.wait_for_selector("body:not(.page-waits)")
    page.wait_for_function("document.readyState === 'complete'")


def is_usable(page: Any, repository: Path, where: str) -> None:
    """No violation that axe finds, and nothing wider than the window."""
    axe = (repository / "tests/serve/dashboard/axe/axe.min.js").read_text("utf-8")
    # Through the debugger: the pages' own policy lets no other script in.
    page.evaluate(f"() => {{ {axe} }}")
    found = page.evaluate(
        "() => window.axe.run(document, {resultTypes: ['violations']})"
        ".then(r => r.violations.map(v => [v.id, v.nodes.map(n => n.html).slice(0, 3)]))"
    )
    assert found == [], where
    wide = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0, where


def test_by_keyboard_from_login_to_a_label_in_the_journal(page: Any, home: House) -> None:
    sign_in(page, home)
    page.wait_for_selector(".u-legend")
    assert page.locator(".u-legend").count() == 1
    page.keyboard.press("Tab")
    assert focused(page) == "Skip to the content"
    tab_to(page, "Review")
    page.keyboard.press("Enter")
    page.wait_for_url("**/review")
    first = page.locator("input[name=request_id]").input_value()

    page.keyboard.press("s")
    page.wait_for_url("**after=*")
    second = page.locator("input[name=request_id]").input_value()
    assert second != first
    page.keyboard.press("Enter")
    assert told_of(home.journal, [second]) == []
    page.keyboard.press("Escape")
    page.keyboard.press("2")
    chosen = page.locator("input[name=label]:checked").input_value()
    page.keyboard.press("Enter")
    page.wait_for_url("**done=*")
    (told,) = told_of(home.journal, [second])
    assert (told.label, told.source, told.person) == (chosen, "person", "Ann")
    assert told.seconds is not None
    assert chosen in page.locator("[role=status]").inner_text()

    third = page.locator("input[name=request_id]").input_value()
    page.keyboard.press("/")
    page.keyboard.type("refund")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**done={third}*")
    assert told_of(home.journal, [third])[0].label == "refund"


def test_those_that_look_the_same_are_confirmed_together(page: Any, home: House) -> None:
    sign_in(page, home)
    page.goto(f"{home.base}/dashboard/review")
    alike = page.locator("input[name=also]").count()
    assert alike > 0
    page.keyboard.press("1")
    page.keyboard.press("a")
    page.keyboard.press("Enter")
    page.wait_for_url("**done=*")
    waiting = [f"wait-{n}" for n in range(4)]
    told = told_of(home.journal, waiting)
    assert len(told) == alike + 1
    assert len({one.label for one in told}) == 1


def test_a_text_is_tried_by_keyboard(page: Any, home: House) -> None:
    sign_in(page, home)
    page.goto(f"{home.base}/dashboard/try")
    page.locator("#text").focus()
    page.keyboard.type("my card <script>alert(1)</script>")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    page.wait_for_selector("#h-why")
    assert "<script>alert(1)</script>" in page.locator(".pieces").inner_text()


@pytest.mark.parametrize("width", [1280, 360])
@pytest.mark.parametrize("language", ["en", "zh"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_is_accessible(
    page: Any, home: House, repository: Path, theme: str, language: str, width: int
) -> None:
    page.set_viewport_size({"width": width, "height": 800})
    page.emulate_media(color_scheme=theme)
    choice = f"lang={language}&theme=auto"

    def look(where: str) -> None:
        is_usable(page, repository, where)

    page.goto(f"{home.base}/dashboard/login?{choice}")
    look("login")
    sign_in(page, home)
    for path in PAGES:
        show(page, f"{home.base}/dashboard{path}?{choice}")
        look(path)
    page.goto(f"{home.base}/dashboard/try?{choice}")
    page.fill("#text", "refund my card 我要退款")
    page.click("main button")
    page.wait_for_selector("#h-why")
    look("tried")
    with page.expect_response("**/review*") as answer:
        page.goto(f"{home.base}/dashboard/review?request=nobody")
    assert answer.value.status == 404
    look("failed")


def test_what_is_drawn_and_who_is_held_back_is_told_accessibly(
    chromium: Any, acted: None, shop_home: Open, house: Open, desk: Desk, repository: Path
) -> None:
    queue = house(keyed=False, audit_share=0.5)
    found = queue.client.get("/v1/review/next?limit=200").json()["requests"]
    drawn = next(one["request_id"] for one in found if one["by_chance"])
    shop = shop_home(keyed=False)
    promote_bad(shop.journal, desk, datetime.now(UTC))
    context = chromium.new_context(viewport={"width": 360, "height": 800}, locale="en-GB")
    page = context.new_page()
    for home, path in (
        (queue, f"/review?request={drawn}"),
        (shop, "/experiments?experiment=kinder-words-hold-back"),
    ):
        show(page, f"{home.base}/dashboard{path}")
        is_usable(page, repository, path)
    show(page, f"{queue.base}/dashboard/review?request={drawn}")
    told = page.get_by_role("group", name="What is it?")
    described = page.locator(f"#{told.get_attribute('aria-describedby')}")
    assert described.inner_text().startswith("Drawn at random to check the model")
    context.close()


def test_the_theme_can_be_switched(page: Any, home: House) -> None:
    page.goto(f"{home.base}/dashboard/login")
    ground = "getComputedStyle(document.body).backgroundColor"
    page.emulate_media(color_scheme="light")
    light = page.evaluate(ground)
    page.get_by_role("link", name="Dark").click()
    assert page.evaluate(ground) != light
    page.goto(f"{home.base}/dashboard/login")
    assert page.evaluate(ground) != light


@pytest.mark.parametrize(
    ("theme", "language", "width"), [("light", "en", 1280), ("dark", "zh", 360)]
)
def test_pages_of_figures_are_accessible_and_drawn(
    chromium: Any, shop_home: Open, repository: Path, theme: str, language: str, width: int
) -> None:
    home = shop_home(keyed=False)
    context = chromium.new_context(
        viewport={"width": width, "height": 800}, color_scheme=theme, locale=language
    )
    page, problems = context.new_page(), []
    page.on(
        "console", lambda m: problems.append(m.text) if m.type in ("error", "warning") else None
    )
    page.on("pageerror", lambda error: problems.append(str(error)))
    for path in FIGURES:
        show(page, f"{home.base}/dashboard{path}")
        page.wait_for_selector(".chart canvas")
        is_usable(page, repository, path)
        # Something is drawn: not all points of the canvas are alike.
        drawn = page.evaluate(
            "() => { const c = document.querySelector('.chart canvas');"
            " const d = c.getContext('2d').getImageData(0, 0, c.width, c.height).data;"
            " return new Set(new Uint32Array(d.buffer)).size; }"
        )
        assert drawn > 10, path
    assert problems == []
    context.close()


def test_days_are_chosen_and_tables_read_by_keyboard(chromium: Any, shop_home: Open) -> None:
    home = shop_home(keyed=False)
    context = chromium.new_context(locale="en-GB")
    page = context.new_page()
    show(page, f"{home.base}/dashboard")
    tab_to(page, "Today")
    page.keyboard.press("Enter")
    page.wait_for_url("**range=today*")
    page.wait_for_selector("body:not(.page-waits) .chart canvas")
    tab_to(page, "The figures as a table")
    page.keyboard.press("Enter")
    today = datetime.now(UTC).strftime("%Y-%m-%d")
    cells = page.locator("details tbody th").all_inner_texts()
    assert cells in ([today], [])  # none where midnight has just gone by
    tab_to(page, "All decisions")
    page.keyboard.press("Enter")
    page.wait_for_url("**/decisions?range=today")
    context.close()
