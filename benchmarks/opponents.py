"""What payoff is measured against: the usual tools, called as a careful user calls them."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Trained:
    """A model trained by a peer.

    Args:
        seconds: Of training.
        texts_per_s: Texts trained on a second, all epochs counted.
        predicted: Labels of the test texts; empty where none were given.
    """

    seconds: float
    texts_per_s: float
    predicted: list[str]


def trainer(
    folder: Path,
    texts: Sequence[str],
    labels: Sequence[str],
    test: Sequence[str] = (),
    *,
    tuned: bool = True,
    grouped: bool = True,
    lora_rank: int = 0,
    epochs: int = 3,
    seed: int = 0,
) -> Trained:
    """`transformers.Trainer` on one model.

    Args:
        folder: The backbone.
        texts: To train on.
        labels: Their labels.
        test: To predict afterwards.
        tuned: Mean pooling, normalised, label smoothing and a rate that suits them; else the
            first token and a linear layer at 1e-4, as tutorials have it.
        grouped: Batches of like lengths.
        lora_rank: Above 0: peft's LoRA on the attention and feed-forward matrices.
        epochs: Passes.
        seed: Of everything.
    """
    import numpy as np
    import torch
    from transformers import (
        AutoModel,
        AutoTokenizer,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
        set_seed,
    )

    from payoff.adapt.engine.precision import training_precision

    set_seed(seed)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    names = sorted(set(labels))
    encoder = AutoModel.from_pretrained(folder)
    if lora_rank:
        from peft import LoraConfig, get_peft_model

        targets = ["query", "key", "value", "dense"]
        config = LoraConfig(r=lora_rank, lora_alpha=2 * lora_rank, target_modules=targets)
        encoder = get_peft_model(encoder, config)
    model = _classifier(encoder, len(names), tuned=tuned)

    def encoded(some: Sequence[str], targets: Sequence[int]) -> list[dict[str, Any]]:
        if not some:
            return []
        ids = tokenizer(list(some), truncation=True, max_length=128)
        keys = ("input_ids", "attention_mask")
        return [
            {**{key: ids[key][i] for key in keys}, "labels": targets[i]} for i in range(len(some))
        ]

    index = {label: i for i, label in enumerate(names)}
    sampling = "group_by_length" if grouped else "random"
    collate = DataCollatorWithPadding(tokenizer)
    with tempfile.TemporaryDirectory() as place:
        arguments = TrainingArguments(
            output_dir=place,
            num_train_epochs=epochs,
            per_device_train_batch_size=32,
            learning_rate=(2e-3 if lora_rank else 5e-4) if tuned else 1e-4,
            warmup_steps=0.1,
            train_sampling_strategy=sampling,
            save_strategy="no",
            report_to=[],
            use_cpu=True,
            bf16=training_precision() == "mixed",  # as payoff trains on the same machine
            seed=seed,
            logging_strategy="no",
            disable_tqdm=True,
            remove_unused_columns=False,
            dataloader_pin_memory=False,
        )
        work = Trainer(
            model=model,
            args=arguments,
            train_dataset=encoded(texts, [index[label] for label in labels]),
            data_collator=collate,
        )
        started = time.perf_counter()
        work.train()
        seconds = time.perf_counter() - started
    model = model.eval()
    items = encoded(test, [0] * len(test))
    predicted = []
    with torch.inference_mode():
        for start in range(0, len(items), 64):
            logits = model(**collate(items[start : start + 64]))["logits"]
            predicted += [names[i] for i in np.asarray(logits).argmax(1)]
    return Trained(seconds, epochs * len(texts) / seconds, predicted)


def _classifier(encoder: Any, n_labels: int, *, tuned: bool) -> Any:
    """A linear head: on the normalised mean with smoothing, or plainly on the first token."""
    from torch import nn

    class Classifier(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.encoder = encoder
            self.head = nn.Linear(encoder.config.hidden_size, n_labels)

        def forward(
            self, input_ids: Any, attention_mask: Any, labels: Any = None, **_: Any
        ) -> dict[str, Any]:
            hidden = self.encoder(
                input_ids=input_ids, attention_mask=attention_mask
            ).last_hidden_state
            vectors = hidden[:, 0]
            if tuned:
                mask = attention_mask[..., None].float()
                vectors = 16.0 * nn.functional.normalize((hidden * mask).sum(1) / mask.sum(1))
            logits = self.head(vectors)
            loss = None
            if labels is not None:
                smoothing = 0.1 if tuned else 0.0
                loss = nn.functional.cross_entropy(logits, labels, label_smoothing=smoothing)
            return {"loss": loss, "logits": logits}

    return Classifier()
