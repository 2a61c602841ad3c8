"""Files are read in a child process within limits, whatever they hold and do to it."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import msgspec
import pytest

import rag.errors
from rag.documents import Document, Page
from rag.errors import BeyondLimit, BrokenFile, RagError, SourceError
from rag.sources import child, isolation, process, read_bytes
from rag.sources.content import Content, Extract, Heading
from rag.sources.frames import Refused, Taken, check, write_frame
from rag.sources.isolation import IsolatedParser
from rag.sources.limits import PARTS, Limits
from tests.sources.hostile import FILES

LIMITS = Limits(seconds=15, memory=2**29, characters=2_000_000, pages=5_000)
LOW = Limits(seconds=5, memory=2**27, characters=200_000, pages=5_000)

# What ends in each way, one file of each kind: fast, or stopped by the low limits.
SOME = {
    "one-line.txt": "RAG_PARSE_CHARACTERS",
    "noise.txt": "not text in any known encoding",
    "backticks.md": "RAG_PARSE_CHARACTERS",
    "front-matter-laughs.md": "",
    "deep.jsonl": "nested too deeply",
    "deep-divs.html": "Excessive depth",
    "many-spans.html": "RAG_PARSE_SECONDS|RAG_PARSE_BYTES",
    "bomb-of-paragraphs.docx": "RAG_PARSE_BYTES",
    "external-entity.docx": "",
    "laughs.docx": "Maximum entity",
    "looping-styles.docx": "",
    "overlapping.docx": "damaged",
    "form-loop.pdf": "RAG_PARSE_SECONDS|RAG_PARSE_BYTES",
    "page-tree-loop.pdf": "page 2 of the PDF is damaged",
}


@pytest.fixture(scope="module")
def parser() -> Iterator[IsolatedParser]:
    """A parser with the limits that are the default."""
    opened = IsolatedParser(LIMITS)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def strict() -> Iterator[IsolatedParser]:
    """A parser with low limits."""
    opened = IsolatedParser(LOW)
    yield opened
    opened.close()


def child_of(parser: IsolatedParser) -> int:
    """Return the process id of a parser's child, which has started."""
    assert parser._child is not None
    return parser._child._process.pid


@pytest.mark.parametrize("suffix", ["txt", "md", "html", "jsonl", "docx", "pdf"])
def test_the_child_reads_what_this_process_would(
    parser: IsolatedParser,
    suffix: str,
    make_docx: Callable[..., bytes],
    make_pdf: Callable[..., bytes],
) -> None:
    """Every field of every document is the same, for every format."""

    def fill(document):  # type: ignore[no-untyped-def]
        document.add_heading("Ants", 1)
        document.add_paragraph("Ants march.")

    pieces = [(72, 700, 12, "Ants march."), (72, 600, 12, "Bees dance.")]
    files = {
        "txt": "Über uns\r\nText".encode("cp1252"),
        "md": b"---\ntitle: Ants\ndate: 2020-01-02\nauthor: A\n---\n# One\ntext\n## Two\ntext",
        "html": b"<title>Ants</title><h1>Ants</h1><p>They march.</p><h2>Bees</h2><p>Dance.</p>",
        "jsonl": b'{"id": "x", "text": "first", "n": 1}\n\n{"text": "second"}\n',
        "docx": make_docx(fill),
        "pdf": make_pdf([pieces, pieces], outline=[("Ants march.", 0)]),
    }
    given = {"name": f"a.{suffix}", "uri": f"file:a.{suffix}"}
    assert parser.read(files[suffix], **given) == read_bytes(files[suffix], **given)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("a.xyz", b"x"),
        ("a.txt", b""),
        ("a.txt", b" \n"),
        ("a.pdf", b"PK\x03\x04"),
        ("a.docx", b"PK\x03\x04 damaged"),
        ("a.html", b"<html></html>"),
        ("a.jsonl", b"[]"),
    ],
)
def test_errors_come_through_unchanged(parser: IsolatedParser, name: str, data: bytes) -> None:
    """The class and the message are those of the reader, and the child reads on."""
    with pytest.raises(SourceError) as here:
        read_bytes(data, name=name, uri="a")
    parser.read(b"text", name="a.txt", uri="a")
    before = child_of(parser)
    with pytest.raises(SourceError) as there:
        parser.read(data, name=name, uri="a")
    assert (type(there.value), str(there.value)) == (type(here.value), str(here.value))
    assert child_of(parser) == before


