"""Target ``huggingface``: a folder that `transformers` loads."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.export.agreement import TOLERANCE, furthest
from payoff.adapt.export.encoder_weights import EncoderWeights
from payoff.adapt.export.exported_model import ExportedModel, cannot
from payoff.adapt.export.transformers_model import MODULE, TransformersModel
from payoff.artifact.artifact import Artifact
from payoff.artifact.model_card import hub_facts, split_front, with_front
from payoff.artifact.target import Written
from payoff.core.extras import require
from payoff.core.files import whole_folder, write_json, write_text

_USE = """
## How to use it
```python
from transformers import pipeline

classify = pipeline("text-classification", "FOLDER", trust_remote_code=True, truncation=True)
classify("a text", top_k=None)
```

`{module}.py` has the model's code: an encoder, the normalised mean of its vectors, a linear head.
"""


class HuggingFace:
    """Weights read back from the artifact's graph, under the names that `transformers` gives."""

    name = "huggingface"
    title = "Hugging Face folder: config, safetensors, tokenizer, model card"
    options: Mapping[str, str] = {}

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the folder, once it is seen to answer as the artifact's graph does.

        Args:
            artifact: Opened.
            out: Folder to make.
            options: None.

        Raises:
            ArtifactError: PF506 where it is no encoder with a head, has parts that such a folder
                has no place for, or would answer otherwise.
            MachineError: PF801 or PF802 where it cannot be written; PF803 without transformers.
        """
        transformers = require("transformers", "tune", "writing a folder for transformers")
        safetensors = require("safetensors.numpy", "tune", "writing weights")
        model = ExportedModel.of(artifact, self.name)
        weights = read_weights(artifact, model, self.name)
        made = TransformersModel.of(model, weights)
        apart = checked(artifact, model, weights, made, self.name)
        with whole_folder(out) as draft:
            config = made.config | {
                "model_type": made.kind,
                "dtype": "float32",
                "transformers_version": transformers.__version__,
            }
            write_json(draft / "config.json", config)
            safetensors.save_file(
                made.state, draft / "model.safetensors", metadata={"format": "pt"}
            )
            made.write_code(draft)
            _write_tokenizer(model, draft)
            write_text(draft / "README.md", _card(artifact, made))
            for name in artifact.documents:
                if name.startswith("licences/"):
                    (draft / name).parent.mkdir(exist_ok=True)
                    (draft / name).write_bytes(artifact.read(name))
        return Written(out, _notes(model, weights, made, apart), _next_step(out))


def read_weights(artifact: Artifact, model: ExportedModel, target: str) -> EncoderWeights:
    """The weights of an artifact's encoder.

    Raises:
        ArtifactError: PF506 where its graph is another.
    """
    try:
        return EncoderWeights.read(model.graph)
    except ValueError as error:
        raise cannot(
            artifact,
            target,
            str(error),
            mend="Train a recipe whose additions are folded into an encoder, such as fine-tune or "
            "lora; or use --target onnx, which keeps the graph as it is.",
        ) from error


def checked(
    artifact: Artifact,
    model: ExportedModel,
    weights: EncoderWeights,
    made: TransformersModel,
    target: str,
) -> float:
    """How far the probabilities of the module are from the graph's on random tokens.

    Raises:
        ArtifactError: PF506 where they differ though no weight is rounded.
    """
    import torch

    module = made.module()

    def run(ids: NDArray[np.int64], mask: NDArray[np.int64]) -> NDArray[np.float32]:
        with torch.inference_mode():
            given: Any = module(torch.from_numpy(ids), torch.from_numpy(mask)).logits
        logits: NDArray[np.float32] = given.numpy()
        return logits

    apart = furthest(model, run, len(weights.outside["words"]), calibrated=made.folded)
    if apart > TOLERANCE and not weights.rounded:
        raise cannot(
            artifact, target, f"the weights read back give probabilities up to {apart:.2g} apart"
        )
    return apart


def _write_tokenizer(model: ExportedModel, folder: Path) -> None:
    """The tokenizer with its prefix, its padding and its longest text."""
    from tokenizers import Tokenizer, normalizers

    transformers = require("transformers", "tune", "writing a folder for transformers")
    tokenizer = Tokenizer.from_buffer(model.tokenizer)
    if model.prefix:
        parts = [normalizers.Prepend(model.prefix)]
        if tokenizer.normalizer is not None:
            parts.append(tokenizer.normalizer)
        tokenizer.normalizer = normalizers.Sequence(parts)
    fast = transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        pad_token=tokenizer.id_to_token(model.pad_id),
        model_max_length=model.max_tokens,
        padding_side="right",
        model_input_names=["input_ids", "attention_mask"],
    )
    fast.save_pretrained(folder)


def _card(artifact: Artifact, made: TransformersModel) -> str:
    """The artifact's card with the hub's facts in front, and how to use the folder."""
    has = artifact.documents
    card = artifact.read("card.md").decode("utf-8") if "card.md" in has else f"# {artifact.name}\n"
    evidence = artifact.read_json("evidence.json") if "evidence.json" in has else None
    facts = hub_facts(name=artifact.name, evidence=evidence) | split_front(card)[0]
    facts |= {"library_name": "transformers"}
    return with_front(card.rstrip("\n") + "\n" + _USE.format(module=MODULE), facts)


def _notes(
    model: ExportedModel, weights: EncoderWeights, made: TransformersModel, apart: float
) -> tuple[str, ...]:
    told = list(model.notes())
    if not made.folded:
        told.append(
            f"Its calibration ({model.calibration.method}) is no part of the folder: probabilities "
            "are those before it, and decisions may differ from the artifact's."
        )
    if weights.rounded:
        told.append(
            "The artifact's weights are rounded to 8 bits; the folder has them as float32, so that "
            f"it answers almost alike (probabilities of random tokens up to {apart:.2g} apart)."
        )
    if model.prefix:
        told.append(f"The tokenizer puts {json.dumps(model.prefix)} before each text by itself.")
    return tuple(told)


def _next_step(out: Path) -> str:
    call = f"pipeline('text-classification', '{out}', trust_remote_code=True, truncation=True)"
    return f"python -c \"from transformers import pipeline; print({call}('a text'))\""
