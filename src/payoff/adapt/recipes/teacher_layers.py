"""The layers of a teacher, for a student to start from."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from payoff.adapt.engine.encoder import Encoder, Layer
from payoff.adapt.export.encoder_weights import EncoderWeights
from payoff.artifact.artifact import Artifact
from payoff.artifact.runtime.packed import unpacking
from payoff.core.errors import AdaptError

_MATRICES = ("qkv", "out", "up", "down")
_BIASES = {
    "qkv": "qkv.bias",
    "out": "attention_norm.linear_bias",
    "up": "up.bias",
    "down": "norm.linear_bias",
}
_NORMS = ("attention_norm", "norm")


def with_layers_of(told: str, encoder: Encoder, recipe: str) -> Encoder:
    """An encoder with the layers of an artifact's last tier in place of its own.

    Args:
        told: Path of the artifact.
        encoder: Of the backbone that the artifact was made from; it is not changed, and its
            embeddings are shared.
        recipe: Whose setting it is, for messages.

    Raises:
        AdaptError: PF406 where the artifact is none, or its model is no encoder of that shape.
        ArtifactError: Where the artifact cannot be read.
    """
    weights = _weights(told, recipe)
    shape = encoder.shape
    first = encoder.layers[0]
    assert isinstance(first, Layer)
    found = (len(weights.layers), weights.width, weights.heads, weights.inner)
    wanted = (shape.layers, shape.width, shape.heads, first.up.out_features)
    if found != wanted:
        raise _wrong(recipe, f"an encoder of {_told(found)}", f"one of {_told(wanted)}")
    student = copy.copy(encoder)
    student._modules = dict(encoder._modules)
    student.layers = nn.ModuleList(copy.deepcopy(layer) for layer in encoder.layers)
    for layer, values in zip(student.layers, weights.layers, strict=True):
        assert isinstance(layer, Layer)
        _fill(layer, values)
    return student


def _weights(told: str, recipe: str) -> EncoderWeights:
    path = Path(told)
    if not path.exists():
        raise _wrong(recipe, f"teacher '{told}'", "the path of an artifact to start from")
    with Artifact.open(path) as artifact:
        last = len(artifact.tiers) - 1
        spec = artifact.tiers[last]
        names = dict(zip(spec.members, artifact.manifest.tier_members(last), strict=True))
        if spec.kind != "tokens":
            raise _wrong(recipe, f"a model of the kind '{spec.kind}'", "an encoder")
        read, _ = unpacking(spec, lambda member: artifact.read(names[member]), None)
        try:
            return EncoderWeights.read(read("model.onnx"))
        except ValueError as error:
            raise _wrong(recipe, str(error), "an encoder with a head, as it was trained") from error


def _fill(layer: Layer, values: Mapping[str, NDArray[np.float32]]) -> None:
    """Put the weights of a graph into a layer; a graph's matrices are ``(n_inputs, n_outputs)``."""
    with torch.no_grad():
        for name in _MATRICES:
            linear = getattr(layer, name)
            linear.weight.copy_(torch.as_tensor(values[f"{name}.weight"].T.copy()))
            linear.bias.copy_(torch.as_tensor(values[_BIASES[name]].copy()))
        for name in _NORMS:
            norm = getattr(layer, name)
            norm.weight.copy_(torch.as_tensor(values[f"{name}.weight"].copy()))
            norm.bias.copy_(torch.as_tensor(values[f"{name}.bias"].copy()))


def _told(shape: tuple[int, int, int, int]) -> str:
    layers, width, heads, inner = shape
    return f"{layers} layers, width {width}, {heads} heads, {inner} neurons"


def _wrong(recipe: str, found: str, expected: str) -> AdaptError:
    return AdaptError(
        "PF406",
        f"recipe '{recipe}', setting 'start'",
        found,
        expected=expected,
        mend="Leave start out: the student then starts from its backbone.",
    )
