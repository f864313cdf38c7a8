"""A real decoder behind the protocol: it reads the chat and writes one of the labels it may."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from tests.artifact.chat_server import Reply, said

from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.decoder_file import load_decoder


class DecoderEndpoint:
    """Greedy decoding over a label's tokens, each step held to what some label goes on with.

    Args:
        folder: Of the decoder and its tokenizer.
        labels: That it may answer.
    """

    def __init__(self, folder: Path, labels: Sequence[str]) -> None:
        self.decoder, self.tokenizer = load_decoder(folder), load_tokenizer(folder)
        self.labels = labels
        # A quotation mark ends a label, so that none is the beginning of another.
        self.ways = [self.ids(f'{label}"')[:-1] for label in labels]

    def ids(self, text: str) -> list[int]:
        return list(self.tokenizer.encode(text, add_special_tokens=False).ids)

    def chat(self, messages: list[dict[str, str]]) -> list[int]:
        """The tokens of a chat in ChatML, up to where the label begins."""
        told = [f"<|im_start|>{m['role']}\n{m['content']}<|im_end|>\n" for m in messages]
        return self.ids("".join(told) + "<|im_start|>assistant\n" + '{"label": "')

    @torch.inference_mode()
    def choose(self, messages: list[dict[str, str]]) -> Reply:
        """An answer with the probabilities of its tokens among those that were allowed."""
        hidden, past = self.decoder(torch.tensor([self.chat(messages)]))
        done: list[int] = []
        places: list[dict[str, Any]] = []
        while True:
            going = [way for way in self.ways if way[: len(done)] == done]
            allowed = sorted({way[len(done)] for way in going if len(way) > len(done)})
            if not allowed:
                break
            scores = self.decoder.scores(hidden[:, -1])[0, allowed].double()
            chances = scores.log_softmax(-1).tolist()
            named = [self.tokenizer.decode([token]) for token in allowed]
            best = int(np.argmax(chances))
            top = [{"token": t, "logprob": c} for t, c in zip(named, chances, strict=True)]
            places.append({"token": named[best], "logprob": chances[best], "top_logprobs": top})
            done.append(allowed[best])
            hidden, past = self.decoder(torch.tensor([[allowed[best]]]), past)
        label = self.labels[self.ways.index(done)]
        return {**said(label), "logprobs": {"content": places}}

    @torch.inference_mode()
    def plain_label(self, messages: list[dict[str, str]]) -> str:
        """The same answer, everything computed anew for each step and each label."""
        stem, done = self.chat(messages), []
        while done not in self.ways:
            hidden, _ = self.decoder(torch.tensor([stem + done]))
            scores = self.decoder.scores(hidden[:, -1])[0]
            going = {way[len(done)] for way in self.ways if way[: len(done)] == done}
            done = [*done, max(sorted(going), key=lambda token: float(scores[token]))]
        return self.labels[self.ways.index(done)]
