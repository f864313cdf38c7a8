"""The report of a run as one HTML file that opens offline."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from payoff.core.errors import ProjectError, did_you_mean
from payoff.core.extras import require
from payoff.plan.report import readings, views
from payoff.plan.report.advice import to_do
from payoff.plan.report.charts.heat_map import MOST_WIDE, folded
from payoff.plan.report.charts.segment_map import segment_roles
from payoff.plan.report.charts.sheet import FONT
from payoff.plan.report.energy_reading import read_energy
from payoff.plan.report.figures import number, pick, words
from payoff.plan.report.outlook_view import scenarios, what_ifs
from payoff.plan.report.pictures import PICTURES, Picture, picture
from payoff.plan.report.tables import tables_of
from payoff.plan.report.theme import css_variables

if TYPE_CHECKING:
    import jinja2

LANGUAGES = ("en",)


def render(summary: Mapping[str, Any], *, language: str = "en") -> str:
    """The report as HTML: no request leaves the page, whatever the summary holds.

    Args:
        summary: The run's summary. Any figure may be missing or null; the page then says that
            it was not measured. Texts are shown as they are, never read as markup.
        language: Language of the page's own words; English is the only one so far.

    Returns:
        A whole HTML document.

    Raises:
        ProjectError: PF203 where the language is another one.
        MachineError: PF803 where jinja2, altair or vl-convert is not installed.

    Example:
        >>> "No plan was chosen." in render({})
        True
    """
    if language not in LANGUAGES:
        raise ProjectError(
            "PF203",
            "language of the report",
            f"'{language}' is not known",
            expected=f"one of {', '.join(LANGUAGES)}",
            mend=did_you_mean(language, LANGUAGES),
        )
    require("jinja2", "tune", "the report")
    return _environment().get_template("report.html").render(_context(summary, language))


@cache
def _environment() -> jinja2.Environment:
    import jinja2

    folder = files("payoff.plan.report") / "templates"

    def load(name: str) -> str:
        return (folder / name).read_text("utf-8")

    return jinja2.Environment(
        loader=jinja2.FunctionLoader(load),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def _context(summary: Mapping[str, Any], language: str) -> dict[str, Any]:
    from markupsafe import Markup

    def own(name: str) -> str:
        return (files("payoff.plan.report") / "templates" / name).read_text("utf-8")

    light = f"--font:{FONT};{css_variables('light')};{segment_roles('light')}"
    style = f":root{{{light}}}" + _dark() + own("report.css")
    return {
        "language": language,
        "title": words(summary.get("name"), missing="unnamed run"),
        "created": _day(summary.get("created")),
        "seed": words(summary.get("seed"), missing="not stated"),
        "currency": readings.currency_of(summary),
        "style": Markup(style),
        "script": Markup(own("report.js")),
        "drawn": {name: _figure(picture(name, summary)) for name in PICTURES},
        "reads": {name: read(summary) for name, read in readings.READINGS.items()},
        "reads_runner_up": readings.read_runner_up(summary),
        "reads_costs": readings.read_cost_lines(summary),
        "reads_energy": read_energy(summary),
        "reads_scenarios": readings.read_scenarios(summary),
        "reads_what_ifs": readings.read_what_ifs(summary),
        "scenarios": scenarios(summary),
        "what_ifs": what_ifs(summary),
        "to_do": to_do(summary),
        "reads_search": readings.read_search(summary),
        "market_of": words(pick(summary, "market", "of"), missing=""),
        "basis_of_labels": words(pick(summary, "labels", "curve", "basis"), missing=""),
        "reads_findings": readings.read_findings(summary),
        "ece": {
            when: number(pick(summary, "calibration", f"ece_{when}"))
            for when in ("before", "after")
        },
        "hero": views.hero(summary),
        "facts": views.facts(summary),
        "plans": views.plans(summary),
        "accounts": views.accounts(summary),
        "cost_lines": views.cost_lines(summary),
        "findings": views.findings(summary),
        "split": views.split(summary),
        "closing": views.closing(summary),
        "reproduction": views.reproduction(summary),
        "tables": tables_of(summary),
        "matrix": folded(summary, MOST_WIDE),
    }


def _figure(drawn: Picture | None) -> dict[str, Any] | None:
    """The two SVGs as markup; their words were escaped when they were drawn."""
    from markupsafe import Markup

    return None if drawn is None else {"wide": Markup(drawn.wide), "narrow": Markup(drawn.narrow)}


def _dark() -> str:
    """The dark theme: what the system asks for, or what the reader chose; never on paper."""
    dark = f"color-scheme:dark;{css_variables('dark')};{segment_roles('dark')}"
    return (
        "@media screen and (prefers-color-scheme:dark)"
        f"{{:root:not([data-theme=light]){{{dark}}}}}"
        f"@media screen{{:root[data-theme=dark]{{{dark}}}}}"
    )


def _day(created: Any) -> str:
    """The day a run was made, as people write it."""
    try:
        moment = datetime.fromisoformat(str(created))
    except ValueError:
        return words(created, missing="date not stated")
    return f"{moment.day} {moment:%B %Y}"
