"""The dashboard's addresses."""

from __future__ import annotations

import threading
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import RedirectResponse, Response

from payoff.core.codes import catalogue, http_status
from payoff.core.errors import PayoffError, ServiceError
from payoff.learn.neighbours import Neighbours
from payoff.learn.newest import newest_rows
from payoff.learn.tally import Tally
from payoff.serve.bodies import Limits
from payoff.serve.dashboard.decided import decided
from payoff.serve.dashboard.drift import cell_of, watching
from payoff.serve.dashboard.entrance import COOKIE, PATH, Entrance, Visitor, put_cookie
from payoff.serve.dashboard.form import Form
from payoff.serve.dashboard.frame import HEADERS, environment, page, static_files
from payoff.serve.dashboard.kept import Kept
from payoff.serve.dashboard.overview import overview
from payoff.serve.dashboard.queue import label, queue
from payoff.serve.dashboard.rollback import (
    VersionHistory,
    check_admin,
    go_back,
    version_history,
)
from payoff.serve.dashboard.span import DAYS, USUAL, Span, span_of
from payoff.serve.dashboard.spent import spending
from payoff.serve.dashboard.subject import Subject
from payoff.serve.dashboard.trial import trial
from payoff.serve.dashboard.trials import trials
from payoff.serve.dashboard.versions import versions
from payoff.serve.gate import Gate

if TYPE_CHECKING:
    from payoff.economics.desk import Desk
    from payoff.learn.journal import Journal
    from payoff.learn.serving_hours import ServingHours
    from payoff.serve.guard import Keys
    from payoff.serve.models import Models
    from payoff.serve.releases import Releases
    from payoff.serve.served_model import ServedModel

TRIAL_S = 30.0
"""How long a page waits for a trial; an endpoint that hangs is asked twice in that time."""

_KEY_BYTES = 4_096
_MOST_TRIALS = 8  # that wait
Handler = Callable[[Request, Visitor], Awaitable[Response]]


