"""Tiers of a decoder: the ONNX file, the tokenizer and the prompt, side by side."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from payoff.adapt.export.onnx_decoder import write_decoder_onnx
from payoff.adapt.export.tokenizer_file import write_tokenizer
from payoff.artifact.runtime.prompt import AnswerPrompt, read_prompts
from payoff.artifact.tier import Kind, TierSpec
from payoff.core.files import whole_folder, write_json

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from payoff.adapt.engine.decoder import Decoder


def write_prompted_tier(
    decoder: Decoder, tokenizer: Tokenizer, prompt: Mapping[str, Any], target: Path, *, name: str
) -> TierSpec:
    """Write a decoder that scores labels as a tier of kind ``"prompted"``.

    Args:
        decoder: Its adaptation, if any, is merged into plain linear layers.
        tokenizer: The decoder's.
        prompt: As `payoff.artifact.runtime.prompt.Prompt.as_dict` gives it, or several under
            ``"prompts"``.
        target: Folder to make.
        name: What the tier is called.

    Raises:
        ArtifactError: PF504 where the prompt could not be read again.
        AdaptError: PF405 where the decoder is too large for one ONNX file.
    """
    read_prompts(prompt)
    return _write(decoder, tokenizer, prompt, target, name=name, kind="prompted")


def write_answers_tier(
    decoder: Decoder, tokenizer: Tokenizer, prompt: Mapping[str, Any], target: Path, *, name: str
) -> TierSpec:
    """Write a decoder that answers as a tier of kind ``"answers"``.

    Args:
        decoder: Its adaptation, if any, is merged into plain linear layers.
        tokenizer: The decoder's.
        prompt: As `payoff.artifact.runtime.prompt.AnswerPrompt.as_dict` gives it.
        target: Folder to make.
        name: What the tier is called.

    Raises:
        ArtifactError: PF504 where the prompt could not be read again.
        AdaptError: PF405 where the decoder is too large for one ONNX file.
    """
    AnswerPrompt.from_dict(prompt)
    return _write(decoder, tokenizer, prompt, target, name=name, kind="answers")


def _write(
    decoder: Decoder,
    tokenizer: Tokenizer,
    prompt: Mapping[str, Any],
    target: Path,
    *,
    name: str,
    kind: Kind,
) -> TierSpec:
    with whole_folder(target) as draft:
        write_decoder_onnx(decoder, draft / "model.onnx")
        write_tokenizer(tokenizer, draft)
        write_json(draft / "prompt.json", dict(prompt))
    return TierSpec(name, kind)
