"""Bag of words and characters: the featuriser that training and serving share, and its runtime.

Words are runs of letters and digits, and single characters where a script writes no spaces
(Chinese, Japanese, Korean); n-grams of characters stay inside white-space-separated pieces that
are padded with a space on both sides. Weights are sublinear TF-IDF, ``(1 + ln tf) · idf`` with
``idf = ln((1 + n) / (1 + df)) + 1`` (Manning, Raghavan, Schütze 2008, section 6.4), and each of the
two blocks is scaled to length 1.
"""

from __future__ import annotations

import io
import json
import re
import zipfile
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from payoff.artifact.texts import check_texts
from payoff.core.errors import ArtifactError, DataError
from payoff.core.files import to_json, write_bytes

_UNSPACED = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_WORDS = re.compile(rf"[{_UNSPACED}]|[^\W{_UNSPACED}]+")

_CACHE_PIECES = 50_000
_CACHE_PIECE_CHARACTERS = 32
_WEIGHT_ROWS = 4096
_UNREADABLE = (
    *(ValueError, OSError, EOFError, KeyError, MemoryError, zipfile.BadZipFile),
    RuntimeError,  # encrypted, or packed in a way that Python does not know
)

Range = tuple[int, int]
Csr = tuple[npt.NDArray[np.int64], npt.NDArray[np.int32], npt.NDArray[np.float32]]
"""Row starts ``(n + 1,)``, columns ``(nnz,)`` ascending in each row, and values ``(nnz,)``."""


class NgramVectoriser:
    """Texts to sparse rows of n-gram weights.

    Args:
        words: Word n-grams in the order of their columns.
        characters: Character n-grams; their columns follow those of the words.
        idf: Inverse document frequencies, ``(n_features,)``.
        word: Shortest and longest word n-gram.
        character: Shortest and longest character n-gram.

    Raises:
        ArtifactError: PF504 where the numbers of terms and frequencies differ.

    Example:
        >>> vectoriser = NgramVectoriser.fit(["lost card", "lost pin"], min_df=2)
        >>> vectoriser.words
        ('lost',)
        >>> indptr, indices, data = vectoriser.matrix(["lost", "nothing known"])
        >>> indptr.tolist()[-1] == indptr.tolist()[1] > 0
        True
    """

    def __init__(
        self,
        words: Sequence[str],
        characters: Sequence[str],
        idf: npt.ArrayLike,
        *,
        word: Range = (1, 2),
        character: Range = (2, 5),
    ) -> None:
        self.words = tuple(words)
        self.characters = tuple(characters)
        self.idf = np.asarray(idf, dtype=np.float32)
        self.word = word
        self.character = character
        self._word_columns = {term: i for i, term in enumerate(self.words)}
        self._character_columns = {
            term: i for i, term in enumerate(self.characters, len(self.words))
        }
        self._pieces: dict[str, tuple[int, ...]] = {}
        n_distinct = len(self._word_columns) + len(self._character_columns)
        if self.idf.shape != (self.n_features,) or n_distinct != self.n_features:
            raise ArtifactError(
                "PF504",
                "ngrams.json",
                f"{n_distinct} terms and frequencies of shape {self.idf.shape}",
                expected="one frequency for each term, each term once",
            )

    @property
    def n_features(self) -> int:
        """Columns of `matrix`."""
        return len(self.words) + len(self.characters)

    @classmethod
    def fit(
        cls,
        texts: Sequence[str],
        *,
        min_df: int = 2,
        max_features: int = 50_000,
        word: Range = (1, 2),
        characters: Range = (2, 5),
    ) -> NgramVectoriser:
        """Learn the terms and their frequencies; the same texts in any order give the same.

        Args:
            texts: Training texts, ``(n_texts,)``.
            min_df: A term must occur in at least so many texts.
            max_features: At most so many terms of words, and as many of characters: those in
                the most texts; of equally frequent ones the first in the order of the alphabet.
            word: Shortest and longest word n-gram.
            characters: Shortest and longest character n-gram.

        Raises:
            DataError: PF105 for an unusable text; PF106 where no term is left.
        """
        check_texts(texts)
        in_words: Counter[str] = Counter()
        in_characters: Counter[str] = Counter()
        for text in texts:
            lower = text.lower()
            in_words.update(set(word_ngrams(lower, word)))
            in_characters.update(
                {g for piece in lower.split() for g in character_ngrams(piece, characters)}
            )
        terms_w = _most_frequent(in_words, min_df, max_features)
        terms_c = _most_frequent(in_characters, min_df, max_features)
        if not terms_w and not terms_c:
            raise DataError(
                "PF106",
                f"{len(texts)} texts",
                f"no n-gram occurs in {min_df} of them",
                mend="Add texts, or lower min_df.",
            )
        df = [in_words[t] for t in terms_w] + [in_characters[t] for t in terms_c]
        idf = np.log((1 + len(texts)) / (1 + np.array(df, dtype=np.float64))) + 1
        return cls(terms_w, terms_c, idf, word=word, character=characters)

    def matrix(self, texts: Sequence[str]) -> Csr:
        """Sparse rows of ``(n_texts, n_features)``, as ``scipy.sparse.csr_matrix`` wants them.

        Args:
            texts: ``(n_texts,)``; a text without any known term gives an empty row.

        Returns:
            ``(indptr, indices, data)``, to be used as ``csr_matrix((data, indices, indptr))``.

        Raises:
            DataError: PF105 for an unusable text.
        """
        check_texts(texts)
        found: list[int] = []
        ends = [0]
        for text in texts:
            self._columns(text.lower(), found)
            ends.append(len(found))
        width = max(1, self.n_features)
        rows = np.repeat(np.arange(len(texts), dtype=np.int64), np.diff(ends))
        cells, counts = np.unique(
            rows * width + np.array(found, dtype=np.int64), return_counts=True
        )
        row, column = np.divmod(cells, width)
        data = (1 + np.log(counts)) * self.idf[column]
        block = 2 * row + (column >= len(self.words))
        lengths = np.sqrt(np.bincount(block, weights=data * data, minlength=1))
        indptr = np.searchsorted(row, np.arange(len(texts) + 1))
        return (
            indptr.astype(np.int64),
            column.astype(np.int32),
            (data / lengths[block]).astype(np.float32),
        )

    def _columns(self, lower: str, found: list[int]) -> None:
        """Append the column of every occurrence of every known term."""
        get = self._word_columns.get
        found += [c for gram in word_ngrams(lower, self.word) if (c := get(gram)) is not None]
        pieces = self._pieces
        for piece in lower.split():
            columns = pieces.get(piece)
            if columns is None:
                known = self._character_columns.get
                columns = tuple(
                    c
                    for gram in character_ngrams(piece, self.character)
                    if (c := known(gram)) is not None
                )
                # Few pieces make up most of a language; the bound keeps a hostile caller cheap.
                if len(pieces) < _CACHE_PIECES and len(piece) <= _CACHE_PIECE_CHARACTERS:
                    pieces[piece] = columns
            found += columns

    def to_json(self) -> str:
        """The text of ``ngrams.json``."""
        return to_json(
            {
                "word": list(self.word),
                "character": list(self.character),
                "words": list(self.words),
                "characters": list(self.characters),
            }
        )


