"""`rag ask` and `rag search`: for people, and as JSON for programs."""

import json
import os
import pty
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result
from litestar.testing import TestClient

from rag.api import schemas
from rag.asgi import open_app
from rag.cli.printing import emphasised, plain
from rag.settings import read_settings
from tests import stores
from tests.cli.conftest import COMMAND, environment

Rag = Callable[..., Result]
INJURED = "How many soldiers were injured in May 2023?"


def test_json_is_what_the_api_answers(rag: Rag, seeded: Path) -> None:
    """Byte for byte the same fields and values but for the timings, of answers and of hits."""
    settings = read_settings(stores.environment(seeded))
    asked = json.loads(rag("ask", INJURED, "--json", "--answers", 2, home=seeded).stdout)
    found = json.loads(rag("search", INJURED, "--json", "-k", 3, home=seeded).stdout)
    with TestClient(open_app(settings)) as client:
        same = client.post("/v1/ask", json={"question": INJURED, "answers": 2}).json()
        hits = client.post("/v1/search", json={"question": INJURED, "k": 3}).json()
    for one, other in ((asked, same), (found, hits)):
        assert one.pop("timings_ms").keys() == other.pop("timings_ms").keys()
        assert one == other
    assert list(asked) == [f for f in schemas.AskResponse.__struct_fields__ if f != "timings_ms"]


def test_an_answer_has_its_source_and_place(rag: Rag, seeded: Path) -> None:
    """In a pipe: whole lines without escape sequences, with confidence, title, date and offsets."""
    result = rag("ask", INJURED, "--answers", 1, home=seeded)
    assert (result.exit_code, result.stderr) == (0, "")
    assert "\x1b" not in result.stdout
    first, *rest = result.stdout.splitlines()
    assert re.fullmatch(r"1\. .*93.*  \(\d+% sure\)", first)
    place = next(line for line in rest if "characters" in line)
    start, end, uri = re.fullmatch(r"   characters (\d+) to (\d+) of (.+)", place).groups()
    text = Path(uri).read_text()
    assert " ".join(text[int(start) : int(end)].split()) in first
    assert any("(2023-" in line and " > " in line for line in rest)


def test_an_abstention_says_so_and_shows_what_came_close(rag: Rag, seeded: Path) -> None:
    """The message first, then the closest passages; it is no error."""
    result = rag("ask", "What is the boiling point of tungsten hexafluoride?", home=seeded)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0].startswith("The documents do not seem to say: 10 passages")
    assert sum(line.startswith("Closest: ") for line in lines) == 3


def test_filters_of_the_command_are_those_of_the_api(rag: Rag, seeded: Path) -> None:
    """Dates, metadata and media types choose the documents."""

    def dates(*options: str) -> set[Any]:
        result = rag("search", "Kosovo", "--json", "-k", 100, *options, home=seeded)
        return {hit["published"] for hit in json.loads(result.stdout)["hits"]}

    assert dates("--from", "2017-01-12", "--to", "2023-09-08") == {"2017-01-12", "2023-09-08"}
    assert dates("--where", "publisher=NATO") == {"2023-11-20"}
    assert dates("--where", "publisher=NATO", "--media-type", "application/pdf") == set()
    nothing = rag("search", "Kosovo", "--document", "nope", home=seeded)
    assert nothing.stdout == "No passage found.\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("ask", ""), "The question is empty"),
        (("ask", "x" * 2001), "at most 2000"),
        (("ask", "x", "-k", "0"), "k must be from 1 to 100, not 0"),
        (("search", "x", "-k", "1000000000"), "k must be from 1 to 100"),
        (("ask", "x", "--answers", "0"), "answers must be from 1 to 20"),
        (("ask", "x", "--min-confidence", "nan"), "min_confidence must be from 0 to 1"),
        (("ask", "\udcff"), "lone surrogate"),
        (("ask", "x", "--from", "2023-02-30"), "2023-02-30"),
        (("ask", "x", "--where", "publisher"), "KEY=VALUE"),
        (("ask", "x", "-k", "many"), "'many' is not a valid integer"),
        (("documents", "show", "nope"), "No document has the id 'nope'"),
        (("documents", "delete", "nope"), "No document has the id 'nope'"),
        (("documents", "list", "--limit", "0"), "0 is not in the range"),
    ],
)
def test_bad_input_is_one_clear_line(
    rag: Rag, seeded: Path, arguments: tuple[str, ...], message: str
) -> None:
    """On stderr, with a status other than 0."""
    result = rag(*arguments, home=seeded)
    assert result.exit_code in {1, 2}
    assert result.stdout == ""
    (line,) = [line for line in result.stderr.splitlines() if line.startswith("Error: ")]
    assert message in line


def test_without_documents_it_says_how_to_add_some(rag: Rag, home: Path) -> None:
    """Before any model is loaded, and without making an index."""
    for command in (("ask", "Who?"), ("ask", "Who?", "--json"), ("search", "Who?")):
        result = rag(*command, home=home)
        assert (result.exit_code, result.stdout) == (1, "")
        assert "rag ingest PATH..." in result.stderr
    assert stores.names(home) == []


@pytest.mark.parametrize(
    ("parts", "expected"),
    [
        (("It hurt ", "93", " men."), "It hurt **93** men."),
        (("It\nhurt\n", "93\nmen", "."), "It hurt **93 men**."),
        (("(", "93", ")"), "(**93**)"),
        (("", "93", " men."), "**93** men."),
    ],
)
def test_a_quote_is_emphasised_in_its_sentence(parts: tuple[str, str, str], expected: str) -> None:
    """White space of the source becomes single spaces, none is added at the span's ends."""
    assert emphasised(*parts).plain == expected


def test_texts_cannot_steer_the_terminal() -> None:
    """Escape sequences and bidirectional overrides are shown as replacement characters."""
    assert plain("a\x1b[31m\u202eb\r\nc\td\x9b") == "a\ufffd[31m\ufffdb\nc\td\ufffd"


def test_on_a_terminal_lines_fit_its_width(seeded: Path) -> None:
    """At 80 columns every line fits, words are whole, and the answer is bold."""
    outer, inner = pty.openpty()
    command = [*COMMAND, "ask", INJURED, "--answers", "2"]
    settings = environment(seeded, COLUMNS="80", TERM="xterm")
    settings.pop("NO_COLOR", None)
    with subprocess.Popen(command, env=settings, stdout=inner, stderr=inner) as process:
        os.close(inner)
        output = b""
        try:
            while block := os.read(outer, 65536):
                output += block
        except OSError:
            pass  # the other end is closed
        finally:
            os.close(outer)
        assert process.wait(60) == 0
    assert b"\x1b[1m1. " in output
    lines = re.sub(r"\x1b\[[0-9;]*m", "", output.decode()).splitlines()
    assert len(lines) > 4
    assert max(map(len, lines)) <= 80
