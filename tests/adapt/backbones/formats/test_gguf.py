"""A GGUF file made byte by byte, and what is laid of it; transformers' own reading of the real one
was compared by hand when the backbone was entered.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from payoff.adapt.backbones.find import describe_folder
from payoff.adapt.backbones.formats import gguf
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.backbones.weights_file import read_weights
from payoff.adapt.engine.decoder_file import load_decoder
from payoff.core.errors import BackboneError
from payoff.core.progress import Silent

WIDTH, LAYERS, HEADS, KEY_HEADS, INNER = 64, 2, 4, 2, 32
TOKENS = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", "a", "b", "ab", "Ġ", "1", "Ġa"]
TOKENS += ["Ã", "©", "Ã©"]  # the two bytes of é
MERGES = ["a b", "Ġ a", "Ã ©"]
STRING, ARRAY = 8, 9

ENTRIES: dict[str, tuple[int, Any]] = {
    "general.architecture": (STRING, "llama"),
    "llama.block_count": (4, LAYERS),
    "llama.context_length": (4, 128),
    "llama.embedding_length": (4, WIDTH),
    "llama.feed_forward_length": (4, INNER),
    "llama.attention.head_count": (4, HEADS),
    "llama.attention.head_count_kv": (4, KEY_HEADS),
    "llama.rope.freq_base": (6, 5000.0),
    "llama.attention.layer_norm_rms_epsilon": (6, 1e-5),
    "tokenizer.ggml.model": (STRING, "gpt2"),
    "tokenizer.ggml.pre": (STRING, "smollm"),
    "tokenizer.ggml.add_space_prefix": (7, False),
    "tokenizer.ggml.add_bos_token": (7, False),
    "tokenizer.ggml.tokens": (ARRAY, (STRING, TOKENS)),
    "tokenizer.ggml.token_type": (ARRAY, (5, [3, 3, 3] + [1] * (len(TOKENS) - 3))),
    "tokenizer.ggml.merges": (ARRAY, (STRING, MERGES)),
    "tokenizer.ggml.bos_token_id": (4, 1),
    "tokenizer.ggml.eos_token_id": (4, 2),
    "tokenizer.ggml.padding_token_id": (4, 2),
    "tokenizer.chat_template": (STRING, "{{ messages }}"),
}
SHAPES = {
    "attn_q": (WIDTH, WIDTH),
    "attn_k": (WIDTH // 2, WIDTH),
    "attn_v": (WIDTH // 2, WIDTH),
    "attn_output": (WIDTH, WIDTH),
    "ffn_gate": (INNER, WIDTH),
    "ffn_up": (INNER, WIDTH),
    "ffn_down": (WIDTH, INNER),
}


def text(value: str) -> bytes:
    return struct.pack("<Q", len(value.encode())) + value.encode()


def packed(kind: int, value: Any) -> bytes:
    if kind == STRING:
        return text(value)
    if kind == ARRAY:
        inner, values = value
        head = struct.pack("<IQ", inner, len(values))
        return head + b"".join(packed(inner, one) for one in values)
    return struct.pack("<" + {4: "I", 5: "i", 6: "f", 7: "?"}[kind], value)


def quantised(
    rng: np.random.Generator, shape: tuple[int, ...], kind: int
) -> tuple[bytes, np.ndarray[Any, Any]]:
    """Random blocks, and the weights they stand for, worked out one by one."""
    content, weights = b"", []
    for _ in range(int(np.prod(shape)) // 32):
        scale, least = np.float16(rng.normal()), np.float16(rng.normal())
        if kind == 3:
            codes = rng.integers(0, 16, 32)
            content += scale.tobytes() + least.tobytes()
            content += bytes(int(codes[i]) | int(codes[i + 16]) << 4 for i in range(16))
            weights += [float(scale) * int(code) + float(least) for code in codes]
        else:
            codes = rng.integers(-128, 128, 32)
            content += scale.tobytes() + codes.astype(np.int8).tobytes()
            weights += [float(scale) * int(code) for code in codes]
    return content, np.array(weights).reshape(shape)


def interleaved(weights: np.ndarray[Any, Any], heads: int) -> np.ndarray[Any, Any]:
    """Rows of each head as GGUF lays them: 0, half, 1, half + 1, …"""
    half = len(weights) // heads // 2
    rows = [
        head * 2 * half + place + side * half
        for head in range(heads)
        for place in range(half)
        for side in (0, 1)
    ]
    return weights[rows]


def tiny_file(**changed: tuple[int, Any]) -> tuple[bytes, dict[str, np.ndarray[Any, Any]]]:
    """A whole file, and its matrices by Llama's names (queries and keys as the file has them)."""
    rng = np.random.default_rng(0)
    entries = ENTRIES | {name.replace("__", "."): value for name, value in changed.items()}
    wanted: dict[str, np.ndarray[Any, Any]] = {}
    tensors: list[tuple[str, tuple[int, ...], int, bytes]] = []

    def add(name: str, shape: tuple[int, ...], kind: int) -> None:
        content, weights = quantised(rng, shape, kind)
        if kind == 0:
            values = rng.normal(1.0, 0.1, shape).astype("<f4")
            content, weights = values.tobytes(), values
        tensors.append((f"{name}.weight", shape, kind, content))
        wanted[name] = weights

    add("token_embd", (len(TOKENS), WIDTH), 8)
    for layer in range(LAYERS):
        for part, shape in SHAPES.items():
            add(f"blk.{layer}.{part}", shape, 3)
        for part in ("attn_norm", "ffn_norm"):
            add(f"blk.{layer}.{part}", (WIDTH,), 0)
    add("output_norm", (WIDTH,), 0)
    head, data = b"GGUF" + struct.pack("<IQQ", 3, len(tensors), len(entries)), b""
    for key, (kind, value) in entries.items():
        head += text(key) + struct.pack("<I", kind) + packed(kind, value)
    for name, shape, kind, content in tensors:
        head += text(name) + struct.pack("<I", len(shape))
        head += struct.pack(f"<{len(shape)}Q", *reversed(shape))
        head += struct.pack("<IQ", kind, len(data))
        data += content + b"\0" * (-len(content) % 32)
    return head + b"\0" * (-len(head) % 32) + data, wanted


