"""The GGUF file of a small Llama with a byte-level BPE tokenizer, as SmolLM2 comes.

Little-endian (github.com/ggml-org/ggml, ``docs/gguf.md``). Magic ``GGUF`` and version 3; numbers of
tensors and of entries; the entries, each a name, a type and a value; the tensors' names, sizes
(innermost first), types and offsets; then, at a multiple of 32 bytes, their data. Two kinds of
blocks of 32 weights occur: ``Q4_1``, an fp16 scale and minimum and 16 bytes whose low halves are
weights 0–15 and whose high halves are weights 16–31; ``Q8_0``, an fp16 scale and 32 signed bytes.

Matrices are laid in fp16, half of the size of fp32: rounding to 11 bits changes a weight by at
most 1/2048 of itself, a small part of the step of 1/15 of its block's range that 4 bits left.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.backbones.byte_cursor import ByteCursor
from payoff.adapt.backbones.weights_file import write_weights
from payoff.core.errors import BackboneError
from payoff.core.files import write_json
from payoff.core.progress import Progress

SOURCE = "source.gguf"
"""Name under which the package's file lies in the draft folder; removed once converted."""

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q"}
_SCALARS[12] = "d"
_STRING, _ARRAY = 8, 9
_F32, _Q4_1, _Q8_0 = 0, 3, 8
_BLOCKS = {
    _Q4_1: np.dtype([("scale", "<f2"), ("least", "<f2"), ("pairs", "u1", 16)]),
    _Q8_0: np.dtype([("scale", "<f2"), ("codes", "i1", 32)]),
}
_ALIGNMENT = 32
_MARK = 3  # type of a token that is no text, such as the end of a turn
_PARTS = {
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
    "attn_norm": "input_layernorm",
    "ffn_norm": "post_attention_layernorm",
}
_MEANT = {
    "general.architecture": "llama",
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "smollm",
    "tokenizer.ggml.add_bos_token": False,
    "tokenizer.ggml.add_space_prefix": False,
}


@dataclass(frozen=True, slots=True)
class _Tensor:
    """Where a tensor's data lie, and of which shape and type they are."""

    name: str
    shape: tuple[int, ...]
    kind: int
    offset: int


class _Reader(ByteCursor):
    """A cursor that knows what else such a file holds."""

    def string(self) -> str:
        (length,) = self.take("Q")
        self.at += length
        return self.content[self.at - length : self.at].decode("utf-8")

    def value(self, kind: int) -> Any:
        if kind == _STRING:
            return self.string()
        if kind == _ARRAY:
            inner, count = self.take("IQ")
            if count > len(self.content):
                raise ValueError("a list is longer than the file")
            return [self.value(inner) for _ in range(count)]
        return self.take(_SCALARS[kind])[0]

    def tensor(self) -> _Tensor:
        name = self.string()
        (n_axes,) = self.take("I")
        sizes = self.take(f"{n_axes}Q")
        return _Tensor(name, tuple(int(size) for size in reversed(sizes)), *self.take("IQ"))


