"""Label question: a finished run asked about labels, under its terms or under changed ones."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from payoff.core.progress import Progress
from payoff.plan.judging import Judge
from payoff.plan.kept import Kept
from payoff.plan.labels.label_answer import LabelAnswer
from payoff.plan.labels.label_evidence import LabelEvidence
from payoff.plan.labels.label_texts import TextsToLabel, texts_to_label
from payoff.plan.what_if import standing


@dataclass(frozen=True, eq=False)
class LabelQuestion:
    """What a finished run kept, to be asked about labels under its terms or changed ones.

    Args:
        folder: The run's folder.
        evidence: What it measured.
        judge: Of its validation rows, under these terms.
        answer: What follows.

    Example:
        >>> LabelQuestion.of(Path("runs/support-1a2b3c")).answer.worth.sentence  # doctest: +SKIP
        'Buy 1,200 more labels at 0.08 USD each: …'
    """

    folder: Path
    evidence: LabelEvidence
    judge: Judge
    answer: LabelAnswer

    @classmethod
    def of(cls, folder: Path, assignments: Sequence[str] = ()) -> LabelQuestion:
        """Ask a finished run; nothing is trained.

        Args:
            folder: The run's folder.
            assignments: Changed terms, as for `payoff.plan.what_if.what_if`.

        Raises:
            ProjectError: PF292 where the run kept no label curve; else as `what_if` does.
        """
        evidence, kept = LabelEvidence.read(folder), Kept.read(folder)
        stands = standing(folder, assignments)
        judge = kept.judge(kept.reckoning(stands.terms))
        answer = LabelAnswer.of(evidence, stands.terms, judge, stands.worlds)
        return cls(folder, evidence, judge, answer)

    def texts(
        self, texts: Sequence[str], *, count: int | None = None, progress: Progress | None = None
    ) -> TextsToLabel:
        """Which of these texts to have labelled first.

        Raises:
            As `payoff.plan.labels.label_texts.texts_to_label` does.
        """
        return texts_to_label(
            self.folder,
            texts,
            self.answer.worth,
            self.judge.policy,
            backbone=self.evidence.backbone,
            count=count,
            seed=self.judge.seed,
            progress=progress,
        )
