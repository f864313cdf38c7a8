"""The workbench: what all candidates of one search share, each thing computed at most once."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from payoff.adapt.backbones.backbone import Backbone
from payoff.adapt.backbones.find import find
from payoff.adapt.backbones.installation import ensure
from payoff.adapt.backbones.separator import separator_of
from payoff.adapt.backbones.tokenizer import load_tokenizer
from payoff.adapt.engine.tokens import Tokens, tokenise
from payoff.adapt.tasks.classes import Classes
from payoff.adapt.tasks.task import Task
from payoff.artifact.runtime.long_texts import MAX_PIECES
from payoff.core.pair import SIGN
from payoff.core.progress import Progress, Silent

if TYPE_CHECKING:
    from tokenizers import Tokenizer

    from payoff.adapt.engine.encoder import Encoder
    from payoff.adapt.engine.trunk import Trunk
    from payoff.adapt.recipes.linear import LinearHead

_LONGEST = 256  # tokens: what is served in a few milliseconds; a longer text is cut into pieces


@dataclass(frozen=True)
class Workbench:
    """Texts, targets and shared activations of a search.

    Args:
        texts: All texts that may be learnt from, training and validation, ``n_texts``.
        targets: What each text should be given, one row a text, as ``task`` reads it: the class
            as an index into ``labels``, ``(n_texts,)``, unless another task is named.
        labels: Names of the outputs: classes, unless another task is named.
        train: Rows that are trained on.
        validation: Rows that are judged on; never trained on.
        backbones: Names of the backbones that candidates may use.
        folder: Where activations may be kept; removed by whoever made it.
        seed: Seed of everything random.
        progress: Who listens.
        unlabelled: More texts of the same kind, without labels; none of those to be judged on.
        descriptions: Label to what it means, in a sentence or two; labels may be missing.
        task: What a text is given.
        later: Training rows that came after the others, where that is told.
        shared: Where may be kept what does not depend on texts without labels; None for ``folder``.
    """

    texts: tuple[str, ...]
    targets: NDArray[Any]
    labels: tuple[str, ...]
    train: NDArray[np.int64]
    validation: NDArray[np.int64]
    backbones: tuple[str, ...]
    folder: Path
    seed: int = 0
    progress: Progress = field(default_factory=Silent)
    unlabelled: tuple[str, ...] = ()
    descriptions: Mapping[str, str] = field(default_factory=dict)
    task: Task = field(default_factory=Classes)
    later: NDArray[np.int64] = field(default_factory=lambda: np.zeros(0, dtype=np.int64))
    shared: Path | None = None
    _opened: dict[str, Opened] = field(default_factory=dict)

    @property
    def train_targets(self) -> NDArray[Any]:
        """Targets of the training rows, ``n_train`` of them."""
        return self.targets[self.train]

    @cached_property
    def has_pairs(self) -> bool:
        """Whether some texts are pairs, joined as `payoff.core.pair` says."""
        return any(SIGN in text for text in self.texts)

    def opened(self, name: str) -> Opened:
        """A backbone with these texts; installed, read and tokenised at the first call.

        Raises:
            BackboneError: PF301 for an unknown name; PF302 for altered weights.
            MachineError: PF804 where it must be fetched and the network is missing.
        """
        if name not in self._opened:
            backbone = find(name)
            folder = ensure(name, self.progress)
            self._opened[name] = Opened(backbone, folder, self)
        return self._opened[name]

    @cached_property
    def with_unlabelled(self) -> Workbench:
        """The same with the texts without labels as rows behind the others, of no class.

        They are neither trained on nor judged on. It is the same workbench where there are none;
        else activations are computed anew, and shared by all that ask for it here.
        """
        if not self.unlabelled:
            return self
        nothing = np.zeros((len(self.unlabelled), *self.targets.shape[1:]), self.targets.dtype)
        which = hashlib.sha256("\0".join(self.unlabelled).encode()).hexdigest()[:8]
        return replace(
            self,
            texts=(*self.texts, *self.unlabelled),
            targets=np.concatenate([self.targets, nothing]),
            folder=self.folder / f"with-{which}",
            unlabelled=(),
            shared=self.shared or self.folder,
            _opened={},
        )

    def with_more(self, unlabelled: tuple[str, ...]) -> Workbench:
        """The same with further texts without labels.

        What its backbones make of its texts is computed anew.
        """
        if not unlabelled:
            return self
        which = hashlib.sha256("\0".join(unlabelled).encode()).hexdigest()[:8]
        return replace(
            self,
            unlabelled=(*self.unlabelled, *unlabelled),
            folder=self.folder / f"and-{which}",
            shared=self.shared or self.folder,
            _opened={},
        )

    def using(self, backbones: tuple[str, ...]) -> Workbench:
        """The same workbench, shared activations and all, with other backbones to use."""
        return replace(self, backbones=backbones)

    def on_all_rows(self) -> Workbench:
        """The same workbench, shared activations and all, trained on every row."""
        return replace(
            self, train=np.arange(len(self.texts)), validation=np.zeros(0, dtype=np.int64)
        )


@dataclass
class Opened:
    """A backbone on a workbench: its tokenizer, the tokens, its encoder and the trunk cache."""

    backbone: Backbone
    folder: Path
    bench: Workbench
    start_heads: dict[str, LinearHead] = field(default_factory=dict)
    """Those that `recipes.start_head` fitted, by their rows."""

    @cached_property
    def tokenizer(self) -> Tokenizer:
        """The backbone's tokenizer."""
        return load_tokenizer(self.folder)

    @cached_property
    def max_tokens(self) -> int:
        """Longest piece of a text: 99.5 % of these texts are whole, as far as the window allows.

        A multiple of 16. Static vectors have no window: they take a text as one, and no more of
        it than an encoder would read in all its pieces.
        """
        if self.backbone.family == "static":
            return self.window
        longest = tokenise(
            self.bench.texts,
            self.tokenizer,
            max_tokens=self.window,
            prefix=self.backbone.prefix,
            separator=self.separator,
        ).lengths
        return int(min(self.window, 16 * np.ceil(np.quantile(longest, 0.995) / 16) + 16))

    @cached_property
    def separator(self) -> str:
        """What stands between the texts of a pair; empty where the texts are no pairs."""
        return separator_of(load_tokenizer(self.folder)) if self.bench.has_pairs else ""

    @property
    def max_pieces(self) -> int:
        """Most pieces that a longer text is cut into; what is beyond is left out."""
        return 1 if self.backbone.family == "static" else MAX_PIECES

    @property
    def window(self) -> int:
        """Longest piece of a text that the backbone takes, in tokens."""
        if self.backbone.family == "static":
            return min(self.backbone.max_tokens, MAX_PIECES * _LONGEST)
        shape = self.encoder.shape
        return min(self.backbone.max_tokens, shape.positions - shape.first_position, _LONGEST)

    @cached_property
    def tokens(self) -> Tokens:
        """All texts of the workbench as tokens."""
        return self._tokenised(self.bench.texts)

    @cached_property
    def unlabelled_tokens(self) -> Tokens:
        """The texts without labels as tokens."""
        return self._tokenised(self.bench.unlabelled)

    def _tokenised(self, texts: tuple[str, ...]) -> Tokens:
        tokens = tokenise(
            texts,
            self.tokenizer,
            max_tokens=self.max_tokens,
            prefix=self.backbone.prefix,
            max_pieces=self.max_pieces,
            separator=self.separator,
        )
        if tokens.n_cut:
            self.bench.progress.say(
                f"{tokens.n_cut:,} of {len(texts):,} texts are longer than"
                f" {self.max_pieces * self.max_tokens:,} tokens of {self.backbone.name}: what is"
                " beyond is not read."
            )
        return tokens

    @cached_property
    def encoder(self) -> Encoder:
        """The pretrained encoder, frozen."""
        from payoff.adapt.engine.architectures import load

        return load(self.folder, pooling=self.backbone.pooling)

    @cached_property
    def trunk(self) -> Trunk:
        """Activations of all texts."""
        return self._trunk_of(self.tokens)

    @cached_property
    def unlabelled_trunk(self) -> Trunk:
        """Activations of the texts without labels."""
        ids = hashlib.sha256(self.unlabelled_tokens.ids.tobytes()).hexdigest()[:8]
        return self._trunk_of(self.unlabelled_tokens, f"-unlabelled-{ids}")

    def _trunk_of(self, tokens: Tokens, which: str = "") -> Trunk:
        from payoff.adapt.engine.trunk import Trunk

        # Two folders of the user's may have one name.
        place = hashlib.sha256(str(self.folder.resolve()).encode()).hexdigest()[:8]
        # Versions without pieces kept activations of cut texts in a folder of the plain name.
        pieces = "" if tokens.pieces is None else "-pieces"
        return Trunk(
            self.encoder,
            tokens,
            self.bench.progress,
            folder=self.bench.folder / f"{self.folder.name}-{place}{which}{pieces}",
        )

    @cached_property
    def static(self) -> NDArray[np.float32]:
        """Normalised mean of static token vectors, ``(n_texts, width)``."""
        return self._averaged(self.tokens)

    @cached_property
    def unlabelled_static(self) -> NDArray[np.float32]:
        """The same of the texts without labels."""
        return self._averaged(self.unlabelled_tokens)

    def _averaged(self, tokens: Tokens) -> NDArray[np.float32]:
        from payoff.adapt.backbones.static_table import load_static_table

        table = load_static_table(self.folder).astype(np.float32)
        lengths = tokens.lengths
        owner = np.repeat(np.arange(len(lengths)), lengths)
        summed = np.zeros((len(lengths), table.shape[1]), np.float32)
        for start in range(0, len(owner), 1 << 16):  # a bounded piece of the gathered vectors
            piece = slice(start, start + (1 << 16))
            np.add.at(summed, owner[piece], table[tokens.ids[piece]])
        norm = np.linalg.norm(summed, axis=1, keepdims=True)
        pooled: NDArray[np.float32] = summed / np.maximum(norm, 1e-12)
        return pooled

    def forward_seconds(self) -> float:
        """Seconds of one pass of all texts through the encoder: measured, else from a sample."""
        if self.trunk.forward_seconds is None:
            self.trunk.measure(seconds=0.5, clock=time.perf_counter)
        assert self.trunk.forward_seconds is not None
        return self.trunk.forward_seconds
