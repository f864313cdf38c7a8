"""How few bits a rounded weight can be kept in, and how fast it is read again.

    python benchmarks/entropy.py --data DATA [--backbone minilm-l6] [--ways int8 few-levels+int8]
        [--codes "zstd -1" "ANS, constriction"]
    python benchmarks/entropy.py --show

The backbone, untrained and with a head of zeros, is exported and compressed as an artifact is. Its
bytes (all 8-bit tensors, one after the other) then go through each code, and back, bit for bit:

- the entropy of the bytes' values: what no code can beat that looks at one weight at a time;
- canonical Huffman codes and LZW, the classics, written out here in Python: sizes are those of any
  implementation, speeds are not;
- range coding and asymmetric numeral systems by the library constriction, with a model a tensor;
- Zstandard as artifacts are packed by it and at several levels, xz and zlib, by their libraries.

Speeds are megabytes of coded input a processor second, one thread: a download at 1 Gbit/s brings
125. Every result is a line in results/entropy.jsonl. `constriction` is needed here alone.
"""

from __future__ import annotations

import argparse
import heapq
import lzma
import tempfile
import time
import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

import record
from data_sets import rows

HERE = Path(__file__).resolve().parent
RESULTS = HERE / "results" / "entropy.jsonl"
WAYS = ("int8", "few-levels+int8", "codebook+int8", "sparse+int8")
GIGABIT = 125.0
"""Megabytes a second that a download at 1 Gbit/s brings."""

Bytes = npt.NDArray[np.uint8]
Tensors = Sequence[Bytes]

STREAM = 2048
"""Weights of a stream of Huffman codes; all are read at the same time, since Python is slow."""
LZW_BITS = 16


@dataclass(frozen=True)
class Code:
    """A way to write bytes in fewer bits.

    Args:
        pack: Gives the coded parts of tensors, everything in them that is needed to read them.
        unpack: Gives the tensors again, one after the other, from the parts and their sizes.
        is_library: Whether its speed is that of a library, and not of Python.
    """

    pack: Callable[[Tensors], list[bytes]]
    unpack: Callable[[list[bytes], list[int]], bytes]
    is_library: bool = True


def entropy(values: Bytes) -> float:
    """Bits a value, of values taken one at a time (Shannon 1948)."""
    shares = np.bincount(values, minlength=256) / len(values)
    shares = shares[shares > 0]
    return float(-(shares * np.log2(shares)).sum())


def huffman_lengths(counts: Sequence[int]) -> list[int]:
    """Length of each value's code; 0 for one that does not occur (Huffman 1952)."""
    heap = [(count, value, (value,)) for value, count in enumerate(counts) if count]
    if len(heap) == 1:
        return [int(count > 0) for count in counts]
    heapq.heapify(heap)
    lengths = [0] * len(counts)
    while len(heap) > 1:
        (one, _, left), (two, tie, right) = heapq.heappop(heap), heapq.heappop(heap)
        for value in left + right:
            lengths[value] += 1
        heapq.heappush(heap, (one + two, tie, left + right))
    return lengths


def canonical(lengths: Sequence[int]) -> list[int]:
    """Codes that follow from their lengths alone: shorter first, then by value."""
    codes, code, last = [0] * len(lengths), 0, 0
    for length, value in sorted((n, value) for value, n in enumerate(lengths) if n):
        code <<= length - last
        codes[value], last = code, length
        code += 1
    return codes


def huffman_pack(tensors: Tensors) -> list[bytes]:
    """Lengths of the codes, then streams side by side: each its number of bits, then its bits."""
    return [_huffman(tensor) for tensor in tensors]


