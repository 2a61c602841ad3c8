"""Bad input: a clear 4xx that names the place, never a 500."""

import json
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]

JSON = {"content-type": "application/json"}
INVALID = "invalid-request"
DEEP = b"[" * 100_000


def check(response: Any, status: int, kind: str) -> Any:
    """Assert that a response is a whole problem and return it."""
    problem = response.json()
    assert (response.status_code, problem["type"]) == (status, f"urn:chapterverse:problem:{kind}")
    assert response.headers["content-type"] == "application/problem+json"
    assert problem["status"] == status
    assert problem["title"]
    assert problem["detail"]
    assert problem["instance"] == response.request.url.path
    assert response.headers["x-content-type-options"] == "nosniff"
    return problem


QUESTIONS = [
    # body without its braces, pointer, part of the detail
    ('"question": ""', "/question", "length >= 1"),
    ('"question": " \\t\\n"', "/question", "empty"),
    (f'"question": "{"x" * 2001}"', "/question", "length <= 2000"),
    (f'"question": "{"x" * 100_000}"', "/question", "length <= 2000"),
    ('"question": "a\\u0000b"', "/question", "NUL"),
    ('"question": "\\ud800"', "/question", "lone surrogate"),
    ('"question": 5', "/question", "Expected `str`, got `int`"),
    ('"question": null', "/question", "got `null`"),
    ('"question": "x", "k": 0', "/k", ">= 1"),
    ('"question": "x", "k": -1', "/k", ">= 1"),
    ('"question": "x", "k": 1000000000', "/k", "<= 100"),
    ('"question": "x", "k": 1e30', "/k", "`float`"),
    ('"question": "x", "k": "3"', "/k", "`str`"),
    ('"question": "x", "k": true', "/k", "`bool`"),
    ('"question": "x", "zz": 1', "/zz", "unknown field `zz`"),
    ('"question": "x", "a/b~c": 1', "/a~1b~0c", "unknown field `a/b~c`"),
    ('"question": "x", "filters": {"zz": 1}', "/filters/zz", "unknown field `zz`"),
    ('"question": "x", "filters": {"documents": ["a", 3]}', "/filters/documents/1", "`int`"),
    ('"question": "x", "filters": {"metadata": {"a": 3}}', "/filters/metadata", "`int`"),
    ('"question": "x", "filters": {"documents": ["\\u0000"]}', "/filters/documents/0", "NUL"),
    ('"question": "x", "filters": {"published_to": "x"}', "/filters/published_to", "'x'"),
    (
        '"question": "x", "filters": {"published_from": "2023-02-29"}',
        "/filters/published_from",
        "2023-02-29",
    ),
    (
        '"question": "x", "filters": {"published_from": "20231120"}',
        "/filters/published_from",
        "such as 2023-11-20",
    ),
    ('"question": "x"} {', "", "trailing"),
    ('"k": 3', "", "missing required field `question`"),
]


@pytest.mark.parametrize("path", ["/v1/ask", "/v1/search"])
@pytest.mark.parametrize(("fields", "pointer", "detail"), QUESTIONS)
def test_a_wrong_field_is_named(
    client: Client, path: str, fields: str, pointer: str, detail: str
) -> None:
    """400 with a JSON pointer to the field and what is wrong with it."""
    body = f"{{{fields}}}".encode()
    problem = check(client.post(path, content=body, headers=JSON), 400, INVALID)
    assert problem.get("pointer", "") == pointer
    assert detail in problem["detail"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"answers": 0}, "/answers"),
        ({"answers": 21}, "/answers"),
        ({"min_confidence": -0.1}, "/min_confidence"),
        ({"min_confidence": 1.1}, "/min_confidence"),
        ({"min_confidence": "high"}, "/min_confidence"),
        ({"retriever": "dense"}, "/retriever"),
    ],
)
def test_what_only_ask_takes_has_bounds(client: Client, fields: Any, pointer: str) -> None:
    """Numbers of answers and probabilities out of range are refused, and what search takes."""
    response = client.post("/v1/ask", json={"question": "x", **fields})
    assert check(response, 400, INVALID)["pointer"] == pointer


def test_search_knows_three_retrievers(client: Client) -> None:
    """Another one is refused by its name."""
    response = client.post("/v1/search", json={"question": "x", "retriever": "psychic"})
    problem = check(response, 400, INVALID)
    assert problem["pointer"] == "/retriever"
    assert "psychic" in problem["detail"]


