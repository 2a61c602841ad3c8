"""What the routes need of the application behind them."""

from dataclasses import dataclass

from rag.api.lifecycle import Lifecycle
from rag.api.prometheus import Metrics
from rag.api.readiness import Readiness
from rag.api.worker import Worker
from rag.home import Home
from rag.jobs import JobQueue, JobRunner
from rag.labels import LabelFile
from rag.sources.isolation import IsolatedParser
from rag.stages import observed_by


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A home's collections, the jobs that fill them, and the threads that requests run on.

    `models` runs what answers questions and `writes` what changes collections, one call at a time
    each; stores are read on `reads`, so that a document can be looked at while models are busy, and
    `queueing` takes and looks at jobs, which `runner` works at. `parser` reads uploads that are
    waited for, `job_parser` those of jobs, so that a long one keeps nobody waiting. `feedback`
    keeps what people say of answers. An upload of more than `job_bytes` becomes a job; one of more
    than `upload_bytes` is refused, as is another body of more than `body_bytes` and a batch of more
    than `max_batch` questions. A request may take `request_seconds`.
    """

    home: Home
    jobs: JobQueue
    runner: JobRunner
    parser: IsolatedParser
    job_parser: IsolatedParser
    models: Worker
    writes: Worker
    reads: Worker
    queueing: Worker
    feedback: LabelFile
    job_bytes: int
    upload_bytes: int
    body_bytes: int
    max_batch: int
    request_seconds: float
    lifecycle: Lifecycle
    readiness: Readiness
    metrics: Metrics

    def load(self) -> None:
        """Load models and build indexes, then begin to answer; raise RagError where that fails."""
        with observed_by([self.metrics]):
            self.readiness.warm_up()
        self.start()
        self.lifecycle.ready()

    def start(self) -> None:
        """Begin to work at jobs, and make ready to read files."""
        self.parser.start()
        self.runner.start()

    def close(self) -> None:
        """End what runs, put back the job in hand, then close what was open."""
        workers = (self.models, self.writes, self.reads, self.queueing)
        self.runner.stop()
        for worker in workers:
            worker.stop()
        # A file may take long to read; what is not acknowledged may be broken off.
        self.parser.break_off()
        self.job_parser.break_off()
        for worker in workers:
            worker.close()
        self.runner.close()
        self.jobs.close()
        self.parser.close()
        self.job_parser.close()
        self.home.close()