def lay(folder: Path, content: bytes) -> Path:
    (folder / gguf.SOURCE).write_bytes(content)
    gguf.convert(folder, Silent())
    return folder


def test_weights_are_those_of_the_blocks(tmp_path: Path) -> None:
    content, wanted = tiny_file()
    arrays = read_weights(lay(tmp_path, content) / "model.safetensors")
    assert not (tmp_path / gguf.SOURCE).exists()
    assert len(arrays) == len(wanted)
    words = arrays["model.embed_tokens.weight"]
    assert words.dtype == np.float16
    np.testing.assert_allclose(words, wanted["token_embd"], rtol=1e-3, atol=1e-6)
    norm = arrays["model.layers.1.input_layernorm.weight"]
    np.testing.assert_array_equal(norm, wanted["blk.1.attn_norm"])
    down = arrays["model.layers.1.mlp.down_proj.weight"]
    np.testing.assert_allclose(down, wanted["blk.1.ffn_down"], rtol=1e-3, atol=2e-3)
    for part, name, heads in (("attn_q", "q", HEADS), ("attn_k", "k", KEY_HEADS)):
        found = arrays[f"model.layers.0.self_attn.{name}_proj.weight"]
        np.testing.assert_allclose(
            interleaved(found, heads), wanted[f"blk.0.{part}"], rtol=1e-3, atol=2e-3
        )


def test_what_is_laid_is_a_decoder(tmp_path: Path) -> None:
    folder = lay(tmp_path, tiny_file()[0])
    described = describe_folder(folder)
    assert (described.family, described.n_layers, described.max_tokens) == ("decoder", 2, 128)
    shape = load_decoder(folder).shape
    assert (shape.heads, shape.key_heads, shape.rope_base) == (HEADS, KEY_HEADS, 5000.0)
    assert shape.norm_eps == 1e-5
    config = json.loads((folder / "config.json").read_text("utf-8"))
    assert config["eos_token_id"] == 2
    with torch.inference_mode():
        assert load_decoder(folder)(torch.tensor([[3, 4]]))[0].isfinite().all()


@pytest.mark.parametrize(
    ("text", "ids"),
    [
        ("ab", [5]),
        ("ab a", [5, 8]),
        ("11", [7, 7]),
        ("a 1", [3, 6, 7]),
        ("é", [11]),
        ("<|im_start|>a<|im_end|>", [1, 3, 2]),
        ("", []),
    ],
)
def test_texts_become_tokens_and_texts_again(tmp_path: Path, text: str, ids: list[int]) -> None:
    tokenizer = load_tokenizer(lay(tmp_path, tiny_file()[0]))
    assert tokenizer.encode(text).ids == ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text


def with_tensor_of_kind(kind: int) -> bytes:
    """The file, its first matrix said to be of another type."""
    content = tiny_file()[0]
    place = content.index(text("blk.0.attn_q.weight")) + len(text("blk.0.attn_q.weight"))
    place += 4 + 2 * 8
    return content[:place] + struct.pack("<I", kind) + content[place + 4 :]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"GGUF",
        b"GGML" + tiny_file()[0][4:],
        b"GGUF" + struct.pack("<I", 2) + tiny_file()[0][8:],
        tiny_file()[0][:-100],
        tiny_file()[0][:500],
        with_tensor_of_kind(2),
        tiny_file(general__architecture=(STRING, "gemma"))[0],
        tiny_file(tokenizer__ggml__pre=(STRING, "qwen2"))[0],
        tiny_file(tokenizer__ggml__merges=(ARRAY, (STRING, ["a b c"])))[0],
        tiny_file(tokenizer__ggml__merges=(ARRAY, (STRING, ["z z"])))[0],
        tiny_file(tokenizer__ggml__tokens=(ARRAY, (STRING, ["a"] * len(TOKENS))))[0],
        tiny_file(llama__block_count=(STRING, "two"))[0].replace(b"blk.1", b"blk.x"),
        tiny_file()[0].replace(b"ffn_down", b"ffn_drop"),
        tiny_file()[0].replace(text("a b"), struct.pack("<Q", 1 << 60) + b"a b"),
    ],
    ids=range(15),
)
def test_other_files_are_refused(tmp_path: Path, content: bytes) -> None:
    (tmp_path / gguf.SOURCE).write_bytes(content)
    with pytest.raises(BackboneError, match=r"PF304 source\.gguf"):
        gguf.convert(tmp_path, Silent())


def test_the_real_file_as_it_was_laid(real_backbone: Callable[[str], Path]) -> None:
    folder = real_backbone("smollm2-135m")
    tokenizer = load_tokenizer(folder)
    texts = ["It's 2024, isn't it?", "我的卡在哪里？", "naïve 👩‍👧 ½", " \n\n\tx", "<|im_end|>"]
    for text in texts:
        ids = tokenizer.encode(text).ids
        assert tokenizer.decode(ids, skip_special_tokens=False) == text
    # As transformers tokenises with the same file.
    assert tokenizer.encode(" The answer is 42.").ids == REAL_IDS
    assert describe_folder(folder).n_parameters == 134515008


REAL_IDS = [378, 2988, 314, 216, 36, 34, 30]
