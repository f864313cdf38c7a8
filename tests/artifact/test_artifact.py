from __future__ import annotations

import gc
import json
import subprocess
import sys
import tempfile
import threading
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from payoff.artifact.artifact import Artifact
from payoff.artifact.calibration import Calibration
from payoff.artifact.container import Packed, directory, local_header
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError, DataError, MachineError

from .conftest import LABELS, expected_logits, sign

Write = Callable[..., Path]


def refused(path: Path) -> ArtifactError:
    with pytest.raises(ArtifactError) as caught:
        Artifact.open(path)
    return caught.value


def rezip(path: Path, *, change: dict[str, bytes | None]) -> Path:
    """The same artifact with members changed (None removes), packed as payoff packs."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    packed, entries = b"", []
    for name, content in (members | change).items():
        if content is not None:
            entries.append(Packed(name, len(content), zlib.crc32(content), len(packed)))
            packed += local_header(entries[-1]) + content
    target = path.with_name("changed.payoff")
    target.write_bytes(packed + directory(entries))
    return target


def foreign(path: Path, *, method: int = zipfile.ZIP_STORED) -> Path:
    """The same members, packed by another tool."""
    target = path.with_name("foreign.payoff")
    with zipfile.ZipFile(path) as archive, zipfile.ZipFile(target, "w", method) as other:
        for name in archive.namelist():
            other.writestr(name, archive.read(name))
        other.writestr("more", b"\0" * 20_000_000)
    return target


@pytest.mark.parametrize("as_folder", [False, True])
def test_what_was_written_is_read(write: Write, as_folder: bool) -> None:
    with Artifact.open(write(as_folder=as_folder)) as artifact:
        assert artifact.name == "tiny"
        assert artifact.labels == LABELS
        assert artifact.manifest.seed == 3
        assert artifact.calibrations == (Calibration(2.0),)
        assert artifact.read_json("policy.json") == {"x": [1, 2]}
        assert artifact.read("licences/MIT.txt") == b"free"
        assert artifact.read("raw") == b"\0"
        assert artifact.documents == (
            "calibration.json",
            "licences/MIT.txt",
            "policy.json",
            "raw",
        )
        texts = ["lost card", "refund my money now", "退款"]
        logits = np.stack([expected_logits(text) for text in texts])
        assert np.allclose(artifact.logits(texts), logits, atol=1e-6)
        assert np.allclose(artifact.probabilities(texts), Calibration(2.0).apply(logits))
        assert artifact.probabilities([]).shape == (0, 3)
        assert "3 labels" in repr(artifact)


def test_size_is_that_of_the_members(write: Write) -> None:
    folder = write("f.payoff", as_folder=True)
    total = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert Artifact.open(folder).size_bytes == total
    assert Artifact.open(write()).size_bytes == total


def test_same_content_same_bytes(write: Write) -> None:
    one, two = write("1.payoff"), write("2.payoff")
    assert one.read_bytes() == two.read_bytes()
    assert Artifact.open(one).sha256 == Artifact.open(write("3", as_folder=True)).sha256


def test_writing_replaces_what_was_there(write: Write) -> None:
    write(seed=1)
    assert Artifact.open(write(seed=2)).manifest.seed == 2
    assert [p.name for p in write().parent.iterdir()] == ["tiny.payoff"]


def test_several_tiers_lie_in_folders_of_their_own(write: Write, tokens_folder: Path) -> None:
    cheap = TierSpec("cheap", "tokens", settings={"max_tokens": 1})
    dear = TierSpec("dear", "tokens", settings={"max_tokens": 8})
    path = write(
        tiers=[(cheap, tokens_folder), (dear, tokens_folder)],
        calibrations=[Calibration(), Calibration(0.5)],
    )
    with Artifact.open(path) as artifact:
        assert "tiers/1/model.onnx" in artifact.manifest.members
        artifact.warm()
        text = "lost card"
        assert np.allclose(artifact.logits([text], tier=0), expected_logits("lost"))
        assert np.allclose(artifact.logits([text]), expected_logits(text))
        assert np.allclose(
            artifact.probabilities([text], tier=1), Calibration(0.5).apply([expected_logits(text)])
        )
        with pytest.raises(ArtifactError, match=r"PF504.*no tier 2"):
            artifact.runtime(2)


def test_a_large_model_of_a_zip_is_unpacked_once_and_removed(
    write: Write, large_folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    path = write(folder=large_folder)
    artifact = Artifact.open(path)
    assert len(list(scratch.iterdir())) == 1
    assert np.allclose(artifact.logits(["card"]), expected_logits("card"))
    assert not list(scratch.iterdir())
    assert artifact.read("model.onnx") == (large_folder / "model.onnx").read_bytes()
    with artifact.file("model.onnx") as again:
        assert again.stat().st_size == (large_folder / "model.onnx").stat().st_size
    assert not list(scratch.iterdir())

    unused = Artifact.open(path)
    unused.close()
    unused.close()
    assert not list(scratch.iterdir())
    lost = Artifact.open(path)
    assert list(scratch.iterdir())
    del lost
    gc.collect()
    assert not list(scratch.iterdir())


def test_a_large_model_of_a_folder_is_used_where_it_lies(write: Write, large_folder: Path) -> None:
    artifact = Artifact.open(write(folder=large_folder, as_folder=True))
    with artifact.file("model.onnx") as path:
        assert path == artifact.path / "model.onnx"
    assert np.allclose(artifact.logits(["lost card"]), expected_logits("lost card"))
    assert artifact.path.joinpath("model.onnx").exists()


def test_no_room_to_unpack_is_told(
    write: Write, large_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(folder=large_folder)

    def full(*_: object, **__: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(tempfile, "NamedTemporaryFile", full)
    with pytest.raises(MachineError, match="PF801"):
        Artifact.open(path)


def test_threads_share_one_runtime(write: Write) -> None:
    artifact = Artifact.open(write(), threads=1)
    found: list[object] = []
    threads = [threading.Thread(target=lambda: found.append(artifact.runtime())) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


@pytest.mark.parametrize(
    "name", ["model.onnx", "tokenizer.json", "policy.json", "licences/MIT.txt"]
)
@pytest.mark.parametrize("as_folder", [False, True])
def test_one_changed_byte_is_refused(write: Write, name: str, as_folder: bool) -> None:
    path = write(as_folder=as_folder)
    if as_folder:
        content = bytearray((path / name).read_bytes())
        content[len(content) // 2] ^= 1
        (path / name).write_bytes(content)
    else:
        with zipfile.ZipFile(path) as archive:
            content = bytearray(archive.read(name))
        content[len(content) // 2] ^= 1
        path = rezip(path, change={name: bytes(content)})
    error = refused(path)
    assert error.code == "PF502"
    assert name in error.where


def test_a_changed_byte_of_a_large_model_is_refused(write: Write, large_folder: Path) -> None:
    path = write(folder=large_folder)
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)
    assert refused(path).code == "PF502"


def test_every_byte_matters(tmp_path: Path) -> None:
    original = (Path(__file__).parent / "frozen" / "format-1.zip").read_bytes()
    broken = tmp_path / "broken.payoff"
    for place in range(0, len(original), 3):
        content = bytearray(original)
        content[place] ^= 1 << place % 8
        broken.write_bytes(content)
        assert refused(broken).code in {"PF501", "PF502", "PF503"}, place


@pytest.mark.parametrize("keep", [0, 10, 500, -30])
def test_a_cut_zip_is_refused(write: Write, keep: int) -> None:
    path = write()
    path.write_bytes(path.read_bytes()[:keep])
    assert refused(path).code == "PF501"


@pytest.mark.parametrize("as_folder", [False, True])
def test_added_and_removed_members_are_told_together(write: Write, as_folder: bool) -> None:
    path = write(as_folder=as_folder)
    if as_folder:
        (path / "raw").unlink()
        (path / "added.txt").write_text("x")
    else:
        path = rezip(path, change={"raw": None, "added.txt": b"x"})
    error = refused(path)
    assert error.code == "PF502"
    assert "'raw' is missing" in error.found
    assert "'added.txt' was added" in error.found


def test_many_wrong_members_are_counted(write: Write) -> None:
    path = rezip(write(), change={f"x{i}": b"" for i in range(9)})
    assert refused(path).found.endswith("; and 4 more")


def test_nothing_there(tmp_path: Path) -> None:
    assert refused(tmp_path / "none.payoff").code == "PF501"
    (tmp_path / "text.payoff").write_text("hello")
    assert refused(tmp_path / "text.payoff").code == "PF501"
    (tmp_path / "empty").mkdir()
    assert refused(tmp_path / "empty").code == "PF501"
    assert refused(Path("x" * 5000)).code == "PF501"


def test_a_link_in_a_folder_is_refused(write: Write, tmp_path: Path) -> None:
    path = write(as_folder=True)
    content = (path / "raw").read_bytes()
    (tmp_path / "outside").write_bytes(content)
    (path / "raw").unlink()
    (path / "raw").symlink_to(tmp_path / "outside")
    assert "link" in refused(path).found
    (path / "raw").unlink()
    (path / "raw").write_bytes(content)
    (path / "loop").symlink_to(path, target_is_directory=True)
    assert "link" in refused(path).found


@pytest.mark.parametrize(
    "name", ["../evil", "/etc/passwd", "a/../../b", "C:evil", "a\\b", "a//b", ".hidden", "x" * 300]
)
def test_names_that_leave_the_artifact_are_refused(write: Write, name: str) -> None:
    error = refused(rezip(write(), change={name: b"x"}))
    assert error.code == "PF502"
    assert "unsafe name" in error.found


def test_a_manifest_that_names_a_place_outside_is_refused(write: Write) -> None:
    path = write()
    with zipfile.ZipFile(path) as archive:
        manifest = json.loads(archive.read("manifest.json"))
    manifest["members"]["../evil"] = {"sha256": "0", "bytes": 1}
    del manifest["manifest_sha256"]
    error = refused(rezip(path, change={"manifest.json": sign(manifest)}))
    assert error.code == "PF502"
    assert error.where == "../evil"


def test_a_name_that_is_there_twice_is_refused(write: Write) -> None:
    path = write()
    with pytest.warns(UserWarning, match="Duplicate"), zipfile.ZipFile(path, "a") as archive:
        archive.writestr("raw", b"\0")
    assert "twice" in refused(path).found


def test_compressed_members_are_refused_before_they_are_read(write: Write) -> None:
    bomb = foreign(write(), method=zipfile.ZIP_DEFLATED)
    assert bomb.stat().st_size < 1_000_000
    assert "compressed" in refused(bomb).found


@pytest.mark.parametrize(
    ("offset", "content", "found"),
    [
        (8, b"\x01", "fields"),  # encrypted
        (20, (900_000_000).to_bytes(4, "little") * 2, "gaps"),  # both sizes
        (24, b"\xff", "fields"),  # one of them
        (42, b"\x01", "gaps"),  # where it starts
        (38, b"\x01", "fields"),  # its mode
        (30, b"\x01", "broken"),  # an extra field that is not there
        (46, b"\xff", "unsafe name"),
        (46, b"s", "header"),
    ],
)
def test_a_directory_that_lies_is_refused(
    write: Write, offset: int, content: bytes, found: str
) -> None:
    path = write()
    raw = bytearray(path.read_bytes())
    at = raw.rindex(b"raw") - 46
    raw[at + offset : at + offset + len(content)] = content
    path.write_bytes(raw)
    error = refused(path)
    assert error.code == "PF502"
    assert found in error.found


def test_zips_of_other_tools_are_refused_with_a_way_out(write: Write) -> None:
    error = refused(foreign(write()))
    assert error.code == "PF502"
    assert "unpack it and give the folder" in error.mend
    path = write("other.payoff")
    path.write_bytes(path.read_bytes() + b"\0")
    assert refused(path).code == "PF501"
    path.write_bytes(b"x" + write().read_bytes())
    assert refused(path).found.startswith("its directory is not where")
    with zipfile.ZipFile(path, "w"):
        pass
    assert refused(path).code == "PF502"


def test_any_tool_can_unpack_it(write: Write, tmp_path: Path) -> None:
    with zipfile.ZipFile(write()) as archive:
        assert archive.testzip() is None
        archive.extractall(tmp_path / "out")
    assert Artifact.open(tmp_path / "out").sha256 == Artifact.open(write()).sha256


def test_too_many_members_and_a_huge_manifest(
    write: Write, monkeypatch: pytest.MonkeyPatch
) -> None:
    zipped, folder = write("z.payoff"), write("f.payoff", as_folder=True)
    monkeypatch.setattr("payoff.artifact.store.MAX_MEMBERS", 3)
    assert "more than 3" in refused(zipped).found
    assert "more than 3" in refused(folder).found
    monkeypatch.undo()
    monkeypatch.setattr("payoff.artifact.store.MAX_MANIFEST_BYTES", 10)
    assert "manifest.json has" in refused(zipped).found


def test_reading_what_is_not_there_or_no_json(write: Write) -> None:
    artifact = Artifact.open(write())
    with pytest.raises(ArtifactError, match=r"PF504.*Did you mean 'policy.json'"):
        artifact.read("polcy.json")
    with pytest.raises(ArtifactError, match=r"PF504.*no JSON"):
        artifact.read_json("licences/MIT.txt")


def test_calibrations_must_fit_the_tiers(write: Write) -> None:
    path = write(as_folder=True)
    artifact = Artifact.open(path)
    artifact._small["calibration.json"] = b'{"tiers": []}'
    with pytest.raises(ArtifactError, match=r"PF504.*1 entries"):
        _ = artifact.calibrations
    artifact._small["calibration.json"] = b"[]"
    with pytest.raises(ArtifactError, match="PF504"):
        _ = artifact.calibrations


def test_unusable_texts_are_refused_with_their_number(write: Write) -> None:
    artifact = Artifact.open(write())
    with pytest.raises(DataError, match=r"PF105 text 2: it holds a NUL"):
        artifact.probabilities(["fine", "bad\0"])
    with pytest.raises(DataError, match=r"PF105 texts: it is one string"):
        artifact.probabilities("fine")


def test_opening_and_answering_imports_little(write: Write) -> None:
    program = (
        "import sys\n"
        "from payoff.artifact.artifact import Artifact\n"
        "Artifact.open(sys.argv[1], threads=1).probabilities(['lost card'])\n"
        "heavy = ('torch', 'transformers', 'polars', 'pandas', 'fastapi', 'pydantic',\n"
        "         'sqlalchemy', 'genai_prices', 'scipy', 'sklearn', 'onnx', 'pickle')\n"
        "print([m for m in heavy if m in sys.modules and m != 'pickle'])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(write())], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"
