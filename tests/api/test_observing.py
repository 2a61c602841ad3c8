"""Request ids, the log, and that no words of questions and documents get into it."""

import io
import json
import logging
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient

from rag.api import logs
from rag.api.app import create_app
from rag.api.logs import configure_logging, log_handler
from rag.errors import StoreError
from rag.sources.isolation import IsolatedParser
from rag.sources.limits import Limits
from rag.tracebacks import without_messages
from tests.services import FakeOpening, make_service

# Words that stand in questions, documents, names and addresses, and nowhere else.
CANARY = "xylograph"


@pytest.fixture
def log() -> Iterator[Callable[..., list[dict[str, Any]]]]:
    """Collects what is logged from now on, as JSON; `text` lets words in."""
    root, stream = logging.getLogger(), io.StringIO()
    before = root.handlers, root.level, logs.QUESTIONS.level
    state = {"text": False}

    def lines(*, text: bool | None = None) -> list[dict[str, Any]]:
        if text is not None:
            state["text"] = text
            root.handlers = [log_handler(stream, form="json", text=text)]
            logs.QUESTIONS.setLevel(logging.INFO if text else logging.CRITICAL)
        return [json.loads(line) for line in stream.getvalue().splitlines()]

    lines(text=False)
    root.setLevel(logging.DEBUG)
    client = logging.getLogger("httpx")  # that of the tests
    client.disabled = True
    yield lines
    client.disabled = False
    root.handlers, level, questions = before
    root.setLevel(level)
    logs.QUESTIONS.setLevel(questions)


@pytest.fixture
def opening(tmp_path: Path) -> FakeOpening:
    return FakeOpening(tmp_path / "home")


@pytest.fixture
def client(tmp_path: Path, opening: FakeOpening) -> Iterator[TestClient[Any]]:
    app = create_app(make_service(tmp_path / "home", opening))
    with TestClient(app, raise_server_exceptions=False) as opened:
        yield opened


def requests_in(lines: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [line for line in lines if line["event"] == "request"]


def test_each_request_leaves_one_line(
    client: TestClient[Any], log: Callable[..., list[dict[str, Any]]]
) -> None:
    """With method, route, status, size and the id that its response carries; never the path."""
    sent = [
        client.get("/v1/documents/abc"),
        client.get(f"/{CANARY}"),
        client.delete("/v1/ask"),
        client.post("/v1/ask", json={"question": "Who?"}),
        client.head("/health/live"),
    ]
    found = requests_in(log())
    expected = [
        ("GET", "/v1/documents/{document_id}", 404, "info"),
        ("GET", "unknown", 404, "info"),
        ("DELETE", "/v1/ask", 405, "info"),
        ("POST", "/v1/ask", 200, "info"),
        ("HEAD", "/health/live", 200, "debug"),
    ]
    assert [(f["method"], f["route"], f["status"], f["level"]) for f in found] == expected
    assert [f["request_id"] for f in found] == [s.headers["x-request-id"] for s in sent]
    assert len({f["request_id"] for f in found}) == len(sent)
    assert [f["bytes"] for f in found] == [len(s.content) for s in sent]
    assert all(f["ms"] >= 0 and f["key"] is None for f in found)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param("0af7651916cd43dd8448eb211c80319c", True, id="hexadecimal"),
        pytest.param("c0ffee-1.2_3:4", True, id="signs"),
        pytest.param("a" * 64, True, id="longest"),
        pytest.param("a" * 65, False, id="too long"),
        pytest.param("", False, id="empty"),
        pytest.param("a b", False, id="space"),
        pytest.param("a\tforged", False, id="tab"),
        pytest.param('","level":"none', False, id="quotes"),
        pytest.param("-a", False, id="sign first"),
    ],
)
def test_a_request_keeps_an_id_that_looks_like_one(
    client: TestClient[Any], log: Callable[..., list[dict[str, Any]]], given: str, *, kept: bool
) -> None:
    """Others are replaced: 32 hexadecimal digits that do not repeat what was sent."""
    id_ = client.get("/health/live", headers={"X-Request-ID": given}).headers["x-request-id"]
    assert (id_ == given) is kept
    if not kept:
        assert len(id_) == 32
        assert int(id_, 16) >= 0
    assert requests_in(log())[-1]["request_id"] == id_


def test_lines_of_a_worker_thread_carry_the_id(
    client: TestClient[Any], log: Callable[..., list[dict[str, Any]]], opening: FakeOpening
) -> None:
    """What is logged on the thread of the models belongs to the request it runs for."""

    class Telling:
        def ask(self, *_: object, **__: object) -> None:
            logging.getLogger("rag.models").info("on %s", threading.current_thread().name)
            raise StoreError("The disk is broken.")

    opening.answerer = Telling()
    response = client.post("/v1/ask", json={"question": "Who?"}, headers={"X-Request-ID": "mine"})
    assert response.status_code == 503
    found = log()
    assert [(line["event"], line["request_id"]) for line in found] == [
        ("on the models 1", "mine"),
        ("The disk is broken.", "mine"),
        ("request", "mine"),
    ]


