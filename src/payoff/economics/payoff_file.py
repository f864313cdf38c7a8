"""A full payoff matrix as a CSV file."""

from __future__ import annotations

import csv
import math
from pathlib import Path

from payoff.economics.actions import HANDOFF
from payoff.economics.stated import Stated


def read_matrix(path: Path, *, needs_handoff: bool = True) -> dict[str, dict[str, float]]:
    r"""Read a header ``truth,LABEL,…,handoff`` and one row per true label.

    Args:
        path: CSV file in UTF-8, with or without a byte-order mark.
        needs_handoff: Whether the column ``handoff`` must be there; otherwise it must not.

    Returns:
        Truth → action → money per request, every cell.

    Raises:
        ProjectError: PF203 for every missing, unknown or non-numeric cell; `Problems` where
            there are several.

    Example:
        >>> import tempfile
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     file = Path(folder) / "worth.csv"
        ...     _ = file.write_text("truth,a,b,handoff\na,1,-2,0\nb,-3,1,0\n")
        ...     read_matrix(file)["b"]["a"]
        -3.0
    """
    stated = Stated(path.name)
    try:
        with path.open(encoding="utf-8-sig", newline="") as file:
            rows = [row for row in csv.reader(file) if any(cell.strip() for cell in row)]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        stated.wrong(
            f"it cannot be read ({type(error).__name__})",
            expected="a CSV file in UTF-8",
            mend="Check the path; it is taken relative to where you stand.",
        )
        rows = []
    stated.raise_all()
    if len(rows) < 2:
        stated.wrong("it has no rows", expected="a header and one row per true label")
        stated.raise_all()
    actions = [cell.strip() for cell in rows[0][1:]]
    cells = _read_rows(rows[1:], actions, stated)
    _check_names(list(cells), actions, stated, needs_handoff=needs_handoff)
    stated.raise_all()
    return cells


def _read_rows(
    rows: list[list[str]], actions: list[str], stated: Stated
) -> dict[str, dict[str, float]]:
    cells: dict[str, dict[str, float]] = {}
    for row in rows:
        truth = row[0].strip()
        if truth in cells:
            stated.wrong(f"row '{truth}' is given twice")
        if len(row) > len(actions) + 1:
            stated.wrong(f"row '{truth}' has {len(row) - 1} cells", expected=f"{len(actions)}")
        texts = [cell.strip() for cell in row[1:]] + [""] * (len(actions) + 1 - len(row))
        cells[truth] = {
            action: _read_cell(truth, action, text, stated=stated)
            for action, text in zip(actions, texts, strict=False)
        }
    return cells


def _read_cell(truth: str, action: str, text: str, *, stated: Stated) -> float:
    where = f"truth '{truth}', action '{action}'"
    try:
        figure = float(text)
    except ValueError:
        figure = math.nan
    if not math.isfinite(figure):
        stated.wrong(
            f"{where} is '{text}'" if text else f"{where} is empty",
            expected="a number such as -7.50",
        )
    return figure


def _check_names(
    truths: list[str], actions: list[str], stated: Stated, *, needs_handoff: bool
) -> None:
    for action in sorted({action for action in actions if actions.count(action) > 1}):
        stated.wrong(f"column '{action}' is given twice")
    if needs_handoff and HANDOFF not in actions:
        stated.wrong(
            f"column '{HANDOFF}' is missing",
            mend="Add it, or state the person's minutes and wage_per_hour instead.",
        )
    if not needs_handoff and HANDOFF in actions:
        stated.wrong(
            f"both column '{HANDOFF}' and a person say what handing over is worth",
            expected="one of them",
        )
    labels = [action for action in actions if action != HANDOFF]
    for truth in truths:
        if truth not in labels:
            stated.wrong(f"row '{truth}' has no column of that name")
    for label in dict.fromkeys(labels):
        if label not in truths:
            stated.wrong(f"column '{label}' has no row of that name")
