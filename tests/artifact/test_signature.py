"""Signatures: what is checked, by which keys, and that old artifacts stay as they were."""

from __future__ import annotations

import base64
import hashlib
import json
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from payoff.artifact.artifact import Artifact
from payoff.artifact.signature import TRUSTED_KEYS
from payoff.artifact.write import write_signed
from payoff.core.errors import ArtifactError

PEM = serialization.Encoding.PEM


def make_pair(folder: Path, name: str) -> tuple[Path, Path]:
    """A private and a public key, as openssl writes them."""
    folder.mkdir(exist_ok=True)
    key = Ed25519PrivateKey.generate()
    private, public = folder / f"{name}-private.key", folder / f"{name}.pem"
    private.write_bytes(
        key.private_bytes(PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    public.write_bytes(
        key.public_key().public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    return private, public


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    return make_pair(tmp_path / "keys", "mine")


@pytest.fixture
def plain(write: Callable[..., Path]) -> Path:
    return write()


@pytest.fixture
def signed(plain: Path, pair: tuple[Path, Path], tmp_path: Path) -> Path:
    return write_signed(plain, tmp_path / "signed.payoff", pair[0])


def refused(path: Path, keys: Path | None, code: str) -> str:
    with pytest.raises(ArtifactError) as told:
        Artifact.open(path, trusted_keys=keys)
    assert told.value.code == code
    return str(told.value)


def test_the_signature_is_one_over_the_manifests_bytes(
    signed: Path, plain: Path, pair: tuple[Path, Path]
) -> None:
    with zipfile.ZipFile(signed) as file, zipfile.ZipFile(plain) as before:
        document = json.loads(file.read("manifest.sig"))
        manifest = file.read("manifest.json")
        assert set(file.namelist()) == {*before.namelist(), "manifest.sig"}
        assert all(file.read(name) == before.read(name) for name in before.namelist())
    public = serialization.load_pem_public_key(pair[1].read_bytes())
    assert isinstance(public, Ed25519PublicKey)
    raw = public.public_bytes_raw()
    assert document.keys() == {"algorithm", "key_id", "signature"}
    assert document["algorithm"] == "Ed25519"
    assert document["key_id"] == hashlib.sha256(raw).hexdigest()
    public.verify(base64.b64decode(document["signature"]), manifest)


def test_it_opens_with_its_key_a_folder_of_keys_or_none(
    signed: Path, pair: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    make_pair(pair[1].parent, "another")
    hashes = set()
    for keys in (None, pair[1], pair[1].parent):
        with Artifact.open(signed, trusted_keys=keys) as artifact:
            hashes.add(artifact.sha256)
            assert "manifest.sig" not in artifact.documents
    monkeypatch.setenv(TRUSTED_KEYS, str(pair[1]))
    with Artifact.open(signed) as artifact:
        hashes.add(artifact.sha256)
    assert len(hashes) == 1


def test_unsigned_or_signed_by_others_is_refused_where_keys_are_configured(
    plain: Path,
    signed: Path,
    pair: tuple[Path, Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    _, other = make_pair(tmp_path / "others", "other")
    assert "not signed" in refused(plain, pair[1], "PF508")
    assert "signed by the key" in refused(signed, other, "PF508")
    monkeypatch.setenv(TRUSTED_KEYS, str(other))
    assert TRUSTED_KEYS in refused(signed, None, "PF508")
    with Artifact.open(signed, trusted_keys=pair[1]):  # what is given goes before the environment
        pass


def test_a_signature_of_another_artifact_does_not_do(
    write: Callable[..., Path], signed: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    other = write("other", seed=4, as_folder=True)
    with zipfile.ZipFile(signed) as file:
        (other / "manifest.sig").write_bytes(file.read("manifest.sig"))
    assert "another manifest" in refused(other, pair[1], "PF508")
    Artifact.open(other).close()  # nobody asked


def test_a_signed_folder_with_a_changed_member_is_refused_as_ever(
    write: Callable[..., Path], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = write_signed(write("plain", as_folder=True), tmp_path / "out", pair[0])
    Artifact.open(folder, trusted_keys=pair[1]).close()
    shutil.copytree(folder, tmp_path / "changed")
    (tmp_path / "changed" / "raw").write_bytes(b"\1")
    refused(tmp_path / "changed", pair[1], "PF502")


def test_signing_again_replaces_the_signature(
    signed: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    private, public = make_pair(tmp_path / "others", "other")
    again = write_signed(signed, tmp_path / "again.payoff", private)
    Artifact.open(again, trusted_keys=public).close()
    refused(again, pair[1], "PF508")


@pytest.mark.parametrize("change", ["cut", "space", "other algorithm", "long", "another key"])
def test_what_is_no_signature_is_refused_with_or_without_keys(
    change: str, write: Callable[..., Path], pair: tuple[Path, Path], tmp_path: Path
) -> None:
    folder = write_signed(write("plain", as_folder=True), tmp_path / "out", pair[0])
    file = folder / "manifest.sig"
    content = file.read_bytes()
    document = json.loads(content)
    file.write_bytes(
        {
            "cut": content[:-20],
            "space": content + b" ",
            "other algorithm": content.replace(b"Ed25519", b"none   "),
            "long": content + b" " * 5000,
            "another key": json.dumps(document | {"more": ""}, indent=2, sort_keys=True).encode(),
        }[change]
    )
    for keys in (None, pair[1]):
        refused(folder, keys, "PF502")


def test_keys_that_cannot_be_used_are_told(
    plain: Path, signed: Path, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    curve = tmp_path / "curve.pem"
    curve.write_bytes(
        generate_private_key(SECP256R1())
        .public_key()
        .public_bytes(PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    text = tmp_path / "text.pem"
    text.write_text("no key")
    empty = tmp_path / "empty"
    empty.mkdir()
    for place in (curve, text, empty, tmp_path / "missing.pem"):
        assert place.name in refused(signed, place, "PF509")
    locked = tmp_path / "locked.key"
    locked.write_bytes(
        Ed25519PrivateKey.generate().private_bytes(
            PEM, serialization.PrivateFormat.PKCS8, serialization.BestAvailableEncryption(b"x")
        )
    )
    for key, found in ((locked, "encrypted"), (text, "no key"), (pair[1], "no key")):
        with pytest.raises(ArtifactError, match="PF509") as told:
            write_signed(plain, tmp_path / "none.payoff", key)
        assert found in str(told.value)
    assert not (tmp_path / "none.payoff").exists()


def test_a_document_cannot_take_the_signatures_name(write: Callable[..., Path]) -> None:
    with pytest.raises(ArtifactError, match="PF505"):
        write(documents={"manifest.sig": "x"})


def test_without_cryptography_the_pip_line_is_told_and_only_where_it_is_needed(
    signed: Path, pair: tuple[Path, Path]
) -> None:
    code = (
        "import sys\n"
        "class Absent:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] == 'cryptography':\n"
        "            raise ModuleNotFoundError(name, name=name)\n"
        "sys.meta_path.insert(0, Absent())\n"
        "from payoff.artifact.artifact import Artifact\n"
        "from pathlib import Path\n"
        "Artifact.open(sys.argv[1]); print('opened')\n"
        "Artifact.open(sys.argv[1], trusted_keys=Path(sys.argv[2]))"
    )
    result = subprocess.run(
        [sys.executable, "-c", code, signed, pair[1]], capture_output=True, text=True, check=False
    )
    assert result.stdout == "opened\n"
    assert "PF803" in result.stderr
    assert "pip install 'payoff[signing]'" in result.stderr
