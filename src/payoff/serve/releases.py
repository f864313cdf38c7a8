"""Releases: what serves is what the journal says is released, in every process, within seconds."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from starlette.concurrency import run_in_threadpool

from payoff.core.errors import EconomicsError, PayoffError, ServiceError
from payoff.serve.candidate import candidate, candidate_at
from payoff.serve.experiments import Experiments
from payoff.serve.models import Models
from payoff.serve.reply import unforeseen
from payoff.serve.served_model import ServedModel

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.versions import VersionEvent
    from payoff.serve.batches import Batches

_LOG = logging.getLogger("payoff.serve")
LOOK_S = 5.0
"""Seconds between two looks into the journals: what is released serves within twice that."""

_REPLACED = "its file was replaced"


class Releases:
    """Puts the version in place that a model's journal says is released.

    The journal's table of versions is the one that tells who serves: commands, promotions, the
    dashboard, a replaced file and other processes all write there first. Where the released version
    cannot be served here, the one before goes on, and that is told.

    Args:
        models: What is served.
        experiments: Whose arms are kept, and opened where it is known where they lie.
        tell: Told what was put in place; the log where None.

    Example:
        >>> releases = Releases(models, experiments)  # doctest: +SKIP
        >>> async with releases.followed():  # doctest: +SKIP
        ...     await releases.release(models.of("support"), sha256, {"why": "it earns more"})
    """

    def __init__(
        self,
        models: Models[ServedModel],
        experiments: Experiments,
        *,
        tell: Callable[[str], object] | None = None,
    ) -> None:
        self._models = models
        self._experiments = experiments
        self._tell: Callable[[str], object] = tell or _LOG.info
        self._folders = {
            one.name: list(dict.fromkeys(path.resolve().parent for path in one.named))
            for one in models
        }
        self._settled: set[str] = set()
        self._failed: dict[tuple[str, str], object] = {}
        self._failing: dict[str, str] = {}
        self._turn = asyncio.Lock()
        self._ending: set[asyncio.Task[None]] = set()
        self._wanted = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._reload = False

    @asynccontextmanager
    async def followed(self) -> AsyncIterator[None]:
        """Follow the journals while the block lasts; what is released serves from its beginning."""
        self._loop = asyncio.get_running_loop()
        await self._once()
        task = asyncio.create_task(self._follow())
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait([task, *self._ending])

    def reload_soon(self) -> None:
        """Read artifacts again from their files; safe to call from a signal's handler."""
        self._reload = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._wanted.set)

    async def look(self) -> None:
        """Look into the journals once, and follow what they say."""
        async with self._turn:
            for model in self._models:
                if model.journal is not None:
                    await self._guarded(model, self._look_at(model, model.journal))

    async def reload(self) -> None:
        """Read the artifacts that are served again from their files; what changed is released."""
        async with self._turn:
            self._failed.clear()
            for model in self._models:
                for path, sha256 in model.files.items():
                    await self._guarded(model, self._read_again(model, path, sha256))
        await self.look()

    async def release(
        self, model: ServedModel, sha256: str, facts: Mapping[str, Any]
    ) -> VersionEvent:
        """Release a version, once it is sure that it can serve here, and let it serve.

        Raises:
            ServiceError: PF760 where no journal is kept; PF787 where nobody noted such a version;
                PF785 and PF786 where it cannot be served; PF703 to PF706 where the database fails.
        """
        from payoff.learn.versions import PLACE, history, release

        journal = _journal_of(model)
        async with self._turn:
            events = await run_in_threadpool(history, journal, model.name)
            if model.line(sha256) is None and sha256 not in {e.artifact_sha256 for e in events}:
                raise _unknown(model, sha256)
            desk = await self._bring(model, sha256, events)
            told = {PLACE: _whole(desk)} | dict(facts)
            done = await run_in_threadpool(release, journal, model.name, sha256, told)
            await self._switch(model, sha256)
        return done

    async def roll_back(
        self, model: ServedModel, sha256: str, facts: Mapping[str, Any]
    ) -> VersionEvent:
        """Withdraw a version that is released, and let the one before it serve again.

        Raises:
            ServiceError: PF760 where no journal is kept; PF772 where none was released before;
                PF788 where another version is released; PF785 and PF786 where the one before cannot
                be served; PF703 to PF706 where the database fails.
        """
        from payoff.learn.versions import (
            history,
            is_withdrawn,
            last_two,
            roll_back,
            standing_releases,
        )

        journal = _journal_of(model)
        async with self._turn:
            events = await run_in_threadpool(history, journal, model.name)
            standing = standing_releases(events)
            if not (is_withdrawn(events, sha256) and standing):
                _, before = last_two(standing, model.name, sha256)
                await self._bring(model, before.artifact_sha256, events)
            back = partial(roll_back, journal, model.name, dict(facts), withdrawing=sha256)
            done = await run_in_threadpool(back)
            if model.line(done.artifact_sha256) is not None:
                await self._switch(model, done.artifact_sha256)
        return done

    async def _follow(self) -> None:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), LOOK_S)
            self._wanted.clear()
            await self._once()

    async def _once(self) -> None:
        """Look once; read files again where that is wanted."""
        again, self._reload = self._reload, False
        try:
            await (self.reload() if again else self.look())
        except Exception as error:  # what serves goes on serving
            unforeseen(error)

    async def _guarded(self, model: ServedModel, work: Coroutine[Any, Any, None]) -> None:
        """Do work on a model; what a journal refuses is told once, and tried again later."""
        try:
            await work
            self._failing.pop(model.name, None)
        except PayoffError as error:
            if self._failing.get(model.name) != error.code:
                self._failing[model.name] = error.code
                _LOG.warning("the versions of %s could not be followed: %s", model.name, error)

    async def _look_at(self, model: ServedModel, journal: Journal) -> None:
        from payoff.learn.versions import history, standing_releases

        if model.name not in self._settled:
            await run_in_threadpool(self._settle, model, journal)
            self._settled.add(model.name)
        events = await run_in_threadpool(history, journal, model.name)
        standing = standing_releases(events)
        if standing and standing[-1].artifact_sha256 != model.sha256:
            if await self._tried(model, standing[-1].artifact_sha256, events, released=True):
                await self._switch(model, standing[-1].artifact_sha256)
        else:
            model.trouble = None
        await self._experiments.freshen()
        arms = self._experiments.arms(model)
        for sha256 in arms[1:] if arms[:1] == (model.sha256,) else ():
            await self._tried(model, sha256, events)
        self._let_go(model)

    def _settle(self, model: ServedModel, journal: Journal) -> None:
        """Note what the service is started with, and which file was replaced meanwhile."""
        from payoff.learn.versions import PLACE, begun_with, release

        begun = model.service.desk
        facts = {PLACE: _whole(begun), "why": "a service was started with it"}
        found = begun_with(journal, model.name, begun.artifact.sha256, facts)
        if model.line(found.artifact_sha256) is not None:
            return
        noted = str(found.facts.get(PLACE) or "")
        places = {str((folder / noted).resolve()) for folder in self._folders[model.name]}
        for path, sha256 in model.named.items():
            if noted and str(path.resolve()) in places:
                told = {PLACE: str(path.resolve()), "why": _REPLACED}
                release(journal, model.name, sha256, told)
                return

    async def _tried(
        self,
        model: ServedModel,
        sha256: str,
        events: Sequence[VersionEvent],
        *,
        released: bool = False,
    ) -> bool:
        """Whether a version is loaded now; where it cannot be, that is told once for each file."""
        from payoff.learn.versions import place_in
        from payoff.learn.whereabouts import marks

        key, folders = (model.name, sha256), self._folders[model.name]
        seen = await run_in_threadpool(marks, place_in(events, sha256), folders)
        if model.line(sha256) is None and self._failed.get(key) == seen:
            return False
        try:
            await self._bring(model, sha256, events)
        except ServiceError as error:
            if error.code not in (
                "PF785",
                "PF786",
            ):  # the journal's failure is no fault of the file
                raise
            self._failed[key] = seen
            if released:
                model.trouble = error
            _LOG.error("%s goes on with %s: %s", model.name, model.sha256[:12], error)
            return False
        return True

    async def _bring(self, model: ServedModel, sha256: str, events: Sequence[VersionEvent]) -> Desk:
        """Make sure that a version is loaded."""
        from payoff.learn.versions import place_in

        line = model.line(sha256)
        if line is None:
            folders = self._folders[model.name]
            opened = partial(candidate, sha256, place_in(events, sha256), folders, model)
            line = await self._taken_in(model, await run_in_threadpool(opened))
        self._failed.pop((model.name, sha256), None)
        return line.service.desk

    async def _taken_in(self, model: ServedModel, desk: Desk) -> Batches:
        """Its line; where its books refuse it, it is closed again.

        Raises:
            ServiceError: PF785 where they do; PF703 to PF706 where the database fails.
        """
        from payoff.learn.whereabouts import not_to_be_had

        try:
            await run_in_threadpool(model.prepare, desk)
        except PayoffError as error:
            desk.close()
            if isinstance(error, EconomicsError):
                raise not_to_be_had(desk.artifact.sha256, str(error)) from error
            raise
        return model.add(desk)

    async def _read_again(self, model: ServedModel, path: Path, before: str) -> None:
        """Read one file again; where it changed and its version serves, release what it is now."""
        from payoff.learn.versions import PLACE, release

        try:
            new = await run_in_threadpool(candidate_at, path, model)
            sha256 = new.artifact.sha256
            if model.line(sha256) is None:
                await self._taken_in(model, new)
            else:
                new.close()
        except ServiceError as error:
            _LOG.error("%s goes on with %s: %s", model.name, before[:12], error)
            return
        model.note_file(path, sha256)
        if sha256 == before or before != model.sha256:
            return
        if model.journal is not None:
            told = {PLACE: str(path.resolve()), "why": _REPLACED}
            await run_in_threadpool(release, model.journal, model.name, sha256, told)
        await self._switch(model, sha256)

    async def _switch(self, model: ServedModel, sha256: str) -> None:
        before = model.sha256
        model.switch(sha256)
        if before != sha256:
            self._tell(f"{model.name}: version {sha256[:12]} serves, {before[:12]} no longer")
        self._let_go(model)

    def _let_go(self, model: ServedModel) -> None:
        """Close what nobody needs, once all that waits there is answered."""
        for line in model.let_go(self._experiments.arms(model)):
            task = asyncio.create_task(run_in_threadpool(model.end, line))
            self._ending.add(task)
            task.add_done_callback(self._ending.discard)


def _whole(desk: Desk) -> str:
    """Where an artifact lies, in full."""
    return str(desk.artifact.path.resolve())


def _journal_of(model: ServedModel) -> Journal:
    if model.journal is None:
        raise ServiceError("PF760", f"versions of '{model.name}'", "no journal is kept")
    return model.journal


def _unknown(model: ServedModel, sha256: str) -> ServiceError:
    return ServiceError(
        "PF787",
        f"versions of '{model.name}'",
        f"there is no {sha256[:100]}",
        mend="Look at payoff versions list, or release the file: payoff versions release FILE.",
    )