class NgramRuntime:
    """Logits as a weighted sum over the n-grams of a text.

    Args:
        vectoriser: Texts to rows.
        weights: ``(n_features, n_labels)``, float16 or float32.
        bias: ``(n_labels,)``.

    Raises:
        ArtifactError: PF504 where shapes do not fit together or a number is not finite.

    Example:
        >>> vectoriser = NgramVectoriser.fit(["yes", "no", "yes", "no"])
        >>> weights = np.ones((vectoriser.n_features, 2), np.float32)
        >>> NgramRuntime(vectoriser, weights, np.array([0.0, 1.0])).logits(["?"])
        array([[0., 1.]], dtype=float32)
    """

    def __init__(
        self, vectoriser: NgramVectoriser, weights: npt.NDArray[Any], bias: npt.ArrayLike
    ) -> None:
        self.vectoriser = vectoriser
        self.bias = np.asarray(bias, dtype=np.float32)
        if weights.dtype not in (np.float16, np.float32):
            weights = np.asarray(weights, dtype=np.float32)
        self.weights = weights
        expected = (vectoriser.n_features, *self.bias.shape)
        if self.bias.ndim != 1 or weights.shape != expected:
            raise _broken(f"weights {weights.shape} with bias {self.bias.shape}", f"{expected}")
        if not (np.isfinite(weights).all() and np.isfinite(self.bias).all()):
            raise _broken("a weight is not finite", "finite numbers")

    @classmethod
    def open(cls, read: Callable[[str], bytes], *, n_labels: int | None = None) -> NgramRuntime:
        """Make the tier ready; see `payoff.artifact.runtime.open_tier`.

        Raises:
            ArtifactError: PF504 where a member cannot be used.
        """
        arrays = _arrays(read("weights.npz"))
        missing = {"weights", "bias", "idf"} - set(arrays)
        if missing:
            raise _broken(f"lacks {', '.join(sorted(missing))}", "weights, bias, idf")
        runtime = cls(
            _vectoriser(read("ngrams.json"), arrays["idf"]), arrays["weights"], arrays["bias"]
        )
        if n_labels is not None and len(runtime.bias) != n_labels:
            raise _broken(f"{len(runtime.bias)} columns", f"{n_labels} labels")
        return runtime

    def logits(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Uncalibrated scores, ``(n_texts, n_labels)``, in the caller's order.

        Raises:
            DataError: PF105 where a text is unusable.
        """
        indptr, indices, data = self.vectoriser.matrix(texts)
        scores = np.tile(self.bias, (len(texts), 1))
        for i in range(len(texts)):
            # In slices, so that one very long text needs no copy of the whole table.
            for start in range(indptr[i], indptr[i + 1], _WEIGHT_ROWS):
                part = slice(start, min(start + _WEIGHT_ROWS, indptr[i + 1]))
                scores[i] += data[part] @ self.weights[indices[part]].astype(np.float32, copy=False)
        return scores

    def save(self, folder: Path) -> tuple[str, ...]:
        """Write the members of a tier of kind ``"ngrams"``: the same model, the same bytes.

        Returns:
            The names written, for `TierSpec`.

        Raises:
            MachineError: PF801 on a full disk, PF802 where writing is forbidden.
        """
        buffer = io.BytesIO()
        np.savez(
            buffer,
            allow_pickle=False,
            weights=self.weights,
            bias=self.bias,
            idf=self.vectoriser.idf,
        )
        write_bytes(folder / "ngrams.json", self.vectoriser.to_json().encode("utf-8"))
        write_bytes(folder / "weights.npz", buffer.getvalue())
        return ("ngrams.json", "weights.npz")


def word_ngrams(lower: str, lengths: Range) -> Iterator[str]:
    """Every n-gram of words, joined by a space; the text must be in lower case.

    Example:
        >>> list(word_ngrams("my card", (1, 2))), list(word_ngrams("退款", (1, 2)))
        (['my', 'card', 'my card'], ['退', '款', '退 款'])
    """
    words = _WORDS.findall(lower)
    for n in range(lengths[0], lengths[1] + 1):
        if n == 1:
            yield from words
        else:
            yield from map(" ".join, zip(*(words[i:] for i in range(n)), strict=False))


def character_ngrams(piece: str, lengths: Range) -> Iterator[str]:
    """Every n-gram of characters of one padded piece; one that is too short counts once.

    Example:
        >>> list(character_ngrams("pin", (3, 4)))
        [' pi', 'pin', 'in ', ' pin', 'pin ']
        >>> list(character_ngrams("a", (2, 5)))
        [' a', 'a ', ' a ']
    """
    padded = f" {piece} "
    for n in range(lengths[0], lengths[1] + 1):
        if n >= len(padded):
            yield padded
            break
        for i in range(len(padded) - n + 1):
            yield padded[i : i + n]


def _most_frequent(df: Mapping[str, int], min_df: int, max_features: int) -> list[str]:
    """Terms to keep, in the order of the alphabet."""
    kept = sorted(
        (term for term, count in df.items() if count >= min_df), key=lambda t: (-df[t], t)
    )
    return sorted(kept[:max_features])


def _arrays(content: bytes) -> dict[str, npt.NDArray[Any]]:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            packed = sum(entry.file_size for entry in archive.infolist())
        if packed > len(content):
            raise _broken("it is compressed", "stored arrays, as numpy.savez makes")
        with np.load(io.BytesIO(content), allow_pickle=False) as archive_of_arrays:
            return {name: archive_of_arrays[name] for name in archive_of_arrays.files}
    except _UNREADABLE as error:
        raise _broken(f"{str(error)[:100]}", "numeric arrays") from error


def _vectoriser(content: bytes, idf: npt.NDArray[Any]) -> NgramVectoriser:
    try:
        entry = json.loads(content)
        lengths = [tuple(int(n) for n in entry[key]) for key in ("word", "character")]
        words, characters = entry["words"], entry["characters"]
        if not all(len(pair) == 2 and 1 <= pair[0] <= pair[1] <= 20 for pair in lengths):
            raise ValueError(f"n-gram lengths {lengths}")
        if not all(isinstance(term, str) for term in [*words, *characters]):
            raise ValueError("a term is no string")
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise ArtifactError(
            "PF504", "ngrams.json", f"{str(error)[:100]}", expected="n-gram lengths and terms"
        ) from error
    return NgramVectoriser(
        words,
        characters,
        idf,
        word=(lengths[0][0], lengths[0][1]),
        character=(lengths[1][0], lengths[1][1]),
    )


def _broken(found: str, expected: str) -> ArtifactError:
    return ArtifactError("PF504", "weights.npz", found, expected=expected)
