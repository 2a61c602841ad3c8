"""Measure both stores at one size, side by side.

    python -m tests.benchmarks.bench_scale WORK --base PATH... --questions FILE... --chunks 1000000

The documents at the paths are taken in, embedded and all, into a home below `WORK`; from them a
corpus of the wanted size is made (`scaling/corpus.py` tells how, and what its limits are), and the
same corpus is put into the store in a file and into PostgreSQL, each by its own write path, as the
service does. What is in `WORK` already is not made again. Questions come from JSON lines with a
`question`. PostgreSQL is that of the tests, set as `scaling/server.py` says, or `--postgres URL`,
an empty database.

Each store is in a process of its own with its own copy of all models. They take turns question by
question, so that a busy machine slows both alike; seconds of a processor are told beside those of
the clock where others' work would stretch these. Recall is that of the dense ranking against an
exact search in float32. All that is measured goes to build/scale-CHUNKS.json, too.
"""

import argparse
import gzip
import json
import random
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

from rag.bootstrap import file_uri, open_engine
from rag.indexing import Failed, File
from rag.settings import read_settings
from rag.sources import find_files
from tests.benchmarks.scaling import measuring, server
from tests.benchmarks.scaling.measuring import Figures, Plan
from tests.benchmarks.scaling.side import Side
from tests.benchmarks.scaling.table import show

BUILD: Final = Path(__file__).resolve().parents[2] / "build"


def main() -> None:
    """Fill the stores, measure them, print the table and write the file."""
    options = arguments()
    work: Path = options.work.absolute()
    base = {"RAG_HOME": str(work / "base")}
    if options.base:
        take_in(options.base, base)
    results: dict[str, Figures] = {}
    sides: list[Side] = []
    with ExitStack() as stack:
        url = ""
        if "postgres" in options.stores:
            url = options.postgres or stack.enter_context(server.own_server())
        plan = Plan(
            place=work / str(options.chunks),
            base=base,
            chunks=options.chunks,
            questions=read_questions(options.questions, count=options.asked),
            read=options.asked if options.read is None else options.read,
            replaced=options.replaced,
            url=url,
        )
        for name in options.stores:
            wait(options, f"next is {name}")
            one = stack.enter_context(side(name, plan))
            sides.append(one)
            results[name] = measuring.loaded(one, plan) | measuring.started(one)
            truth = measuring.known_truth(plan, sides[0].environment)
            results[name] |= measuring.recalls(one, plan, truth)
            keep(plan, results)
        wait(options, "next are the times")
        for stage in (measuring.timed, measuring.spaces, measuring.written):
            for name, figures in stage(sides, plan).items():
                results[name] |= figures
            report = keep(plan, results)
    show(report)


def keep(plan: Plan, results: dict[str, Figures]) -> Figures:
    """Write down what was measured until now, so that nothing is lost if the next stage fails."""
    report = {
        "chunks": plan.chunks,
        "questions": len(plan.questions),
        "server": server.settings_of(plan.url) if plan.url else None,
        "stores": results,
    }
    BUILD.mkdir(exist_ok=True)
    file = BUILD / f"scale-{plan.chunks}.json"
    file.write_text(json.dumps(report, indent=1) + "\n")
    print(f"written to {file}", flush=True)
    return report


def arguments() -> argparse.Namespace:
    """Return what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("work", type=Path, help="where corpus and stores are kept")
    parser.add_argument("--base", nargs="*", type=Path, default=[], help="files and directories")
    parser.add_argument("--questions", nargs="+", type=Path, required=True)
    parser.add_argument("--asked", type=int, default=200, help="ask a sample of so many")
    parser.add_argument("--read", type=int, help="of which so many are answered, too; else all")
    parser.add_argument("--chunks", type=int, default=10_000)
    parser.add_argument("--postgres", default="", metavar="URL")
    parser.add_argument("--replaced", type=int, default=20, help="so many documents")
    parser.add_argument(
        "--stores", nargs="+", choices=["embedded", "postgres"], default=["embedded", "postgres"]
    )
    parser.add_argument(
        "--pause", action="store_true", help="wait for Enter before each store, and the times"
    )
    return parser.parse_args()


def wait(options: argparse.Namespace, what: str) -> None:
    """Wait until somebody says that it can go on."""
    if options.pause:
        input(f"{what}: Enter goes on\n")


def read_questions(files: Sequence[Path], *, count: int) -> list[str]:
    """Return a sample of the questions of JSON lines, gzip or plain; the same one every time."""
    found: dict[str, None] = {}
    for file in files:
        data = file.read_bytes()
        text = gzip.decompress(data) if file.suffix == ".gz" else data
        found |= dict.fromkeys(json.loads(line)["question"] for line in text.splitlines() if line)
    return random.Random(1).sample(list(found), min(count, len(found)))


def take_in(paths: Sequence[Path], base: dict[str, str]) -> None:
    """Take documents in, unless they are there."""
    settings = read_settings(base)
    files = [
        File(path=file, uri=file_uri(file, home=settings.home))
        for path in paths
        for file in find_files(path)
    ]
    with open_engine(settings) as engine:
        for outcome in engine.indexer.add_files(files):
            if isinstance(outcome, Failed):
                print(f"left out: {outcome.file.path}: {outcome.reason}")


@contextmanager
def side(name: str, plan: Plan) -> Iterator[Side]:
    """Run the process of a store."""
    one = Side(
        name,
        {
            "RAG_HOME": str(plan.place / name),
            "RAG_STORE": plan.url if name == "postgres" else "",
            "RAG_MODELS": str(Path(plan.base["RAG_HOME"]) / "models"),
            "RAG_MAX_DOCUMENTS": "1000000000",
        },
    )
    yield one
    one.end()


if __name__ == "__main__":
    main()