def _huffman(tensor: Bytes) -> bytes:
    lengths = np.array(huffman_lengths(np.bincount(tensor, minlength=256).tolist()))
    codes = np.array(canonical(lengths.tolist()))
    per_value, per_code = lengths[tensor], codes[tensor]
    bits = np.zeros((len(tensor), int(lengths.max())), bool)
    for place in range(bits.shape[1]):  # the highest bit first
        bits[:, place] = (per_code >> np.maximum(per_value - 1 - place, 0)) & 1
    used = np.arange(bits.shape[1]) < per_value[:, None]
    parts = [lengths.astype(np.uint8).tobytes()]
    for start, end in _cuts(len(tensor)):
        stream = np.packbits(bits[start:end][used[start:end]])
        parts.append(len(stream).to_bytes(4, "little") + stream.tobytes())
    return b"".join(parts)


def _cuts(n: int) -> list[tuple[int, int]]:
    return [(start, min(start + STREAM, n)) for start in range(0, n, STREAM)]


def huffman_unpack(parts: list[bytes], sizes: list[int]) -> bytes:
    """One value of every stream at a time, by a table of all continuations."""
    return b"".join(_unhuffman(part, size) for part, size in zip(parts, sizes, strict=True))


def _unhuffman(part: bytes, n: int) -> bytes:
    lengths = np.frombuffer(part[:256], np.uint8).astype(np.int64)
    codes, longest = canonical(lengths.tolist()), int(lengths.max())
    table = np.zeros(1 << longest, np.uint8)
    for value, (code, length) in enumerate(zip(codes, lengths.tolist(), strict=True)):
        if length:
            table[code << (longest - length) : (code + 1) << (longest - length)] = value
    cuts, at, starts = _cuts(n), 256, []
    for _ in cuts:
        starts.append(at + 4)
        at += 4 + int.from_bytes(part[at : at + 4], "little")
    stream = np.frombuffer(part + bytes(8), np.uint8).astype(np.int64)
    place, last = np.array(starts) * 8, len(part) * 8
    found = np.zeros((len(cuts), STREAM), np.uint8)
    for step in range(found.shape[1]):
        byte, bit = place >> 3, place & 7
        window = sum(
            stream[np.minimum(byte + k, len(stream) - 1)] << (24 - 8 * k) for k in range(4)
        )
        value = table[(window >> (32 - bit - longest)) & ((1 << longest) - 1)]
        found[:, step] = value
        place = np.minimum(place + lengths[value], last)
    return b"".join(
        row[: end - start].tobytes() for row, (start, end) in zip(found, cuts, strict=True)
    )


def lzw_pack(tensors: Tensors) -> list[bytes]:
    """Codes of 16 bits for strings seen before (Welch 1984); a full dictionary stays as it is."""
    whole = b"".join(tensor.tobytes() for tensor in tensors)
    known = {bytes([value]): value for value in range(256)}
    codes, last = [], b""
    for start in range(len(whole)):
        longer = last + whole[start : start + 1]
        if longer in known:
            last = longer
            continue
        codes.append(known[last])
        if len(known) < 1 << LZW_BITS:
            known[longer] = len(known)
        last = whole[start : start + 1]
    codes.append(known[last])
    return [np.array(codes, f"<u{LZW_BITS // 8}").tobytes()]


def lzw_unpack(parts: list[bytes], sizes: list[int]) -> bytes:
    """The same dictionary again, one string later."""
    known = [bytes([value]) for value in range(256)]
    codes = np.frombuffer(parts[0], f"<u{LZW_BITS // 8}").tolist()
    last = known[codes[0]]
    found = [last]
    for code in codes[1:]:
        new = known[code] if code < len(known) else last + last[:1]
        if len(known) < 1 << LZW_BITS:
            known.append(last + new[:1])
        found.append(new)
        last = new
    return b"".join(found)


def _counts(tensor: Bytes) -> npt.NDArray[np.uint32]:
    """What an entropy coder is told of a tensor: 1,024 bytes of it."""
    return np.bincount(tensor, minlength=256).astype(np.uint32)


def _model(counts: bytes) -> Any:
    import constriction

    shares = np.frombuffer(counts, np.uint32).astype(np.float32)
    return constriction.stream.model.Categorical(shares / shares.sum(), perfect=False)


