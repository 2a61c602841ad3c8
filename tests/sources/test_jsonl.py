"""JSON Lines: one document a record."""

import hashlib
import json

import pytest

from rag.errors import BrokenFile, NoText, SourceError
from rag.sources import read_bytes


def test_each_record_is_a_document():
    """Known keys become fields, other scalars metadata, and the uri names the record."""
    third = (
        '{"text": "Three \\u2028 four", "date": "May 2020", "n": 3, "ok": true, "x": null, '
        '"l": [1], "uri": "https://example.org/3"}'
    )
    lines = [
        '{"text": "One.\\r\\nTwo.", "id": "a", "title": "First", "published": "2020-01-02"}',
        "",
        third,
    ]
    first, second = read_bytes("\n".join(lines).encode(), name="r.jsonl", uri="dir/r.jsonl")
    assert (first.uri, first.title, first.published) == ("dir/r.jsonl#a", "First", "2020-01-02")
    assert first.text == "One.\nTwo."
    assert first.sha256 == hashlib.sha256(lines[0].encode()).hexdigest()
    assert (second.uri, second.title, second.published) == ("dir/r.jsonl#3", "r", None)
    assert second.text == "Three \u2028 four"
    assert second.metadata == {
        "date": "May 2020",
        "n": "3",
        "ok": "true",
        "uri": "https://example.org/3",
    }


@pytest.mark.parametrize(
    "line",
    [
        pytest.param("{", id="not JSON"),
        pytest.param('["text"]', id="not an object"),
        pytest.param('{"title": "no text"}', id="no text"),
        pytest.param('{"text": 5}', id="text is a number"),
        pytest.param('{"text": " \\u0000 \\ud800 "}', id="nothing left of the text"),
        pytest.param('{"text": "a", "n": NaN}', id="NaN"),
        pytest.param("[" * 100_000, id="nested too deeply"),
        pytest.param('{"text": "twice", "id": "ok"}', id="an id used before"),
    ],
)
def test_a_wrong_line_is_named(line):
    """The error tells the line's number."""
    data = '{"text": "fine", "id": "ok"}\n' + line
    with pytest.raises(BrokenFile, match=r"\b2\b"):
        read_bytes(data.encode(), name="r.jsonl", uri="r")


def test_surrogates_and_nuls_are_dropped():
    """JSON can write what no text may hold; it does not get through."""
    data = json.dumps({"text": "a\0b\ud800c", "title": "\udfff t", "k\0": "v\0"}).encode()
    (document,) = read_bytes(data, name="r.jsonl", uri="r")
    assert (document.text, document.title, document.metadata) == ("abc", "t", {"k": "v"})


def test_blank_lines_only_are_no_text():
    """A file without a record is refused with a reason."""
    with pytest.raises(SourceError) as caught:
        read_bytes(b"\n \n", name="r.jsonl", uri="r")
    assert isinstance(caught.value, NoText)
