"""Backbones from a model hub: only the files that are needed, at one commit, verified."""

from __future__ import annotations

import hashlib
import shutil
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from pathlib import Path
from typing import Any

from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.find import describe_folder
from payoff.core.errors import BackboneError, MachineError
from payoff.core.extras import require
from payoff.core.progress import Progress
from payoff.data.pip_download import folder_bytes

_NEEDED = ("config.json", "model.safetensors", "tokenizer.json")
_WELCOME = (
    "1_Pooling/config.json",
    "sentence_bert_config.json",
    "config_sentence_transformers.json",
)
_LICENCES = ("LICENSE", "LICENSE.txt", "LICENSE.md", "NOTICE", "README.md")
_POLL_S = 0.2


def download(backbone: Backbone, draft: Path, progress: Progress) -> dict[str, Any]:
    """Lay a hub model's files in a draft folder.

    Args:
        backbone: A backbone whose format is ``"hub"``.
        draft: Folder to fill; the caller publishes or drops it.
        progress: Told the size beforehand, then the bytes.

    Returns:
        What the files and the model card say: licence, width, layers, the commit.

    Raises:
        BackboneError: PF301 where the hub knows no such id or revision, PF302 where a file was
            altered, PF304 where a needed file is missing, PF305 where the hub refuses it.
        MachineError: PF803 without huggingface_hub, PF804 where the hub cannot be reached.
    """
    hub = require("huggingface_hub", "tune", "downloading from a hub")
    errors = require("huggingface_hub.errors", "tune", "downloading from a hub")
    with _translated(backbone, errors):
        info = hub.HfApi().model_info(
            backbone.upstream, revision=backbone.revision or None, files_metadata=True
        )
    offered = {file.rfilename: file for file in info.siblings or ()}
    _check_offer(backbone, offered)
    wanted = [name for name in (*_NEEDED, *_WELCOME, *_LICENCES) if name in offered]
    size_bytes = sum(offered[name].size or 0 for name in wanted)
    progress.say(f"Fetching {backbone.name} ({size_bytes / 1e6:.1f} MB) from the hub.")
    raw = draft / ".hub"
    require("huggingface_hub.utils", "tune", "downloading from a hub").disable_progress_bars()
    with _translated(backbone, errors), _watched(raw, size_bytes, backbone.name, progress):
        hub.snapshot_download(
            backbone.upstream, revision=info.sha, allow_patterns=wanted, local_dir=raw
        )
    for name in wanted:
        target = draft / ("licences" if name in _LICENCES else ".") / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.move(raw / name, target)
    shutil.rmtree(raw)
    _check_weights(backbone, draft, offered["model.safetensors"])
    card = info.card_data.to_dict() if info.card_data else {}
    said = {"licence": card.get("license"), "languages": card.get("language")}
    return describe_folder(draft).facts() | {
        "name": backbone.name,
        "title": backbone.upstream.split("/")[-1],
        "upstream": backbone.upstream,
        "revision": info.sha,
        **{key: str(value) for key, value in said.items() if value},
    }


def _check_offer(backbone: Backbone, offered: Mapping[str, Any]) -> None:
    missing = [name for name in _NEEDED if name not in offered]
    if missing:
        weights = [name for name in offered if name.endswith((".safetensors", ".bin"))]
        raise BackboneError(
            "PF304",
            backbone.name,
            f"it has no {' and no '.join(missing)}" + (f" (but {weights[0]})" if weights else ""),
            expected=", ".join(_NEEDED),
            mend="Load it with transformers, save_pretrained(…) it to a folder, and name that.",
        )


def _check_weights(backbone: Backbone, draft: Path, offered: Any) -> None:
    expected = getattr(offered.lfs, "sha256", None) if offered.lfs else None
    with (draft / "model.safetensors").open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if expected is not None and found != expected:
        raise BackboneError(
            "PF302", f"{backbone.name} model.safetensors", f"SHA-256 {found}", expected=expected
        )


@contextmanager
def _watched(folder: Path, size_bytes: int, name: str, progress: Progress) -> Iterator[None]:
    """Report the bytes that have arrived in a folder while the block runs."""
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(_POLL_S):
            progress.step(f"download {name}", folder_bytes(folder), size_bytes)

    watcher = threading.Thread(target=watch, daemon=True)
    watcher.start()
    try:
        yield
    finally:
        ended.set()
        watcher.join()


@contextmanager
def _translated(backbone: Backbone, errors: Any) -> Iterator[None]:
    """Tell the hub client's errors, whatever HTTP library it uses, as payoff's."""
    try:
        yield
    except errors.GatedRepoError as error:
        raise BackboneError(
            "PF305",
            backbone.name,
            "the hub gives it only to those who accepted its terms",
            mend=f"Accept them on the page of {backbone.upstream}, then set HF_TOKEN.",
        ) from error
    except (errors.RepositoryNotFoundError, errors.RevisionNotFoundError) as error:
        raise BackboneError(
            "PF301",
            backbone.name,
            "the hub knows no such model or revision, or it is private",
            mend="Check the spelling; for a private one set HF_TOKEN.",
        ) from error
    except Exception as error:
        if isinstance(error, OSError) and error.errno in (ENOSPC, EDQUOT):
            raise
        raise MachineError(
            "PF804",
            backbone.name,
            f"the hub cannot be reached ({type(error).__name__}: {_first_line(error)})",
            mend="Connect, or set HF_ENDPOINT to a mirror; or give a folder that holds "
            "config.json, model.safetensors and tokenizer.json; or use a packaged backbone.",
        ) from error


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), "no message")