def ans_pack(tensors: Tensors) -> list[bytes]:
    """Asymmetric numeral systems (Duda 2013), a model a tensor."""
    import constriction

    parts = []
    for tensor in tensors:
        counts = _counts(tensor).tobytes()
        coder = constriction.stream.stack.AnsCoder()
        coder.encode_reverse(tensor.astype(np.int32), _model(counts))
        parts.append(counts + coder.get_compressed().tobytes())
    return parts


def ans_unpack(parts: list[bytes], sizes: list[int]) -> bytes:
    """Back by the library."""
    import constriction

    found = []
    for part, size in zip(parts, sizes, strict=True):
        coder = constriction.stream.stack.AnsCoder(np.frombuffer(part[1024:], np.uint32))
        found.append(coder.decode(_model(part[:1024]), size).astype(np.uint8).tobytes())
    return b"".join(found)


def range_pack(tensors: Tensors) -> list[bytes]:
    """Range coding (Martin 1979), a model a tensor."""
    import constriction

    parts = []
    for tensor in tensors:
        counts = _counts(tensor).tobytes()
        coder = constriction.stream.queue.RangeEncoder()
        coder.encode(tensor.astype(np.int32), _model(counts))
        parts.append(counts + coder.get_compressed().tobytes())
    return parts


def range_unpack(parts: list[bytes], sizes: list[int]) -> bytes:
    """Back by the library."""
    import constriction

    found = []
    for part, size in zip(parts, sizes, strict=True):
        coder = constriction.stream.queue.RangeDecoder(np.frombuffer(part[1024:], np.uint32))
        found.append(coder.decode(_model(part[:1024]), size).astype(np.uint8).tobytes())
    return b"".join(found)


def by_library(pack: Callable[[bytes], bytes], unpack: Callable[[bytes], bytes]) -> Code:
    """A code of one stream of bytes."""
    return Code(
        lambda tensors: [pack(b"".join(tensor.tobytes() for tensor in tensors))],
        lambda parts, sizes: unpack(parts[0]),
    )


def zstandard_at(level: int) -> Code:
    """Zstandard at one of its levels."""
    import zstandard

    return by_library(
        zstandard.ZstdCompressor(level=level).compress, zstandard.ZstdDecompressor().decompress
    )


def zstandard_of_artifacts() -> Code:
    """Zstandard, as `payoff.adapt.compress.zstd` packs graphs."""
    import zstandard

    from payoff.adapt.compress.zstd import graph_parameters

    packer = zstandard.ZstdCompressor(compression_params=graph_parameters())
    return by_library(packer.compress, zstandard.ZstdDecompressor().decompress)


CODES: dict[str, Callable[[], Code]] = {
    "Huffman, own": lambda: Code(huffman_pack, huffman_unpack, is_library=False),
    "LZW, own": lambda: Code(lzw_pack, lzw_unpack, is_library=False),
    "ANS, constriction": lambda: Code(ans_pack, ans_unpack),
    "range coding, constriction": lambda: Code(range_pack, range_unpack),
    "zstd, few matches": zstandard_of_artifacts,
    "zstd -1": lambda: zstandard_at(1),
    "zstd -3": lambda: zstandard_at(3),
    "zstd -19": lambda: zstandard_at(19),
    "xz -9e": lambda: by_library(
        lambda whole: lzma.compress(whole, preset=9 | lzma.PRESET_EXTREME), lzma.decompress
    ),
    "zlib -9": lambda: by_library(lambda whole: zlib.compress(whole, 9), zlib.decompress),
}


def measured(code: Code, tensors: Tensors) -> dict[str, Any]:
    """Size, seconds of one processor, and whether it came back bit for bit."""
    whole = b"".join(tensor.tobytes() for tensor in tensors)
    started = time.process_time()
    parts = code.pack(tensors)
    packed_at = time.process_time()
    again = code.unpack(parts, [len(tensor) for tensor in tensors])
    unpack_s = time.process_time() - packed_at
    if again != whole:
        raise RuntimeError("it did not come back bit for bit")
    size = sum(map(len, parts))
    return {
        "bytes": size,
        "bits_a_weight": 8 * size / len(whole),
        "pack_s": packed_at - started,
        "unpack_s": unpack_s,
        "unpack_mb_a_second_of_input": size / unpack_s / 1e6,
        "is_library": code.is_library,
    }


