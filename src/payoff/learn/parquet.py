"""A journal as Parquet files."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import select

from payoff.core.extras import require
from payoff.core.files import disk_errors
from payoff.learn.journal import Journal
from payoff.learn.tables import costs, decisions, feedback

_ROWS = 20_000


def write_parquet(journal: Journal, folder: Path) -> dict[str, int]:
    """Write decisions, feedback and costs, a file each; each appears when it is whole.

    Args:
        journal: What is written.
        folder: Where; made where it is not there.

    Returns:
        Rows by file, without its ending.

    Raises:
        ServiceError: PF703 to PF706 where the database fails.
        MachineError: PF801 on a full disk, PF802 where it cannot be written; PF803 where polars is
            not installed.

    Example:
        >>> write_parquet(journal, Path("out"))  # doctest: +SKIP
        {'decisions': 48210, 'feedback': 512, 'costs': 31}
    """
    frames = require("polars", "data", "writing Parquet")
    found = {}
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
        for table in (decisions, feedback, costs):
            path = folder / f"{table.name}.parquet"
            part = path.with_suffix(".part")
            schema = {column.name: _type(frames, column) for column in table.columns}
            blocks = []
            with journal.reading() as connection:
                rows = connection.execution_options(yield_per=_ROWS).execute(
                    select(table).order_by(table.c.id)
                )
                for block in rows.mappings().partitions(_ROWS):
                    plain = [{k: _plain(v) for k, v in row.items()} for row in block]
                    blocks.append(frames.DataFrame(plain, schema=schema))
            whole = frames.concat(blocks) if blocks else frames.DataFrame(schema=schema)
            try:
                whole.write_parquet(part)
                part.replace(path)
            finally:
                part.unlink(missing_ok=True)
            found[table.name] = len(whole)
    return found


def _type(frames: Any, column: Any) -> Any:
    kinds = {int: frames.Int64, float: frames.Float64, bytes: frames.Binary}
    return kinds.get(column.type.python_type, frames.String)


def _plain(value: Any) -> Any:
    return bytes(value) if isinstance(value, memoryview) else value
