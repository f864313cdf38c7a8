"""Put what was measured of shipping into docs/shipping.md; called by shipping.py table."""

from __future__ import annotations

import statistics
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from recipes_page import BEGIN, END, table

HERE = Path(__file__).resolve().parent
PAGE = HERE.parent / "docs" / "shipping.md"
ASSETS = HERE.parent / "docs" / "assets"
TEACHER = "fine-tuned"
PIPELINE, PLAIN = "transformers.pipeline", "onnxruntime int8"
TITLES = {
    "banking77": "BANKING77 with minilm-l6",
    "zh_waimai_10k": "zh_waimai_10k with e5-small-multi",
}
LIMITS_MB = (2, 6, 10)

Line = dict[str, Any]


def write(lines: Sequence[Line]) -> None:
    """Write the tables and the pictures."""
    parts = []
    for name, title in TITLES.items():
        found = [line for line in lines if line["set"] == name]
        forms = [line for line in found if line["part"] == "form"]
        if forms:
            parts.append(f"### {title}")
            parts.append(picture(name, forms))
            parts.append(chosen_table(forms))
            parts.append(forms_table(forms))
        walks = [line for line in found if line["part"] == "walk"]
        if walks:
            parts.append(walk_table(walks[-1]))
        timed = [line for line in found if line["part"] == "speed"]
        if timed:
            parts.append(speed_table(timed))
    text = PAGE.read_text("utf-8")
    before, _, rest = text.partition(BEGIN)
    _, _, after = rest.partition(END)
    told = "\n\n".join(parts) or "Nothing yet."
    PAGE.write_text(f"{before}{BEGIN}\n{told}\n{END}{after}", "utf-8")


def lost(line: Line, whole: Line, part: str) -> float:
    """Points below the whole model."""
    return float(100 * (whole["result"][part] - line["result"][part]))


def whole_of(forms: Sequence[Line]) -> Line:
    """The fine-tuned model as it was trained."""
    return next(f for f in forms if f["model"] == TEACHER and f["way"] == "fp32")


def chosen_table(forms: Sequence[Line]) -> str:
    """Of each size the form of the lowest log loss on validation rows, and what it loses."""
    whole = whole_of(forms)
    rows = []
    for limit in LIMITS_MB:
        small = [f for f in forms if f["result"]["size_bytes"] <= 1e6 * limit]
        if small:
            best = min(small, key=lambda one: one["result"]["validation_log_loss"])
            size = best["result"]["size_bytes"] / 1e6
            losses = [f"{lost(best, whole, part):+.2f}" for part in ("validation", "test")]
            rows.append([f"at most {limit}", f"{best['model']}, `{best['way']}`", f"{size:.2f}"])
            rows[-1] += losses
    heads = ["MB", "lowest log loss on validation rows", "its MB", "points lost, validation"]
    heads.append("test")
    return table(heads, rows)


def forms_table(forms: Sequence[Line]) -> str:
    """Every form: size, points lost, decisions flipped."""
    whole = whole_of(forms)
    rows = []
    for line in sorted(forms, key=lambda one: -one["result"]["size_bytes"]):
        result = line["result"]
        flipped = result["test_flipped"] / result["test_rows"]
        rows.append(
            [
                f"{line['model']}, `{line['way']}`",
                f"{result['size_bytes'] / 1e6:.1f}",
                f"{whole['result']['size_bytes'] / result['size_bytes']:.1f}",
                f"{lost(line, whole, 'validation'):+.2f}",
                f"{lost(line, whole, 'test'):+.2f}",
                f"{100 * flipped:.1f} %",
            ]
        )
    heads = [
        "form",
        "MB",
        "times smaller",
        "points lost, validation",
        "points lost, test",
        "decisions changed, test",
    ]
    accuracy = 100 * whole["result"]["test"]
    return f"The fine-tuned model has {accuracy:.2f} % on test rows.\n\n{table(heads, rows)}"


