"""What a job does: its upload becomes documents of its collection, all of them in one step."""

from collections.abc import Mapping
from dataclasses import dataclass

import msgspec

from rag.documents import Document
from rag.home import Home
from rag.indexing import Parser
from rag.jobs.job import Job, Outcome, Progress, Upload
from rag.jobs.runner import Work
from rag.sources import read_text


@dataclass(frozen=True, slots=True, kw_only=True)
class Text:
    """A text that came without a file, with what `rag.sources.read_text` takes beside it."""

    text: str
    uri: str | None
    title: str | None
    published: str | None
    metadata: Mapping[str, str]

    def read(self) -> Document:
        """Return it as a document; raise as `rag.sources.read_text` does."""
        return read_text(
            self.text,
            uri=self.uri,
            title=self.title,
            published=self.published,
            metadata=self.metadata,
        )


def text_upload(text: Text, *, collection: str) -> Upload:
    """Return the upload of a text, which is a document: raises as `Text.read` does."""
    document = text.read()
    return Upload(
        collection=collection,
        kind="text",
        name=document.title,
        uri=document.uri,
        data=msgspec.json.encode(text),
    )


def documents_of(upload: Upload | Job, data: bytes, *, parser: Parser) -> list[Document]:
    """Return the documents of an upload; raise a SourceError where it cannot be read."""
    if upload.kind == "text":
        return [msgspec.json.decode(data, type=Text).read()]
    return parser.read(data, name=upload.name, uri=upload.uri)


def ingest(home: Home, *, parser: Parser) -> Work:
    """Return what takes an upload into its collection."""

    def work(job: Job, data: bytes, progress: Progress) -> Outcome:
        indexer = home.engine(job.collection).indexer
        documents = documents_of(job, data, parser=parser)
        indexed = indexer.add_together(documents, progress=progress)
        return Outcome(generation=max(each.generation for each in indexed), documents=len(indexed))

    return work