def test_no_words_of_questions_and_documents_are_logged(
    client: TestClient[Any], log: Callable[..., list[dict[str, Any]]], opening: FakeOpening
) -> None:
    """Whether a request succeeds, is refused, or meets an error that quotes them."""
    text = f"The {CANARY} hangs in room 7."
    body = {"text": text, "title": CANARY, "uri": f"file:{CANARY}", "metadata": {"by": CANARY}}
    document = client.post("/v1/documents", json=body).json()["documents"][0]["document"]["id"]
    client.post("/v1/documents", files={"file": (f"{CANARY}.txt", text.encode())})
    client.post("/v1/documents", files={"file": (f"{CANARY}.exe", text.encode())})
    client.post("/v1/documents", files={"file": (f"{CANARY}.json", b'{"' + CANARY.encode())})
    client.post("/v1/documents", content=f'{{"text": "{CANARY}'.encode())
    client.post("/v1/ask", json={"question": f"Where is the {CANARY}?"})
    client.post("/v1/ask", json={"question": CANARY, CANARY: CANARY})
    client.post("/v1/ask", json={"question": CANARY, "collection": CANARY})
    client.post("/v1/ask", json={"question": CANARY, "filters": {"documents": [CANARY]}})
    client.post("/v1/search", json={"question": CANARY})
    client.get(f"/v1/documents?{CANARY}={CANARY}")
    client.get(f"/v1/documents/{CANARY}/text")
    client.get(f"/{CANARY}?{CANARY}")
    client.get("/v1/index", headers={"X-Request-ID": f"<{CANARY}>", "User-Agent": CANARY})
    assert client.get(f"/v1/documents/{document}/text").text == text
    client.delete(f"/v1/documents/{document}")

    class Failing:
        def ask(self, question: str, **_: object) -> None:
            try:
                int(question)
            except ValueError as error:
                group = ExceptionGroup(question, [KeyError(question), ValueError(text)])
                raise RuntimeError(f"no answer to {question}") from group or error

        def search(self, question: str, **_: object) -> None:
            logging.getLogger("another.library").warning("cannot read %s", question)
            logging.getLogger("another.library").error("cannot read " + question)  # noqa: G003
            raise KeyError(question)

    opening.answerer = Failing()
    client.post("/v1/collections", json={"name": "second"})
    for route in ("ask", "search"):
        question = {"question": f"Where is the {CANARY}?", "collection": "second"}
        assert client.post(f"/v1/{route}", json=question).status_code == 500

    assert len(requests_in(log())) == 19
    assert CANARY not in json.dumps(log(), ensure_ascii=False)


def test_words_are_logged_where_they_are_wanted(
    client: TestClient[Any], log: Callable[..., list[dict[str, Any]]]
) -> None:
    """A line for each question, with its answers; and what other libraries and errors say."""
    log(text=True)
    client.post("/v1/documents", json={"text": "The owl lives in a tree.", "uri": "a"})
    client.post("/v1/ask", json={"question": "Where lives the owl?"})
    logging.getLogger("another.library").warning("cannot read %s", "this")
    (line,) = [line for line in log() if line["event"] == "question"]
    assert (line["question"], line["answers"]) == (
        "Where lives the owl?",
        ["The owl lives in a tree."],
    )
    assert line["abstention"] is None
    assert log()[-1]["event"] == "cannot read this"


def test_an_unexpected_error_leaves_its_traceback(
    client: TestClient[Any], log: Callable[..., list[dict[str, Any]]], opening: FakeOpening
) -> None:
    """Where it happened and what led to it, with the id that the response carries."""

    class Failing:
        def ask(self, question: str, **_: object) -> None:
            try:
                int(question)
            except ValueError as error:
                raise RuntimeError(question) from error

    opening.answerer = Failing()
    response = client.post("/v1/ask", json={"question": "Who?"})
    assert response.status_code == 500
    error, request = log()
    assert (error["event"], error["level"]) == ("An unexpected error", "error")
    assert (request["status"], request["level"]) == (500, "error")
    assert error["request_id"] == request["request_id"] == response.headers["x-request-id"]
    told = error["exception"]
    assert f'File "{__file__}"' in told
    assert "in ask\n    int(question)" in told
    assert told.index("ValueError\nwhich caused:") < told.index("raise RuntimeError(question)")
    assert told.endswith("\nRuntimeError")


