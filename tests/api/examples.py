"""The requests of the OpenAPI document's examples, in an order in which each has what it needs.

As a program it asks them of a service over the seeds and writes what that answers.
"""

import json
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from litestar import Litestar
from litestar.testing import TestClient

from rag.documents import document_id
from tests import stores

ROOT = Path(__file__).parents[2]
FILE = ROOT / "rag" / "api" / "contract" / "examples.json"
SEED = "ac13e78b1f1a9b3b"
QUESTION = "How many soldiers were injured in May 2023?"
OWL = {"text": "The owl at the mill hoots at three.", "title": "The owl", "uri": "note:owl"}
QUOTE = {"document": SEED, "start": 1166, "end": 1168, "quote": "93"}

# Operation, method, path, and what goes with it.
REQUESTS: list[tuple[str, str, str, dict[str, Any]]] = [
    ("ask", "POST", "/v1/ask", {"json": {"question": QUESTION, "answers": 1, "k": 2}}),
    (
        "ask_batch",
        "POST",
        "/v1/ask/batch",
        {
            "json": {
                "questions": [
                    {"question": QUESTION, "answers": 1, "k": 1},
                    {"question": QUESTION, "collection": "letters"},
                ]
            }
        },
    ),
    (
        "ask_stream",
        "GET",
        "/v1/ask/stream",
        {"params": {"question": QUESTION, "answers": 1, "k": 1}},
    ),
    ("search", "POST", "/v1/search", {"json": {"question": "troops in the north", "k": 1}}),
    ("get_examples", "GET", "/v1/examples", {}),
    ("add_document", "POST", "/v1/documents", {"json": OWL}),
    ("list_documents", "GET", "/v1/documents", {"params": {"limit": 1}}),
    ("get_document", "GET", "/v1/documents/{document_id}", {"path": {"document_id": "note:owl"}}),
    ("get_text", "GET", "/v1/documents/{document_id}/text", {"path": {"document_id": "note:owl"}}),
    ("verify_citations", "POST", "/v1/citations/verify", {"json": {"citations": [QUOTE]}}),
    (
        "give_feedback",
        "POST",
        "/v1/feedback",
        {"json": {"question": QUESTION, "generation": 1, "verdict": "right", "answer": QUOTE}},
    ),
    ("get_index", "GET", "/v1/index", {}),
    ("create_collection", "POST", "/v1/collections", {"json": {"name": "letters"}}),
    ("list_collections", "GET", "/v1/collections", {}),
    ("delete_collection", "DELETE", "/v1/collections/{name}", {"path": {"name": "letters"}}),
    ("list_jobs", "GET", "/v1/jobs", {}),
    ("get_job", "GET", "/v1/jobs/{job_id}", {"path": {"job_id": "note:fox"}}),
    (
        "delete_document",
        "DELETE",
        "/v1/documents/{document_id}",
        {"path": {"document_id": "note:owl"}},
    ),
    ("live", "GET", "/health/live", {}),
    ("ready", "GET", "/health/ready", {}),
]


def answer_all(client: TestClient[Litestar]) -> dict[str, Any]:
    """Return the examples as the service behind a client answers them now."""
    ids = {uri: document_id(uri) for uri in ("note:owl",)} | {"note:fox": _finished_job(client)}
    examples = {}
    for operation, method, template, given in REQUESTS:
        path = {name: ids.get(value, value) for name, value in given.get("path", {}).items()}
        parameters = path | given.get("params", {})
        response = client.request(
            method, template.format(**path), json=given.get("json"), params=given.get("params")
        )
        assert response.status_code < 300, f"{operation}: {response.text}"
        example: dict[str, Any] = {"method": method, "status": response.status_code}
        if parameters:
            example["parameters"] = parameters
        if "json" in given:
            example["request"] = given["json"]
        if response.content:
            is_json = response.headers["content-type"] == "application/json"
            example["response"] = response.json() if is_json else response.text
        examples[operation] = example
    return examples


def _finished_job(client: TestClient[Litestar]) -> str:
    """Have a text taken in by a job, and return that job's id."""
    fox = {"text": "The fox at the mill barks at four.", "title": "The fox", "uri": "note:fox"}
    job = client.post("/v1/documents", params={"wait": "false"}, json=fox).json()
    for _ in range(600):
        if client.get(f"/v1/jobs/{job['id']}").json()["status"] == "done":
            break
        time.sleep(0.1)
    return str(job["id"])


@contextmanager
def answering(directory: Path) -> Iterator[TestClient[Litestar]]:
    """Give a client of a service over the seeds, which lie beside its home as in a clone."""
    from rag.asgi import open_app
    from rag.bootstrap import file_uri, open_engine
    from rag.indexing import File
    from rag.settings import read_settings

    home = directory / ".rag"
    shutil.copytree(ROOT / "seeds", directory / "seeds")
    files = sorted(directory.glob("seeds/*.md"))
    settings = read_settings(stores.environment(home))
    with open_engine(settings) as engine:
        uris = [File(path=path, uri=file_uri(path, home=home)) for path in files]
        list(engine.indexer.add_files(uris))
    with TestClient(open_app(settings)) as client:
        yield client


def main() -> None:
    """Write the examples."""
    with tempfile.TemporaryDirectory() as directory, answering(Path(directory)) as client:
        text = json.dumps(answer_all(client), indent=2, ensure_ascii=False)
    FILE.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
