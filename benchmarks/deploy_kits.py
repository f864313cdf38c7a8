"""What deploy kits take on a host's disk, and how long the first answer takes.

    python benchmarks/deploy_kits.py support.payoff words.payoff
    python benchmarks/deploy_kits.py --page

For each artifact the kits `container` and `aws-lambda` are written, what they pin is installed from
the index into an environment of its own, and its files are counted. Then a process of that Python
imports the function's handler and answers one event; from the start of the process to the answer is
the cold start. `compiled` is as an image has it; `source` is as a zip has it, where Python compiles
what it imports at every start. Files are in the system's cache. Every result is a line in
results/deploy_kits.jsonl; --page puts them into docs/deploy.md, the time by the clock only where
nothing else ran.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator
from pathlib import Path

import record

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "deploy_kits.jsonl"
PAGE = HERE.parent / "docs" / "deploy.md"
BEGIN, END = "<!-- figures:begin -->", "<!-- figures:end -->"
LIMIT_MB = 262.144
QUIET = 1.5
"""Processes that want to run, on average, up to which the time by the clock says something."""
COMMAND = "python benchmarks/deploy_kits.py ARTIFACT…"
ASK = """
import handler, time
answer = handler.answer({"text": "someone used my card in Lisbon"}, None)
assert "decision" in answer, answer
print(time.time())
"""


def kit_of(artifact: Path, target: str, folder: Path, **options: str) -> Path:
    """A kit of an artifact, in a folder of its own."""
    from payoff.artifact.artifact import Artifact
    from payoff.artifact.target import Targets

    with Artifact.open(artifact) as opened:
        return Targets().named(target).write(opened, folder / target, options=options).path


def installed(kit: Path, folder: Path) -> Path:
    """An environment with what a kit pins, as its Dockerfile makes it; its Python."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
    python = folder / "bin" / "python"
    pip = [sys.executable, "-m", "pip", "--python", str(python), "install", "--quiet"]
    only = ["--no-deps", "--only-binary=:all:", "--disable-pip-version-check"]
    subprocess.run([*pip, *only, "-r", str(kit / "requirements.txt")], check=True)
    return python


def files_of(*folders: Path, compiled: bool) -> Iterator[tuple[Path, Path]]:
    """Files below folders, each with its path there."""
    for folder in folders:
        for path in sorted(folder.rglob("*")):
            if path.is_file() and (compiled or path.suffix != ".pyc"):
                yield path, path.relative_to(folder)


def size_mb(*folders: Path, compiled: bool) -> float:
    """Bytes below folders."""
    return sum(path.stat().st_size for path, _ in files_of(*folders, compiled=compiled)) / 1e6


def zipped_mb(target: Path, *folders: Path) -> float:
    """Bytes of a zip of folders, deflated as usual."""
    with zipfile.ZipFile(target, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as file:
        for path, name in files_of(*folders, compiled=False):
            file.write(path, str(name))
    return target.stat().st_size / 1e6


def cold_start(python: Path, kit: Path, **environment: str) -> dict[str, float]:
    """One process from its start to the handler's first answer."""
    load, begin = os.getloadavg()[0], time.time()
    here = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}
    process = subprocess.Popen(
        [str(python), "-c", ASK], cwd=kit, env=here | environment, stdout=subprocess.PIPE
    )
    assert process.stdout is not None
    told = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    assert process.returncode == 0, told
    return {
        "load": load,
        "first_answer_s": float(told) - begin,
        "processor_s": used.ru_utime + used.ru_stime,
        "peak_mb": used.ru_maxrss * 1024 / 1e6,
    }