def test_names_that_are_not_utf_8_can_be_read_and_refused(parser: IsolatedParser) -> None:
    """A file's name may hold any bytes; where it is part of a message they are escaped."""
    (document,) = parser.read(b"text", name="caf\udce9.txt", uri="a")
    assert document.text == "text"
    with pytest.raises(SourceError, match=r"files ending in \.tx\\udce9 cannot be read"):
        parser.read(b"text", name="a.tx\udce9", uri="a")


@pytest.mark.parametrize(("name", "reason"), SOME.items())
def test_hostile_files_end_with_their_text_or_an_error(
    strict: IsolatedParser, assert_consistent: Callable[[Document], None], name: str, reason: str
) -> None:
    """Each ends within the limits, with the reason that is due, and the next file is read."""
    data = FILES[name]()
    started = time.monotonic()
    if reason:
        with pytest.raises(SourceError, match=reason) as caught:
            strict.read(data, name=name, uri=name)
        assert len(str(caught.value)) < 500
    else:
        for document in strict.read(data, name=name, uri=name):
            assert_consistent(document)
            assert "root:" not in document.text  # of /etc/passwd
    assert time.monotonic() - started < LOW.seconds + 10
    (document,) = strict.read(b"The next.", name="a.txt", uri="a")
    assert document.text == "The next."


def test_a_document_of_too_much_text_is_refused(strict: IsolatedParser) -> None:
    """The bound is met exactly; beyond it the error names the limit and its setting."""
    (document,) = strict.read(b"a" * LOW.characters, name="a.txt", uri="a")
    assert len(document.text) == LOW.characters
    with pytest.raises(BeyondLimit, match=r"more than 200,000 characters.*RAG_PARSE_CHARACTERS"):
        strict.read(b"a" * (LOW.characters + 1), name="a.txt", uri="a")


