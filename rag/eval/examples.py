"""Labelled questions, as an evaluation takes them."""

import hashlib
from dataclasses import dataclass

from rag.eval.records import Gold, Task


@dataclass(frozen=True, slots=True, kw_only=True)
class Context:
    """The passage that a question came with.

    It stands in the document at `document` (a uri) from the character `start` on, None and 0 where
    that is not known.
    """

    title: str
    text: str
    document: str | None
    start: int

    @property
    def uri(self) -> str:
        """Where the passage lies in an index that was built of a file's contexts."""
        digest = hashlib.sha256(f"{self.title}\0{self.text}".encode("utf-8", "surrogatepass"))
        return f"context:{digest.hexdigest()[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """A question and what is known to answer it; without golds the documents do not.

    The document of a gold is an id, a uri or the end of one, from a slash on. A gold of no document
    that has a place has it in `context`. `where` names the place in the file, for messages.
    """

    id: str
    question: str
    task: Task
    golds: tuple[Gold, ...]
    context: Context | None
    where: str