POSTS = ["/v1/ask", "/v1/search", "/v1/documents", "/v1/citations/verify", "/v1/feedback"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize(
    ("body", "detail"),
    [
        pytest.param(b"", "JSON body is required", id="empty"),
        pytest.param(b"{bad", "malformed", id="malformed"),
        pytest.param(b'{"collection": "x"', "truncated", id="cut"),
        pytest.param(b"null", "`null`", id="null"),
        pytest.param(b"[]", "`array`", id="array"),
        pytest.param(b'{"collection": "\xff"}', "UTF-8", id="bytes"),
        pytest.param(b'{"collection": "\xed\xa0\x80"}', "UTF-8", id="cesu"),
        pytest.param(DEEP, "`array`", id="deep"),
        pytest.param(b'{"question": ' + DEEP, "", id="deep question"),
        pytest.param(b'{"a": ' + DEEP, "`a`", id="deep unknown"),
        pytest.param(
            b'{"filters": {"metadata": ' + DEEP + b', "metadata": ' + DEEP, "", id="deep filters"
        ),
        pytest.param(b'{"\\ud800": 1}', "lone surrogate", id="surrogate key"),
    ],
)
def test_what_is_no_json_is_refused(client: Client, path: str, body: bytes, detail: str) -> None:
    """400 on every route that takes JSON, saying what is wrong with it."""
    problem = check(client.post(path, content=body, headers=JSON), 400, INVALID)
    assert detail in problem["detail"]


@pytest.mark.parametrize("path", POSTS)
@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", ""])
def test_another_content_type_is_refused(client: Client, path: str, kind: str) -> None:
    """415, also for JSON that is called text, which other sites' pages may send unasked."""
    headers = {"content-type": kind} if kind else {}
    response = client.post(path, content=b'{"question": "x"}', headers=headers)
    problem = check(response, 415, "unsupported-media-type")
    assert (kind or "no type") in problem["detail"]


@pytest.mark.parametrize("path", POSTS)
def test_a_huge_body_is_refused(client: Client, path: str) -> None:
    """413 naming the limit."""
    body = json.dumps({"question": "x" * 2_100_000}).encode()
    problem = check(client.post(path, content=body, headers=JSON), 413, "too-large")
    assert "bytes" in problem["detail"]


@pytest.mark.parametrize("path", POSTS)
def test_an_unknown_collection_is_refused(client: Client, path: str) -> None:
    """404 naming it, whatever is asked of it."""
    citation = {"document": "a", "start": 0, "end": 1, "quote": "x"}
    fields = {
        "/v1/documents": {"text": "x"},
        "/v1/citations/verify": {"citations": [citation]},
        "/v1/feedback": {"question": "x", "generation": 0, "verdict": "right"},
    }.get(path, {"question": "x"})
    problem = check(client.post(path, json=fields | {"collection": "no"}), 404, "not-found")
    assert "'no'" in problem["detail"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({}, ""),
        ({"text": ""}, "/text"),
        ({"text": 5}, "/text"),
        ({"text": "a\0"}, "/text"),
        ({"text": "a", "title": ""}, "/title"),
        ({"text": "a", "title": "a\0"}, "/title"),
        ({"text": "a", "uri": ""}, "/uri"),
        ({"text": "a", "published": "yesterday"}, "/published"),
        ({"text": "a", "published": "2023-11-20T10:00"}, "/published"),
        ({"text": "a", "metadata": {"n": 1}}, "/metadata"),
        ({"text": "a", "metadata": {"a": "\0"}}, "/metadata/a"),
        ({"text": "a", "zz": 1}, "/zz"),
    ],
)
def test_a_wrong_document_is_refused(client: Client, fields: Any, pointer: str) -> None:
    """400 with the field at fault."""
    problem = check(client.post("/v1/documents", json=fields), 400, INVALID)
    assert problem.get("pointer", "") == pointer


def test_a_blank_text_is_no_document(client: Client) -> None:
    """422: the request is in order, but there is nothing to read."""
    check(client.post("/v1/documents", json={"text": " \n\t"}), 422, "no-text")


@pytest.mark.parametrize(
    ("name", "content", "problem", "detail"),
    [
        pytest.param("a.pdf", b"", (422, "no-text"), "0 bytes", id="empty pdf"),
        pytest.param("a.docx", b"%PDF-1.7\n%", (422, "broken-file"), "PDF file", id="pdf as docx"),
        pytest.param("a.pdf", b"%PDF-1.7 x", (422, "broken-file"), "damaged", id="broken pdf"),
        pytest.param("a.docx", b"PK\x03\x04x", (422, "broken-file"), "damaged", id="broken docx"),
        pytest.param("a.xyz", b"x", (415, "unsupported-format"), ".xyz", id="unknown kind"),
        pytest.param("..", b"x", (415, "unsupported-format"), "suffix", id="no name"),
        pytest.param("a.txt", b" \n", (422, "no-text"), "white space", id="blank"),
        pytest.param("a.jsonl", b"{bad", (422, "broken-file"), "line 1", id="broken jsonl"),
        pytest.param("a.txt", b"x" * 2_100_000, (413, "too-large"), "2,000,000", id="huge"),
    ],
)
def test_a_file_that_cannot_be_taken_in_is_refused(
    client: Client, name: str, content: bytes, problem: tuple[int, str], detail: str
) -> None:
    """The problem's type tells the cause, its detail what to do."""
    response = client.post("/v1/documents", files={"file": (name, content)})
    assert detail in check(response, *problem)["detail"]


