"""How many texts a second a backbone encodes on this machine."""

from __future__ import annotations

import json
import os
import platform
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.static_table import load_static_table
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.core.extras import require
from payoff.core.files import write_json
from payoff.data.wheels import cache_folder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_TEXT = "I sent money to my sister on Monday and it has still not arrived, why?"
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Speed:
    """A measurement of encoding, tokenising included, in fp32 and without training.

    Args:
        texts_per_s: Texts encoded a second, in batches of 32 equal texts.
        n_tokens: Tokens of each text, with its marks and the backbone's prefix.
        threads: Threads that torch used; 1 for a static table.
        cpu: Name of the processor.
        measured_on: Date, as ``YYYY-MM-DD``.

    Example:
        >>> Speed(310.0, 19, 2, "some processor", "2026-01-31").texts_per_s
        310.0
    """

    texts_per_s: float
    n_tokens: int
    threads: int
    cpu: str
    measured_on: str


def measure_speed(backbone: Backbone, *, seconds: float = 2.0) -> Speed:
    """Encode a 15-word text over and over for a while, as a search encodes its texts.

    The figure compares backbones with each other. What a candidate of a run takes depends on the
    lengths of its own texts, and is measured in the run.

    Args:
        backbone: An installed backbone.
        seconds: For how long, after one batch to warm up.

    Raises:
        BackboneError: PF304 where its files cannot be read.
        MachineError: PF803 where torch is not installed and an encoder is to be measured.
    """
    tokenizer = load_tokenizer(backbone.path)
    families = {"static": _static, "encoder": _encoder, "decoder": _decoder}
    encode, threads = families[backbone.family](backbone, tokenizer)
    texts = [_TEXT] * _BATCH
    encode(texts)
    start, n_texts = time.perf_counter(), 0
    while (spent_s := time.perf_counter() - start) < seconds or not n_texts:
        encode(texts)
        n_texts += _BATCH
    n_tokens = len(tokenizer.encode(backbone.prefix + _TEXT).ids)
    return Speed(n_texts / spent_s, n_tokens, threads, cpu_name(), date.today().isoformat())


def remember_speed(backbone: Backbone, speed: Speed) -> None:
    """Keep a measurement in the cache, in place of the one before."""
    known = {name: asdict(entry) for name, entry in remembered_speeds().items()}
    write_json(_file(), known | {backbone.name: asdict(speed)})


def remembered_speeds() -> dict[str, Speed]:
    """Measurements of this processor by name of the backbone; those of another are left out.

    Example:
        >>> all(speed.cpu == cpu_name() for speed in remembered_speeds().values())
        True
    """
    try:
        content = json.loads(_file().read_text(encoding="utf-8"))
        speeds = {name: Speed(**entry) for name, entry in content.items()}
    except (OSError, ValueError, TypeError, AttributeError):
        return {}  # a measurement that cannot be read is one that has to be made again
    return {name: speed for name, speed in speeds.items() if speed.cpu == cpu_name()}


def cpu_name() -> str:
    """Name of the processor with its number of cores.

    Example:
        >>> cpu_name().endswith("cores")
        True
    """
    name = platform.processor() or platform.machine()
    information = Path("/proc/cpuinfo")
    if information.is_file():
        lines = information.read_text(encoding="utf-8", errors="replace").splitlines()
        named = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
        name = named[0] if named else name
    return f"{name}, {os.cpu_count() or 1} cores"


def _encoder(backbone: Backbone, tokenizer: Tokenizer) -> tuple[Callable[[list[str]], None], int]:
    torch = require("torch", "tune", "measuring a transformer")
    from payoff.adapt.engine.architectures import load
    from payoff.adapt.engine.batches import pack
    from payoff.adapt.engine.encoder import mean_of_tokens
    from payoff.adapt.engine.tokens import tokenise

    encoder = load(backbone.path)
    max_tokens = min(backbone.max_tokens, encoder.shape.positions - encoder.shape.first_position)

    def encode(texts: list[str]) -> None:
        tokens = tokenise(texts, tokenizer, max_tokens=max_tokens, prefix=backbone.prefix)
        batch = pack(tokens, np.arange(len(tokens)))
        with torch.inference_mode():
            mean_of_tokens(encoder.run(encoder.embed(batch), batch), batch.groups)

    return encode, torch.get_num_threads()


def _decoder(backbone: Backbone, tokenizer: Tokenizer) -> tuple[Callable[[list[str]], None], int]:
    """One pass over each text; writing an answer takes another for each of its tokens."""
    torch = require("torch", "tune", "measuring a transformer")
    from payoff.adapt.engine.batches import pack
    from payoff.adapt.engine.decoder_file import load_decoder
    from payoff.adapt.engine.tokens import tokenise

    decoder = load_decoder(backbone.path)
    max_tokens = min(backbone.max_tokens, decoder.shape.positions)

    def encode(texts: list[str]) -> None:
        tokens = tokenise(texts, tokenizer, max_tokens=max_tokens, prefix=backbone.prefix)
        with torch.inference_mode():
            decoder.packed(pack(tokens, np.arange(len(tokens))))

    return encode, torch.get_num_threads()


def _static(backbone: Backbone, tokenizer: Tokenizer) -> tuple[Callable[[list[str]], None], int]:
    table = load_static_table(backbone.path)

    def encode(texts: list[str]) -> None:
        encodings = tokenizer.encode_batch([backbone.prefix + text for text in texts])
        table[[encoding.ids for encoding in encodings]].mean(axis=1, dtype="float32")

    return encode, 1


def _file() -> Path:
    return cache_folder() / "speeds.json"