class Dashboard:
    """The pages of a service.

    Args:
        models: What is served; models that keep no journal are not shown.
        keys: Who may sign in.
        gate: Through which work goes.
        releases: Change what serves.
        limits: Of one text.
        books: What is told of a month's budget.
        audit_share: Share of the review queue that is drawn by chance; None takes what projects
            state.

    Raises:
        ServiceError: PF760 where no model keeps a journal.
        MachineError: PF803 where jinja2 is not installed.
    """

    def __init__(
        self,
        models: Models[ServedModel],
        keys: Keys | None,
        gate: Gate,
        releases: Releases,
        *,
        limits: Limits,
        books: Sequence[ServingHours] = (),
        audit_share: float | None = None,
    ) -> None:
        shown = {one.name: one.service.journal for one in models}
        if keys is None or not any(shown.values()):
            raise ServiceError("PF760", "dashboard", "no journal is kept")
        environment()
        self.entrance = Entrance(keys)
        self._models, self._gate, self._limits = models, gate, limits
        self._releases, self._audit_share = releases, audit_share
        self._budgets = {one.project: one.per_month for one in books}
        self._journals = {name: book for name, book in shown.items() if book is not None}
        one_each = {id(book): Tally(book) for book in self._journals.values()}
        self._tallies = {name: one_each[id(book)] for name, book in self._journals.items()}
        self._kept = Kept()
        # One place a model: its endpoint may hang, and nobody else is to wait for that.
        self._trials = {
            name: Gate(max_running=1, max_waiting=_MOST_TRIALS) for name in self._journals
        }

    @contextmanager
    def warm(self) -> Iterator[None]:
        """Work out the first page while nobody waits for it yet."""

        def work() -> None:
            with suppress(PayoffError):  # whoever opens the page is told
                for name in self._journals:
                    self._overview_of(self._subject(name), span_of(USUAL))

        thread = threading.Thread(target=work, name="payoff-dashboard", daemon=True)
        thread.start()
        yield
        thread.join(timeout=5)
        self._kept.close()

    def routes(self) -> APIRouter:
        """All addresses below ``/dashboard``."""
        router = APIRouter(prefix=PATH, include_in_schema=False)
        for path, handler in (
            ("", self._overview),
            ("/decisions", self._decisions),
            ("/costs", self._costs),
            ("/experiments", self._experiments),
            ("/drift", self._drift),
            ("/review", self._review),
            ("/try", self._try),
            ("/versions", self._versions),
            ("/versions/rollback", self._rollback),
        ):
            router.add_api_route(path, self._shown(handler), methods=["GET"])
        for path, handler in (
            ("/review", self._label),
            ("/try", self._tried),
            ("/versions/rollback", self._roll_back),
            ("/logout", self._sign_out),
        ):
            router.add_api_route(path, self._shown(handler), methods=["POST"])
        router.add_api_route("/login", self._login, methods=["GET"])
        router.add_api_route("/login", self._sign_in, methods=["POST"])
        router.add_api_route("/static/{name}", _static, methods=["GET"])
        return router

    def _shown(self, handler: Handler) -> Callable[[Request], Awaitable[Response]]:
        """The handler for those who are let in; what fails becomes a page."""

        async def answer(request: Request) -> Response:
            visitor = await self.entrance.visitor(request)
            if not visitor.is_in:
                return RedirectResponse(f"{PATH}/login", 303, headers=HEADERS)
            try:
                return await handler(request, visitor)
            except PayoffError as error:
                return _failed(request, visitor, error)

        return answer

    def _model(self, request: Request) -> tuple[Desk, Journal, Tally]:
        """What the page is about: the first model with a journal where none is named."""
        name = request.query_params.get("model") or next(iter(self._journals))
        service = self._models.of(name).service
        if name not in self._journals:
            raise ServiceError("PF760", name, "no journal is kept")
        return service.desk, self._journals[name], self._tallies[name]

    def _page(self, request: Request, visitor: Visitor, name: str, **context: Any) -> Response:
        desk = self._model(request)[0]
        shared: dict[str, Any] = {
            "models": list(self._journals),
            "model": desk.name,
            "currency": desk.currency,
        }
        return page(request, visitor, name, **(shared | context))

    async def _form(self, request: Request, visitor: Visitor, max_bytes: int) -> Form:
        form = await Form.read(request, max_bytes)
        self.entrance.check_form(request, visitor, form)
        return form

    def _subject(self, name: str) -> Subject:
        others = [one for one in self._models if one.name != name]
        artifacts = frozenset(one.sha256 for other in others for one in other.services)
        return Subject(
            self._models.of(name).service.desk,
            self._journals[name],
            self._tallies[name],
            Neighbours(frozenset(one.name for one in others), artifacts),
            self._budgets.get(name),
        )

    def _of_subject(self, subject: Subject, page: str, more: str, work: Callable[[], Any]) -> Any:
        """What a page shows, as far as it is worked out; None where it is not."""
        rows = newest_rows(subject.journal)
        # What people do to experiments and alerts is shown at once, however dear the page is.
        desk, today = subject.desk, span_of(USUAL).today
        key = (page, desk.name, desk.artifact.sha256, more, today, rows[3:])
        return self._kept.get(key, rows[:3], work)

    def _overview_of(self, subject: Subject, span: Span) -> Any:
        return self._of_subject(subject, "overview", span.name, partial(overview, subject, span))

    async def _figures(
        self, request: Request, visitor: Visitor, page: str, look: Callable[[Subject, Span], Any]
    ) -> Response:
        """A page of figures about some days, or one that says that they are being added up."""
        subject = self._subject(self._model(request)[0].name)
        span = span_of(request.query_params.get("range", USUAL))
        found = await self._gate.run(partial(look, subject, span))
        shown = page if found is not None else "waits"
        more = {"span": span, "spans": list(DAYS), "at": page, "cell_of": cell_of}
        return self._page(request, visitor, shown, f=found, **more)

    async def _overview(self, request: Request, visitor: Visitor) -> Response:
        return await self._figures(request, visitor, "overview", self._overview_of)

    async def _decisions(self, request: Request, visitor: Visitor) -> Response:
        def look(subject: Subject, span: Span) -> Any:
            work = partial(decided, subject, span)
            return self._of_subject(subject, "decisions", span.name, work)

        return await self._figures(request, visitor, "decisions", look)

    async def _costs(self, request: Request, visitor: Visitor) -> Response:
        def look(subject: Subject, _: Span) -> Any:
            return self._of_subject(subject, "costs", "", partial(spending, subject))

        return await self._figures(request, visitor, "costs", look)

    async def _experiments(self, request: Request, visitor: Visitor) -> Response:
        name = request.query_params.get("experiment", "")[:200]

        def look(subject: Subject, _: Span) -> Any:
            return self._of_subject(subject, "experiments", name, partial(trials, subject, name))

        return await self._figures(request, visitor, "experiments", look)

    async def _drift(self, request: Request, visitor: Visitor) -> Response:
        def look(subject: Subject, span: Span) -> Any:
            work = partial(watching, subject, span)
            return self._of_subject(subject, "drift", span.name, work)

        return await self._figures(request, visitor, "drift", look)

    async def _review(self, request: Request, visitor: Visitor) -> Response:
        desk, journal, _ = self._model(request)
        asked = request.query_params
        work = partial(
            queue,
            desk,
            journal,
            audit_share=self._audit_share,
            after=asked.get("after", "")[:300],
            request_id=asked.get("request", "")[:200],
        )
        told = {key: asked.get(key, "")[:1000] for key in ("done", "n", "label", "after")}
        return self._page(request, visitor, "review", q=await self._gate.run(work), told=told)

    async def _label(self, request: Request, visitor: Visitor) -> Response:
        desk, journal, _ = self._model(request)
        form = await self._form(request, visitor, 65_536)
        chosen, n = await self._gate.run(partial(label, desk, journal, form, visitor.name))
        done = {"after": form.one("after"), "done": form.one("request_id"), "label": chosen}
        query = urlencode({"model": desk.name, **done, "n": str(n)})
        return RedirectResponse(f"{PATH}/review?{query}", 303, headers=HEADERS)

    async def _try(self, request: Request, visitor: Visitor) -> Response:
        return self._trial(request, visitor)

    def _trial(self, request: Request, visitor: Visitor, **context: object) -> Response:
        desk = self._model(request)[0]
        empty = {"text": "", "pair": "", "segment": "", "found": None}
        known = {"segments": list(desk.policy.segment_values), "reads_pairs": desk.reads_pairs}
        return self._page(request, visitor, "try", **(empty | known | context))

    async def _tried(self, request: Request, visitor: Visitor) -> Response:
        desk = self._model(request)[0]
        form = await self._form(request, visitor, 6 * self._limits.max_text_bytes + 65_536)
        text, pair, segment = form.one("text"), form.one("pair"), form.one("segment")
        self._limits.check([text + pair])
        second = pair if desk.reads_pairs else None
        work = partial(trial, desk, text, pair=second, segment=segment or None)
        found = await self._trials[desk.name].run(work, within_s=TRIAL_S)
        said = {"text": text, "pair": pair, "segment": segment}
        return self._trial(request, visitor, found=found, **said)

    async def _versions(self, request: Request, visitor: Visitor) -> Response:
        subject = self._subject(self._model(request)[0].name)
        found = await self._gate.run(partial(versions, subject))
        done = request.query_params.get("done", "")[:64]
        told = {"h": await self._history(request), "done": done}
        return self._page(request, visitor, "versions", v=found, **told)

    async def _history(self, request: Request) -> VersionHistory:
        desk, journal, _ = self._model(request)
        model = self._models.of(desk.name)
        return await self._gate.run(partial(version_history, model, journal))

    async def _rollback(self, request: Request, visitor: Visitor) -> Response:
        check_admin(visitor)
        return self._page(request, visitor, "rollback", h=await self._history(request))

    async def _roll_back(self, request: Request, visitor: Visitor) -> Response:
        form = await self._form(request, visitor, 65_536)
        model = self._models.of(self._model(request)[0].name)
        done = await go_back(model, self._releases, form, visitor)
        query = urlencode({"model": model.name, "done": done})
        return RedirectResponse(f"{PATH}/versions?{query}", 303, headers=HEADERS)

    async def _login(self, request: Request) -> Response:
        visitor = await self.entrance.visitor(request)
        if visitor.is_in:
            return RedirectResponse(PATH, 303, headers=HEADERS)
        if not await self.entrance.asks_for_key():
            error = ServiceError("PF765", "dashboard", "the service has no keys")
            return _failed(request, visitor, error)
        return page(request, visitor, "login", problem=None)

    async def _sign_in(self, request: Request) -> Response:
        visitor = await self.entrance.visitor(request)
        try:
            form = await self._form(request, visitor, _KEY_BYTES)
            visit = self.entrance.sign_in(request, form.one("key").strip())
        except PayoffError as error:
            if error.code not in ("PF763", "PF764"):
                return _failed(request, visitor, error)
            status = http_status(error.code)
            answer = page(request, visitor, "login", status=status, problem=error)
            if error.code == "PF763":
                answer.headers["retry-after"] = "12"
            return answer
        answer = RedirectResponse(PATH, 303, headers=HEADERS)
        put_cookie(answer, request, COOKIE, visit)
        return answer

    async def _sign_out(self, request: Request, visitor: Visitor) -> Response:
        await self._form(request, visitor, _KEY_BYTES)
        self.entrance.sessions.end(visitor.visit)
        answer = RedirectResponse(f"{PATH}/login", 303, headers=HEADERS)
        answer.delete_cookie(COOKIE, path=PATH)
        return answer


def _failed(request: Request, visitor: Visitor, error: PayoffError) -> Response:
    title, status = catalogue()[error.code].title, http_status(error.code)
    return page(request, visitor, "failed", status=status, error=error, title=title)


async def _static(name: str) -> Response:
    found = static_files().get(name)
    if found is None:
        raise ServiceError("PF768", "dashboard", f"there is no '{name[:100]}'")
    return Response(found[0], media_type=found[1], headers=HEADERS)
