"""Every error this package raises on purpose, named by what its reader can do next.

RagError
├── InvalidRequest            the request itself is wrong: change it
├── NotFound                  no such document: look at the list
├── Conflict                  what there is already stands against it: look, then decide
├── SourceError               a file could not be taken in
│   ├── UnsupportedFormat     of a kind that no reader here understands: convert it
│   ├── BrokenFile            damaged, or not what its name says
│   ├── EncryptedFile         needs a password: decrypt it first
│   ├── NoText                empty, or only pictures (scans): run OCR first
│   ├── BeyondLimit           takes more time, memory or text than is allowed: split it
│   └── UnreadableFile        the operating system refused it
├── ModelError                a model's files are missing, altered or unusable
├── SettingsError             a setting is unknown or has no valid value
├── StoreError                the index on disk cannot be used as it is
│   ├── StaleIndex            it was built with other settings: rebuild it
│   ├── DamagedStore          it is not as it was written: restore a snapshot
│   ├── StoreFull             there is no room for more: make some
│   └── Unreachable           the server that keeps it does not answer: try again
├── Forbidden                 this key may not do that: take one that may
├── DamagedKeys               the file of the keys is not as it was written: put a copy there
├── Busy                      more requests than can be answered now: try again
└── TooLarge                  the request exceeds a stated limit

A message says what was wrong, where, and what to do about it.
"""


class RagError(Exception):
    """Base of all errors that this package raises on purpose."""


class InvalidRequest(RagError):
    """A request cannot be understood or answered as it was put; `pointer` names the field."""

    def __init__(self, message: str, *, pointer: str = "") -> None:
        super().__init__(message)
        self.pointer = pointer


class NotFound(RagError):
    """A document or another thing that was named does not exist."""


class Conflict(RagError):
    """What was asked for does not go together with what there is already."""


class SourceError(RagError):
    """A file could not be taken in; the message is complete without the file's name."""


class UnsupportedFormat(SourceError):
    """No reader here understands this kind of file."""


class BrokenFile(SourceError):
    """The file is damaged, or is not of the kind its name says."""


class EncryptedFile(SourceError):
    """The file needs a password."""


class NoText(SourceError):
    """The file holds no text: it is empty, or consists of pictures only."""


class BeyondLimit(SourceError):
    """Reading the file takes more time, memory or text than the settings allow."""


class UnreadableFile(SourceError):
    """The operating system refused to read the file."""


class ModelError(RagError):
    """A model's files are missing, altered or unusable."""


class SettingsError(RagError):
    """A setting is unknown or has no valid value."""


class StoreError(RagError):
    """The index on disk cannot be used as it is."""


class StaleIndex(StoreError):
    """The index was built with other settings than the ones in force."""


class DamagedStore(StoreError):
    """A part of the index on disk is altered, missing or of an older state."""


class StoreFull(StoreError):
    """There is too little room on the disk to add to the index."""


class Unreachable(StoreError):
    """The server that keeps the index did not answer in time; `retry_after` is in seconds."""

    retry_after = 1


class Forbidden(RagError):
    """The key that was presented does not allow what was asked for."""


class DamagedKeys(RagError):
    """The file of the keys is altered, so that nobody is let in."""


class Busy(RagError):
    """More requests are waiting than can be answered in time; `retry_after` is in seconds."""

    def __init__(self, message: str, *, retry_after: int = 1) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class TooLarge(RagError):
    """The request exceeds a stated limit."""
