"""Messages that can be learnt, and backbones small enough to make in a test."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tests.adapt.repeatable_merges import join, merged_pieces

FILLER = [
    "please",
    "could",
    "you",
    "tell",
    "me",
    "about",
    "the",
    "my",
    "a",
    "is",
    "it",
    "now",
    "today",
    "with",
    "thanks",
    "hello",
]
SYLLABLES = [
    "ba",
    "co",
    "du",
    "fe",
    "gi",
    "ho",
    "ju",
    "ka",
    "le",
    "mi",
    "no",
    "pu",
    "ra",
    "se",
    "ti",
    "vo",
    "wa",
    "xe",
    "yu",
    "zi",
]
CHINESE = "我的卡在哪里退款没有到账密码忘了开户地址更改利率贷款还款日期手续费投诉电话积分"


def messages(
    counts: Sequence[int], *, seed: int = 0, chinese: bool = False, noise: float = 0.0
) -> tuple[list[str], NDArray[np.int64]]:
    """Distinct texts and their classes, ``counts[i]`` of class ``i``, in random order.

    Args:
        counts: Texts of each class.
        seed: Same seed, same texts.
        chinese: Without spaces, from Chinese characters.
        noise: Share of texts whose class is another one than their words say.
    """
    rng = np.random.default_rng(seed)
    texts, targets = [], []
    seen: set[str] = set()
    for label, count in enumerate(counts):
        while count:
            own = [_word(label, int(i), chinese) for i in rng.integers(0, 6, 3)]
            filler = rng.choice(list("请问一下这个那个吗呢了") if chinese else FILLER, 3)
            words = [str(w) for w in rng.permutation([*own, *filler])]
            text = ("" if chinese else " ").join(words) + " " * (not chinese) + str(len(seen))
            if text in seen:
                continue
            seen.add(text)
            texts.append(text)
            odd = rng.random() < noise
            targets.append((label + 1) % len(counts) if odd else label)
            count -= 1
    order = rng.permutation(len(texts))
    return [texts[i] for i in order], np.array(targets, dtype=np.int64)[order]


def _word(label: int, number: int, chinese: bool) -> str:
    if chinese:
        place = (label * 6 + number) % (len(CHINESE) - 1)
        return CHINESE[place : place + 2]
    return SYLLABLES[label % 20] + SYLLABLES[(label * 3 + number) % 20] + SYLLABLES[number]


def write_tokenizer(folder: Path, texts: Sequence[str], *, special: bool = True) -> int:
    """Write a WordPiece tokenizer of these texts; returns the size of its vocabulary."""
    from tokenizers import (
        AddedToken,
        Tokenizer,
        models,
        normalizers,
        pre_tokenizers,
        processors,
    )

    normalizer = normalizers.BertNormalizer(lowercase=True)
    splitter = pre_tokenizers.BertPreTokenizer()
    words = Counter(
        (word[0], *("##" + letter for letter in word[1:]))
        for text in texts
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(text))
    )
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    pieces = [*marks, *sorted({p for word in words for p in word})]
    merges = merged_pieces(words, 400 - len(pieces), inner="##")
    pieces += dict.fromkeys(join(pair, "##") for pair in merges)
    model = models.WordPiece({piece: i for i, piece in enumerate(pieces)}, unk_token="[UNK]")
    tokenizer = Tokenizer(model)
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    tokenizer.normalizer = normalizer
    tokenizer.pre_tokenizer = splitter
    if special:
        tokenizer.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]", special_tokens=[("[CLS]", 2), ("[SEP]", 3)]
        )
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return int(tokenizer.get_vocab_size())


def tiny_model(kind: str, *, vocabulary: int, layers: int = 2, seed: int = 0, **more: Any) -> Any:
    """A random encoder of `transformers`, in evaluation mode; its weights are not all alike."""
    import torch
    import transformers

    torch.manual_seed(seed)
    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 32,
        "num_hidden_layers": layers,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 66 if kind != "bert" else 64,
    } | more
    names = {
        "bert": ("BertConfig", "BertModel"),
        "roberta": ("RobertaConfig", "RobertaModel"),
        "xlm-roberta": ("XLMRobertaConfig", "XLMRobertaModel"),
        "mpnet": ("MPNetConfig", "MPNetModel"),
    }
    config, model = (getattr(transformers, name) for name in names[kind])
    if kind != "bert":
        sizes["pad_token_id"] = 1
    encoder = model(config(**sizes), add_pooling_layer=False)
    with torch.no_grad():
        for parameter in encoder.parameters():  # biases and norms are not left at 0 and 1
            parameter.add_(torch.randn_like(parameter) * 0.05)
    return encoder.eval()


def encoder_folder(
    folder: Path, texts: Sequence[str], *, kind: str = "bert", layers: int = 2, seed: int = 0
) -> Path:
    """A folder as `payoff.adapt.backbones.find.describe_folder` reads it: a tiny encoder."""
    vocabulary = write_tokenizer(folder, texts)
    tiny_model(kind, vocabulary=vocabulary, layers=layers, seed=seed).save_pretrained(folder)
    return folder


def static_folder(folder: Path, texts: Sequence[str], *, seed: int = 0) -> Path:
    """The same with a table of static vectors."""
    from safetensors.numpy import save_file

    vocabulary = write_tokenizer(folder, texts, special=False)
    table = np.random.default_rng(seed).normal(size=(vocabulary, 48)).astype(np.float16)
    save_file({"table": table}, folder / "table.safetensors")
    return folder


def decoder_folder(folder: Path, texts: Sequence[str], *, seed: int = 0) -> Path:
    """The same with a tiny decoder, as `transformers` saves one."""
    import torch
    import transformers

    vocabulary = write_tokenizer(folder, texts, special=False)
    torch.manual_seed(seed)
    config = transformers.LlamaConfig(
        vocab_size=vocabulary,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        intermediate_size=48,
        max_position_embeddings=512,
        tie_word_embeddings=True,
        initializer_range=0.3,
    )
    transformers.LlamaForCausalLM(config).save_pretrained(folder)
    return folder


def change_config(folder: Path, **changes: Any) -> None:
    """Overwrite entries of ``config.json``."""
    path = folder / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text("utf-8")) | changes), "utf-8")
