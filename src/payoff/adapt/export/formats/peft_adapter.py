"""Target ``peft``: what LoRA added to a backbone, as a folder that `peft` loads."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import installed
from payoff.adapt.engine.architectures import ARCHITECTURES, layer_parts
from payoff.adapt.export.encoder_weights import EncoderWeights
from payoff.adapt.export.exported_model import ExportedModel, cannot
from payoff.adapt.export.low_rank_difference import LowRankDifference
from payoff.adapt.export.shipped_files import ship
from payoff.artifact.artifact import Artifact
from payoff.artifact.model_card import hub_facts, with_front
from payoff.artifact.target import Written
from payoff.core.errors import ArtifactError, BackboneError
from payoff.core.extras import require
from payoff.core.files import whole_folder, write_bytes, write_json, write_text

_AS_UPSTREAM = ("plain", "split-zip", "hub")
"""Formats whose weights are, bit for bit, those of the hub."""


class PeftAdapter:
    """The adapter alone, some hundred kilobytes, to be put on the backbone that others have."""

    name = "peft"
    title = "PEFT adapter folder (LoRA) for its backbone, with the head beside it"
    options: Mapping[str, str] = {"base": "the backbone it was adapted from: a name or a folder"}

    def write(self, artifact: Artifact, out: Path, *, options: Mapping[str, str]) -> Written:
        """Write the folder. The artifact holds merged weights: the adapter is their difference.

        Args:
            artifact: Opened.
            out: Folder to make.
            options: ``base``.

        Raises:
            ArtifactError: PF506 where it was not adapted by LoRA, or its weights are rounded;
                PF507 without a base.
            BackboneError: PF301 for an unknown base, PF303 where it is not installed.
            MachineError: PF801 or PF802 where it cannot be written; PF803 without peft.
        """
        peft = require("peft", "tune", "writing an adapter for peft")
        safetensors = require("safetensors.numpy", "tune", "writing weights")
        model = ExportedModel.of(artifact, self.name)
        backbone = _base(options)
        weights, added = _difference(artifact, model, backbone, self.name)
        tensors = _tensors(added, weights)
        upstream = backbone.upstream if backbone.format in _AS_UPSTREAM else ""
        place = upstream or str(backbone.path.resolve())
        config = peft.LoraConfig(
            r=added.rank,
            lora_alpha=added.rank,
            lora_dropout=0.0,
            target_modules=sorted({name.rpartition(".lora_")[0] for name in tensors}),
            base_model_name_or_path=place,
            inference_mode=True,
        )
        whole = {f"base_model.model.{name}": value for name, value in tensors.items()}
        head = {"weight": weights.head, "bias": weights.outside["head.bias"]}
        head = {name: np.ascontiguousarray(value, np.float32) for name, value in head.items()}
        with whole_folder(out) as draft:
            config.save_pretrained(draft)
            safetensors.save_file(whole, draft / "adapter_model.safetensors")
            safetensors.save_file(head, draft / "head.safetensors")
            write_bytes(draft / "tokenizer.json", model.tokenizer)
            write_json(draft / "settings.json", model.settings() | {"pooling": weights.pooling})
            ship("calibration.py.txt", draft)
            ship("peft_example.py.txt", draft, to="example.py")
            write_text(draft / "README.md", _card(artifact, backbone, added.rank))
        base = (
            f"Its base is {place}, rank {added.rank}; the head is beside it, in head.safetensors."
        )
        return Written(out, (*model.notes(), base), f'python {out / "example.py"} "a text"')


def _base(options: Mapping[str, str]) -> Backbone:
    """The backbone that is named.

    Raises:
        ArtifactError: PF507 where none is.
        BackboneError: PF303 where it is not installed.
    """
    if not options.get("base"):
        raise ArtifactError(
            "PF507",
            "target 'peft'",
            "no base is given",
            expected="--set base=NAME, such as minilm-l6, or a folder",
            mend="The artifact's tier names its backbone: see manifest.json, 'tiers'.",
        )
    backbone = find(options["base"])
    if not installed(backbone):
        raise BackboneError(
            "PF303",
            backbone.name,
            "it is not installed",
            mend=f"Run: payoff backbones install {backbone.name}",
        )
    return backbone


def _difference(
    artifact: Artifact, model: ExportedModel, backbone: Backbone, target: str
) -> tuple[EncoderWeights, LowRankDifference]:
    from payoff.adapt.engine.architectures import load

    try:
        weights = EncoderWeights.read(model.graph)
        if weights.rounded:
            raise ValueError("its weights are rounded to 8 bits, which hides what LoRA added")
        encoder = load(backbone.path, pooling=backbone.pooling)
        return weights, LowRankDifference.between(encoder, weights)
    except ValueError as error:
        raise cannot(
            artifact,
            target,
            str(error),
            mend="Export an artifact of the recipe lora, at full precision, with the backbone that "
            "it was adapted from: payoff run --recipe lora.",
        ) from error


def _tensors(added: LowRankDifference, weights: EncoderWeights) -> dict[str, Any]:
    """Thin matrices by the names of `transformers`, queries, keys and values apart."""
    architecture = ARCHITECTURES["bert" if weights.relative is None else "mpnet"]
    found: dict[str, Any] = {}
    for (number, name), (a, b) in added.parts.items():
        if name == "qkv":
            theirs = dict(zip(architecture.attention[:3], np.split(b, 3), strict=True))
        else:
            theirs = {layer_parts(architecture)[name]: b}
        for part, rows in theirs.items():
            place = f"encoder.layer.{number}.{part}"
            found[f"{place}.lora_A.weight"] = np.ascontiguousarray(a)
            found[f"{place}.lora_B.weight"] = np.ascontiguousarray(rows)
    return found


def _card(artifact: Artifact, backbone: Backbone, rank: int) -> str:
    evidence = (
        artifact.read_json("evidence.json") if "evidence.json" in artifact.documents else None
    )
    facts = hub_facts(
        name=artifact.name,
        licences=[backbone.licence],
        languages=[backbone.languages],
        base_models=[backbone.upstream] if backbone.upstream else [],
        evidence=evidence,
    )
    text = (
        f"# {artifact.name}: LoRA adapter, rank {rank}\n\n"
        "The encoder's adapter is in `adapter_model.safetensors`; the linear head, which takes the "
        "normalised vector of a text, in `head.safetensors`. `example.py` runs both:\n\n"
        "```console\n$ pip install numpy peft safetensors tokenizers torch transformers\n"
        '$ python example.py "a text"\n```\n'
    )
    return with_front(text, facts | {"library_name": "peft"})