def eight_bit_tensors(path: Path) -> list[Bytes]:
    """All tensors of bytes in a graph, largest first, each in a row."""
    import onnx
    from onnx import numpy_helper

    arrays = [numpy_helper.to_array(one) for one in onnx.load(path).graph.initializer]
    found = [a.ravel().view(np.uint8) for a in arrays if a.dtype.itemsize == 1 and a.size > 256]
    return sorted(found, key=len, reverse=True)


def compressed(way: str, backbone: str, texts: list[str], folder: Path, seed: int) -> list[Bytes]:
    """The untrained backbone as an artifact would hold it."""
    from data_sets import bench_of
    from payoff.adapt.compress import compress_by
    from payoff.adapt.export.tokens_tier import write_encoder_tier
    from payoff.adapt.recipes.linear import LinearHead

    few = texts[:2], ["a", "b"]
    opened = bench_of(few, few, backbone=backbone, seed=seed, folder=str(folder)).opened(backbone)
    width = opened.encoder.shape.width
    head = LinearHead(np.zeros((2, width), np.float32), np.zeros(2, np.float32))
    spec = write_encoder_tier(opened, opened.encoder.layers, head, folder / "tier", name=backbone)
    compress_by(way, spec, folder / "tier", folder / "small", texts=texts)
    return eight_bit_tensors(folder / "small" / "model.onnx")


def run(args: argparse.Namespace, command: str) -> None:
    texts = rows(args.data, "banking77", "train")[0]
    for way in args.ways:
        with tempfile.TemporaryDirectory() as place:
            tensors = compressed(way, args.backbone, texts, Path(place), args.seed)
        bound = sum(entropy(tensor) * len(tensor) for tensor in tensors)
        n = sum(map(len, tensors))
        key = {"backbone": args.backbone, "way": way, "seed": args.seed}
        told = {
            "n_weights": n,
            "bits_a_weight": bound / n,
            "bits_a_weight_together": entropy(np.concatenate(tensors)),
        }
        record.append(RESULTS, {**key, "code": "entropy"}, told, command)
        print(f"{way}: {n:,} weights, entropy {bound / n:.3f} bits")
        for name in args.codes:
            result = measured(CODES[name](), tensors)
            record.append(RESULTS, {**key, "code": name}, result, command)
            print(f"  {name}: {result['bits_a_weight']:.3f} bits, {result}")


def show() -> None:
    for one in record.latest(RESULTS):
        result = one["result"]
        speed = ""
        if "unpack_mb_a_second_of_input" in result:
            of_input = result["unpack_mb_a_second_of_input"]
            who = "" if result["is_library"] else ", in Python"
            speed = f"{of_input:8.1f} MB/s of input ({of_input / GIGABIT:.2f} of 1 Gbit/s{who})"
        print(f"{one['way']:18} {one['code']:28} {result['bits_a_weight']:.3f} bits  {speed}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--backbone", default="minilm-l6")
    parser.add_argument("--ways", nargs="+", default=list(WAYS))
    parser.add_argument("--codes", nargs="+", default=list(CODES), choices=list(CODES))
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--show", action="store_true")
    args = parser.parse_args()
    if args.show:
        show()
        return
    if args.data is None:
        parser.error("--data is needed: the folder that holds the data sets")
    ways, codes = " ".join(args.ways), " ".join(f"'{code}'" for code in args.codes)
    run(
        args,
        f"benchmarks/entropy.py --data DATA --backbone {args.backbone} --ways {ways}"
        f" --seed {args.seed} --codes {codes}",
    )


if __name__ == "__main__":
    main()
