"""The study behind a sweep: what was proposed and how it ended, by Optuna, in an SQLite file.

Each proposal is drawn by a sampler that is seeded anew from the sweep's seed and the number of
trials that ended before it. So a study that a killed process left goes on with the proposals that
it would have made anyway.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from payoff.adapt.recipes.range import Range
from payoff.core.errors import MachineError
from payoff.core.extras import require
from payoff.core.files import disk_errors

if TYPE_CHECKING:
    import optuna

_STARTUP = 6  # trials before the sampler learns from them, and before any is stopped
_MORE_STARTUP_FOR = 2  # trials a setting, where there are few settings


@dataclass(frozen=True, slots=True)
class Proposal:
    """Settings to try.

    Args:
        number: How many were proposed before in this study.
        settings: Setting to value.
        trial: Optuna's own.
    """

    number: int
    settings: Mapping[str, Any]
    trial: optuna.trial.Trial


@dataclass(frozen=True, slots=True)
class Ended:
    """A proposal that came to an end.

    Args:
        number: As of the proposal.
        settings: Setting to value.
        status: ``"trained"``, ``"stopped"``, ``"failed"`` or ``"not run"``.
        facts: What `Study.end` was told, as plain values.
    """

    number: int
    settings: Mapping[str, Any]
    status: str
    facts: Mapping[str, Any]


class Study:
    """Proposals and their ends.

    Args:
        study: Optuna's own.
        space: Setting to range.
        usual: The value of each setting that is tried first.
        seed: Seed of the proposals.
    """

    def __init__(
        self,
        study: optuna.Study,
        space: Mapping[str, Range],
        usual: Mapping[str, Any],
        *,
        seed: int,
    ) -> None:
        import optuna

        self._optuna = optuna
        self._study = study
        self._seed = seed
        self._space = dict(space)
        self._usual = dict(usual)
        self._distributions = {name: _distribution(where) for name, where in space.items()}

    def propose(self) -> Proposal:
        """What to try next; the usual settings first."""
        n_ended = len(self.ended())
        self._study.sampler = self._optuna.samplers.TPESampler(
            seed=int(np.random.SeedSequence([self._seed, n_ended]).generate_state(1)[0]),
            n_startup_trials=self._n_startup,
        )
        trial = self._study.ask(self._distributions)
        return Proposal(n_ended, self._rounded(trial.params), trial)

    def goes_on(self, proposal: Proposal, rung: int, loss: float) -> bool:
        """Whether a trial with this loss at a rung is no worse than the median of the others."""
        proposal.trial.report(loss, rung)
        return not proposal.trial.should_prune()

    def end(
        self, proposal: Proposal, status: str, loss: float | None, facts: Mapping[str, Any]
    ) -> None:
        """A trial came to an end; it counts for what is proposed next where it was trained.

        Args:
            proposal: Which.
            status: As `Ended` has it.
            loss: What is to be made small; None where it is not known.
            facts: What else to keep, as plain values.
        """
        states = self._optuna.trial.TrialState
        trial = proposal.trial
        trial.set_user_attr("facts", dict(facts))
        trial.set_user_attr("number", proposal.number)
        trial.set_user_attr("status", status)  # last: what has a status has ended
        if status == "trained":
            self._study.tell(trial, loss)
        else:
            self._study.tell(trial, state=states.PRUNED if status == "stopped" else states.FAIL)

    def ended(self) -> list[Ended]:
        """All trials that came to an end, in order."""
        return [
            Ended(
                attributes["number"],
                self._rounded(trial.params),
                attributes["status"],
                attributes["facts"],
            )
            for trial in self._study.get_trials(deepcopy=False)
            if trial.state.is_finished() and "status" in (attributes := trial.user_attrs)
        ]

    def _rounded(self, values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: value if value == self._usual[name] else self._space[name].rounded(value)
            for name, value in values.items()
        }

    @property
    def _n_startup(self) -> int:
        return min(_STARTUP, _MORE_STARTUP_FOR * len(self._space) + 1)

    def take_up(self) -> None:
        """Give the usual settings the first turn, and what a killed process left the next."""
        states = self._optuna.trial.TrialState
        self._study.enqueue_trial(self._usual, skip_if_exists=True)
        for left in self._study.get_trials(deepcopy=False, states=(states.RUNNING,)):
            self._study.tell(left.number, state=states.FAIL)
            self._study.enqueue_trial(left.params)


@contextmanager
def opened_study(
    file: Path, name: str, space: Mapping[str, Range], usual: Mapping[str, Any], *, seed: int
) -> Iterator[Study]:
    """Find the study of this name in a file, or begin it.

    Args:
        file: An SQLite file, made where it is missing.
        name: Name of the study.
        space: Setting to range.
        usual: The value of each setting that is tried first.
        seed: Seed of the proposals.

    Raises:
        MachineError: PF803 where the extra ``sweep`` is not installed; PF801 or PF802 where the
            file cannot be written.
    """
    optuna = require("optuna", "sweep", "looking for better settings")
    loud = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    file.parent.mkdir(parents=True, exist_ok=True)
    try:
        with disk_errors(file):
            storage = optuna.storages.RDBStorage(f"sqlite:///{file.resolve().as_posix()}")
    except Exception as error:  # SQLAlchemy's and SQLite's, which are not ours to name
        raise _unusable(file, error) from error
    try:
        found = optuna.create_study(
            storage=storage,
            study_name=name,
            load_if_exists=True,
            direction="minimize",
            pruner=optuna.pruners.MedianPruner(n_startup_trials=_STARTUP - 1),
        )
        study = Study(found, space, usual, seed=seed)
        study.take_up()
        yield study
    except optuna.exceptions.StorageInternalError as error:
        raise _unusable(file, error.__cause__ or error) from error
    finally:
        storage.remove_session()
        storage.engine.dispose()
        optuna.logging.set_verbosity(loud)


def _unusable(file: Path, error: BaseException) -> MachineError:
    return MachineError(
        "PF802",
        str(file),
        f"the study cannot be read or written: {str(error).splitlines()[0]}",
        mend="Remove the file where it is damaged: what was trained is kept beside it. Else see "
        "that the disk has room and may be written.",
    )


def _distribution(where: Range) -> optuna.distributions.BaseDistribution:
    from optuna import distributions

    if where.choices:
        return distributions.CategoricalDistribution(where.choices)
    if where.whole:
        return distributions.IntDistribution(int(where.low), int(where.high), log=where.log)
    return distributions.FloatDistribution(where.low, where.high, log=where.log)
