"""Example questions: what headings make, and which of it is kept."""

import pytest

from rag.answering import Answered, Found
from rag.answers import Answer, Citation
from rag.documents import Document, Section
from rag.examples import MAX_TRIED, Candidate, Selection, candidates, questions_of
from tests.fakes import make_document

TEXT = "It was said by Osmani, who met Minister Hoxhaj there, that attacks went on."


@pytest.mark.parametrize(
    ("heading", "questions"),
    [
        ("What is owed?", ["What is owed?"]),
        ("The brief: What kind of partnership?", ["What kind of partnership?"]),
        (f"{'A long title ' * 20}: Who pays?", ["Who pays?"]),
        ("מה השעה?", ["מה השעה?"]),
        ("何時ですか？", ["何時ですか？"]),
        ("Osmani on the mediators", ["What did Osmani say about the mediators?"]),
        ("Minister Hoxhaj on his plans", ["What did Minister Hoxhaj say about his plans?"]),
        (
            "The letter of December 2016",
            [
                "What do the documents say about the letter of December 2016?",
                "What was the letter of December 2016?",
            ],
        ),
        ("The talks with Oslo", ["What do the documents say about the talks with Oslo?"]),
        ("Attacks in the north", ["What is said about attacks in the north?"]),
    ],
)
def test_headings_make_questions_where_that_is_safe(heading: str, questions: list[str]) -> None:
    """Questions stay as they are in any language; some English forms are asked about."""
    assert questions_of(heading, text=TEXT) == questions


@pytest.mark.parametrize(
    "heading",
    [
        "",
        "The meeting",
        "Introduction",
        "Notes on the source",  # no name: it is nowhere inside a sentence
        "Osmani on style",
        "Osmani on the agreement and on Serbia",
        "notes on the style",
        "Four More Names Here on the style",
        "The end of the war.",
        "Minister Hoxhaj: a new phase",
        "Athens in the summer",  # the text has no "athens": it may be a name
        "Congress in the summer",
        f"{'w' * 100}?",
        "The letter of " + "w" * 100,
    ],
)
def test_other_headings_make_none(heading: str) -> None:
    """What would be wrong or odd English, or is too long, is left out."""
    assert questions_of(heading, text=TEXT) == []


def document(uri: str, title: str, *headings: str) -> Document:
    """Return a document of a title with a section of ten characters for each heading."""
    sections = [
        Section(start=10 * n, end=10 * n + 10, path=("Top", heading))
        for n, heading in enumerate(headings)
    ]
    return make_document("x" * 10 * len(headings), uri=uri, title=title, sections=sections)


def test_candidates_come_in_turns_from_each_document() -> None:
    """The first of each, then the second of each; a question comes once."""
    first = document("a", "Who?", "Why?", "Why?", "Introduction", "When?")
    second = document("b", "No question", "Where?")
    third = document("c", "Why?", "Who?", "How?")
    assert [
        (it.question, it.document, it.section) for it in candidates([first, second, third])
    ] == [
        ("Who?", first.id, ()),
        ("Where?", second.id, ("Top", "Where?")),
        ("Why?", third.id, ()),
        ("When?", first.id, ("Top", "When?")),
        ("How?", third.id, ("Top", "How?")),
    ]


def candidate(question: str, *, at: str = "a", section: tuple[str, ...] = ("S",)) -> Candidate:
    return Candidate(question=question, document=make_document("", uri=at).id, section=section)


def answered(*confidences: float, at: str = "a", section: tuple[str, ...] = ("S",)) -> Answered:
    """Return answers with these confidences, each from a place."""
    cited = Citation(
        document=make_document("so", uri=at),
        start=0,
        end=2,
        start_byte=0,
        end_byte=2,
        page=None,
        section=section,
        before="",
        quote="so",
        after="",
    )
    answers = [
        Answer(text="so", confidence=each, sentence="so", citations=(cited,))
        for each in confidences
    ]
    found = Found(question="?", generation=1, hits=(), documents={}, empty=False, timings_ms={})
    return Answered(found=found, reader="made up", answers=tuple(answers), abstention=None)


@pytest.mark.parametrize(
    ("given", "kept"),
    [
        pytest.param(answered(0.7), True, id="at-the-bound"),
        pytest.param(answered(0.69), False, id="below"),
        pytest.param(answered(), False, id="abstained"),
        pytest.param(answered(0.9, section=("S", "Part")), True, id="subsection"),
        pytest.param(answered(0.9, section=("T",)), False, id="other-section"),
        pytest.param(answered(0.9, at="b"), False, id="other-document"),
    ],
)
def test_only_what_is_answered_well_from_its_own_place_is_kept(
    given: Answered,
    kept: bool,  # noqa: FBT001
) -> None:
    """At least 0.7, and cited from the heading's section or one inside it."""
    selection = Selection([candidate("Why?")])
    asked = selection.next()
    assert asked == candidate("Why?")
    selection.take(asked, given)
    assert selection.questions() == (["Why?"] if kept else [])


def run(selection: Selection, confidences: dict[str, float]) -> list[str]:
    """Ask all that is to be asked and return it."""
    tried = []
    while (asked := selection.next()) is not None:
        tried.append(asked.question)
        at = "abcdefghij"[
            [candidate("", at=it).document for it in "abcdefghij"].index(asked.document)
        ]
        confidence = confidences.get(asked.question, 0.0)
        selection.take(asked, answered(confidence, at=at, section=asked.section))
    return tried


def test_no_more_than_needed_is_asked() -> None:
    """A heading's second question only without the first; none after four documents have one."""
    asked = [candidate("1"), candidate("2"), candidate("3", section=("T",)), candidate("4", at="b")]
    selection = Selection(asked)
    assert run(selection, {"1": 0.8, "4": 0.8}) == ["1", "3", "4"]
    assert run(Selection(asked), {"2": 0.8}) == ["1", "2", "3", "4"]
    many = [candidate(at, at=at) for at in "abcdefghij"]
    assert run(Selection(many), dict.fromkeys("bcdefghij", 0.8)) == list("abcde")
    none = [candidate(str(n)) for n in range(50)]
    assert len(run(Selection(none), {})) == MAX_TRIED == 12


def test_those_shown_are_spread_over_the_documents() -> None:
    """The likeliest of each document, the likeliest first; then the second ones; four in all."""
    asked = [candidate(f"{at}{n}", at=at, section=(str(n),)) for n in range(3) for at in "abc"]
    confidences = {"a0": 0.8, "a1": 0.9, "a2": 0.7, "b0": 0.75, "b2": 0.72, "c0": 0.95}
    selection = Selection(asked)
    run(selection, confidences)
    assert selection.questions() == ["c0", "a1", "b0", "a0"]