@pytest.mark.parametrize(
    ("files", "data", "detail"),
    [
        ([("other", ("a.txt", b"x"))], {}, "`other`"),
        ([("file", ("a.txt", b"x"))], {"zz": "1"}, "`zz`"),
        ([("file", ("a.txt", b"x")), ("file", ("b.txt", b"y"))], {}, "several fields `file`"),
        ([("file", (None, b"x"))], {}, "no file in its field `file`"),
    ],
)
def test_a_form_must_have_one_file_and_nothing_unknown(
    client: Client, files: Any, data: Any, detail: str
) -> None:
    """A second file or another field is not ignored without a word."""
    response = client.post("/v1/documents", files=files, data=data)
    assert detail in check(response, 400, INVALID)["detail"]


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("multipart/form-data", b"x"),
        ("multipart/form-data; boundary=xx", b""),
        ("multipart/form-data; boundary=xx", b"garbage"),
        (
            "multipart/form-data; boundary=xx",
            b'--xx\r\nContent-Disposition: form-data; name="file"; filename="a.txt"\r\n\r\ncut',
        ),
    ],
)
def test_a_form_that_does_not_parse_is_refused(client: Client, kind: str, body: bytes) -> None:
    """400 for forms cut off or without boundaries."""
    response = client.post("/v1/documents", content=body, headers={"content-type": kind})
    check(response, 400, INVALID)


def test_an_odd_file_name_is_no_error_of_the_service(client: Client) -> None:
    """Bytes that are no UTF-8 in a file's name are refused or taken, but break nothing."""
    body = (
        b'--xx\r\nContent-Disposition: form-data; name="file"; filename="\xff\x01.txt"\r\n\r\n'
        b"Owls hoot.\r\n--xx--\r\n"
    )
    headers = {"content-type": "multipart/form-data; boundary=xx"}
    response = client.post("/v1/documents", content=body, headers=headers)
    if response.status_code == 201:
        id_ = response.json()["documents"][0]["document"]["id"]
        assert client.delete(f"/v1/documents/{id_}").status_code == 204
    else:
        assert 400 <= response.status_code < 500


@pytest.mark.parametrize("id_", ["nope", "%00", "%ED%A0%80", "x" * 3000, "é"])
@pytest.mark.parametrize(("method", "suffix"), [("GET", ""), ("GET", "/text"), ("DELETE", "")])
def test_an_unknown_document_is_not_found(
    client: Client, id_: str, method: str, suffix: str
) -> None:
    """404, whatever the id looks like."""
    response = client.request(method, f"/v1/documents/{id_}{suffix}")
    assert response.status_code == 404
    assert response.json()["type"] == "urn:chapterverse:problem:not-found"


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ("limit=0", "limit: Expected `int` >= 1"),
        ("limit=1001", "limit: Expected `int` <= 1000"),
        ("limit=x", "limit: Expected `int`"),
        ("offset=-1", "offset: Expected `int` >= 0"),
        (f"offset={10**30}", "offset: Expected `int` <= "),
        ("page=2", "`page`"),
    ],
)
def test_a_wrong_query_parameter_is_named(client: Client, query: str, detail: str) -> None:
    """400 with the parameter's name, also for one that does not exist."""
    assert detail in check(client.get(f"/v1/documents?{query}"), 400, INVALID)["detail"]


def test_query_parameters_of_a_route_without_any_are_refused(client: Client) -> None:
    """`k` in the address is not silently ignored."""
    response = client.post("/v1/ask?k=3", json={"question": "x"})
    assert "`k`" in check(response, 400, INVALID)["detail"]


@pytest.mark.parametrize(
    ("fields", "pointer"),
    [
        ({"citations": []}, "/citations"),
        ({"citations": [{"document": "x"}]}, "/citations/0"),
        (
            {"citations": [{"document": "x", "start": -1, "end": 1, "quote": ""}]},
            "/citations/0/start",
        ),
        (
            {"citations": [{"document": "x", "start": 0, "end": 1, "quote": "", "q": 1}]},
            "/citations/0/q",
        ),
        (
            {"citations": [{"document": "x", "start": 0, "end": 1, "quote": ""}] * 101},
            "/citations",
        ),
    ],
)
def test_citations_to_verify_have_bounds(client: Client, fields: Any, pointer: str) -> None:
    """None, too many and malformed ones are refused with their place."""
    response = client.post("/v1/citations/verify", json=fields)
    assert check(response, 400, INVALID)["pointer"] == pointer


@pytest.mark.parametrize("path", ["/nope", "/v1", "/v1/nope", "/schema", "/page/"])
def test_an_unknown_route_is_a_problem(client: Client, path: str) -> None:
    """404 naming the path."""
    assert path in check(client.get(path), 404, "not-found")["detail"]


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("GET", "/v1/ask", "POST"),
        ("PUT", "/v1/documents", "GET"),
        ("POST", "/health/live", "GET"),
        ("POST", "/v1/documents/a", "DELETE"),
        ("POST", "/page/main.js", "GET"),
    ],
)
def test_a_wrong_method_is_a_problem(client: Client, method: str, path: str, allowed: str) -> None:
    """405 with the methods that are allowed, in the header and in words."""
    response = client.request(method, path)
    problem = check(response, 405, "method-not-allowed")
    assert allowed in response.headers["allow"].split(", ")
    assert allowed in problem["detail"]
