"""A decoder small enough to learn some answers by heart in a test, with a tokenizer of bytes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.adapt.repeatable_merges import join, merged_pieces

MARKS = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
QUESTIONS = (
    "Where is my card?",
    "How do I close my account?",
    "What does a transfer cost?",
    "When are you open?",
    "Can I raise my limit?",
    "Who do I call?",
    "我的卡在哪里？",
    "退款要多久？",
)
ANSWERS = (
    "It is on its way.",
    "Write to us and we close it.",
    "Transfers are free.",
    "From nine to five.",
    "Yes, in the app.",
    "Call 555-0100.",
    "卡在路上。",
    "三天以内。",
)


def tiny_llama(*, vocabulary: int = 60, seed: int = 0, **more: Any) -> Any:
    """A random Llama of `transformers`, in evaluation mode; its norms are not all 1."""
    import torch
    import transformers

    sizes = {
        "vocab_size": vocabulary,
        "hidden_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 6,
        "num_key_value_heads": 2,
        "intermediate_size": 80,
        "max_position_embeddings": 256,
        "rope_parameters": {"rope_type": "default", "rope_theta": 5000.0},
        "tie_word_embeddings": True,
        "initializer_range": 0.15,
        "bos_token_id": 1,
        "eos_token_id": 2,
    } | more
    torch.manual_seed(seed)
    model = transformers.LlamaForCausalLM(transformers.LlamaConfig(**sizes))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if "norm" in name:
                weight.add_(torch.randn_like(weight) * 0.2)
    return model.eval()


def write_byte_tokenizer(folder: Path, texts: Sequence[str], *, marks: Sequence[str]) -> int:
    """Write a byte-level BPE of these texts; returns the size of its vocabulary."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

    splitter = pre_tokenizers.ByteLevel(add_prefix_space=False)
    words = Counter(tuple(word) for text in texts for word, _ in splitter.pre_tokenize_str(text))
    pieces = [*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())]
    merges = merged_pieces(words, 400 - len(pieces))
    pieces += dict.fromkeys(join(pair) for pair in merges)
    tokenizer = Tokenizer(models.BPE({piece: i for i, piece in enumerate(pieces)}, merges))
    tokenizer.add_special_tokens([AddedToken(mark, special=True) for mark in marks])
    tokenizer.pre_tokenizer = splitter
    tokenizer.decoder = decoders.ByteLevel()
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(str(folder / "tokenizer.json"))
    return int(tokenizer.get_vocab_size())


def chat_decoder_folder(
    folder: Path, texts: Sequence[str], *, marks: Sequence[str] = MARKS, **sizes: Any
) -> Path:
    """A folder as `payoff.adapt.engine.decoder_file.load_decoder` reads it."""
    vocabulary = write_byte_tokenizer(folder, texts, marks=marks)
    tiny_llama(vocabulary=vocabulary, **sizes).save_pretrained(folder)
    return folder
