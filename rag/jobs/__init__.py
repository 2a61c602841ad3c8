"""Jobs: uploads that are taken in after they were acknowledged, in order, whatever happens between.

home/jobs.sqlite   the jobs; home/jobs.lock says which process works at them
home/uploads/ID    the bytes of a job that is not finished
"""

from rag.jobs.job import Job, Progress, Status, Upload
from rag.jobs.queue import JobQueue, unknown_job
from rag.jobs.runner import JobRunner
from rag.jobs.work import Text, documents_of, ingest, text_upload

__all__ = [
    "Job",
    "JobQueue",
    "JobRunner",
    "Progress",
    "Status",
    "Text",
    "Upload",
    "documents_of",
    "ingest",
    "text_upload",
    "unknown_job",
]
