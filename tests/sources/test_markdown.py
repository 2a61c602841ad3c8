"""Markdown: front matter, headings and nothing altered."""

import pytest

from rag.sources import read_bytes

BRIEF = """---
title: "Summit: the outcome"
publisher: NATO
date: 2023-07-11
tags: [kosovo, summit]
draft: no
---

# Outcome

Intro.

## First *day* with `code`

```
# not a heading
```

Setext
------

> # quoted, not a heading

- # in a list, not a heading

# Second
"""


def read(text: str, name: str = "brief.md"):
    return read_bytes(text.encode(), name=name, uri=name)[0]


def test_front_matter_gives_title_date_and_metadata():
    """Values stay strings as written: `no` is not False."""
    document = read(BRIEF)
    assert document.text == BRIEF
    assert document.title == "Summit: the outcome"
    assert document.published == "2023-07-11"
    assert document.metadata == {"publisher": "NATO", "tags": "kosovo, summit", "draft": "no"}


def test_sections_follow_the_headings():
    """Each section opens with its heading's line and ends where the next one starts."""
    document = read(BRIEF)
    opened = [(s.path, document.text[s.start : s.end].split("\n")[0]) for s in document.sections]
    assert opened == [
        ((), "---"),
        (("Outcome",), "# Outcome"),
        (("Outcome", "First day with code"), "## First *day* with `code`"),
        (("Outcome", "Setext"), "Setext"),
        (("Second",), "# Second"),
    ]


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
def test_line_ends_do_not_shift_the_sections(end):
    """Offsets hold in the user's own file, whichever line ends it has."""
    text = BRIEF.replace("\n", end)
    document = read(text)
    assert document.text == text
    assert [text[s.start :].split(end)[0] for s in document.sections][1:3] == [
        "# Outcome",
        "## First *day* with `code`",
    ]


@pytest.mark.parametrize(
    "front_matter",
    [
        pytest.param("---\ntitle: [unclosed\n---\n", id="not YAML"),
        pytest.param("---\njust words\n---\n", id="not a mapping"),
        pytest.param("---\ntitle: never closed\n\n", id="not closed"),
        pytest.param("---\n" + "[" * 1500 + "\n---\n", id="nested too deeply"),
        pytest.param("---\n? [a, b]\n: c\n---\n", id="a key that is a list"),
        pytest.param("---\na: !!python/object:os.system x\n- b\n---\n", id="unsafe and broken"),
    ],
)
def test_broken_front_matter_is_text(front_matter):
    """It is kept as text, and the title comes from the first real heading."""
    document = read(front_matter + "\n# Heading\n\nBody.\n")
    assert document.text.startswith(front_matter)
    assert document.metadata == {}
    assert document.sections[-1].path == ("Heading",)


def test_front_matter_cannot_bring_in_what_no_text_may_hold():
    """YAML escapes for NUL and lone surrogates do not reach title or metadata."""
    document = read('---\ntitle: "a\\0b\\ud800c"\nk: "\\0"\n---\nBody.\n')
    assert document.title == "abc"
    assert document.metadata == {}


def test_title_falls_back_to_heading_then_stem():
    """A file without front matter is named by its first heading, else by its name."""
    assert read("Text.\n\n## Heading\n").title == "Heading"
    assert read("Text only, no heading.\n", name="my notes.md").title == "my notes"


def test_front_matter_may_stand_alone():
    """White space after it is no section of its own."""
    document = read("---\ntitle: x\n---\n \n")
    assert [(s.start, s.end, s.path) for s in document.sections] == [(0, 19, ())]


def test_an_unclear_date_is_kept_as_metadata():
    """A date that names no single day is not guessed at."""
    document = read("---\ndate: May 2021\n---\nBody.\n")
    assert document.published is None
    assert document.metadata == {"date": "May 2021"}
