"""A client of the service: typed, for threads (`Client`) and for an event loop (`AsyncClient`).

It loads none of what the service needs: neither models nor the web framework.

>>> from rag.client import Client, NotFound
>>> client = Client("http://127.0.0.1:8000")  # key="..." where the service needs one
>>> best = client.ask("What hoots at night?").answers[0]
>>> best.text
'The owl hoots at night.'
>>> citation = best.citations[0]
>>> client.text(citation.document.id)[citation.start : citation.end]
'The owl hoots at night.'
>>> [result.status for result in client.verify(best.citations).results]
['valid']
>>> [type(event).__name__ for event in client.stream("What hoots at night?", answers=1)]
['Hits', 'Answer', 'Done']
>>> added = client.add_text("The hen clucks.", title="The hen", uri="note:hen")
>>> added.documents[0].status
'added'
>>> client.delete(added.documents[0].document.id)
>>> try:
...     client.index(collection="letters")
... except NotFound as error:
...     error.problem.type
'urn:chapterverse:problem:not-found'
>>> client.close()
"""

from rag.client.asynchronous import AsyncClient
from rag.client.errors import (
    Conflict,
    Forbidden,
    InvalidRequest,
    JobFailed,
    NotFound,
    ServiceError,
    StreamEnded,
    TooManyRequests,
    Unauthorized,
    Unavailable,
)
from rag.client.sync import Client
from rag.client.wire import Event

__all__ = [
    "AsyncClient",
    "Client",
    "Conflict",
    "Event",
    "Forbidden",
    "InvalidRequest",
    "JobFailed",
    "NotFound",
    "ServiceError",
    "StreamEnded",
    "TooManyRequests",
    "Unauthorized",
    "Unavailable",
]