def test_a_reader_that_fails_is_logged_without_the_file(
    log: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The child's traceback crosses the pipe; what its error says is shown only to who wants it."""
    broken = tmp_path / "rag_broken_reader.py"
    broken.write_text(
        "import rag.sources.child as child\n"
        "def extract(data, *, name):\n"
        "    raise KeyError(data.decode())\n"
        "child.extract = extract\n"
        "child.main()\n",
        encoding="utf-8",
    )
    popen = __import__("subprocess").Popen

    def start(command: list[str], **options: Any) -> Any:
        swapped = [str(broken) if part == "rag.sources.child" else part for part in command]
        swapped.remove("-m")
        return popen(swapped, **options)

    monkeypatch.setattr("rag.sources.process.subprocess.Popen", start)
    limits = Limits(seconds=10, memory=2**29, characters=1000, pages=10)
    for text in (False, True):
        log(text=text)
        parser = IsolatedParser(limits)
        try:
            with pytest.raises(Exception, match=CANARY):
                parser.read(CANARY.encode(), name="a.txt", uri="a.txt")
        finally:
            parser.close()
    without, with_text = (line for line in log() if "unforeseen" in line["event"])
    assert "in extract\n    raise KeyError(data.decode())" in without["event"]
    assert without["event"].endswith("KeyError")
    assert CANARY not in json.dumps(without)
    assert with_text["reason"] == f"KeyError: '{CANARY}'"


def test_errors_that_refer_to_each_other_have_a_traceback() -> None:
    """Each is shown once, and what caused it before it."""
    one, other = ValueError("a"), KeyError("b")
    one.__cause__, other.__cause__ = other, one
    assert without_messages(one) == "KeyError\nwhich caused:\nValueError"


def test_a_group_of_errors_shows_each() -> None:
    """By its type and where it was raised."""
    group = ExceptionGroup(CANARY, [ValueError(CANARY), ExceptionGroup("", [OSError(CANARY)])])
    assert without_messages(group).splitlines() == [
        "ExceptionGroup",
        "of its exceptions, number 1:",
        "ValueError",
        "of its exceptions, number 2:",
        "ExceptionGroup",
        "of its exceptions, number 1:",
        "OSError",
    ]


@pytest.mark.parametrize(
    ("form", "level", "expected"),
    [
        pytest.param("json", "info", ["one", "two"], id="json"),
        pytest.param("json", "warning", ["two"], id="level"),
        pytest.param(None, "info", ["one", "two"], id="no terminal"),
        pytest.param("off", "info", [], id="off"),
    ],
)
def test_logging_is_configured(
    log: Callable[..., list[dict[str, Any]]],
    monkeypatch: pytest.MonkeyPatch,
    form: Any,
    level: Any,
    expected: list[str],
) -> None:
    """Records of this package from a level on, of other libraries from a warning on, on stderr."""
    assert log() == []
    stream = io.StringIO()
    monkeypatch.setattr("sys.stderr", stream)
    monkeypatch.setattr(threading, "excepthook", threading.excepthook)
    levels = {name: logging.getLogger(name).level for name in ("rag", "vectors", "uvicorn")}
    try:
        configure_logging(form=form, level=level, text=False)
        logging.getLogger("rag.a").info("one")
        logging.getLogger("rag.a").warning("two")
        logging.getLogger("another").info("three")
    finally:
        logging.captureWarnings(capture=False)
        for name, before in levels.items():
            logging.getLogger(name).setLevel(before)
    assert [json.loads(line)["event"] for line in stream.getvalue().splitlines()] == expected


def test_a_terminal_gets_text() -> None:
    """One line an event, with its fields, without colours where there is no terminal."""
    stream = io.StringIO()
    record = logging.LogRecord("rag.a", logging.INFO, "a.py", 1, "request", (), None)
    record.fields = {"status": 200}
    log_handler(stream, form="text", text=False).emit(record)
    (line,) = stream.getvalue().splitlines()
    assert line.split(" ", maxsplit=1)[1].split() == [
        "[info",
        "]",
        "request",
        "[rag.a]",
        "status=200",
    ]


def test_a_thread_that_ends_by_an_error_is_logged(
    log: Callable[..., list[dict[str, Any]]], monkeypatch: pytest.MonkeyPatch
) -> None:
    """By its traceback, as everything else, and not by what the error says."""
    monkeypatch.setattr(threading, "excepthook", logs._log_end_of_thread)
    thread = threading.Thread(target=lambda: int(CANARY))
    thread.start()
    thread.join()
    (line,) = log()
    assert line["event"] == "A thread ended by an unexpected error"
    assert line["exception"].endswith("ValueError")
    assert CANARY not in json.dumps(line)
