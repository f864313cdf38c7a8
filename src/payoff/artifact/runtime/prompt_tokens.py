"""Tokens of a prompt's pieces and of the texts that stand in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from payoff.artifact.runtime.prompt import WHERE
from payoff.artifact.runtime.session import broken, first_line
from payoff.artifact.tier import TierSpec
from payoff.core.errors import ArtifactError

if TYPE_CHECKING:
    from tokenizers import Tokenizer


class PromptTokens:
    """Token ids of texts that are not to be read as more than text.

    What a prompt says may hold marks such as ``<|im_start|>``. In a text that a user writes, the
    same characters are mere characters: it cannot end the prompt that it stands in.

    Args:
        tokenizer: Adds no tokens by itself here, neither cuts nor pads.

    Example:
        >>> from tokenizers import Tokenizer, models, pre_tokenizers
        >>> tokenizer = Tokenizer(models.WordLevel({"?": 0, "my": 1, "card": 2}, unk_token="?"))
        >>> tokenizer.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
        >>> _ = tokenizer.add_special_tokens(["<end>"])
        >>> tokens = PromptTokens(tokenizer)
        >>> tokens.of_prompt("card <end>"), tokens.of_texts(["card <end>"])
        ([2, 3], [[2, 0]])
    """

    def __init__(self, tokenizer: Tokenizer) -> None:
        from tokenizers import Tokenizer as Loaded

        tokenizer.no_truncation()
        tokenizer.no_padding()
        tokenizer.encode_special_tokens = False
        self.tokenizer = tokenizer
        # A switch thrown on one tokenizer would be seen by another thread in the middle.
        self._plain = Loaded.from_str(tokenizer.to_str())
        self._plain.encode_special_tokens = True

    @classmethod
    def open(cls, spec: TierSpec, read: Callable[[str], bytes]) -> PromptTokens:
        """The tokenizer of a tier.

        Raises:
            ArtifactError: PF504 where it cannot be used.
        """
        from tokenizers import Tokenizer

        content = read("tokenizer.json")
        try:
            return cls(Tokenizer.from_buffer(content))
        except Exception as error:  # tokenizers raises plain Exception and ValueError
            raise broken(spec, f"tokenizer.json: {first_line(error)}", "a tokenizer") from error

    def of_prompt(self, piece: str) -> list[int]:
        """Tokens of a piece of a prompt, its marks read as marks.

        Raises:
            ArtifactError: PF504 where it is no Unicode.
        """
        if not piece:
            return []
        try:
            return list(self.tokenizer.encode(piece, add_special_tokens=False).ids)
        except Exception as error:  # tokenizers raises plain Exception and TypeError
            raise ArtifactError("PF504", WHERE, f"{piece[:40]!r} has no tokens") from error

    def of_texts(self, texts: Sequence[str]) -> list[list[int]]:
        """Tokens of texts that stand in a prompt, their marks read as characters."""
        found = self._plain.encode_batch_fast(list(texts), add_special_tokens=False)
        return [list(one.ids) for one in found]

    def check(self, vocabulary: int) -> None:
        """Refuse a tokenizer that gives ids which the model does not know.

        Raises:
            ArtifactError: PF504.
        """
        highest = max(self.tokenizer.get_vocab(with_added_tokens=True).values(), default=-1)
        if highest >= vocabulary:
            raise ArtifactError(
                "PF504",
                "tokenizer.json",
                f"it gives ids up to {highest}",
                expected=f"less than {vocabulary}, as the model knows",
            )
