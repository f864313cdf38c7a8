from __future__ import annotations

import json
import zipfile
from pathlib import Path

import pytest

from payoff.adapt.backbones import formats
from payoff.adapt.backbones.formats import FORMATS, split_zip, wordllama
from payoff.core.errors import BackboneError
from payoff.core.progress import Silent


def test_every_file_of_the_folder_is_a_format() -> None:
    files = {path.stem for path in Path(formats.__path__[0]).glob("[!_]*.py")}
    assert {module.rpartition(".")[2] for module in FORMATS.values() if module} == files


def split(folder: Path, members: dict[str, bytes], n_parts: int = 3) -> Path:
    whole = folder / "w.zip"
    with zipfile.ZipFile(whole, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    content = whole.read_bytes()
    whole.unlink()
    (folder / "parts").mkdir()
    step = -(-len(content) // n_parts)
    for number in range(n_parts):
        part = content[number * step : (number + 1) * step]
        (folder / "parts" / f"{number + 1:03}").write_bytes(part)
    return folder


PLAIN = {
    "m/config.json": b"{}",
    "m/tokenizer.json": b"[]",
    "m/model.safetensors": b"weights" * 100,
    "m/README.md": b"Apache",
}


def test_parts_are_joined_and_only_the_plain_folder_is_left(tmp_path: Path) -> None:
    members = PLAIN | {"m/1_Pooling/config.json": b"{1}", "m/desktop.ini": b"x"}
    split_zip.convert(split(tmp_path, members), Silent())
    left = {
        path.relative_to(tmp_path).as_posix(): path.read_bytes()
        for path in tmp_path.rglob("*")
        if path.is_file()
    }
    assert left == {
        "config.json": b"{}",
        "tokenizer.json": b"[]",
        "model.safetensors": b"weights" * 100,
        "licences/README.md": b"Apache",
    }


def test_parts_that_are_no_archive_are_refused(tmp_path: Path) -> None:
    folder = split(tmp_path, PLAIN)
    (folder / "parts" / "003").unlink()
    with pytest.raises(BackboneError, match=r"PF304 .*no zip archive"):
        split_zip.convert(folder, Silent())


def test_an_archive_of_two_folders_is_refused(tmp_path: Path) -> None:
    folder = split(tmp_path, PLAIN | {"other/config.json": b"{}"})
    with pytest.raises(BackboneError, match=r"PF304 config\.json: 2 of that name"):
        split_zip.convert(folder, Silent())


def test_the_mark_of_a_texts_start_is_dropped(tmp_path: Path) -> None:
    tokenizers = pytest.importorskip("tokenizers")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordLevel({"<s>": 0, "退": 1}, "<s>"))
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="<s> $A", special_tokens=[("<s>", 0)]
    )
    path = tmp_path / "tokenizer.json"
    tokenizer.save(str(path))
    assert tokenizers.Tokenizer.from_file(str(path)).encode("退").ids == [0, 1]
    wordllama.convert(tmp_path, Silent())
    assert tokenizers.Tokenizer.from_file(str(path)).encode("退").ids == [1]
    assert "退" in path.read_text("utf-8")
    assert json.loads(path.read_text("utf-8"))["model"]["vocab"] == {"<s>": 0, "退": 1}
