"""What is measured of the stores: loading, starting, recall, time, space and writing."""

import hashlib
import json
import random
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np

from tests.benchmarks.scaling import server
from tests.benchmarks.scaling.processes import memory_of_all, size_of, work_of_all
from tests.benchmarks.scaling.side import Asked, Side
from tests.benchmarks.scaling.truth import Truth
from tests.benchmarks.scaling.watch import Taken

K: Final = 10
KINDS: Final = (("search", False), ("search", True), ("ask", False), ("ask", True))

Figures = dict[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is measured: `place` keeps the stores of this size, `base` is the home of the real ones.

    `read` is how many of the questions are answered too, `url` that of the database, if there is
    one.
    """

    place: Path
    base: dict[str, str]
    chunks: int
    questions: Sequence[str]
    read: int
    replaced: int
    url: str


def loaded(one: Side, plan: Plan) -> Figures:
    """Fill a store and make its graph, unless that was done; return what it took then."""
    note = plan.place / f"{one.name}-loaded.json"
    _, stored = one.do("counts")
    if stored not in {0, plan.chunks}:
        raise SystemExit(f"{one.name} holds {stored:,} chunks: remove it, then start again.")
    if not stored:
        in_base = one.do("read", plan.base)
        print(f"{one.name}: {plan.chunks:,} chunks from {in_base[1]:,} real ones", flush=True)
        before = _server_work(one, plan)
        took: Taken = one.do("fill", plan.chunks)
        figures = {
            "base_chunks": in_base[1],
            "load_s": took.seconds,
            "load_work_s": took.work,
            "load_server_work_s": _server_work(one, plan) - before,
        }
        if one.name == "postgres":
            before = _server_work(one, plan)
            figures["graph_s"] = server.build_graph(one.environment)
            figures["graph_server_work_s"] = _server_work(one, plan) - before
        note.write_text(json.dumps(figures))
    figures = json.loads(note.read_text())
    documents, _ = one.do("counts")
    print(f"{one.name}: {documents:,} documents, {figures}", flush=True)
    return {"documents": documents, **figures}


def started(one: Side) -> Figures:
    """Open what a service opens; return what that took, and what until it could answer."""
    opening, following = one.do("start")
    found = {
        "open_s": opening.seconds,
        "ready_s": following.seconds,
        "ready_work_s": following.work,
    }
    print(f"{one.name}: {found}", flush=True)
    return found


def known_truth(plan: Plan, environment: dict[str, str]) -> tuple[Truth, Truth]:
    """Return what an exact search finds in all chunks and in the filter's, found once."""
    name = hashlib.sha256("\n".join(plan.questions).encode()).hexdigest()[:12]
    file = plan.place / f"truth-{name}.npz"
    if not file.exists():
        # In a process of its own: what it takes of memory is not the store's.
        one = Side("truth", environment)
        everywhere, inside = one.do("truth", plan.questions, k=K)
        one.end()
        np.savez(file, ids=[everywhere.ids, inside.ids], scores=[everywhere.scores, inside.scores])
    with np.load(file) as kept:
        pairs = zip(kept["ids"], kept["scores"], strict=True)
        everywhere, inside = (Truth(ids=ids, scores=scores) for ids, scores in pairs)
    return everywhere, inside


def recalls(one: Side, plan: Plan, truth: tuple[Truth, Truth]) -> Figures:
    """Return recall@k of the dense ranking, the mean and the lowest, without and with the filter.

    With them the times of that ranking alone.
    """
    found: Figures = {}
    for kind, known, filtered in zip(("dense", "dense_1%"), truth, (False, True), strict=True):
        shares, times = [], []
        for number, question in enumerate(plan.questions):
            asked: Asked = one.do("search", question, filtered=filtered, mode="dense", k=K)
            shares.append(known.recall(number, asked.ids, asked.similarities))
            times.append(asked.milliseconds)
        found[kind] = {"recall": statistics.mean(shares), "lowest": min(shares), **_times(times)}
    print(f"{one.name}: {found}", flush=True)
    return found


def timed(sides: Sequence[Side], plan: Plan) -> dict[str, Figures]:
    """Ask all questions of all stores in turn, in every way; return the times by store and way.

    `count` is how many there are, `same` the share of them that all stores gave the same passages
    and answers, in order.
    """
    taken: dict[str, dict[str, list[float]]] = {one.name: {} for one in sides}
    same: dict[str, int] = {}
    for number, question in enumerate(plan.questions):
        for order, filtered in KINDS if number < plan.read else KINDS[:2]:
            kind = f"{order}_1%" if filtered else order
            named = {"mode": "hybrid"} if order == "search" else {}
            asked: dict[str, Asked] = {}
            # Who goes first finds the caches of the processor as another store left them.
            for one in sides if number % 2 else reversed(sides):
                asked[one.name] = one.do(order, question, filtered=filtered, k=K, **named)
                taken[one.name].setdefault(kind, []).append(asked[one.name].milliseconds)
            alike = len({(found.ids, found.answers) for found in asked.values()}) == 1
            same[kind] = same.get(kind, 0) + alike
    return {
        name: {
            kind: {**_times(times), "count": len(times), "same": same[kind] / len(times)}
            for kind, times in kinds.items()
        }
        for name, kinds in taken.items()
    }


def spaces(sides: Sequence[Side], plan: Plan) -> dict[str, Figures]:
    """Return what each store takes of memory and disk."""
    return {one.name: _space(one, plan) for one in sides}


def written(sides: Sequence[Side], plan: Plan) -> dict[str, Figures]:
    """Replace small documents in all stores in turn; return what a write takes."""
    # What an exact search finds is another thing from now on.
    for truth in plan.place.glob("truth-*.npz"):
        truth.unlink()
    for one in sides:
        one.do("read", plan.base)
    numbers = sides[0].do("small_documents", chunks=plan.chunks, most=K)
    chosen = random.Random(2).sample(numbers, min(plan.replaced, len(numbers)))
    taken: dict[str, list[tuple[int, float, float]]] = {one.name: [] for one in sides}
    for version, number in enumerate(chosen, start=1):
        for one in sides:
            taken[one.name].append(one.do("replace", number, version=version))
    return {
        name: {
            "replaced_chunks": statistics.mean(chunks for chunks, _, _ in rows),
            "put": _times([put for _, put, _ in rows]),
            "found": _times([found for _, _, found in rows]),
        }
        for name, rows in taken.items()
        if rows
    }


def _space(one: Side, plan: Plan) -> Figures:
    memory, peak = one.do("memory")
    found: Figures = {"process": asdict(memory), "process_peak": peak}
    if one.name == "embedded":
        return found | {"disk": size_of(plan.place / one.name / "collections")}
    process = server.process_of(plan.url)
    sizes = server.sizes_of(plan.url)
    return found | {
        "server": asdict(memory_of_all(process)) if process else None,
        "disk": sizes.database,
        "sizes": asdict(sizes),
    }


def _server_work(one: Side, plan: Plan) -> float:
    process = server.process_of(plan.url) if one.name == "postgres" else None
    return work_of_all(process) if process else 0.0


def _times(values: Sequence[float]) -> dict[str, float]:
    return {
        "median_ms": statistics.median(values),
        "p95_ms": float(np.quantile(values, 0.95)),
        "max_ms": max(values),
    }
