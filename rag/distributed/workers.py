"""What runs on a cluster's machines: the stages, over tables of Arrow as Ray Data hands them on."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from importlib.metadata import version
from typing import Final

import pyarrow as pa
from ray._common.usage.usage_lib import usage_stats_enabled

# Nothing public tells what a node enforces, or whether it reports.
from ray._raylet import AuthenticationMode, get_authentication_mode

from rag.chunking import chunk_document
from rag.components import (
    build_parser,
    chunking_options,
    index_fingerprint,
    open_embedder,
    open_tokens,
)
from rag.distributed.rows import Row, decode, encode
from rag.distributed.stages import cut_documents, embed, load
from rag.embedding.passages import passage_text
from rag.settings import Settings, read_settings
from rag.sources.limits import Limits

COLUMN: Final = "row"


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """What a node says of itself: its version, and what the index depends on there.

    `authenticates` tells whether it refuses who has no token, `reports` whether Ray was started
    there with leave to send statistics of its use to its makers, which a head does.
    """

    version: str
    fingerprint: str
    authenticates: bool
    reports: bool


def prepare(settings: Settings) -> Machine:
    """Prepare the models on this node, once for all its workers, and tell what it is."""
    settings = settings_here(settings)
    open_tokens(settings)
    return Machine(
        version=version("chapterverse"),
        fingerprint=index_fingerprint(settings),
        authenticates=get_authentication_mode() == AuthenticationMode.TOKEN,
        reports=usage_stats_enabled(),
    )


def settings_here(settings: Settings) -> Settings:
    """Return the driver's settings as they hold on this machine.

    Converted models lie where this machine's RAG_MODELS says, else at the driver's path. Workers
    are as many as there are cores, so each uses one.
    """
    return replace(settings, models=read_settings().models or settings.model_cache, threads=1)


def load_table(table: pa.Table, *, limits: Limits) -> Iterator[pa.Table]:
    """Load the files of a table of rows."""
    return _tables(load(rows_of(table), limits=limits))


class Cutting:
    """Parses files and cuts documents; has a process that reads files, and the tokenizer."""

    def __init__(self, settings: Settings) -> None:
        settings = settings_here(settings)
        self._parser: Final = build_parser(settings)
        self._parser.start()
        self._chunk: Final = partial(
            chunk_document, options=chunking_options(settings), tokenizer=open_tokens(settings)
        )

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """Cut the documents of a table of rows."""
        return _tables(cut_documents(rows_of(table), parser=self._parser, chunk=self._chunk))


class Embedding:
    """Embeds chunks; has the model."""

    def __init__(self, settings: Settings) -> None:
        self._embedder: Final = open_embedder(settings_here(settings))

    def __call__(self, table: pa.Table) -> Iterator[pa.Table]:
        """Embed the chunks of a table of rows."""
        tokens = self._embedder.tokens
        return _tables(
            embed(
                rows_of(table),
                embedder=self._embedder,
                passage=lambda document, chunk: passage_text(
                    chunk, title=document.title, tokens=tokens
                ),
            )
        )


def table_of(rows: Iterable[Row]) -> pa.Table:
    """Return rows as a table."""
    return pa.table({COLUMN: pa.array(map(encode, rows), pa.large_binary())})


def rows_of(table: pa.Table) -> Iterator[Row]:
    """Yield the rows of a table."""
    for value in table[COLUMN]:
        yield decode(value.as_py())


def _tables(rows: Iterable[Row]) -> Iterator[pa.Table]:
    """Yield a table a row: Ray Data puts them together up to the size of a block."""
    for row in rows:
        yield table_of([row])
