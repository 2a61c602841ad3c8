"""What each type of problem means to whoever gets it, and with which status it comes."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Meaning:
    """What a type of problem means and what to do about it."""

    statuses: tuple[int, ...]
    text: str


MEANINGS: Final = {
    "invalid-request": Meaning((400,), "A field or parameter is wrong; `pointer` names it."),
    "unauthorized": Meaning((401,), "There is no valid key: send `Authorization: Bearer KEY`."),
    "forbidden": Meaning((403,), "The key has not the scope of this route."),
    "foreign-origin": Meaning((403,), "A page of another site asked; `RAG_ORIGINS` allows sites."),
    "not-found": Meaning((404,), "There is nothing of this name, or not for this key."),
    "method-not-allowed": Meaning((405,), "The path takes other methods; `Allow` names them."),
    "request-timeout": Meaning((408,), "The body did not come in time: send it again."),
    "conflict": Meaning((409,), "It does not go together with what there is already."),
    "too-large": Meaning((413,), "A stated limit is exceeded: send less."),
    "unsupported-media-type": Meaning((415,), "The body is of a media type not taken here."),
    "unsupported-format": Meaning((415,), "This kind of file is not read: convert it."),
    "misdirected": Meaning((421,), "The `Host` is unknown here; `RAG_HOSTS` allows names."),
    "broken-file": Meaning((422,), "The file is damaged, or not what its name says."),
    "encrypted-file": Meaning((422,), "The file needs a password: decrypt it first."),
    "no-text": Meaning((422,), "There is no text in it, as in scans: run OCR first."),
    "beyond-limit": Meaning((422,), "Reading it takes more than is allowed: split it."),
    "unreadable-file": Meaning((422,), "The operating system does not let it be read."),
    "source": Meaning((422,), "The file cannot be taken in; `detail` says why."),
    "rate-limited": Meaning((429,), "Too many requests: wait as `Retry-After` says."),
    "settings": Meaning((500,), "The service is configured wrongly: tell whoever runs it."),
    "internal": Meaning((500,), "A fault of the service: tell whoever runs it."),
    "busy": Meaning((503,), "Too much to do at once: wait as `Retry-After` says."),
    "loading": Meaning((503,), "Models are being loaded: wait as `Retry-After` says."),
    "draining": Meaning((503,), "The service is being stopped: wait for the next one."),
    "timeout": Meaning((503,), "It takes longer than a request may: ask for less, or later."),
    "damaged-keys": Meaning((503,), "Keys cannot be read: tell whoever runs the service."),
    "stale-index": Meaning((503,), "The index was made with other settings: `rag reindex`."),
    "damaged-store": Meaning((503,), "The index is not as it was written: restore a snapshot."),
    "store-unreachable": Meaning((503,), "Its server is away: wait as `Retry-After` says."),
    "store": Meaning((503,), "The index cannot be used; `detail` says why."),
    "model": Meaning((503,), "A model's files are missing or altered: `rag doctor`."),
    "store-full": Meaning((507,), "There is too little room on the disk: make some."),
}
