"""A process that takes uploads and works at them until it is killed: `jobs_child HOME FIRST COUNT`.

A line with the job's id says that an upload is acknowledged, `idle` that none is open any more.
"""

import sys
import time
from pathlib import Path

from rag.home import Home
from rag.jobs import JobQueue, JobRunner, Upload, ingest
from tests.fakes import InProcessParser
from tests.services import FakeOpening


def main(path: Path, first: int, count: int) -> None:
    """Take `count` uploads, numbered from `first` on, while the jobs go on."""
    opening = FakeOpening(path)
    opening.before_embedding = lambda _: time.sleep(0.002)
    queue = JobQueue(path, capacity=10_000)
    runner = JobRunner(path, queue, work=ingest(Home(path, opening), parser=InProcessParser()))
    runner.start()
    for number in range(first, first + count):
        upload = Upload(
            collection="default",
            kind="file",
            name=f"{number}.txt",
            uri=f"upload:{number}.txt",
            data=f"Upload {number}.\nIt has two lines.".encode(),
        )
        print(queue.add(upload).id, flush=True)  # noqa: T201
        runner.wake()
    while queue.open_jobs("default"):
        time.sleep(0.01)
    print("idle", flush=True)  # noqa: T201
    sys.stdin.read()


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
