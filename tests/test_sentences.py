"""Sentence boundaries: hard cases, line rules, and what holds for any text."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rag.sentences import sentence_around, sentence_spans

# A bar stands at each boundary within a line; lines are texts of their own.
CASES = """
Mr. Smith met Dr. Jones in Washington. |They talked for an hour.
He lives in the U.S. Army barracks at Fort Hood.
He moved to the U.S. |She stayed in France.
See e.g. the report of May 5. |It is clear.
Resolution No. 5 was adopted, i.e. it passed. |Nobody objected.
The value is 3.14159. |It never ends.
J. R. R. Tolkien wrote it. |C. S. Lewis liked it.
"Where are you going?" she asked. |"Home," he said.
He said: "We will stay. We will fight." |Then he left.
Is it true? |Yes! |It is.
He waited ... and waited. |Nothing happened.
At 5 p.m. the meeting ended. |All left at 6 p.m. |Nobody stayed.
Version 15.2 was released on Feb. 9, 2023. |See www.example.com. |It is good.
Use the file postgresql.conf to set it. |Then restart.
See Section 20.1. |It describes all.
Prof. Dr. h.c. Müller kam um 8.30 Uhr an. |Er ging bald.
M. Dupont est arrivé. |Il a dit : « Bonjour ! » |Puis il est parti.
L'art. 5 du traité s'applique, cf. p. 12. |C'est clair.
He quoted Art. 3 para. 2 of the act. |It applies.
Gen. Jens Stoltenberg, Sec. Gen. of NATO, visited Kosovo. |He met Lt. Col. Ristuccia.
She earned a Ph.D. in 2010. |Then she taught at St. John's College.
It cost $4.5 million. |That was too much.
The end.[1] |It was over.[2] |All left.
1. Open the door. |2. Close it.
これは文です。|次の文です。
هل أنت بخير؟ |نعم.
यह एक वाक्य है। |यह दूसरा है।
""".strip().splitlines()

LINES = [
    pytest.param(["Heading", "\n\n", "Text follows."], id="blank line"),
    pytest.param(["# Heading", "\n", "Text follows here and is long."], id="Markdown heading"),
    pytest.param(["Setext", "\n", "======", "\n", "Text follows here."], id="Markdown rule"),
    pytest.param(["These apply:", "\n", "- first", "\n", "- second"], id="bullets"),
    pytest.param(["Do this:", "\n", "1. Open it", "\n", "2. Shut it"], id="numbers"),
    pytest.param(["a) of oil and water", "\n", "b) of air"], id="letters"),
    pytest.param(["| a | b |", "\n", "| 1 | 2 |"], id="table rows"),
    pytest.param(["Yes it is.", "\r\n\r\n", "No", "\r\r", "Maybe"], id="line ends of all systems"),
    pytest.param(["one long wrapped line that ran\nout of room. ", "", "Two."], id="wrapped"),
    pytest.param(
        ["A Title", "\n", "A paragraph of several words that is by far the longest line here"],
        id="a line that had room left",
    ),
    pytest.param(
        ["They agreed that the alliance had met on May\n5) and had signed nothing at all there."],
        id="a number that begins a wrapped line",
    ),
]


@pytest.mark.parametrize("case", CASES)
def test_known_boundaries(case):
    """The text is cut at the bars and nowhere else."""
    expected = [part.strip() for part in case.split("|")]
    text = case.replace("|", "")
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


@pytest.mark.parametrize("parts", LINES)
def test_line_breaks(parts):
    """Blank lines, list items, headings and short lines end a sentence; wrapping does not."""
    text = "".join(parts)
    expected = [part.strip() for part in parts if part.strip()]
    assert [text[start:end] for start, end in sentence_spans(text)] == expected


def test_sentence_around_an_answer():
    """The sentence of an answer is found; a span over two sentences gets both."""
    text = "One is here. Two is there. Three is gone."
    assert sentence_around(text, 13, 16) == (13, 26)
    assert sentence_around(text, 4, 16) == (0, 26)


ODD = st.sampled_from(
    [
        "Mr. ",
        ". ",
        "! ",
        "。",
        '"',
        "“",
        "”",
        "\n",
        "\n\n",
        "\r\n",
        "\r",
        "\f",
        "\x85",
        "\u2028",
        "\u2029",
        "\u00a0",
        "\u3000",
        "\u200b",
        "e\u0301",
        "😀",
        "א",
        "م؟ ",
        "\ud800",
        "\x00",
        "1. ",
        "- ",
        "# ",
        "U.S. ",
        "Art. ",
        "5 ",
        "ﬁ",
        "İ",
        "a",
        "B",
        " ",
        "\t",
        "|",
        "=====",
        "(",
        ")",
    ]
)


@given(st.lists(st.one_of(ODD, st.text(max_size=5)), max_size=60).map("".join))
def test_spans_of_any_text(text):
    """Spans are in order, trimmed and not empty, and leave out nothing but white space."""
    position = 0
    for start, end in sentence_spans(text):
        assert position <= start < end
        assert text[start:end] == text[start:end].strip()
        assert not text[position:start].strip()
        position = end
    assert not text[position:].strip()


@pytest.mark.parametrize("unit", ["这是。", "word ", "x", "a. ", '"Hi. ', "- a\n"])
def test_time_is_linear(unit):
    """No text makes it slow: four times the text takes about four times as long."""

    def seconds(length):
        text = unit * (length // len(unit))
        start = time.process_time()
        sentence_spans(text)
        return time.process_time() - start

    assert seconds(80_000) < 12 * max(seconds(20_000), 0.01)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("text\n" + "-" * 200_000 + " x\ntext", id="a rule that is none"),
        pytest.param("See p. 1\n" * 20_000, id="citations that go on"),
        pytest.param("e" + "\u0301" * 200_000, id="combining marks"),
    ],
)
def test_what_rules_look_for_in_vain_takes_no_time(text):
    """Where time grew quadratically these would take hours, not seconds."""
    start = time.process_time()
    sentence_spans(text)
    assert time.process_time() - start < 10
