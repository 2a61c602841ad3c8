"""`rag ingest --ray` over a real cluster of two nodes, whose workers and one node are killed.

Minutes of work, and Ray has to be installed: `make ray`.
"""

import os
import signal
import subprocess
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from rag.bootstrap import open_store
from rag.chunks import Chunk
from rag.documents import Document
from rag.settings import read_settings
from tests.ray_cluster import RayCluster, ray_cluster, start, wait_for_documents

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: make ray"),
]


@pytest.fixture(scope="module")
def models(seeded_home: Path) -> Path:
    """The converted embedder, so that no node converts it anew."""
    return seeded_home / "models"


@pytest.fixture(scope="module")
def cluster(models: Path) -> Iterator[RayCluster]:
    with ray_cluster(nodes=2, models=models) as running:
        yield running


@pytest.fixture
def home(make_home: Callable[..., Path]) -> Path:
    return make_home(seeded=False)


def run(
    *arguments: object, home: Path, credentials: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end."""
    process = start(*arguments, home=home, credentials=credentials)
    out, err = process.communicate(timeout=600)
    return subprocess.CompletedProcess(process.args, process.returncode, out, err)


def write_files(folder: Path, *, number: int, words: int = 60) -> None:
    """Write text files that all differ."""
    folder.mkdir()
    for n in range(number):
        text = " ".join(f"word{(n * 31 + k * k) % 9973}" for k in range(words))
        (folder / f"{n:05}.txt").write_text(f"Document {n} says {text}.\n")


def contents(home: Path) -> tuple[list[Document], list[Chunk], npt.NDArray[np.float32]]:
    """Return all that a home's default collection holds."""
    with open_store(read_settings({"RAG_HOME": str(home)})) as store, store.snapshot() as snapshot:
        snapshot.verify()
        documents = [snapshot.document(s.id) for s in snapshot.summaries(limit=100_000)]
        added = list(snapshot.added_since(0))
    return (
        documents,
        list(chain.from_iterable(found for found, _ in added)),
        np.concatenate([rows for _, rows in added]),
    )


def counts(stdout: str) -> dict[str, str]:
    """Return the summary's rows."""
    return dict(line.split() for line in stdout.splitlines() if line.strip())


def test_the_index_is_the_one_that_one_process_makes(
    cluster: RayCluster, make_home: Callable[..., Path], tmp_path: Path
) -> None:
    """Documents, versions and chunks are equal with their numbers, and so is what the user reads.

    Vectors differ by rounding at most, since other chunks may be embedded together. A second run
    finds all of it stored.
    """
    folder = tmp_path / "files"
    write_files(folder, number=120)
    for seed in sorted((Path(__file__).parents[2] / "seeds").glob("*.md"))[:5]:
        (folder / seed.name).write_bytes(seed.read_bytes())
    (folder / "records.jsonl").write_text(
        '{"id": "a", "text": "Ants."}\n{"id": "b", "text": "Bees."}\n'
    )
    (folder / "empty.pdf").write_bytes(b"")
    (folder / "odd.xyz").write_bytes(b"x")
    alone, spread = make_home(seeded=False), make_home(seeded=False)
    first = run("ingest", folder, home=alone, credentials={})
    over = run(
        "ingest", "--ray", cluster.address, folder, home=spread, credentials=cluster.credentials()
    )
    assert (over.returncode, over.stderr) == (1, first.stderr)
    assert first.returncode == 1
    shown, expected = counts(over.stdout), counts(first.stdout)
    for timed in ("seconds", "chunks/s"):
        del shown[timed], expected[timed]
    assert shown == expected
    assert shown["added"] == "127"
    documents, chunks, vectors = contents(spread)
    assert (documents, chunks) == contents(alone)[:2]
    assert np.allclose(vectors, contents(alone)[2], atol=2e-3)
    again = run(
        "ingest", "--ray", cluster.address, folder, home=spread, credentials=cluster.credentials()
    )
    assert counts(again.stdout)["unchanged"] == "127"
    assert contents(spread)[1] == chunks


@pytest.mark.parametrize("stage", ["Embedding", "Cutting"])
def test_a_killed_worker_costs_nothing_but_time(
    cluster: RayCluster, home: Path, tmp_path: Path, stage: str
) -> None:
    """All documents are there, none twice, and no file is told to have failed."""
    write_files(tmp_path / "files", number=600)
    process = start(
        *("ingest", "--ray", cluster.address, tmp_path / "files"),
        home=home,
        credentials=cluster.credentials(),
    )
    wait_for_documents(50, home=home, process=process)
    workers = cluster.workers(stage)
    assert workers
    os.kill(workers[0], signal.SIGKILL)
    out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert (counts(out)["added"], counts(out)["failed"]) == ("600", "0")
    documents, chunks, _ = contents(home)
    assert len({document.uri for document in documents}) == len(documents) == 600
    assert len({(chunk.document, chunk.start) for chunk in chunks}) == len(chunks)


def test_ctrl_c_ends_it_and_the_next_run_goes_on(
    cluster: RayCluster, home: Path, tmp_path: Path
) -> None:
    """Status 130 within seconds, what was stored is sound, and the rest goes in later."""
    write_files(tmp_path / "files", number=600)
    arguments = ("ingest", "--ray", cluster.address, tmp_path / "files")
    process = start(*arguments, home=home, credentials=cluster.credentials())
    wait_for_documents(50, home=home, process=process)
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, err.strip()) == (130, "Stopped.")
    stored = len(contents(home)[0])
    assert counts(out)["added"] == str(stored)
    assert 50 <= stored < 600
    again = run(*arguments, home=home, credentials=cluster.credentials())
    assert (again.returncode, again.stderr) == (0, "")
    assert counts(again.stdout)["unchanged"] == str(stored)
    assert len(contents(home)[0]) == 600


def test_who_has_another_token_is_refused(cluster: RayCluster, home: Path, tmp_path: Path) -> None:
    """In one sentence that says which token is needed; nothing is stored."""
    write_files(tmp_path / "files", number=1)
    result = run(
        *("ingest", "--ray", cluster.address, tmp_path / "files"),
        home=home,
        credentials={"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
    )
    assert result.returncode == 1
    assert result.stderr.startswith(
        f"Error: The Ray cluster at {cluster.address} does not take this"
    )
    assert result.stderr.count("\n") == 1


def test_a_lost_node_costs_nothing_but_time(models: Path, home: Path, tmp_path: Path) -> None:
    """What its workers had in hand, and what lay in its memory, is made again on the other."""
    write_files(tmp_path / "files", number=600)
    with ray_cluster(nodes=2, models=models) as own:
        process = start(
            *("ingest", "--ray", own.address, tmp_path / "files"),
            home=home,
            credentials=own.credentials(),
        )
        wait_for_documents(50, home=home, process=process)
        own.kill_node(1)
        out, err = process.communicate(timeout=600)
    assert process.returncode == 0, err
    assert counts(out)["added"] == "600"
    assert len({document.uri for document in contents(home)[0]}) == 600


def test_a_cluster_that_takes_whoever_comes_is_refused(
    models: Path, home: Path, tmp_path: Path
) -> None:
    """Though it would let this command in; the sentence names the node."""
    write_files(tmp_path / "files", number=1)
    with ray_cluster(nodes=1, models=models, token="") as own:
        result = run(
            *("ingest", "--ray", own.address, tmp_path / "files"),
            home=home,
            credentials={"RAY_AUTH_MODE": "token", "RAY_AUTH_TOKEN": "0" * 64},
        )
    assert result.returncode == 1
    assert "The node 127.0.0.2 of the cluster takes whoever comes" in result.stderr
