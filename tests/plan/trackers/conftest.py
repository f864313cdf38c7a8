"""Trackers of a plug-in: found by their entry points, as any third party's are."""

from __future__ import annotations

from pathlib import Path

import pytest

PLUG_IN = '''
import json
from pathlib import Path

class Notes:
    """Writes every call as a line."""

    def __init__(self, folder):
        self.file = Path(folder) / "notes.jsonl"
        self.name = ""

    def note(self, **facts):
        self.file.parent.mkdir(parents=True, exist_ok=True)
        with self.file.open("a") as file:
            file.write(json.dumps({"run": self.name, **facts}) + "\\n")

    def start(self, name, params):
        self.name = name
        self.note(start=name, params=dict(params))

    def metric(self, name, value, step):
        self.note(metric=name, value=value, step=step)

    def artifact(self, path):
        self.note(artifact=json.loads(path.read_text("utf-8")))

    def end(self, status):
        self.note(end=status)


class FailsAtMetrics(Notes):
    def metric(self, name, value, step):
        raise ConnectionError("the server is away\\nand more")


class FailsAtStart(Notes):
    def start(self, name, params):
        raise PermissionError()


class FailsAtEnd(Notes):
    def end(self, status):
        raise OSError("no space")
'''


@pytest.fixture
def plug_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A distribution with four trackers on the path."""
    place = tmp_path / "site"
    info = place / "payoff_notes-1.0.dist-info"
    info.mkdir(parents=True)
    (place / "payoff_notes.py").write_text(PLUG_IN, "utf-8")
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: payoff-notes\nVersion: 1.0\n")
    names = {
        "notes": "Notes",
        "fails-at-metrics": "FailsAtMetrics",
        "fails-at-start": "FailsAtStart",
        "fails-at-end": "FailsAtEnd",
    }
    lines = [f"{name} = payoff_notes:{made}" for name, made in names.items()]
    (info / "entry_points.txt").write_text("\n".join(["[payoff.trackers]", *lines, ""]), "utf-8")
    monkeypatch.syspath_prepend(str(place))
