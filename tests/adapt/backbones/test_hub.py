"""The real hub client against a hub of a few bytes on this machine."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("huggingface_hub")
COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(BaseHTTPRequestHandler):
    """As much of a hub as the client asks for."""

    protocol_version = "HTTP/1.1"
    files: dict[str, bytes] = {}  # noqa: RUF012 - set by the fixture
    lfs_sha256: str | None = None
    asked: list[str] = []  # noqa: RUF012 - set by the fixture

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        path = self.path.split("?")[0]
        if "/gated/" in path:
            return self.answer(403, b"{}", {"X-Error-Code": "GatedRepo"})
        if path.startswith("/api/models/owner/tiny/tree"):
            return self.answer(200, json.dumps(self.tree()).encode())
        if path == "/api/models/owner/tiny" or path.startswith("/api/models/owner/tiny/revision/"):
            if path.endswith("/nowhere"):
                return self.answer(404, b"{}", {"X-Error-Code": "RevisionNotFound"})
            return self.answer(200, json.dumps(self.description()).encode())
        if path.startswith(f"/owner/tiny/resolve/{COMMIT}/"):
            name = path.removeprefix(f"/owner/tiny/resolve/{COMMIT}/")
            self.asked.append(name)
            tag = hashlib.sha256(self.files[name]).hexdigest()
            return self.answer(200, self.files[name], {"ETag": f'"{tag}"', "X-Repo-Commit": COMMIT})
        return self.answer(404, b"{}", {"X-Error-Code": "RepoNotFound"})

    def description(self) -> dict[str, Any]:
        siblings: list[dict[str, Any]] = []
        for name, content in self.files.items():
            siblings.append({"rfilename": name, "size": len(content), "blobId": "b"})
            if name == "model.safetensors":
                sha = self.lfs_sha256 or hashlib.sha256(content).hexdigest()
                siblings[-1]["lfs"] = {"sha256": sha, "size": len(content), "pointerSize": 1}
        card = {"license": "mit", "language": ["en", "fr"]}
        return {"id": "owner/tiny", "sha": COMMIT, "siblings": siblings, "cardData": card}

    def tree(self) -> list[dict[str, Any]]:
        return [
            {"type": "file", "path": name, "size": len(content), "oid": "b"}
            for name, content in self.files.items()
        ]

    def answer(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def hub(tiny_encoder: Path) -> Iterator[str]:
    names = ("config.json", "model.safetensors", "tokenizer.json")
    Hub.files = {name: (tiny_encoder / name).read_bytes() for name in names}
    Hub.files |= {
        "README.md": b"# Tiny",
        "pytorch_model.bin": b"x" * 1000,
        "1_Pooling/config.json": b'{"pooling_mode_cls_token": true}',
    }
    Hub.lfs_sha256, Hub.asked = None, []
    server = ThreadingHTTPServer(("127.0.0.1", 0), Hub)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def run(name: str, cache: Path, endpoint: str) -> subprocess.CompletedProcess[str]:
    """Install in a process of its own: the client reads its settings when it is imported."""
    program = f"""
import sys
from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import install, installed, verify
from payoff.core.errors import PayoffError
class Told:
    def step(self, what, done, total): pass
    def say(self, message): print(message)
try:
    backbone = find({name!r})
    install(backbone, Told())
    backbone = find({name!r})
    verify(backbone)
    print(installed(backbone), backbone.width, backbone.pooling, backbone.licence)
except PayoffError as error:
    print(error)
"""
    own = {"PAYOFF_CACHE": str(cache), "HF_ENDPOINT": endpoint, "HF_HOME": str(cache / "hf")}
    own |= {"HF_HUB_DISABLE_XET": "1", "HF_HUB_OFFLINE": "0"}
    without = {k: v for k, v in os.environ.items() if not k.startswith("HF_")}
    return subprocess.run(
        [sys.executable, "-c", program],
        env=without | own,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )


def laid(cache: Path) -> list[str]:
    folder = cache / "backbones"
    return sorted(path.name for path in folder.iterdir() if not path.name.startswith(".lock"))


def test_only_what_is_needed_is_downloaded_at_one_commit(hub: str, tmp_path: Path) -> None:
    lines = run("hf:owner/tiny", tmp_path, hub).stdout.splitlines()
    assert lines[0].startswith("Fetching hf:owner/tiny (0.0 MB)")
    assert lines[-1] == "True 16 cls mit"
    assert "pytorch_model.bin" not in Hub.asked
    folder = tmp_path / "backbones" / "hf--owner--tiny"
    record = json.loads((folder / "payoff.json").read_text("utf-8"))
    assert (record["revision"], record["licence"]) == (COMMIT, "mit")
    assert (folder / "model.safetensors").read_bytes() == Hub.files["model.safetensors"]
    assert (folder / "licences" / "README.md").read_bytes() == b"# Tiny"
    assert not (folder / ".hub").exists()


def test_weights_other_than_the_hub_says_are_refused(hub: str, tmp_path: Path) -> None:
    Hub.lfs_sha256 = "0" * 64
    assert run("hf:owner/tiny@main", tmp_path, hub).stdout.splitlines()[-1].startswith("PF302")
    assert laid(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("hf:owner/other", "PF301"),
        ("hf:owner/tiny@nowhere", "PF301"),
        ("hf:gated/tiny", "PF305"),
    ],
)
def test_what_the_hub_does_not_give_is_told(hub: str, tmp_path: Path, name: str, code: str) -> None:
    assert run(name, tmp_path, hub).stdout.startswith(f"{code} {name}")
    assert laid(tmp_path) == []


def test_a_model_without_safetensors_is_told(hub: str, tmp_path: Path) -> None:
    del Hub.files["model.safetensors"]
    told = run("hf:owner/tiny", tmp_path, hub).stdout
    assert "PF304 hf:owner/tiny: it has no model.safetensors (but pytorch_model.bin)" in told


def test_a_hub_that_cannot_be_reached_is_told(tmp_path: Path) -> None:
    told = run("hf:owner/tiny", tmp_path, "http://127.0.0.1:9").stdout
    assert told.startswith("PF804 hf:owner/tiny: the hub cannot be reached")
    assert "packaged backbone" in told
