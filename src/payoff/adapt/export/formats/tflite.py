"""Target ``tflite``: a LiteRT (TensorFlow Lite) model, for phones and other small machines."""

from __future__ import annotations

import contextlib
import logging
import sys
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.export.agreement import TOLERANCE, furthest
from payoff.adapt.export.encoder_weights import EncoderWeights
from payoff.adapt.export.exported_model import ExportedModel, cannot
from payoff.adapt.export.formats.huggingface import read_weights
from payoff.adapt.export.shipped_files import ship
from payoff.adapt.export.transformers_model import TransformersModel
from payoff.artifact.artifact import Artifact
from payoff.artifact.target import Written
from payoff.core.errors import ArtifactError
from payoff.core.extras import require
from payoff.core.files import whole_folder, write_bytes, write_json

_SHORTEST = 16
_LONGEST_STEP = 64


class TfLite:
    """One file with a signature for each length of texts; all of them share the weights."""

    name = "tflite"
    title = "LiteRT (TensorFlow Lite) model with its tokenizer and an example program"
    options: Mapping[str, str] = {
        "lengths": "tokens of each signature, such as 16,32,64; the longest text is added"
    }

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Convert, see that it answers as the artifact's graph does, and write the folder.

        Args:
            artifact: Opened.
            out: Folder to make.
            options: ``lengths``.

        Raises:
            ArtifactError: PF506 where it is no encoder with a head, has parts that the converted
                module has no place for, or would answer otherwise; PF507 for lengths that are
                none.
            MachineError: PF801 or PF802 where it cannot be written; PF803 without the converter.
        """
        model = ExportedModel.of(artifact, self.name)
        lengths = lengths_of(options.get("lengths", ""), model.max_tokens)
        converter = require("litert_torch", "tflite", "converting to LiteRT")
        litert = require("ai_edge_litert.interpreter", "tflite", "running a LiteRT model")
        weights = read_weights(artifact, model, self.name)
        made = TransformersModel.of(model, weights)
        left = model.calibration.to_json() | {"temperature": 1.0}
        settings = model.settings() | {
            "lengths": lengths,
            "calibration": {"method": "temperature", "temperature": 1.0} if made.folded else left,
        }
        with whole_folder(out) as draft:
            _convert(converter, made.module(), lengths, draft / "model.tflite")
            apart = _apart(model, weights, made, litert, draft / "model.tflite", lengths)
            if apart > TOLERANCE and not weights.rounded:
                raise cannot(
                    artifact, self.name, f"it would give probabilities up to {apart:.2g} apart"
                )
            write_bytes(draft / "tokenizer.json", model.tokenizer)
            write_json(draft / "settings.json", settings)
            ship("calibration.py.txt", draft)
            ship("tflite_example.py.txt", draft, to="example.py")
            ship("tflite_readme.md.txt", draft, to="README.md", values={"name": model.name})
        told = [*model.notes(), f"Signatures for texts of {', '.join(map(str, lengths))} tokens."]
        if weights.rounded:
            told.append(
                "The artifact's weights are rounded to 8 bits; the file has them as float32 "
                f"(probabilities of random tokens up to {apart:.2g} apart)."
            )
        return Written(out, tuple(told), f'python {out / "example.py"} "a text"')


def lengths_of(told: str, max_tokens: int) -> list[int]:
    """Tokens of each signature, rising, the longest text's last.

    Args:
        told: Numbers with commas between; empty for the usual ones.
        max_tokens: Longest text.

    Raises:
        ArtifactError: PF507 for what is no such list.

    Example:
        >>> lengths_of("", 80), lengths_of("8, 20", 20), lengths_of("", 12)
        ([16, 32, 64, 80], [8, 20], [12])
    """
    if told:
        parts = [part.strip() for part in told.split(",")]
        if not all(part.isascii() and part.isdigit() and int(part) for part in parts):
            raise _no_lengths(told)
        usual = [int(part) for part in parts]
        if max(usual) > max_tokens:
            raise _no_lengths(told, f"at most {max_tokens}, the longest text of the model")
    else:
        usual = [_SHORTEST]
        while usual[-1] < _LONGEST_STEP:
            usual.append(2 * usual[-1])
    return sorted({*(one for one in usual if one <= max_tokens), max_tokens})


def _no_lengths(told: str, expected: str = "whole numbers with commas between") -> ArtifactError:
    return ArtifactError("PF507", "target 'tflite'", f"lengths={told}", expected=expected)


def _convert(converter: Any, module: Any, lengths: Sequence[int], target: Path) -> None:
    """Write a file with a signature ``tokens_N`` for each length, of one text each."""
    import torch

    class Logits(torch.nn.Module):
        """The module as a function of two tensors."""

        def __init__(self) -> None:
            super().__init__()
            self.inner = module

        def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor) -> torch.Tensor:
            logits: torch.Tensor = self.inner(input_ids, attention_mask).logits
            return logits

    plain = Logits().eval()
    # What it tells of its progress is not the output of whoever calls this.
    with contextlib.redirect_stdout(sys.stderr), warnings.catch_warnings(), _no_remarks():
        warnings.simplefilter("ignore")
        for length in lengths:
            ones = torch.ones((1, length), dtype=torch.int32)
            inputs = {"input_ids": ones, "attention_mask": ones.clone()}
            converter = converter.signature(f"tokens_{length}", plain, sample_kwargs=inputs)
        converter.convert().export(str(target))


@contextlib.contextmanager
def _no_remarks() -> Any:
    """Without what loggers tell below an error."""
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        yield
    finally:
        logging.disable(before)


def _apart(
    model: ExportedModel,
    weights: EncoderWeights,
    made: TransformersModel,
    litert: Any,
    file: Path,
    lengths: Sequence[int],
) -> float:
    """How far its probabilities are from the graph's on random tokens."""
    interpreter = litert.Interpreter(str(file), num_threads=1)

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        rows = []
        for row, seen in zip(ids, mask, strict=True):
            length = next(one for one in lengths if one >= seen.sum())
            padded = np.full((2, 1, length), [[[model.pad_id]], [[0]]], np.int32)
            padded[0, 0, : seen.sum()], padded[1, 0, : seen.sum()] = row[seen == 1], 1
            runner = interpreter.get_signature_runner(f"tokens_{length}")
            answer = runner(input_ids=padded[0], attention_mask=padded[1])
            rows.append(next(iter(answer.values())))
        return np.concatenate(rows)

    return furthest(model, run, len(weights.outside["words"]), calibrated=made.folded)