def measure(artifact: Path, folder: Path, rounds: int) -> None:
    """Sizes once, starts a few times in turn."""
    from payoff.artifact.artifact import Artifact

    with Artifact.open(artifact) as opened:
        key = {"artifact": opened.name, "kinds": ", ".join(tier.kind for tier in opened.tiers)}
        artifact_mb = opened.size_bytes / 1e6
    container = kit_of(artifact, "container", folder)
    function = kit_of(artifact, "aws-lambda", folder, package="image")
    served = site(installed(container, folder / "served"))
    python = installed(function, folder / "deciding")
    deciding = site(python)
    code = container / "payoff"
    code_mb = size_mb(code, compiled=False)
    result = {
        "artifact_mb": artifact_mb,
        "code_mb": code_mb,
        "container_packages_mb": size_mb(served, compiled=True),
        "container_distributions": len(list(served.glob("*.dist-info"))),
        "container_has_torch": (served / "torch").exists(),
        "function_packages_mb": size_mb(deciding, compiled=False),
        "function_unpacked_mb": size_mb(deciding, function, compiled=False),
        "function_zipped_mb": zipped_mb(folder / "function.zip", deciding, function),
    }
    record.append(RESULTS, {"part": "size", **key}, result, COMMAND)
    subprocess.run([str(python), "-m", "compileall", "-q", str(function / "payoff")], check=True)
    ways = {
        "compiled": {},
        "source": {"PYTHONDONTWRITEBYTECODE": "1", "PYTHONPYCACHEPREFIX": str(folder / "none")},
    }
    for number in range(-1, rounds):  # the first round fills the system's cache
        for way, environment in ways.items():
            start = cold_start(python, function, **environment)
            if number >= 0:
                line = {"part": "start", **key, "way": way, "round": number}
                record.append(RESULTS, line, start, COMMAND)


def site(python: Path) -> Path:
    """Where an environment keeps its packages."""
    return next(python.parents[1].glob("lib/python*/site-packages"))


def figures() -> str:
    """Both tables in Markdown."""
    newest = record.latest(RESULTS)
    sizes = [line for line in newest if line["part"] == "size"]
    rows = [
        "| artifact | models | artifact, MB | container: packages, MB | torch in it | function: "
        "unpacked, MB | of the limit | zipped, MB |",
        "|---|---|---:|---:|---|---:|---:|---:|",
    ]
    for line in sizes:
        found = line["result"]
        share = found["function_unpacked_mb"] / LIMIT_MB
        rows.append(
            f"| {line['artifact']} | {line['kinds']} | {found['artifact_mb']:.1f} "
            f"| {found['container_packages_mb']:.0f} in {found['container_distributions']} "
            f"distributions | {'yes' if found['container_has_torch'] else 'no'} "
            f"| {found['function_unpacked_mb']:.0f} | {share:.0%} "
            f"| {found['function_zipped_mb']:.0f} |"
        )
    rows += [
        "",
        "| artifact | Python's files | first answer, s | processor, s | peak memory, MB |",
        "|---|---|---:|---:|---:|",
    ]
    for name in [line["artifact"] for line in sizes]:
        for way in ("compiled", "source"):
            starts = [
                line["result"]
                for line in newest
                if line["part"] == "start" and (line["artifact"], line["way"]) == (name, way)
            ]
            rows.append(f"| {name} | {way} | {' | '.join(told(starts))} |")
    return "\n".join(rows)


def told(starts: list[dict[str, float]]) -> list[str]:
    """Medians of one way to start: by the clock, by the processor, memory."""
    clock, processor, peak = (
        statistics.median(one[what] for one in starts)
        for what in ("first_answer_s", "processor_s", "peak_mb")
    )
    quiet = max(one["load"] for one in starts) < QUIET
    return [f"{clock:.2f}" if quiet else "not measured", f"{processor:.2f}", f"{peak:.0f}"]


def write_page() -> None:
    """Put the tables into the page."""
    text = PAGE.read_text("utf-8")
    before, after = text.split(BEGIN)[0], text.split(END)[1]
    PAGE.write_text(f"{before}{BEGIN}\n\n{figures()}\n\n{END}{after}", "utf-8")


def main() -> None:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("artifacts", nargs="*", type=Path, metavar="ARTIFACT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--page", action="store_true", help="Write docs/deploy.md.")
    options = parser.parse_args()
    for artifact in options.artifacts:
        with tempfile.TemporaryDirectory() as folder:
            measure(artifact, Path(folder), options.rounds)
    if options.page:
        write_page()
    elif RESULTS.exists():
        print(figures())


if __name__ == "__main__":
    main()
