"""The service keeps to its OpenAPI document, whatever is sent: schemathesis with all its checks."""

import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from rag.api.app import create_app
from rag.api.protection import Protection
from rag.client import Client
from rag.keys import SCOPES, KeyFile
from tests.api.raw import serving
from tests.services import make_service

CONFIGURATION = Path(__file__).with_name("schemathesis.toml")
TEXT = "The owl hoots at night.\nThe cat sleeps on the sofa.\nA fox runs."


@contextmanager
def service(home: Path, *, with_keys: bool) -> Iterator[tuple[str, list[str]]]:
    """Give the address of a service with a document, and what schemathesis sends with requests."""
    keys = KeyFile(home) if with_keys else None
    key = keys.create("admin", scopes=SCOPES)[1] if keys else None
    protection = Protection(keys=keys, rate=0, failures=0, hosts=(), origins=())
    app = create_app(make_service(home, queue=64), protection=protection)
    with serving(app) as port:
        address = f"http://127.0.0.1:{port}"
        with Client(address, key=key) as client:
            client.add_text(TEXT, title="Animals")
        yield address, ["--header", f"Authorization: Bearer {key}"] if key else []


def run(home: Path, *options: str, with_keys: bool) -> int:
    """Return how many requests were made; fail with the report where one was answered wrongly."""
    with service(home, with_keys=with_keys) as (address, headers):
        done = subprocess.run(
            [
                *(Path(sys.executable).with_name("schemathesis"), "--config-file", CONFIGURATION),
                *("run", f"{address}/openapi.json", "--checks", "all", "--no-color"),
                *("--generation-database", "none", "--seed", "1"),
                *(*headers, *options),
            ],
            cwd=home,
            capture_output=True,
            text=True,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    counted = re.search(r"(\d+) generated, (\d+) passed", done.stdout)
    assert counted is not None, done.stdout
    assert counted[1] == counted[2]
    operations = re.search(r"Operations: +(\d+) selected / (\d+) total", done.stdout)
    assert operations is not None, done.stdout
    assert re.search(rf"Tested: {operations[2]}\b", done.stdout) is not None, done.stdout
    print(done.stdout.splitlines()[-1], counted[0])  # noqa: T201  (the figure is asked for)
    return int(counted[1])


def test_the_service_keeps_to_its_document(tmp_path: Path) -> None:
    """Examples and some random requests of each operation: nothing but what is documented."""
    options = ("--phases", "examples,fuzzing", "--max-examples", "1")
    assert run(tmp_path, *options, with_keys=True) >= 30


@pytest.mark.long
@pytest.mark.parametrize("with_keys", [True, False], ids=["with keys", "without keys"])
def test_the_service_keeps_to_its_document_under_thousands_of_requests(
    tmp_path: Path,
    with_keys: bool,  # noqa: FBT001  (a parameter of the test)
) -> None:
    """Examples, every bound and its breach, random requests, and rows of them, with all checks."""
    assert run(tmp_path, "--max-examples", "50", with_keys=with_keys) >= 2000
