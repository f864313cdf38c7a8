"""Figures of the service for Prometheus."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from prometheus_client.metrics_core import Metric
from prometheus_client.registry import Collector

from payoff.core.errors import PayoffError
from payoff.economics.actions import HANDOFF
from payoff.serve.endpoints import asked_endpoints

if TYPE_CHECKING:
    from payoff.serve.served_model import ServedModel
    from payoff.serve.service import Answer

CONTENT_TYPE = CONTENT_TYPE_LATEST
_OPEN = {"closed": 0.0, "half-open": 0.5, "open": 1.0}
_SECONDS = (0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0)


class Figures:
    """What is counted: decisions and what they are worth, refusals, seconds, requests in line.

    Args:
        models: What is served.
        versions: Further versions of these, of which the endpoints are told too.

    Example:
        >>> b"payoff_feedback_total" in Figures([]).text()
        True
    """

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self.registry = CollectorRegistry()
        self._decisions = Counter(
            "payoff_decisions",
            "Texts that were decided on, by model, version, tier and whether a person gets them.",
            ("model", "version", "tier", "handoff"),
            registry=self.registry,
        )
        self._worth = Counter(
            "payoff_expected_worth_positive",
            "Expected worth of the decisions that are worth more than nothing.",
            ("model", "currency"),
            registry=self.registry,
        )
        self._cost = Counter(
            "payoff_expected_worth_negative",
            "What the decisions that are worth less than nothing are expected to cost.",
            ("model", "currency"),
            registry=self.registry,
        )
        self._seconds = Histogram(
            "payoff_decide_seconds",
            "From a request's arrival to its answer.",
            ("model",),
            buckets=_SECONDS,
            registry=self.registry,
        )
        self._refused = Counter(
            "payoff_refused", "Requests that failed, by code.", ("code",), registry=self.registry
        )
        self._feedback = Counter(
            "payoff_feedback", "Feedback that was written.", ("source",), registry=self.registry
        )
        inside = Gauge(
            "payoff_requests_inside",
            "Requests that wait, are decided or are written down.",
            ("model",),
            registry=self.registry,
        )
        aside = Gauge(
            "payoff_requests_aside",
            "Those of them that wait for an endpoint, outside the line.",
            ("model",),
            registry=self.registry,
        )
        missing = Gauge(
            "payoff_release_missing",
            "1 where the version that is released cannot be served here.",
            ("model",),
            registry=self.registry,
        )
        for one in models:
            missing.labels(one.name).set_function(lambda one=one: float(one.trouble is not None))  # type: ignore[misc]
            inside.labels(one.name).set_function(lambda one=one: float(one.inside))  # type: ignore[misc]
            aside.labels(one.name).set_function(lambda one=one: float(one.aside))  # type: ignore[misc]
        self.registry.register(_Endpoints(models))

    def decided(self, answer: Answer, seconds: float) -> None:
        """Count a request that was answered."""
        model, version = answer.service.name, answer.service.sha256
        self._seconds.labels(model).observe(seconds)
        for one in answer.decisions:
            handoff = "yes" if one.action == HANDOFF else "no"
            self._decisions.labels(model, version[:12], one.tier, handoff).inc()
            worth = float(one.worth)
            count = self._worth if worth >= 0 else self._cost
            count.labels(model, one.worth.currency).inc(abs(worth))

    @contextmanager
    def refusals(self) -> Iterator[None]:
        """Count a request that fails in here."""
        try:
            yield
        except PayoffError as error:
            self._refused.labels(error.code).inc()
            raise

    def told(self, source: str, n: int) -> None:
        """Count feedback."""
        self._feedback.labels(source).inc(n)

    def text(self) -> bytes:
        """All of them, as Prometheus reads them."""
        return generate_latest(self.registry)


class _Endpoints(Collector):
    """Whether the circuit breakers of endpoints are open, as of now."""

    def __init__(self, models: Sequence[ServedModel]) -> None:
        self._models = models

    def collect(self) -> Iterator[Metric]:
        """Both figures for every endpoint that has a breaker."""
        labels = ("model", "version", "tier")
        told = "Whether an endpoint is left alone: 1 for so, 0.5 while one attempt is let through."
        state = GaugeMetricFamily("payoff_endpoint_open", told, labels=labels)
        told = "How often an endpoint was left alone after it had answered."
        opened = CounterMetricFamily("payoff_endpoint_opened", told, labels=labels)
        for service in (one for model in self._models for one in model.services):
            for tier, client in asked_endpoints(service.desk):
                if client.breaker is not None:
                    values = (service.name, service.sha256[:12], tier)
                    state.add_metric(values, _OPEN[client.breaker.state])
                    opened.add_metric(values, client.breaker.n_opened)
        yield from (state, opened)
