"""Texts from a generator that the user brings: a paraphraser, or translation there and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import EntryPoint
from typing import TYPE_CHECKING, Any

from payoff.core.errors import AdaptError, DataError

if TYPE_CHECKING:
    import numpy as np


@dataclass(frozen=True)
class Generator:
    """Any function from texts to texts, held to give one for each and none empty.

    Whether it gives the same texts again is the function's business: it gets no source of chance.

    Args:
        name: What people read, such as ``"back-translation"``.
        generate: From at most ``batch_texts`` texts to as many, in their order.
        batch_texts: Most texts given at once.

    Raises:
        DataError: PF113 where ``batch_texts`` is below 1.

    Example:
        >>> import numpy as np
        >>> shout = Generator("shouting", lambda texts: [text.upper() for text in texts])
        >>> shout.augment(["where is my card"], np.random.default_rng(0))
        ['WHERE IS MY CARD']
    """

    name: str
    generate: Callable[[list[str]], Sequence[str]]
    batch_texts: int = 64

    def __post_init__(self) -> None:
        if self.batch_texts < 1:
            found = f"{self.batch_texts}"
            raise DataError("PF113", f"{self._where}, batch_texts", found, expected="at least 1")

    @property
    def _where(self) -> str:
        return f"generator '{self.name}'"

    def augment(self, texts: Sequence[str], rng: np.random.Generator) -> list[str]:
        """What the function makes of each text; a blank text is not shown to it.

        Raises:
            DataError: PF113 where the function fails, or gives too few, too many, or empty texts.
        """
        made = list(texts)
        asked = [place for place, text in enumerate(texts) if text.strip()]
        for start in range(0, len(asked), self.batch_texts):
            places = asked[start : start + self.batch_texts]
            for place, text in zip(places, self._made([texts[i] for i in places]), strict=True):
                made[place] = text
        return made

    def _made(self, batch: list[str]) -> list[str]:
        try:
            # A copy, so that a function that changes its list does not change ours.
            given: Any = self.generate(list(batch))
            made = [given] if isinstance(given, str) else list(given)
        except Exception as error:  # whatever somebody else's function raises
            raise DataError(
                "PF113", self._where, f"it failed ({type(error).__name__}: {error})"
            ) from error
        if isinstance(given, str) or len(made) != len(batch):
            found = "one text" if isinstance(given, str) else f"{len(made)} texts"
            raise DataError(
                "PF113",
                self._where,
                f"it gave {found} for a list of {len(batch)}",
                expected="a list with one text for each",
            )
        for text, source in zip(made, batch, strict=True):
            if not _is_sound(text):
                shown = repr(text) if isinstance(text, str) else f"a {type(text).__name__}"
                raise DataError(
                    "PF113",
                    self._where,
                    f"it made {shown} of {source[:60]!r}",
                    expected="a text that is not empty",
                )
        return made


def generator_of(reference: str) -> Generator:
    """The generator of a function that Python finds, named as entry points name it.

    Args:
        reference: ``module:function``.

    Raises:
        AdaptError: PF401 where there is none, or importing its module fails.

    Example:
        >>> generator_of("textwrap:dedent").name
        'textwrap:dedent'
    """
    where = f"augmenter '{reference}'"
    try:
        found: Any = EntryPoint(reference, reference, "payoff.augmenters").load()
    except Exception as error:  # whatever somebody else's module raises
        raise AdaptError(
            "PF401",
            where,
            f"it cannot be loaded ({type(error).__name__}: {error})",
            expected="MODULE:FUNCTION in a module that Python finds",
            mend="Python looks into the folders of PYTHONPATH; PYTHONPATH=. adds this one.",
        ) from error
    if not callable(found):
        raise AdaptError(
            "PF401",
            where,
            f"it is a {type(found).__name__}",
            expected="a function of a list of texts",
        )
    return Generator(reference, found)


def _is_sound(text: Any) -> bool:
    """Whether it is a text, says something, and is made of characters only."""
    if not isinstance(text, str) or not text.strip():
        return False
    return not any("\ud800" <= character <= "\udfff" for character in text)
