"""The frame of every page: its templates, language, theme and headers."""

from __future__ import annotations

import math
from functools import cache
from importlib.resources import files
from typing import Any
from urllib.parse import urlencode

from fastapi import Request
from fastapi.responses import HTMLResponse, Response

from payoff.core.extras import require
from payoff.core.money import format_money
from payoff.serve.dashboard.entrance import COOKIE, PATH, Visitor, put_cookie
from payoff.serve.dashboard.words import LANGUAGES, Words, chosen_language

THEMES = ("auto", "light", "dark")
_YEAR_S = 365 * 86_400
_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "content-security-policy": _POLICY,
    "x-frame-options": "DENY",
    "cross-origin-opener-policy": "same-origin",
}
_KINDS = {".css": "text/css", ".js": "text/javascript"}


@cache
def environment() -> Any:
    """The templates; what is put into them is escaped.

    Raises:
        MachineError: PF803 where jinja2 is not installed.
    """
    jinja2 = require("jinja2", "dashboard", "the dashboard")
    folder = files(__package__) / "templates"
    made = jinja2.Environment(
        loader=jinja2.FunctionLoader(lambda name: (folder / name).read_text("utf-8")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.filters |= {"money": format_money, "whole": "{:,}".format, "share": "{:.0%}".format}
    made.filters |= {"part": "{:.1%}".format, "finite": math.isfinite, "signed": signed_money}
    made.filters["moment"] = lambda time_utc: str(time_utc)[:16].replace("T", " ")
    return made


def signed_money(amount: float, currency: str) -> str:
    """An amount with its sign, for differences.

    Example:
        >>> signed_money(0.25, "USD"), signed_money(-3.0, "USD")
        ('+0.25 USD', '-3.00 USD')
    """
    return f"{'+' if amount > 0 else ''}{format_money(amount, currency)}"


def page(
    request: Request, visitor: Visitor, name: str, *, status: int = 200, **context: Any
) -> Response:
    """A page as an answer.

    Args:
        request: Its cookies and its query choose language and theme.
        visitor: Who looks.
        name: Of the template, without ``.html``.
        status: Of the answer.
        context: What the template shows.
    """
    language = chosen_language(
        request.query_params.get("lang") or request.cookies.get("payoff_language", ""),
        request.headers.get("accept-language", ""),
    )
    theme = request.query_params.get("theme") or request.cookies.get("payoff_theme", "")
    theme = theme if theme in THEMES else "auto"

    def here(**changes: str) -> str:
        """This page's address, with other choices."""
        return f"{request.scope['path']}?{urlencode({**request.query_params, **changes})}"

    def to(path: str, **query: str) -> str:
        """The address of another page, about the same model."""
        model = request.query_params.get("model")
        query = ({"model": model} if model else {}) | query
        return f"{PATH}{path}{'?' + urlencode(query) if query else ''}"

    html = (
        environment()
        .get_template(f"{name}.html")
        .render(
            t=Words(language),
            language=language,
            languages=LANGUAGES,
            theme=theme,
            themes=THEMES,
            visitor=visitor,
            here=here,
            to=to,
            page=name,
            **({"models": [], "model": ""} | context),
        )
    )
    answer = HTMLResponse(html, status, headers=HEADERS)
    put_cookie(answer, request, COOKIE, visitor.visit)
    for cookie, chosen, query in (
        ("payoff_language", language, "lang"),
        ("payoff_theme", theme, "theme"),
    ):
        if query in request.query_params:
            put_cookie(answer, request, cookie, chosen, max_age=_YEAR_S)
    return answer


@cache
def static_files() -> dict[str, tuple[bytes, str]]:
    """The style, the scripts and the chart library, each with its kind."""
    folder = files(__package__) / "static"
    found = [*folder.iterdir(), *(folder / "uplot").iterdir()]
    return {
        one.name: (one.read_bytes(), kind)
        for one in found
        for end, kind in _KINDS.items()
        if one.name.endswith(end)
    }
