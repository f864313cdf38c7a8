"""A model's ``model.safetensors`` as tensors, checked against what its config promises."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch

from payoff.adapt.backbones.weights_file import count_parameters
from payoff.core.errors import BackboneError
from payoff.core.extras import require

_FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)


def require_files(folder: Path) -> None:
    """Raise where a folder lacks its config or its weights.

    Raises:
        BackboneError: PF304 for the first that is missing.
    """
    for needed in ("config.json", "model.safetensors"):
        if not (folder / needed).is_file():
            raise BackboneError("PF304", str(folder), f"it has no {needed}")


def read_tensors(file: Path) -> dict[str, torch.Tensor]:
    """All tensors of a safetensors file by name.

    Raises:
        BackboneError: PF304 where it is none, or was cut.
        MachineError: PF803 where safetensors is not installed.
    """
    library = require("safetensors", "tune", "reading weights")
    read = require("safetensors.torch", "tune", "reading weights")
    count_parameters(file)  # refuses a cut file, and says what is wrong
    try:
        weights: dict[str, torch.Tensor] = read.load_file(file)
    except (library.SafetensorError, KeyError) as error:  # KeyError: a dtype of another library
        raise BackboneError("PF304", str(file), f"it is no safetensors file ({error})") from error
    return weights


def refuse_misfits(
    weights: Mapping[str, torch.Tensor], wanted: Mapping[str, tuple[int, ...]], file: Path
) -> None:
    """Raise where weights are missing, of another size, or no plain floats.

    Args:
        weights: What the file holds.
        wanted: Sizes that the config promises, by the names there.
        file: For the error.

    Raises:
        BackboneError: PF304.
    """
    missing = [name for name in wanted if name not in weights]
    if missing:
        told = f"{len(missing)} weights of config.json are missing, such as {missing[0]}"
        raise BackboneError("PF304", str(file), f"a weight does not fit: {told}")
    other = [name for name, size in wanted.items() if tuple(weights[name].shape) != size]
    if other:
        name = other[0]
        told = f"{len(other)} are of another size than config.json says, such as {name}"
        raise BackboneError(
            "PF304",
            str(file),
            f"a weight does not fit: {told} with {tuple(weights[name].shape)}",
            expected=str(wanted[name]),
        )
    for name in wanted:
        if weights[name].dtype not in _FLOATS:
            raise BackboneError(
                "PF304",
                f"{file} {name}",
                f"its numbers are {str(weights[name].dtype).removeprefix('torch.')}",
                expected="plain floats; a quantised model cannot be adapted",
            )
