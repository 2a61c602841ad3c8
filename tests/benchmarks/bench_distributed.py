"""Ingestion over a Ray cluster of two nodes, of which a worker is killed, beside one process.

    python -m tests.benchmarks.bench_distributed [--documents 20000] [--words 40]

Both nodes are on this machine and have a core each, so together they compute with no more than the
one process does: what the way over a cluster costs shows, not what more machines give. Ends with
status 1 unless the killed run has every document once, and the chunks that one process makes.
"""

import argparse
import hashlib
import os
import random
import re
import signal
import subprocess
import tempfile
import time
from itertools import chain
from pathlib import Path

from rag.bootstrap import open_store
from rag.settings import read_settings
from tests.ray_cluster import ray_cluster, start, wait_for_documents

SEEDS = Path(__file__).resolve().parents[2] / "seeds"


def main() -> None:
    """Make the files, take them in both ways, and compare."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--documents", type=int, default=20_000)
    parser.add_argument("--words", type=int, default=40, help="in a document, which is one chunk")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as directory:
        sound = compare(Path(directory), documents=arguments.documents, words=arguments.words)
    raise SystemExit(0 if sound else 1)


def compare(directory: Path, *, documents: int, words: int) -> bool:
    """Print the figures of both ways; return whether both made the same index."""
    files, alone, spread = (directory / name for name in ("files", "alone", "spread"))
    write_files(files, number=documents, words=words)
    # Converts the embedder, which both use then.
    finish(start("ingest", next(files.iterdir()), home=directory / "first", credentials={}))
    models = directory / "first" / "models"
    for home in (alone, spread):
        home.mkdir()
        (home / "models").symlink_to(models)
    over_one_process(files, home=alone, documents=documents)
    over_two_nodes(files, home=spread, models=models, documents=documents)
    ours, theirs = digest(spread), digest(alone)
    print(f"one process: {theirs}\ntwo nodes:   {ours}")
    return ours == theirs and ours[:2] == (documents, documents)


def over_one_process(files: Path, *, home: Path, documents: int) -> None:
    """Take files in the ordinary way and print how long it took."""
    began = time.monotonic()
    out = finish(start("ingest", files, home=home, credentials={}))
    seconds = time.monotonic() - began
    print(f"one process: {documents} documents in {seconds:.1f} s, {documents / seconds:.0f}/s")
    print(out)


def over_two_nodes(files: Path, *, home: Path, models: Path, documents: int) -> None:
    """Take files in over a cluster, kill a worker when half of them are stored, print the times."""
    with ray_cluster(nodes=2, models=models) as cluster:
        began = time.monotonic()
        process = start(
            *("ingest", "--ray", cluster.address, files),
            home=home,
            credentials=cluster.credentials(),
        )
        wait_for_documents(1, home=home, process=process)
        first = time.monotonic() - began
        wait_for_documents(documents // 2, home=home, process=process)
        half = time.monotonic() - began
        victim = cluster.workers("Embedding")[0]
        os.kill(victim, signal.SIGKILL)
        out = finish(process)
        seconds = time.monotonic() - began
    print(f"two nodes: {documents} documents in {seconds:.1f} s, {documents / seconds:.0f}/s")
    print(out)
    print(
        f"The first were stored after {first:.1f} s; after {half:.1f} s, with half of them stored, "
        f"the embedding worker {victim} was killed; from the first to the last "
        f"{documents / (seconds - first):.0f}/s."
    )


def write_files(folder: Path, *, number: int, words: int) -> None:
    """Write files of words of the seeds, each of which begins with its number."""
    pool = re.findall(r"\w+", " ".join(seed.read_text() for seed in sorted(SEEDS.glob("*.md"))))
    chosen = random.Random(8)
    folder.mkdir()
    for n in range(number):
        text = " ".join(chosen.choices(pool, k=words))
        (folder / f"{n:05}.txt").write_text(f"Number {n}: {text}.\n")


def finish(process: subprocess.Popen[str]) -> str:
    """Wait for a command that succeeds and return what it printed."""
    out, err = process.communicate()
    if process.returncode:
        raise RuntimeError(f"status {process.returncode}: {out}{err}")
    return out


def digest(home: Path) -> tuple[int, int, int, str]:
    """Return how many documents, uris and chunks an index has, and a digest of all but vectors."""
    with open_store(read_settings({"RAG_HOME": str(home)})) as store, store.snapshot() as snapshot:
        snapshot.verify()
        summaries = snapshot.summaries(limit=10**6)
        chunks = list(chain.from_iterable(found for found, _ in snapshot.added_since(0)))
        named = [(summary.uri, snapshot.version(summary.uri)) for summary in summaries]
    sha256 = hashlib.sha256(repr((named, chunks)).encode()).hexdigest()
    return len(named), len(dict(named)), len(chunks), sha256


if __name__ == "__main__":
    main()
