"""Experiments: which version of a model decides on a request while an experiment runs."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from starlette.concurrency import run_in_threadpool

from payoff.core.errors import PayoffError
from payoff.serve.batches import Batches
from payoff.serve.bodies import DecideRequest
from payoff.serve.service import Answer, Place

if TYPE_CHECKING:
    from payoff.learn.experiments.course import Course
    from payoff.learn.journal import Journal

_LOG = logging.getLogger("payoff.serve")
_FRESH_S = 10.0  # an experiment does not count the first minute after a change


class Experiments:
    """Sends requests to the arms of the experiments that run in a journal.

    The journal is asked every ten seconds, so that every process that serves from it soon knows of
    a start, a ramp, a promotion and a stop. Where an arm is not loaded here, the experiment is left
    alone and that is told: half an experiment would compare nothing.

    Args:
        journal: Keeps the experiments; None for none.
        models: What is served, each by its usual version.
        versions: All that is loaded, by the SHA-256 of its artifact.
        clock: Seconds that only grow.

    Example:
        >>> arms = Experiments(journal, models, versions)  # doctest: +SKIP
        >>> (await arms.decide(models.of("support"), asked, begin)).decisions  # doctest: +SKIP
    """

    def __init__(
        self,
        journal: Journal | None,
        models: Iterable[Batches],
        versions: dict[str, Batches],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._journal = journal
        self._names = [one.name for one in models]
        self._versions = versions
        self._clock = clock
        self._read_at = -_FRESH_S
        self._reading: asyncio.Lock | None = None
        self._courses: dict[str, Course] = {}
        self._told: set[str] = set()
        self._shadows: set[asyncio.Task[None]] = set()

    async def decide(self, usual: Batches, asked: DecideRequest, begin: float) -> Answer:
        """The answer of the version whose turn it is, once it is written down.

        Args:
            usual: The model that is asked, by its usual version.
            asked: The request.
            begin: When it came, by `time.perf_counter`.

        Raises:
            PayoffError: As `Batches.decide`.
        """
        course = await self._course(usual)
        if course is None:
            return await usual.decide(asked, begin)
        from payoff.learn.entry import customer_hash
        from payoff.learn.experiments.assignment import CONTROL, TREATMENT, arm_of

        assert self._journal is not None
        experiment = course.experiment
        control = self._versions[experiment.control]
        treatment = self._versions[experiment.treatment]
        customer = customer_hash(asked.customer or "", self._journal.salt)
        arm = arm_of(course, customer, asked.request_id)
        if course.over:  # promoted: it decides on everybody, and nothing is compared any more
            return await treatment.decide(asked, begin)
        chosen = treatment if arm == TREATMENT else control
        answer = await chosen.decide(asked, begin, Place(experiment.name, arm))
        if course.in_shadow and arm == CONTROL:
            self._ask_aside(treatment, asked, Place(experiment.name, TREATMENT, shadow=True))
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

    async def _course(self, usual: Batches) -> Course | None:
        """The experiment that runs on a model, or has promoted another version."""
        if self._journal is None or len(self._versions) < 2:
            return None
        if self._clock() - self._read_at >= _FRESH_S:
            self._reading = self._reading or asyncio.Lock()
            async with self._reading:
                if self._clock() - self._read_at >= _FRESH_S:
                    self._courses = await run_in_threadpool(self._read)
                    self._read_at = self._clock()
        return self._courses.get(usual.name)

    def _read(self) -> dict[str, Course]:
        from payoff.learn.experiments.book import courses
        from payoff.learn.experiments.course import PROMOTED

        assert self._journal is not None
        try:
            all_courses = courses(self._journal)
        except PayoffError as error:  # what is known goes on: the decision itself tells the failure
            _LOG.warning("experiments could not be read: %s", error.code)
            return self._courses
        found: dict[str, Course] = {}
        for course in all_courses:
            experiment = course.experiment
            if experiment.model not in self._names or not (
                course.running or course.over == PROMOTED
            ):
                continue
            missing = [
                one
                for one in (experiment.control, experiment.treatment)
                if one not in self._versions
            ]
            if not missing:
                found[experiment.model] = course
            elif course.running and experiment.name not in self._told:
                self._told.add(experiment.name)
                _LOG.warning(
                    "experiment %s is left alone: the artifact %s is not served here",
                    experiment.name,
                    missing[0][:12],
                )
        return found
