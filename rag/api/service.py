"""What the routes need of the application behind them."""

from dataclasses import dataclass

from rag.api.worker import Worker
from rag.home import Home
from rag.jobs import JobQueue, JobRunner
from rag.labels import LabelFile
from rag.sources.isolation import IsolatedParser


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """A home's collections, the jobs that fill them, and the threads that requests run on.

    `models` runs what answers questions and `writes` what changes collections, one call at a time
    each; stores are read on `reads`, so that a document can be looked at while models are busy, and
    `queueing` takes and looks at jobs, which `runner` works at. `parser` reads uploads that are
    waited for, `job_parser` those of jobs, so that a long one keeps nobody waiting. `feedback`
    keeps what people say of answers. An upload of more than `job_bytes` becomes a job; one of more
    than `upload_bytes` is refused.
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

    def close(self) -> None:
        """Finish what runs, put back the job in hand, then close what was open."""
        for worker in (self.models, self.writes, self.reads, self.queueing):
            worker.close()
        self.runner.close()
        self.jobs.close()
        self.parser.close()
        self.job_parser.close()
        self.home.close()
