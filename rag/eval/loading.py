"""Reads labelled questions; the format is told by the content, not by the name."""

import codecs
import gzip
import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

import msgspec

from rag.errors import BrokenFile
from rag.eval.beir import read_queries
from rag.eval.examples import Example
from rag.eval.rows import read_csv, read_lines
from rag.eval.squad import read_squad

_GZIP = b"\x1f\x8b"


@dataclass(frozen=True, slots=True, kw_only=True)
class Questions:
    """A file or folder of questions: how many, and the sha256 of all that they hold."""

    path: Path
    count: int
    sha256: str

    def read(self) -> Iterator[Example]:
        """Yield the questions in order; JSON lines, CSV and BEIR queries are not held in memory."""
        return read_examples(self.path)


def find_questions(path: Path) -> Questions:
    """Look a file or folder through; raise BrokenFile, naming file and line, for what is wrong."""
    digest = hashlib.sha256()
    encoder = msgspec.json.Encoder()
    seen: set[bytes] = set()
    for example in read_examples(path):
        key = hashlib.blake2b(example.id.encode("utf-8", "surrogatepass"), digest_size=8).digest()
        if key in seen:
            raise BrokenFile(
                f"{example.where}: an earlier question has the same id {example.id!r}: give each "
                "its own."
            )
        seen.add(key)
        content = (example.id, example.question, example.task, example.golds, example.context)
        digest.update(encoder.encode(content))
    if not seen:
        raise BrokenFile(f"{path} holds no question.")
    return Questions(path=path, count=len(seen), sha256=digest.hexdigest())


def read_examples(path: Path) -> Iterator[Example]:
    """Yield the questions of a file or folder in order.

    A folder is a BEIR one (corpus.jsonl, queries.jsonl, qrels/*.tsv). A file, gzipped or not, is
    SQuAD JSON, JSON lines with a `question` and `answers` or `references`, or CSV with the columns
    `question` and `references`. Raises BrokenFile, naming file and line, for anything else.
    """
    if path.is_dir():
        yield from read_queries(path)
        return
    try:
        with path.open("rb") as raw:
            zipped = raw.read(len(_GZIP)) == _GZIP
            raw.seek(0)
            file = cast("IO[bytes]", gzip.GzipFile(fileobj=raw)) if zipped else raw
            yield from _format(file)(file, path)
    except (OSError, EOFError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise BrokenFile(f"{path} cannot be read ({reason}).") from error


def _format(file: IO[bytes]) -> Callable[[IO[bytes], Path], Iterator[Example]]:
    """Return what reads the file, whose first line tells it."""
    first = file.readline().removeprefix(codecs.BOM_UTF8)
    while first and not first.strip():
        first = file.readline()
    file.seek(0)
    if not first.lstrip().startswith(b"{"):
        return read_csv
    try:
        keys = msgspec.json.decode(first, type=dict[str, msgspec.Raw])
    except msgspec.DecodeError:
        return read_squad  # an object over several lines
    return read_squad if "data" in keys else read_lines
