"""What was acknowledged survives a kill."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from rag.store import SqliteStore
from tests.store.conformance.opening import content

ROOT = Path(__file__).resolve().parents[2]


CHILD = """
import sys
from pathlib import Path
from rag.store import SqliteStore
from tests.fakes import make_document, ready

store = SqliteStore(Path(sys.argv[1]), fingerprint="f")
first = int(sys.argv[2])
for n in range(first, first + 100_000):
    text = "\\n".join(f"document {n} line {line}" for line in range(20))
    store.put(ready(make_document(text, uri=f"file:{n}")))
    print(n, flush=True)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="the system cannot kill like that")
def test_a_kill_loses_nothing_that_was_acknowledged(tmp_path: Path) -> None:
    """After each of three kills amid writing, all acknowledged documents are there, whole.

    At most the one that was being written is there besides, and it is whole too.
    """
    environment = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), *sys.path])}
    following = 0
    for acknowledged in (3, 7, 12):
        child = subprocess.Popen(
            [sys.executable, "-c", CHILD, str(tmp_path), str(following)],
            stdout=subprocess.PIPE,
            env=environment,
            text=True,
        )
        assert child.stdout is not None
        seen = [int(child.stdout.readline()) for _ in range(acknowledged)]
        child.send_signal(signal.SIGKILL)
        seen += [int(line) for line in child.stdout.read().splitlines()]
        child.stdout.close()
        assert child.wait(timeout=30) == -signal.SIGKILL
        store = SqliteStore(tmp_path, fingerprint="f")
        assert store._writer.execute("PRAGMA integrity_check").get == "ok"
        with store.snapshot() as snapshot:
            documents, chunks = snapshot.count()
            assert seen == list(range(following, following + len(seen)))
            assert documents - (following + len(seen)) in {0, 1}
            assert snapshot.generation == documents
            assert chunks == 20 * documents
            texts = [parts[2] for _, parts in sorted(content(snapshot).items())]
        expected = [f"document {n} line {line}" for n in range(documents) for line in range(20)]
        assert texts == expected
        store.close()
        following = documents
