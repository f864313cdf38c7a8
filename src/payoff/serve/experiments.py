"""Experiments: which version of a model decides on a request while an experiment runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from payoff.core.errors import PayoffError
from payoff.serve.batches import Batches
from payoff.serve.bodies import DecideRequest
from payoff.serve.models import Models
from payoff.serve.served_model import ServedModel
from payoff.serve.service import Answer, Place

if TYPE_CHECKING:
    from payoff.learn.experiments.course import Course
    from payoff.learn.journal import Journal

_LOG = logging.getLogger("payoff.serve")
_FRESH_S = 10.0  # an experiment does not count the first minute after a change


class Experiments:
    """Sends requests to the arms of the experiments that run in the journals of the models.

    Journals are asked every ten seconds, so that every process that serves from one soon knows of
    a start, a ramp and an end. What is promoted is a release (`payoff.serve.releases`). An
    experiment is left alone, and that is told, where an arm is not loaded here, or where its
    control is not the version that serves: half an experiment would compare nothing. In a hold-back
    it is the treatment that serves, and the control that is asked beside it.

    Args:
        models: What is served.
        clock: Seconds that only grow.

    Example:
        >>> arms = Experiments(models)  # doctest: +SKIP
        >>> (await arms.decide(models.of("support"), asked, begin)).decisions  # doctest: +SKIP
    """

    def __init__(
        self, models: Models[ServedModel], *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._models = models
        self._clock = clock
        self._read_at = -_FRESH_S
        self._reading: asyncio.Lock | None = None
        self._courses: dict[str, Course] = {}
        self._told: set[tuple[str, str]] = set()
        self._shadows: set[asyncio.Task[None]] = set()

    def arms(self, model: ServedModel) -> tuple[str, ...]:
        """The versions that the experiment on a model needs, by SHA-256; none where none runs.

        The first one is the one that must serve.
        """
        course = self._courses.get(model.name)
        return () if course is None else (course.experiment.serving, course.experiment.beside)

    async def decide(self, model: ServedModel, asked: DecideRequest, begin: float) -> Answer:
        """The answer of the version whose turn it is, once it is written down.

        Args:
            model: What is asked.
            asked: The request.
            begin: When it came, by `time.perf_counter`.

        Raises:
            PayoffError: As `Batches.decide`.
        """
        if model.n_versions > 1:
            await self.freshen()
        course = self._courses.get(model.name)
        lines = None if course is None else self._lines(model, course)
        if course is None or lines is None:
            return await model.usual.decide(asked, begin)
        from payoff.learn.entry import customer_hash
        from payoff.learn.experiments.assignment import CONTROL, TREATMENT, arm_of

        assert model.journal is not None
        control, treatment = lines
        customer = customer_hash(asked.customer or "", model.journal.salt)
        arm = arm_of(course, customer, asked.request_id)
        name = course.experiment.name
        chosen = treatment if arm == TREATMENT else control
        answer = await chosen.decide(asked, begin, Place(name, arm))
        if course.in_shadow and arm == CONTROL:
            self._ask_aside(treatment, asked, Place(name, TREATMENT, shadow=True))
        return answer

    def _ask_aside(self, treatment: Batches, asked: DecideRequest, place: Place) -> None:
        """Ask the shadow; nobody waits for it, and nobody suffers where it fails."""

        async def ask() -> None:
            try:
                await treatment.decide(asked, time.perf_counter(), place)
            except PayoffError as error:
                _LOG.warning("the shadow did not decide on a request: %s", error.code)

        task = asyncio.create_task(ask())
        self._shadows.add(task)
        task.add_done_callback(self._shadows.discard)

    def _lines(self, model: ServedModel, course: Course) -> tuple[Batches, Batches] | None:
        """Where control and treatment are asked; None where the experiment is left alone."""
        experiment = course.experiment
        if experiment.serving != model.sha256:
            self._leave_alone(experiment.name, "another version serves", experiment.serving)
            return None
        beside = model.line(experiment.beside)
        if beside is None:
            self._leave_alone(experiment.name, "it is not served here", experiment.beside)
            return None
        return (beside, model.usual) if experiment.is_hold_back else (model.usual, beside)

    def _leave_alone(self, name: str, why: str, sha256: str) -> None:
        if (name, why) not in self._told:
            self._told.add((name, why))
            _LOG.warning("experiment %s is left alone: artifact %s: %s", name, sha256[:12], why)

    async def freshen(self) -> None:
        """Read the journals again where that is due."""
        if self._clock() - self._read_at < _FRESH_S:
            return
        self._reading = self._reading or asyncio.Lock()
        async with self._reading:
            if self._clock() - self._read_at >= _FRESH_S:
                self._courses = await run_in_threadpool(self._read)
                self._read_at = self._clock()

    def _read(self) -> dict[str, Course]:
        """The experiments that run, by model."""
        found: dict[str, Course] = {}
        names: dict[int, tuple[Journal, set[str]]] = {}
        for model in self._models:
            if model.journal is not None:
                names.setdefault(id(model.journal), (model.journal, set()))[1].add(model.name)
        for journal, mine in names.values():
            found |= self._running(journal, mine)
        return found

    def _running(self, journal: Journal, names: set[str]) -> dict[str, Course]:
        from payoff.learn.experiments.book import courses

        try:
            return {
                one.experiment.model: one
                for one in courses(journal)
                if one.running and one.experiment.model in names
            }
        except PayoffError as error:  # what is known goes on: the decision itself tells the failure
            _LOG.warning("experiments could not be read: %s", error.code)
            return {name: one for name, one in self._courses.items() if name in names}
