"""An exported model as one of `transformers`: configuration, weights by its names, module."""

from __future__ import annotations

import importlib.util
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.engine.architectures import ARCHITECTURES, layer_parts
from payoff.adapt.export.encoder_weights import EncoderWeights
from payoff.adapt.export.exported_model import ExportedModel
from payoff.adapt.export.shipped_files import ship
from payoff.core.extras import require

MODULE = "modeling_payoff"
CLASS = "PayoffClassifier"

_KINDS = {"bert": "BertConfig", "mpnet": "MPNetConfig"}
_FIRST_POSITION = {"bert": 0, "mpnet": 2}


@dataclass(frozen=True)
class TransformersModel:
    """What a folder of `transformers` holds.

    An encoder with relative positions is an MPNet; all others compute what a BERT does, once
    positions are counted from 0 and the vector of the only type of text is added to them.

    Args:
        kind: ``"bert"`` or ``"mpnet"``.
        config: Plain values for ``config.json``.
        state: Weights by the names of the module.
        folded: Whether its logits are calibrated.
    """

    kind: str
    config: dict[str, Any]
    state: dict[str, NDArray[np.float32]]
    folded: bool

    @classmethod
    def of(cls, model: ExportedModel, weights: EncoderWeights) -> TransformersModel:
        """Bring weights and calibration into the form of `transformers`.

        A temperature is folded into the head, vector scaling is done by the module; curves are
        not, since they are no function of a linear layer.
        """
        kind = "bert" if weights.relative is None else "mpnet"
        how = model.calibration
        state = _state(kind, weights)
        state["head.weight"] = weights.head / np.float32(how.temperature)
        state["head.bias"] = weights.outside["head.bias"] / np.float32(how.temperature)
        if how.method == "vector":
            state["scales"] = np.array(how.scales, np.float32)
            state["biases"] = np.array(how.biases, np.float32)
        config = _config(kind, model, weights) | {"vector_scaling": how.method == "vector"}
        whole = {name: _whole(value) for name, value in state.items()}
        return cls(kind, config, whole, how.method in ("temperature", "vector"))

    def write_code(self, folder: Path) -> None:
        """Write the module's own file, which `transformers` imports."""
        values = {"config": _KINDS[self.kind]}
        ship(f"{MODULE}.py.txt", folder, to=f"{MODULE}.py", values=values)

    def module(self) -> Any:
        """The module with its weights, in evaluation mode, its attention in plain operators.

        Raises:
            MachineError: PF803 where transformers is not installed.
        """
        import torch

        transformers = require("transformers", "tune", "a model as transformers has it")
        config = getattr(transformers, _KINDS[self.kind])(**self.config)
        config._attn_implementation = "eager"
        with tempfile.TemporaryDirectory(prefix="payoff-") as place:
            self.write_code(Path(place))
            found = importlib.util.spec_from_file_location(MODULE, Path(place) / f"{MODULE}.py")
            assert found is not None
            assert found.loader is not None
            code = importlib.util.module_from_spec(found)
            found.loader.exec_module(code)
        made = getattr(code, CLASS)(config)
        state = {name: torch.from_numpy(value) for name, value in self.state.items()}
        made.load_state_dict(state, strict=True)
        return made.eval()


def _whole(value: NDArray[np.float32]) -> NDArray[np.float32]:
    """One after the other in memory, and writable, as torch wants it."""
    return np.array(value, np.float32, order="C")


def _config(kind: str, model: ExportedModel, weights: EncoderWeights) -> dict[str, Any]:
    first = _FIRST_POSITION[kind]
    config: dict[str, Any] = {
        "architectures": [CLASS],
        "auto_map": {"AutoModelForSequenceClassification": f"{MODULE}.{CLASS}"},
        "vocab_size": len(weights.outside["words"]),
        "hidden_size": weights.width,
        "num_hidden_layers": len(weights.layers),
        "num_attention_heads": weights.heads,
        "intermediate_size": weights.inner,
        "hidden_act": "gelu",
        "max_position_embeddings": len(weights.outside["positions"]) + first,
        "layer_norm_eps": weights.norm_eps,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": model.pad_id,
        "id2label": {str(i): label for i, label in enumerate(model.labels)},
        "label2id": {label: i for i, label in enumerate(model.labels)},
        "problem_type": "single_label_classification",
        "pooling": weights.pooling,
        "first_position": first,
    }
    if kind == "bert":
        return config | {"type_vocab_size": 1}
    assert weights.relative is not None
    return config | {"relative_attention_num_buckets": len(weights.relative)}


def _state(kind: str, weights: EncoderWeights) -> dict[str, NDArray[np.float32]]:
    architecture = ARCHITECTURES[kind]
    first = np.zeros((_FIRST_POSITION[kind], weights.width), np.float32)
    outside = weights.outside
    found = {
        "embeddings.word_embeddings.weight": outside["words"],
        "embeddings.position_embeddings.weight": np.concatenate([first, outside["positions"]]),
        "embeddings.LayerNorm.weight": outside["embedding_norm.weight"],
        "embeddings.LayerNorm.bias": outside["embedding_norm.bias"],
    }
    if architecture.types:
        found[f"{architecture.types}.weight"] = np.zeros((1, weights.width), np.float32)
    if weights.relative is not None:
        found[f"{architecture.relative}.weight"] = weights.relative
    parts = layer_parts(architecture)
    for index, layer in enumerate(weights.layers):
        ours = {
            **{f"{part}.weight": layer[f"{part}.weight"].T for part in ("out", "up", "down")},
            "out.bias": layer["attention_norm.linear_bias"],
            "up.bias": layer["up.bias"],
            "down.bias": layer["norm.linear_bias"],
            **{
                f"{norm}.{part}": layer[f"{norm}.{part}"]
                for norm in ("attention_norm", "norm")
                for part in ("weight", "bias")
            },
        }
        place = f"encoder.layer.{index}."
        for name, value in ours.items():
            part, _, end = name.rpartition(".")
            found[f"{place}{parts[part]}.{end}"] = value
        matrices = np.split(layer["qkv.weight"].T, 3)
        biases = np.split(layer["qkv.bias"], 3)
        for name, matrix, bias in zip(architecture.attention[:3], matrices, biases, strict=True):
            found[f"{place}{name}.weight"], found[f"{place}{name}.bias"] = matrix, bias
    return {f"encoder.{name}": value for name, value in found.items()}