def convert(folder: Path, progress: Progress) -> None:
    """Turn ``source.gguf`` into ``config.json``, ``model.safetensors`` and ``tokenizer.json``.

    Raises:
        BackboneError: PF304 where the file is of another format, of another kind of model or
            tokenizer, or ends early.
    """
    source = folder / SOURCE
    reader = _Reader(source.read_bytes())
    try:
        magic, version, n_tensors, n_entries = reader.take("4sIQQ")
        if (magic, version) != (b"GGUF", 3):
            raise ValueError("it does not begin with GGUF 3")
        entries = {reader.string(): reader.value(*reader.take("I")) for _ in range(n_entries)}
        for key, meant in _MEANT.items():
            if entries[key] != meant:
                raise ValueError(f"{key} is {entries[key]!r}, not {meant!r}")
        tensors = [reader.tensor() for _ in range(n_tensors)]
        start = -(-reader.at // _ALIGNMENT) * _ALIGNMENT
        arrays = dict(_arrays(reader.content, start, tensors, entries, progress))
        config = _config(entries, arrays)
        _write_tokenizer(folder / "tokenizer.json", entries)
    except (struct.error, ValueError, KeyError, TypeError) as error:
        raise BackboneError("PF304", source.name, f"no GGUF of a SmolLM2 ({error!r})") from error
    write_weights(folder / "model.safetensors", arrays)
    write_json(folder / "config.json", config)
    template = entries.get("tokenizer.chat_template", "")
    write_json(folder / "tokenizer_config.json", {"chat_template": template})
    source.unlink()


def _arrays(
    content: bytes,
    start: int,
    tensors: Sequence[_Tensor],
    entries: Mapping[str, Any],
    progress: Progress,
) -> Iterator[tuple[str, np.ndarray[Any, Any]]]:
    """Llama's name and the weights of each tensor: vectors in fp32, matrices in fp16."""
    heads = {
        "attn_q": entries["llama.attention.head_count"],
        "attn_k": entries["llama.attention.head_count_kv"],
    }
    for done, tensor in enumerate(tensors, 1):
        weights = _dequantised(content, start + tensor.offset, tensor)
        part = tensor.name.split(".")[-2]
        if part in heads:
            weights = _halves(weights, heads[part])
        yield _name(tensor.name), weights.astype(np.float16) if weights.ndim > 1 else weights
        progress.step("dequantise", done, len(tensors))


def _name(name: str) -> str:
    if name in ("token_embd.weight", "output_norm.weight"):
        return "model." + ("embed_tokens" if name.startswith("token") else "norm") + ".weight"
    _, layer, part, _ = name.split(".")
    return f"model.layers.{int(layer)}.{_PARTS[part]}.weight"


def _dequantised(content: bytes, offset: int, tensor: _Tensor) -> np.ndarray[Any, Any]:
    """A tensor's weights in fp32, as its shape says."""
    count = prod(tensor.shape)
    if tensor.kind == _F32:
        return np.frombuffer(content, "<f4", count, offset).reshape(tensor.shape)
    if tensor.kind not in _BLOCKS or tensor.shape[-1] % 32:
        raise ValueError(f"{tensor.name} is of type {tensor.kind}")
    blocks = np.frombuffer(content, _BLOCKS[tensor.kind], count // 32, offset)
    scale = blocks["scale"].astype(np.float32)[:, None]
    if tensor.kind == _Q8_0:
        return (blocks["codes"] * scale).reshape(tensor.shape)
    halves = np.concatenate([blocks["pairs"] & 15, blocks["pairs"] >> 4], axis=1)
    return (halves * scale + blocks["least"].astype(np.float32)[:, None]).reshape(tensor.shape)


def _halves(weights: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows of each head in halves: GGUF keeps together the two that are rotated together."""
    pairs = weights.reshape(heads, -1, 2, weights.shape[-1])
    return pairs.swapaxes(1, 2).reshape(weights.shape)


def _config(
    entries: Mapping[str, Any], arrays: Mapping[str, np.ndarray[Any, Any]]
) -> dict[str, Any]:
    def own(key: str) -> Any:
        return entries[f"llama.{key}"]

    return {
        "model_type": "llama",
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "bos_token_id": entries["tokenizer.ggml.bos_token_id"],
        "eos_token_id": entries["tokenizer.ggml.eos_token_id"],
        "hidden_act": "silu",
        "hidden_size": own("embedding_length"),
        "intermediate_size": own("feed_forward_length"),
        "max_position_embeddings": own("context_length"),
        "mlp_bias": False,
        "num_attention_heads": own("attention.head_count"),
        "num_hidden_layers": own("block_count"),
        "num_key_value_heads": own("attention.head_count_kv"),
        "pad_token_id": entries["tokenizer.ggml.padding_token_id"],
        "rms_norm_eps": float(f"{own('attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_theta": own("rope.freq_base"),
        "tie_word_embeddings": True,
        "vocab_size": arrays["model.embed_tokens.weight"].shape[0],
    }


def _write_tokenizer(path: Path, entries: Mapping[str, Any]) -> None:
    """Byte-level BPE that takes each digit for itself, and adds nothing of its own to a text."""
    from tokenizers import AddedToken, Tokenizer, decoders, pre_tokenizers
    from tokenizers.models import BPE

    tokens = entries["tokenizer.ggml.tokens"]
    kinds = entries["tokenizer.ggml.token_type"]
    merges = [tuple(merge.split(" ")) for merge in entries["tokenizer.ggml.merges"]]
    known = set(tokens)
    if len(known) != len(tokens) or any(
        len(merge) != 2 or not known.issuperset((*merge, "".join(merge))) for merge in merges
    ):
        raise ValueError("it holds a token twice, or merges what its vocabulary lacks")
    tokenizer = Tokenizer(BPE({token: number for number, token in enumerate(tokens)}, merges))
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    marks = [token for token, kind in zip(tokens, kinds, strict=True) if kind == _MARK]
    tokenizer.add_special_tokens([AddedToken(mark, normalized=False) for mark in marks])
    tokenizer.save(str(path), pretty=False)
