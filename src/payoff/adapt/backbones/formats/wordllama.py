"""WordLlama's token table, and its tokenizer without the mark that the table does not use."""

from __future__ import annotations

import json
from pathlib import Path

from payoff.core.files import write_text
from payoff.core.progress import Progress


def convert(folder: Path, progress: Progress) -> None:
    """Drop the tokenizer's post-processor, so that a text is its own tokens and nothing else.

    The reference implementation encodes with ``add_special_tokens=False``; a tokenizer without
    the post-processor does the same however it is called.
    """
    path = folder / "tokenizer.json"
    settings = json.loads(path.read_text(encoding="utf-8"))
    settings["post_processor"] = None
    write_text(path, json.dumps(settings, ensure_ascii=False) + "\n")
    progress.step("tokenizer", 1, 1)
