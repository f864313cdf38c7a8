"""``payoff segment``: the market in parts, what each is worth, and which to enter first."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from payoff.cli.ranges import SEED
from payoff.cli.segment_table import map_summary, show_study
from payoff.cli.source import Source, say_notes, source_options
from payoff.cli.terminal import Terminal, with_terminal
from payoff.core.errors import ProjectError

if TYPE_CHECKING:
    from payoff.data.dataset import Dataset
    from payoff.data.segments.segmentation import Segmentation
    from payoff.economics.traffic import Traffic
    from payoff.plan.market.measured_service import MeasuredService


@click.command()
@source_options
@click.option("--column", metavar="COLUMN", help="Column of the segments; the same as --segment.")
@click.option("--clusters", metavar="K|auto", help="Find K segments among the texts, or how many.")
@click.option("--backbone", metavar="NAME", help="Pretrained model that makes the vectors.")
@click.option(
    "--with",
    "service",
    type=click.Path(path_type=Path),
    metavar="ARTIFACT",
    help="Measure quality with NAME.payoff or a run's folder; needs labels.",
)
@click.option(
    "--own",
    multiple=True,
    metavar="SEGMENT=ARTIFACT",
    help="A segment's own model, to compare with the shared one; repeatable.",
)
@click.option(
    "--stated",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="CSV with a column segment and any of value_each, cost_each, cost_month, cost_once, won,"
    " competitors.",
)
@click.option("--value-each", type=float, help="Worth of a decision, where it is not measured.")
@click.option("--currency", default="", help="Currency of what is stated, such as USD.")
@click.option("--per-month", type=float, help="Requests a month of all segments together.")
@click.option(
    "--map",
    "map_path",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Draw the map of segments here: .svg, .png or .html.",
)
@click.option(
    "--theme", type=click.Choice(["light", "dark"]), default="light", help="Of the map's colours."
)
@click.option("--seed", type=SEED, default=0, show_default=True, help="Seed of everything random.")
@with_terminal
def command(
    terminal: Terminal,
    *,
    source: Source,
    column: str | None,
    clusters: str | None,
    backbone: str | None,
    service: Path | None,
    own: tuple[str, ...],
    stated: Path | None,
    value_each: float | None,
    currency: str,
    per_month: float | None,
    map_path: Path | None,
    theme: str,
    seed: int,
) -> None:
    """Cut the market into segments, value each, and say which to enter first.

    PATH is a project folder, or a data file with --text COLUMN. Segments are the values of
    --column, or clusters of the texts. Without --with, quality is not measured.
    """
    if map_path is not None:
        from payoff.plan.report.charts.segment_map import check_ending

        check_ending(map_path)
    how = _how(column, clusters, source)
    if own and service is None:
        raise ProjectError("PF290", "--own", "there is no shared model", mend="Add: --with NAME")
    from payoff.economics.market.segment_terms import read_segment_terms
    from payoff.plan.market.held_out import held_out
    from payoff.plan.market.market_study import study_market

    with ExitStack() as open_things:
        services = _open(service, own, open_things)
        dataset, test = source.dataset(), source.test_set()
        say_notes(terminal, dataset, test)
        rows = dataset if test is None else dataset.concat(test)
        terminal.say(f"Segmenting {len(rows):,} rows of {rows.source} …")
        segmentation = _segmentation(terminal, rows, how, backbone, seed)
        shared = services.pop("", None)
        terms = source.project().terms if source.is_project else None
        study = study_market(
            rows,
            segmentation,
            service=shared,
            judged=held_out(dataset, test, shared.desk.artifact.manifest) if shared else None,
            own=services,
            stated=read_segment_terms(stated) if stated else (),
            value_each=value_each,
            currency=currency or (terms.currency if terms else ""),
            traffic=_traffic(per_month) or (terms.traffic if terms else None),
            expected_mix=terms.expected_mix if terms else None,
            months=terms.horizon_months if terms else 12,
            seed=seed,
        )
    content = study.as_dict() | {"map": str(map_path) if map_path else None}
    if map_path is not None:
        from payoff.plan.report.charts.segment_map import save_map

        terminal.say("Drawing the map …")
        save_map(map_summary(study), map_path, theme=theme)
    terminal.show(content, lambda: show_study(terminal, study, map_path))


def _how(column: str | None, clusters: str | None, source: Source) -> str | int | None:
    """A column's name, a number of clusters, or None for a number to be found."""
    named = column or source.columns.get("segment")
    if column and source.columns.get("segment", column) != column:
        raise ProjectError("PF290", "--column", "--segment names another one", mend="Give one.")
    if named and clusters is not None:
        raise ProjectError(
            "PF290",
            "--clusters",
            f"the column '{named}' names the segments already",
            mend="Leave one of the two out.",
        )
    if named:
        return named
    if clusters is None and source.is_project:
        return source.project().data.get("segment")
    if clusters is None or clusters == "auto":
        return None
    if not clusters.isdecimal():
        raise ProjectError(
            "PF290", "--clusters", f"'{clusters}' is no number", expected="a whole number, or auto"
        )
    return int(clusters)


def _open(
    service: Path | None, own: tuple[str, ...], open_things: ExitStack
) -> dict[str, MeasuredService]:
    """The artifacts that were named, by segment; the shared one under the empty name."""
    from payoff.plan.market.measured_service import MeasuredService

    named = {} if service is None else {"": service}
    for one in own:
        segment, sign, path = one.rpartition("=")
        if not sign or not segment or not path:
            raise ProjectError(
                "PF290", f"--own {one}", "it names no artifact", expected="SEGMENT=NAME.payoff"
            )
        named[segment] = Path(path)
    return {
        segment: open_things.enter_context(MeasuredService.open(path).opened())
        for segment, path in named.items()
    }


def _segmentation(
    terminal: Terminal, rows: Dataset, how: str | int | None, backbone: str | None, seed: int
) -> Segmentation:
    from payoff.data.segments.segmentation import Segmentation

    options: dict[str, Any] = {"progress": terminal}
    if backbone is not None:
        from payoff.adapt.text_vectors import text_vectors

        options["vectors"] = text_vectors(rows.texts, backbone, progress=terminal)
        options["vectors_of"] = backbone
    if isinstance(how, str):
        return Segmentation.by_column(rows, how, **options)
    return Segmentation.by_clusters(rows, how, seed=seed, **options)


def _traffic(per_month: float | None) -> Traffic | None:
    from payoff.economics.traffic import Traffic

    return None if per_month is None else Traffic(per_month)
