"""The stages as a pipeline of Ray Data over a cluster.

The driver's node reads the files, since it alone need have them; the bytes travel through Ray's
object store, which waits where workers are slower. Ray Data gives a batch whose worker is lost to
another one.
"""

import logging
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, Final

import ray.data
from ray.data import ActorPoolStrategy, DataContext, TaskPoolStrategy

from rag.components import parse_limits
from rag.distributed.cluster import Cluster, cause_of
from rag.distributed.rows import Embedded, Given, Row
from rag.distributed.workers import Cutting, Embedding, load_table, rows_of, table_of
from rag.errors import RagError
from rag.indexing import CHUNKS_A_GROUP
from rag.settings import Settings

# What a lost worker costs: a batch of at most so many files, or about so many bytes of them.
_FILES_A_BATCH: Final = 64
_BYTES_A_BATCH: Final = 1 << 20
# Where files are few, batches are smaller, so that each CPU gets so many.
_BATCHES_A_CPU: Final = 4
# A CPU has room for an embedding worker wherever the others, which do little, have been placed; a
# node without CPUs gets none of either kind.
_EMBEDDING_CPUS: Final = 0.9
_CUTTING_CPUS: Final = 0.05
_READERS: Final = 2

_TABLES: Final[dict[str, Any]] = {"batch_size": None, "batch_format": "pyarrow"}


def spread(files: Sequence[Given], *, cluster: Cluster, settings: Settings) -> Iterator[list[Row]]:
    """Let the cluster read, cut and embed files; yield what became of them, a group at a time.

    A group is what is best stored in one transaction. Rows come in the order of the files, however
    the workers end, so that chunks get the numbers that one process would give them. Raises
    RagError where the cluster cannot go on.
    """
    group: list[Row] = []
    weight = 0
    try:
        for row in _stream(files, cluster=cluster, settings=settings):
            group.append(row)
            weight += len(row.chunks) if isinstance(row, Embedded) else 1
            if weight >= CHUNKS_A_GROUP:
                yield group
                group, weight = [], 0
    except ray.exceptions.RayError as error:
        message = (
            f"The cluster cannot go on: {cause_of(error)} What was stored stays, and the same "
            "command goes on from there."
        )
        raise RagError(message) from error
    if group:
        yield group


def _stream(files: Sequence[Given], *, cluster: Cluster, settings: Settings) -> Iterator[Row]:
    """Yield the rows that the stages make of files, in their order."""
    _set_up(DataContext.get_current())
    settings = replace(settings, store="")  # the address of a database may hold its password
    size = max(1, min(_FILES_A_BATCH, len(files) // (_BATCHES_A_CPU * cluster.cpus)))
    # Of a fixed size: one that shrinks at times would load its models again.
    pool = ActorPoolStrategy(size=cluster.cpus)
    given = [table_of(files[first : first + size]) for first in range(0, len(files), size)]
    rows = (
        ray.data.from_arrow(given)
        .map_batches(
            partial(load_table, limits=parse_limits(settings)),
            compute=TaskPoolStrategy(_READERS),
            num_cpus=0,
            label_selector={"ray.io/node-id": cluster.node},
            **_TABLES,
        )
        .map_batches(
            Cutting,
            fn_constructor_args=(settings,),
            compute=pool,
            num_cpus=_CUTTING_CPUS,
            **_TABLES,
        )
        .map_batches(
            Embedding,
            fn_constructor_args=(settings,),
            compute=pool,
            num_cpus=_EMBEDDING_CPUS,
            **_TABLES,
        )
    )
    for table in rows.iter_batches(**_TABLES):
        yield from rows_of(table)


def _set_up(context: DataContext) -> None:
    context.execution_options.preserve_order = True
    context.target_max_block_size = _BYTES_A_BATCH
    context.enable_progress_bars = False
    context.print_on_execution_start = False
    logging.getLogger("ray.data").setLevel(logging.ERROR)
