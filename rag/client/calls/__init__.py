"""Each request that a client can make, described once for both clients."""

from rag.client.calls.call import DEFAULT, Call
from rag.client.calls.collections import (
    collections,
    create_collection,
    delete_collection,
    health,
    index,
)
from rag.client.calls.documents import (
    add_file,
    add_text,
    cancel_job,
    delete,
    document,
    documents,
    job,
    jobs,
    text,
)
from rag.client.calls.questions import (
    ask,
    batch,
    examples,
    feedback,
    search,
    stream,
    verify,
)

__all__ = [
    "DEFAULT",
    "Call",
    "add_file",
    "add_text",
    "ask",
    "batch",
    "cancel_job",
    "collections",
    "create_collection",
    "delete",
    "delete_collection",
    "document",
    "documents",
    "examples",
    "feedback",
    "health",
    "index",
    "job",
    "jobs",
    "search",
    "stream",
    "text",
    "verify",
]
