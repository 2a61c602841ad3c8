"""The contract: the document is valid, complete, true and the one that was agreed on."""

import json
from pathlib import Path
from typing import Any

import msgspec
import pytest
from litestar import Litestar
from litestar.testing import TestClient
from openapi_spec_validator import OpenAPIV31SpecValidator

from rag.api import contract, problems, schemas
from rag.api.app import create_app
from rag.api.contract.problem_types import MEANINGS
from tests.api import examples, write_openapi
from tests.services import make_service

Document = dict[str, Any]


@pytest.fixture(scope="module")
def document(tmp_path_factory: pytest.TempPathFactory) -> Document:
    return write_openapi.document(tmp_path_factory.mktemp("openapi"))


def operations(document: Document) -> dict[str, Any]:
    """Return the operations by their ids, which are unique."""
    found = [each for path in document["paths"].values() for each in path.values()]
    by_id = {each["operationId"]: each for each in found}
    assert len(by_id) == len(found)
    return by_id


def test_the_document_is_the_one_agreed_on(document: Document) -> None:
    """Whoever changes the contract sees it in a diff: `make contract-document` writes it anew."""
    agreed = json.loads(write_openapi.FILE.read_text(encoding="utf-8"))
    assert document == agreed, "Look whether it is meant, then: make contract-document"


def test_the_document_is_valid(document: Document) -> None:
    """It is OpenAPI 3.1 by that standard's own schema, of this version of the package."""
    assert document["openapi"] == "3.1.0"
    assert document["info"]["version"]
    OpenAPIV31SpecValidator(document).validate()


def test_every_operation_says_what_it_does_takes_and_gives(document: Document) -> None:
    """Summary, description, one known tag, responses described, an example where there can be."""
    tags = {tag["name"] for tag in document["tags"]}
    for name, operation in operations(document).items():
        assert operation["summary"], name
        assert operation["description"], name
        assert len(operation["tags"]) == 1
        assert set(operation["tags"]) <= tags
        assert all(response["description"] for response in operation["responses"].values()), name
        for parameter in operation.get("parameters", ()):
            assert parameter["description"], name
        if "requestBody" in operation:
            assert "example" in operation["requestBody"]["content"]["application/json"], name
        for status, response in operation["responses"].items():
            if status in {"200", "201"} and status == _usual(operation):
                assert any("example" in media for media in response["content"].values()), name


def _usual(operation: Any) -> str:
    return "201" if "201" in operation["responses"] else "200"


def test_refusals_of_the_layers_are_documented(document: Document) -> None:
    """Whatever needs a key tells so, with the statuses that the layers around may answer."""
    for name, operation in operations(document).items():
        open_to_all = operation["tags"] == ["health"]
        assert operation["security"] == ([] if open_to_all else [{"key": []}]), name
        if not open_to_all:
            assert {"400", "401", "403", "421", "429", "503"} <= set(operation["responses"]), name
            assert "Retry-After" in operation["responses"]["429"]["headers"]
            assert "WWW-Authenticate" in operation["responses"]["401"]["headers"]
        assert ("408" in operation["responses"]) == ("requestBody" in operation), name
    assert document["components"]["securitySchemes"]["key"]["scheme"] == "bearer"


def test_without_keys_none_is_asked_for(tmp_path: Path) -> None:
    """The served document says what the service does that serves it."""
    with TestClient(create_app(make_service(tmp_path))) as client:
        served = client.get("/openapi.json").json()
    assert all(operation["security"] == [] for operation in operations(served).values())


def test_every_type_of_problem_is_documented(document: Document) -> None:
    """Each kind that may be sent stands in the table with its statuses, and no other."""
    assert set(MEANINGS) == set(problems.TITLES)
    for status, kind in problems.STATUS.values():
        assert status in MEANINGS[kind].statuses
    types = document["components"]["schemas"]["Problem"]["properties"]["type"]["enum"]
    assert types == [problems.TYPE_PREFIX + kind for kind in MEANINGS]
    for kind, meaning in MEANINGS.items():
        assert f"`{problems.TYPE_PREFIX}{kind}`" in document["info"]["description"]
        assert meaning.text in document["info"]["description"]


