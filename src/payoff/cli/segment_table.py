"""Segments for people: a table, what each talks about, and the map's names."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.cli.terminal import Terminal
from payoff.core.money import format_money

if TYPE_CHECKING:
    from payoff.core.money import Money
    from payoff.data.segments.segment import Segment
    from payoff.economics.market.segments import SegmentProfit
    from payoff.plan.market.market_study import MarketStudy

_QUALITY = ("alone", "right")
_MONEY = ("value", "to serve", "profit", "5 to 95 %", "together")
_MOST_ROWS = 25
_LONGEST = 90


def show_study(terminal: Terminal, study: MarketStudy, map_path: Path | None) -> None:
    """Print the table in the order of entry, then the words of each segment, then what to do."""
    columns, rows, right = table_of(study)
    terminal.table(columns, rows[:_MOST_ROWS], title=caption(study), right=right)
    if len(rows) > _MOST_ROWS:
        terminal.line(f"  and {len(rows) - _MOST_ROWS} more: --json shows all")
    for segment in study.segmentation.segments[:_MOST_ROWS]:
        example = f" “{_short(segment.examples[0])}”" if segment.examples else ""
        terminal.line(f"  {segment.name}: {', '.join(segment.keywords) or '–'}{example}")
    terminal.line()
    terminal.line(study.sentence, style="bold")
    for note in study.notes:
        terminal.line(f"{note}.", style="dim")
    if map_path is not None:
        terminal.line(f"map       {map_path}")


def table_of(study: MarketStudy) -> tuple[tuple[str, ...], list[tuple[str, ...]], tuple[str, ...]]:
    """Columns, rows in the order of entry, and the columns that are aligned to the right."""
    by_name = {segment.name: segment for segment in study.segmentation.segments}
    timed = any(segment.growth for segment in by_name.values())
    plain = ("rows", "share", *(("growth a month",) if timed else ()))
    if study.market is None:
        columns = ("segment", *plain, "quality")
        found = [(*_plain(one, timed), "not measured") for one in by_name.values()]
        return columns, found, plain
    market = study.market
    competed = any(map(_competition, market.segments))
    figures = (*plain, "requests", *(_QUALITY if market.measured else ()), *_MONEY)
    columns = ("segment", *figures, *(("competition",) if competed else ()), "")
    found = [
        (
            *_plain(by_name[one.name], timed),
            *_figures(one, measured=market.measured),
            *((_competition(one),) if competed else ()),
            "enter" if one in market.to_enter else "leave",
        )
        for one in market.segments
    ]
    return columns, found, figures


def caption(study: MarketStudy) -> str:
    """What the figures of the table are in."""
    if study.market is None:
        return ""
    unit = study.market.whole.currency
    quality = (
        " Alone and right are drawn towards the mean of all segments where rows are few."
        if study.market.measured
        else " Quality not measured: value as stated."
    )
    return (
        f"Money in {unit} {study.period}; value and to serve in {unit} a request; together: with"
        f" those above.{quality}"
    )


def map_summary(study: MarketStudy) -> dict[str, Any]:
    """What the map and its page are drawn from."""
    from payoff.plan.report.charts.segment_map import map_of
    from payoff.plan.report.figures import compact

    segmentation = study.segmentation
    profits = {one.name: one for one in study.market.segments} if study.market else {}
    named = []
    for segment in segmentation.segments:
        note = f"{segment.share:.0%}"
        if segment.name in profits:
            amount = profits[segment.name].profit
            note += f", {compact(float(amount.mean))} {amount.currency}"
        named.append({"name": segment.name, "note": note})
    columns, rows, right = table_of(study)
    return {
        "title": f"Segments of {Path(segmentation.source).name}",
        "sentence": study.sentence,
        "notes": [
            "Each dot is a text; like stands near like (principal components of the segments'"
            f" means). Beside a name stand its share of the rows and, where known, its profit"
            f" {study.period}.",
            *filter(None, (caption(study),)),
            *(f"{note[0].upper()}{note[1:]}." for note in study.notes),
        ],
        "map": map_of(segmentation.plane, segmentation.codes, named),
        "table": {"columns": columns, "rows": rows, "right": right},
    }


def _plain(segment: Segment, timed: bool) -> tuple[str, ...]:
    growth = "–" if segment.growth is None else f"{segment.growth.per_month:+.1%}"
    cells = (segment.name, f"{len(segment.rows):,}", f"{segment.share:.1%}")
    return (*cells, growth) if timed else cells


def _figures(one: SegmentProfit, *, measured: bool) -> tuple[str, ...]:
    low, high = one.profit.interval(0.9)
    return (
        f"{one.requests:,.0f}",
        *((_share(one.automated_share), _share(one.accuracy)) if measured else ()),
        _bare(one.value_each),
        _bare(one.serve_each),
        _bare(one.profit.mean),
        f"{_bare(low)} to {_bare(high)}",
        _bare(one.cumulative.mean),
    )


def _competition(one: SegmentProfit) -> str:
    """What is stated of competitors; empty where nothing is."""
    won = f"{one.terms.won:.0%} won" if one.terms.won < 1 else ""
    return ", ".join(filter(None, (one.terms.competitors, won)))


def _share(value: float | None) -> str:
    """A measured share; a segment in which nothing is answered alone has no accuracy."""
    return "–" if value is None else f"{value:.0%}"


def _bare(amount: Money | float) -> str:
    """An amount without its currency, which the caption names."""
    return format_money(float(amount), "").rstrip()


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1]}…"