def test_records_are_bounded_one_by_one(strict: IsolatedParser) -> None:
    """A file of records may hold more text than one document may."""
    record = b'{"text": "' + b"a" * (LOW.characters // 2) + b'"}\n'
    assert len(strict.read(record * 5, name="a.jsonl", uri="a")) == 5


@pytest.mark.parametrize("extra", [0, 1])
def test_the_parts_of_a_document_are_bounded(extra: int) -> None:
    """Headings, pages and metadata cost memory here however short they are."""
    headings = tuple(Heading(start=n, level=1, text="a") for n in range(PARTS - 3 + extra))
    full = Extract(record=None, sha256=None, content=content(headings=headings))
    with pytest.raises(BeyondLimit, match="headings") if extra else nullcontext():
        LIMITS.check(full)


@pytest.mark.parametrize(
    "changed",
    [
        {"title": "a" * 200_001},
        {"metadata": {"a" * 100_000: "b" * 100_001}},
        {"headings": (Heading(start=0, level=1, text="a" * 200_001),)},
    ],
)
def test_what_stands_beside_the_text_is_bounded(changed: dict[str, object]) -> None:
    """A title of megabytes is as bad as a text of megabytes."""
    with pytest.raises(BeyondLimit, match=r"title, headings and metadata.*RAG_PARSE_CHARACTERS"):
        LOW.check(Extract(record=None, sha256=None, content=content(**changed)))


def test_a_pdf_has_no_more_pages_than_are_allowed(make_pdf: Callable[..., bytes]) -> None:
    """The last page that has text counts, and the error names the setting."""
    line = (50.0, 700.0, 12.0, "Owls hoot at night.")
    data = make_pdf([[line], [], [line]])
    for pages in (3, 2):
        parser = IsolatedParser(replace(LIMITS, pages=pages))
        try:
            with (
                nullcontext()
                if pages == 3
                else pytest.raises(BeyondLimit, match=r"more than 2 pages.*RAG_PARSE_PAGES")
            ):
                (document,) = parser.read(data, name="a.pdf", uri="a")
                assert [page.number for page in document.pages] == [1, 3]
        finally:
            parser.close()


def test_the_records_of_a_file_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three are read, four are refused, where three are allowed."""
    monkeypatch.setattr(child, "RECORDS", 3)
    record = b'{"text": "a"}\n'
    outcome, payloads = child._outcome(record * 3, name="a.jsonl", limits=LIMITS)
    assert (outcome, len(payloads)) == (Taken(documents=3), 3)
    refused, payloads = child._outcome(record * 4, name="a.jsonl", limits=LIMITS)
    assert isinstance(refused, Refused)
    assert (refused.error, len(payloads)) == ("BeyondLimit", 0)
    assert "more than 3 records" in refused.message


def test_a_file_larger_than_the_memory_is_refused_unread(strict: IsolatedParser) -> None:
    """It reaches no child; the message names the limit."""
    with pytest.raises(BeyondLimit, match=r"134,217,728 bytes of memory.*RAG_PARSE_BYTES"):
        strict.read(bytes(LOW.memory + 1), name="a.txt", uri="a")


def test_long_titles_and_headings_are_cut(parser: IsolatedParser) -> None:
    """A title or heading of a megabyte would stand in every chunk of its section."""
    heading = "word " * 10_000
    (document,) = parser.read(f"# {heading}\ntext".encode(), name="a.md", uri="a")
    assert len(document.title) <= 300
    ((path,),) = {section.path for section in document.sections}
    assert path == heading[:199].rstrip() + "…"


def wait_until_busy(pid: int) -> None:
    """Wait until a process takes processor time."""
    first = processor_time(pid)
    deadline = time.monotonic() + 10
    while processor_time(pid) < first + 5:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def processor_time(pid: int) -> int:
    """Return how many clock ticks a process has taken."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


linux = pytest.mark.skipif(sys.platform != "linux", reason="asks /proc")


@linux
@pytest.mark.parametrize(
    ("end", "error", "reason"),
    [
        (signal.SIGSEGV, BrokenFile, r"crash \(SIGSEGV\): it is damaged"),
        (signal.SIGKILL, BeyondLimit, "RAG_PARSE_BYTES"),
        (signal.SIGALRM, BeyondLimit, "RAG_PARSE_SECONDS"),
    ],
)
def test_a_child_that_dies_is_an_error_of_its_file_only(
    parser: IsolatedParser, end: signal.Signals, error: type[SourceError], reason: str
) -> None:
    """The signal that ended it tells why; a new child reads the next file."""
    parser.read(b"text", name="a.txt", uri="a")
    victim = child_of(parser)
    slow = FILES["many-spans.html"]()
    with ThreadPoolExecutor(1) as thread:
        reading = thread.submit(parser.read, slow, name="a.html", uri="a")
        wait_until_busy(victim)
        os.kill(victim, end)
        with pytest.raises(error, match=reason):
            reading.result(timeout=20)
    assert parser.read(b"text", name="a.txt", uri="a")[0].text == "text"
    assert child_of(parser) != victim


@linux
def test_a_child_that_dies_between_files_is_replaced(parser: IsolatedParser) -> None:
    """Nobody notices."""
    parser.read(b"text", name="a.txt", uri="a")
    victim = child_of(parser)
    os.kill(victim, signal.SIGKILL)
    deadline = time.monotonic() + 10
    while Path(f"/proc/{victim}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        assert time.monotonic() < deadline
    assert parser.read(b"text", name="a.txt", uri="a")[0].text == "text"
    assert child_of(parser) != victim


def test_a_child_is_replaced_after_a_number_of_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Two files each, here: what libraries keep of each cannot pile up."""
    monkeypatch.setattr(isolation, "_FILES", 2)
    parser = IsolatedParser(LIMITS)
    seen = []
    try:
        for _ in range(4):
            parser._ready()
            seen.append(child_of(parser))
            parser.read(b"text", name="a.txt", uri="a")
    finally:
        parser.close()
    assert seen[0] == seen[1] != seen[2] == seen[3]


def test_several_threads_share_one_parser(parser: IsolatedParser) -> None:
    """Each gets the documents of its own file."""
    texts = [f"text {number}" for number in range(40)]
    with ThreadPoolExecutor(8) as threads:
        read = threads.map(
            lambda text: parser.read(text.encode(), name="a.txt", uri=text)[0].text, texts
        )
        assert list(read) == texts


@linux
def test_the_child_has_nothing_that_it_does_not_need(
    parser: IsolatedParser, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """No secrets of the environment, no open files, no place to write, a session of its own."""
    monkeypatch.setenv("RAG_SECRET", "hidden")
    with (tmp_path / "open").open("w") as file:
        os.set_inheritable(file.fileno(), True)  # noqa: FBT003
        parser.close()
        parser.read(b"text", name="a.txt", uri="a")
        pid = child_of(parser)
        links = {str(link.readlink()) for link in Path(f"/proc/{pid}/fd").iterdir()}
    assert all(link == os.devnull or link.startswith("pipe:") for link in links)
    variables = Path(f"/proc/{pid}/environ").read_text().split("\0")
    names = {variable.partition("=")[0] for variable in variables if variable}
    assert names <= {"PYTHONPATH", "PYTHONUTF8", *process._NEEDED}
    limits = Path(f"/proc/{pid}/limits").read_text().splitlines()
    bounds = {line[:25].strip(): line[25:46].strip() for line in limits}
    assert (bounds["Max file size"], bounds["Max core file size"]) == ("0", "0")
    assert LIMITS.memory < int(bounds["Max data size"]) < LIMITS.memory + 2**27
    assert os.getsid(pid) == pid
    os.kill(pid, signal.SIGINT)
    assert parser.read(b"text", name="a.txt", uri="a")[0].text == "text"
    assert child_of(parser) == pid


PARENT = """
import sys, time
from rag.sources.isolation import IsolatedParser
from rag.sources.limits import Limits
parser = IsolatedParser(Limits(seconds=2, memory=2**29, characters=100, pages=10))
parser.read(b"text", name="a.txt", uri="a")
print(parser._child._process.pid, flush=True)
if sys.argv[1] == "busy":
    parser.read(b"<p>" + b"<span>a</span>" * 200_000, name="a.html", uri="a")
time.sleep(60)
"""


@linux
@pytest.mark.parametrize("state", ["idle", "busy"])
def test_the_child_ends_with_its_parent(state: str) -> None:
    """However the parent ends: at once, or where a file is being read when its time is over."""
    with subprocess.Popen(
        [sys.executable, "-c", PARENT, state], stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        child = int(parent.stdout.readline())
        if state == "busy":
            wait_until_busy(child)
        parent.kill()
    deadline = time.monotonic() + 10
    while Path(f"/proc/{child}").exists():
        stat = Path(f"/proc/{child}/stat").read_text()
        if stat.rpartition(")")[2].split()[0] == "Z":
            break  # ended; whoever adopts orphans here takes his time
        assert time.monotonic() < deadline
        time.sleep(0.05)


def test_a_child_that_cannot_start_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is the installation's fault, not the file's: no SourceError, which ingest passes over."""
    monkeypatch.setattr(process.sys, "executable", "/bin/false")
    parser = IsolatedParser(LIMITS)
    try:
        with pytest.raises(RagError, match=r"did not start \(status 1\)") as caught:
            parser.read(b"text", name="a.txt", uri="a")
        assert not isinstance(caught.value, SourceError)
    finally:
        parser.close()


def content(**changed: object) -> Content:
    """Return a sound content of ten characters, but for what is `changed`."""
    sound = {
        "media_type": "text/plain",
        "text": "0123456789",
        "title": "Title",
        "published": "2020-01-02",
        "headings": (Heading(start=0, level=1, text="a"), Heading(start=9, level=2, text="b")),
        "pages": (Page(start=0, end=4, number=1), Page(start=4, end=10, number=3)),
        "metadata": {"key": "value"},
    }
    return Content(**{**sound, **changed})  # type: ignore[arg-type]


def test_a_sound_extract_passes() -> None:
    """What readers give is not refused."""
    check(Extract(record=None, sha256=None, content=content()))
    check(Extract(record="a", sha256="0" * 64, content=content(pages=(), published=None)))


@pytest.mark.parametrize(
    "changed",
    [
        {"headings": (Heading(start=10, level=1, text="a"),)},
        {"headings": (Heading(start=-1, level=1, text="a"),)},
        {"headings": (Heading(start=0, level=101, text="a"),)},
        {"headings": (Heading(start=5, level=1, text=""), Heading(start=4, level=1, text=""))},
        {"pages": (Page(start=0, end=9, number=1),)},
        {"pages": (Page(start=1, end=10, number=1),)},
        {"pages": (Page(start=0, end=5, number=1), Page(start=6, end=10, number=2))},
        {"pages": (Page(start=0, end=5, number=2), Page(start=5, end=10, number=1))},
        {"pages": (Page(start=0, end=11, number=2), Page(start=11, end=10, number=3))},
        {"text": "012345678\0"},
        {"media_type": "text/plain\r\nX: y"},
        {"published": "yesterday"},
    ],
)
def test_what_contradicts_itself_is_refused(changed: dict[str, object]) -> None:
    """A child that a file has taken over may say anything; nothing of it reaches the index."""
    with pytest.raises(ValueError, match="contradict"):
        check(Extract(record=None, sha256=None, content=content(**changed)))


LIAR = """
import sys
sys.stdout.buffer.write(bytes(8)); sys.stdout.flush()
sys.stdin.buffer.read(8 + 5 + 8 + 4)
sys.stdout.buffer.write(bytes.fromhex(sys.argv[-2])); sys.stdout.flush()
sys.stdin.buffer.read()
"""


def said(*payloads: bytes) -> str:
    """Return frames as the liar takes them, hexadecimal."""
    stream = BytesIO()
    for payload in payloads:
        write_frame(stream, payload)
    return stream.getvalue().hex()


TAKEN = msgspec.msgpack.encode(Taken(documents=1))
ODD = Extract(record=None, sha256="../../etc", content=content())


@pytest.mark.parametrize(
    "lie",
    [
        said(b"no MessagePack"),
        said(msgspec.msgpack.encode({"type": "Taken", "documents": "many"})),
        said(msgspec.msgpack.encode(Taken(documents=10**12))),
        said(TAKEN, msgspec.msgpack.encode({"record": None})),
        said(TAKEN, msgspec.msgpack.encode(ODD)),
        "ff" * 8,
        said(TAKEN) + "00000fffffffffff",
    ],
)
def test_a_child_that_lies_is_not_believed(monkeypatch: pytest.MonkeyPatch, lie: str) -> None:
    """Frames too long, of wrong types, of impossible values: a clear error, no document."""
    popen = subprocess.Popen

    def lying(command: list[str], **options: object) -> subprocess.Popen[bytes]:
        return popen([sys.executable, "-c", LIAR, lie, command[-1]], **options)  # type: ignore[call-overload,no-any-return]

    monkeypatch.setattr(process.subprocess, "Popen", lying)
    parser = IsolatedParser(LIMITS)
    try:
        with pytest.raises(BrokenFile, match="answer nonsense"):
            parser.read(b"text", name="a.txt", uri="a")
    finally:
        parser.close()


def test_every_error_of_sources_can_come_through() -> None:
    """None is forgotten in the child's language."""
    classes = {c for c in vars(rag.errors).values() if isinstance(c, type)}
    assert set(process._ERRORS.values()) == {c for c in classes if issubclass(c, SourceError)}


def test_reading_leaves_no_thread_behind(parser: IsolatedParser) -> None:
    """The clock of a file ends with it."""
    before = threading.active_count()
    parser.read(b"text", name="a.txt", uri="a")
    assert threading.active_count() == before
