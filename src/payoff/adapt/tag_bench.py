"""The workbench of texts whose entities are to be found."""

from __future__ import annotations

from dataclasses import dataclass, field

from payoff.adapt.engine.tag_windows import Labelled
from payoff.adapt.tagged_texts import TaggedTexts
from payoff.adapt.workbench import Workbench


@dataclass(frozen=True)
class TagBench(Workbench):
    """A workbench whose ``labels`` are kinds of entities; its ``targets`` mean nothing.

    Args:
        spans: Entities of each text, ``n_texts`` of sequences.
    """

    spans: tuple[tuple[Labelled, ...], ...] = ()
    _tagged: dict[str, TaggedTexts] = field(default_factory=dict)

    def tagged(self, name: str) -> TaggedTexts:
        """The windows and tags of these texts for a backbone; made at the first call."""
        if name not in self._tagged:
            self._tagged[name] = TaggedTexts(
                self.opened(name),
                self.texts,
                self.spans,
                self.labels,
                folder=self.folder,
                progress=self.progress,
                seed=self.seed,
            )
        return self._tagged[name]
