"""Figures of a running service, in the format of Prometheus."""

import platform
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final, get_args

from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    GCCollector,
    Histogram,
    Info,
    PlatformCollector,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric

from rag.answers import Reason
from rag.api.worker import Worker
from rag.errors import StoreError
from rag.home import Home
from rag.stages import Outcome, Stage

MEDIA_TYPE: Final = "text/plain; version=0.0.4"

disable_created_metrics()  # type: ignore[no-untyped-call]  # figures nobody asks for

# Seconds: a question takes from some ten milliseconds on, the longest may wait for others.
_SECONDS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30)
_CONFIDENCES: Final = tuple(tenth / 10 for tenth in range(1, 11))
_METHODS: Final = frozenset({"DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT"})


class Metrics:
    """The figures of one application, each labelled with a bounded number of values."""

    def __init__(self) -> None:
        registry = self._registry = CollectorRegistry()
        self._requests: Final = Counter(
            "chapterverse_http_requests",
            "Requests by route; status 499: the client had gone.",
            ["route", "method", "status"],
            registry=registry,
        )
        self._request_seconds: Final = Histogram(
            "chapterverse_http_request_duration_seconds",
            "Time from a request to the last byte of its response.",
            ["route", "method"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._in_flight: Final = Gauge(
            "chapterverse_http_requests_in_flight",
            "Requests that are not answered yet, this one too.",
            registry=registry,
        )
        self._stage_seconds: Final = Histogram(
            "chapterverse_stage_duration_seconds",
            "Time that a stage of a question took.",
            ["stage"],
            buckets=_SECONDS,
            registry=registry,
        )
        self._load_seconds: Final = Gauge(
            "chapterverse_model_load_seconds",
            "Time that loading a model took, the last time.",
            ["model"],
            registry=registry,
        )
        self._questions: Final = Counter(
            "chapterverse_questions", "Questions that were answered or not.", registry=registry
        )
        self._abstentions: Final = Counter(
            "chapterverse_abstentions",
            "Questions without an answer, by the reason.",
            ["reason"],
            registry=registry,
        )
        self._confidence: Final = Histogram(
            "chapterverse_answer_confidence",
            "Confidence of each question's best answer, given or withheld.",
            buckets=_CONFIDENCES,
            registry=registry,
        )
        for stage in ("retrieve", "read", "answer"):
            self._stage_seconds.labels(stage)
        for reason in get_args(Reason):
            self._abstentions.labels(reason)
        Info("chapterverse_build", "What runs here.", registry=registry).info(
            {"version": version("chapterverse"), "python": platform.python_version()}
        )
        PlatformCollector(registry=registry)
        ProcessCollector(registry=registry)
        GCCollector(registry=registry)

    @contextmanager
    def request(self) -> Iterator[Callable[[str, str, int], float]]:
        """Count a request as in flight; what is given counts it by route, method and status.

        That returns how many seconds it took.
        """
        started = time.perf_counter()

        def done(route: str, method: str, status: int) -> float:
            seconds = time.perf_counter() - started
            known = method if method in _METHODS else "other"
            self._requests.labels(route, known, str(status)).inc()
            self._request_seconds.labels(route, known).observe(seconds)
            return seconds

        with self._in_flight.track_inprogress():
            yield done

    @contextmanager
    def stage(self, name: Stage) -> Iterator[None]:
        """Measure a stage, whether it ends well or not."""
        started = time.perf_counter()
        try:
            yield
        finally:
            seconds = time.perf_counter() - started
            if name.startswith("load_"):
                self._load_seconds.labels(name.removeprefix("load_")).set(seconds)
            else:
                self._stage_seconds.labels(name).observe(seconds)

    def outcome(self, outcome: Outcome) -> None:
        """Count a question."""
        self._questions.inc()
        if outcome.confidence is not None:
            self._confidence.observe(outcome.confidence)
        if outcome.abstention is not None:
            self._abstentions.labels(outcome.abstention).inc()

    def render(self, state: "State") -> bytes:
        """Return all figures as MEDIA_TYPE, those of a state with them, which reads stores."""
        return generate_latest(self._registry) + generate_latest(state)


class State:
    """The state of a service: whether it is ready, its queues, the collections that are open."""

    def __init__(self, home: Home, *, workers: Mapping[str, Worker], ready: bool) -> None:
        self._home: Final = home
        self._workers: Final = workers
        self._ready: Final = ready

    def collect(self) -> Iterable[Metric]:
        """Read the state, without loading anything."""
        yield GaugeMetricFamily(
            "chapterverse_ready", "Whether /health/ready says yes.", value=self._ready
        )
        depth = GaugeMetricFamily(
            "chapterverse_worker_queue_depth", "Calls that wait or run.", labels=["worker"]
        )
        capacity = GaugeMetricFamily(
            "chapterverse_worker_queue_capacity", "Calls that may wait or run.", labels=["worker"]
        )
        for name, worker in self._workers.items():
            depth.add_metric([name], worker.waiting)
            capacity.add_metric([name], worker.capacity)
        yield from (depth, capacity)
        if reads := self._home.reads():
            standby = CounterMetricFamily(
                "chapterverse_store_reads",
                "Reads from the standby, and from the primary as that was behind or away.",
                labels=["standby"],
            )
            for outcome, count in sorted(reads.items()):
                standby.add_metric(["used" if outcome == "standby" else outcome], count)
            yield standby
        yield from self._collections()

    def _collections(self) -> Iterable[Metric]:
        families = [
            GaugeMetricFamily(f"chapterverse_collection_{name}", told, labels=["collection"])
            for name, told in (
                ("readable", "Whether a collection that is open can be read."),
                ("generation", "Generation of an open collection: the writes that led to it."),
                ("documents", "Documents of an open collection."),
                ("chunks", "Chunks of an open collection."),
            )
        ]
        readable, generation, documents, chunks = families
        for name, store in sorted(self._home.open_stores().items()):
            try:
                with store.snapshot() as snapshot:
                    counts = (snapshot.generation, *snapshot.count())
            except StoreError:
                readable.add_metric([name], 0)
                continue
            readable.add_metric([name], 1)
            for family, value in zip((generation, documents, chunks), counts, strict=True):
                family.add_metric([name], value)
        yield from families