def test_examples_are_of_the_types_that_are_documented(document: Document) -> None:
    """Each decodes strictly into the struct that its place names, and back into itself."""
    found = operations(document)
    checked = 0
    for name, example in contract.examples().items():
        response = found[name]["responses"][str(example["status"])]
        places = [(response, example.get("response"))]
        if "request" in example:
            places.append((found[name]["requestBody"], example["request"]))
        for place, value in places:
            media = place.get("content", {}).get("application/json", {})
            if "$ref" in media.get("schema", {}):
                struct = getattr(schemas, media["schema"]["$ref"].rpartition("/")[2])
                made = msgspec.to_builtins(msgspec.convert(value, struct))
                assert _within(value, made), name
                checked += 1
    assert checked >= 15


def _within(part: Any, whole: Any) -> bool:
    """Tell whether all of a value is in another, which may have defaults beside it."""
    if isinstance(part, dict):
        return all(key in whole and _within(value, whole[key]) for key, value in part.items())
    if isinstance(part, list):
        return len(part) == len(whole) and all(map(_within, part, whole))
    return bool(part == whole)


@pytest.mark.long
def test_examples_are_what_the_service_answers(tmp_path: Path) -> None:
    """Asked again over the seeds, the service gives them, but for times and rounding."""
    with examples.answering(tmp_path) as client:
        now = examples.answer_all(client)
    assert _settled(now) == _settled(contract.examples())


_VARIES = {"timings_ms", "created", "updated", "finished", "confidence", "score", "kept", "job_id"}


def _settled(value: Any) -> Any:
    """Return an example without what differs from time to time and from one CPU to another."""
    if isinstance(value, dict):
        varies = _VARIES | ({"id"} if "chunks_total" in value else set())  # a job's is random
        return {key: _settled(item) for key, item in value.items() if key not in varies}
    if isinstance(value, list):
        return [_settled(item) for item in value]
    if isinstance(value, str) and value.startswith("event: "):
        lines = [line.partition(": ") for line in value.splitlines()]
        return [
            [name, _settled(json.loads(data)) if name == "data" else data]
            for name, _, data in lines
        ]
    return value


@pytest.fixture
def client(tmp_path: Path) -> Any:
    with TestClient(create_app(make_service(tmp_path))) as opened:
        yield opened


def test_the_docs_page_shows_the_whole_contract(
    client: TestClient[Litestar], document: Document
) -> None:
    """Every operation, schema and problem has its place, with links to it; nothing is foreign."""
    response = client.get("/docs")
    assert response.status_code == 200
    assert response.headers["content-type"] == "text/html; charset=utf-8"
    page = response.text
    for name in operations(document):
        assert f'<section id="{name}">' in page
        assert f'href="#{name}"' in page
    for name in document["components"]["schemas"]:
        assert f'id="schema-{name}"' in page
    for kind in MEANINGS:
        assert f"{problems.TYPE_PREFIX}{kind}" in page
    for forbidden in ("<script", "style=", "src=", 'href="http', "onclick"):
        assert forbidden not in page
    style = client.get("/docs/docs.css")
    assert style.headers["content-type"] == "text/css; charset=utf-8"
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_curl_lines_of_the_docs_page_ask_for_the_examples(client: TestClient[Litestar]) -> None:
    """The command for a body holds the example's body; that for a query its parameters."""
    page = client.get("/docs").text
    assert "curl -s http://127.0.0.1:8000/v1/search" in page
    assert "--data-urlencode limit=1" in page
    assert "curl -s -X DELETE http://127.0.0.1:8000/v1/collections/letters" in page