def walk_table(line: Line) -> str:
    """Every form that `payoff compress` tried, on validation rows; the taken one on test rows."""
    told = line["result"]
    rows = []
    for form in sorted(told["forms"], key=lambda one: -one["profit"]["mean"]):
        memory, profit = form["memory_bytes"], form["profit"]
        rows.append(
            [
                f"{form['model']}, `{form['way']}`",
                f"{form['size_bytes'] / 1e6:.1f}",
                f"{form['p50_ms']:.2f}",
                f"{form['texts_per_s']:,.0f}",
                "–" if memory is None else f"{memory / 1e6:.0f}",
                f"{form['lost']:+.2f}",
                f"{profit['mean']:,.0f} ({profit['low']:,.0f} to {profit['high']:,.0f})",
                form["status"],
            ]
        )
    heads = [
        "form",
        "MB",
        "p50, ms",
        "texts/s",
        "memory, MB",
        "points lost, validation",
        "USD a month, 90 % interval",
        "",
    ]
    return (
        "What `payoff compress` tried (`python benchmarks/shipping.py walk`): right answers earn 3 "
        "USD, wrong ones cost 25, people 2, of 40,000 requests a month; one thread. The one that "
        f"was taken is {told['smaller']:.1f} times smaller and loses {told['lost_on_test']:+.2f} "
        f"points on test rows.\n\n{table(heads, rows)}"
    )


def speed_table(timed: Sequence[Line]) -> str:
    """Medians over the rounds, beside the pipeline and plain onnxruntime of the same run."""
    found: dict[str, dict[int, dict[str, float]]] = defaultdict(dict)
    for line in timed:
        found[line["contender"]][line["round"]] = line["result"]
    rows = []
    for contender, rounds in found.items():

        def over(peer: str, figure: str, rounds: Any = rounds) -> str:
            turns = [turn for turn in rounds if turn in found[peer]]
            ratios = [rounds[turn][figure] / found[peer][turn][figure] for turn in turns]
            ratio = statistics.median(ratios)
            return f"1/{1 / ratio:.1f}" if ratio < 1 else f"{ratio:.1f}"

        def middle(figure: str, rounds: Any = rounds) -> float:
            return statistics.median(result[figure] for result in rounds.values())

        rows.append(
            [
                contender,
                f"{middle('p50_ms'):.2f} ({over(PIPELINE, 'p50_ms')})",
                f"{middle('texts_per_s'):.0f} ({over(PIPELINE, 'texts_per_s')})",
                over(PLAIN, "texts_per_s"),
                f"{middle('start_s'):.2f} ({over(PIPELINE, 'start_s')})",
                f"{middle('peak_bytes') / 1e6:.0f} ({over(PIPELINE, 'peak_bytes')})",
                f"{100 * middle('test'):.2f}",
            ]
        )
    heads = [
        "served by",
        "p50, ms (over the pipeline)",
        "mixed batches of 64, texts/s",
        "over plain int8",
        "start to first answer, s",
        "memory, MB",
        "accuracy, test",
    ]
    turns = len({line["round"] for line in timed})
    return (
        f"Each in a process of its own, all in turn, {turns} rounds, medians; in brackets over "
        f"`{PIPELINE}` of the same round. *Plain* is onnxruntime and tokenizers with batches "
        f"padded to the longest text.\n\n{table(heads, rows)}"
    )


def picture(name: str, forms: Sequence[Line]) -> str:
    """Points lost on validation rows against size."""
    from payoff.plan.compressing.frontier import Position, frontier
    from payoff.plan.report.pictures import save

    whole = whole_of(forms)
    places = {
        f"{line['model']} {line['way']}": Position(
            f"{line['model']} {line['way']}",
            line["result"]["validation"],
            line["result"]["size_bytes"],
            *(0.0, 0.0, 0.0),
        )
        for line in forms
    }
    best = {one.name for one in frontier([*places.values()])}
    ordered = [whole, *(line for line in forms if line is not whole)]
    told = [
        {
            "model": line["model"],
            "way": line["way"],
            "size_bytes": line["result"]["size_bytes"],
            "lost": lost(line, whole, "validation"),
            "status": "on the frontier"
            if f"{line['model']} {line['way']}" in best
            else "behind another",
        }
        for line in ordered
    ]
    save("sizes", {"compression": {"forms": told}}, ASSETS / f"sizes_{name}.svg")
    return f"![Points lost on validation rows against megabytes](assets/sizes_{name}.svg)"
