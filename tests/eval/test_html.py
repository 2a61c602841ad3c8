"""`report.html`: whole, from hostile text, and of bounded memory."""

import tracemalloc
from collections.abc import Iterator
from pathlib import Path

import pytest
from lxml import html as lxml_html

from rag.eval.html import WORST, write_html
from rag.eval.records import Record
from rag.eval.worst import Piece, badness, pieces, worst
from tests.eval.making import answer, gold, hit, record, report_of

EVIL = (
    "</style></script><script>alert(1)</script><img src=x onerror='a()'>\" onclick=\"{{ 7 * 7 }} &"
)


def written(tmp_path: Path, records: list[Record]) -> lxml_html.HtmlElement:
    path = tmp_path / "report.html"
    write_html(iter(records), report_of(records), path)
    return lxml_html.document_fromstring(path.read_text(encoding="utf-8"))


def test_the_page_needs_nothing_else_and_runs_nothing(tmp_path: Path) -> None:
    """No script, no event handler, no address of anything; and it forbids itself all of these."""
    records = [record(n, f1=n % 3 / 2, confidence=n / 100, rank=n % 4 or None) for n in range(100)]
    page = written(tmp_path, records)
    tags = {element.tag for element in page.iter() if isinstance(element.tag, str)}
    assert tags.isdisjoint({"script", "link", "img", "iframe", "object", "embed", "form", "base"})
    attributes = {name for element in page.iter() for name in element.attrib}
    assert not {name for name in attributes if name.startswith("on")}
    assert attributes.isdisjoint({"src", "href", "action", "style", "srcset", "{xlink}href"})
    (policy,) = page.xpath("//meta[@http-equiv='Content-Security-Policy']/@content")
    assert policy == "default-src 'none'; style-src 'unsafe-inline'"
    (style,) = page.xpath("//style/text()")
    assert "url(" not in style
    assert "@import" not in style


def test_foreign_text_stays_text(tmp_path: Path) -> None:
    """Markup in a question, an answer, a passage, a gold, a name or a setting is shown, not run."""
    hostile = record(
        1,
        f1=0.0,
        question=EVIL,
        golds=(gold(EVIL),),
        answers=(answer(EVIL, confidence=0.9, f1=0.0),),
        hits=(hit(holds_gold=True, excerpt=EVIL),),
    )
    path = tmp_path / "report.html"
    write_html([hostile], report_of([hostile], settings={EVIL: EVIL}), path)
    page = lxml_html.document_fromstring(path.read_text(encoding="utf-8"))
    assert not page.xpath("//script | //img")
    for place in ("span", "li", "td", "th"):
        shown = ["".join(element.itertext()) for element in page.iter(place)]
        assert any(EVIL in text for text in shown), place


def test_the_headlines_are_the_figures_of_the_report(tmp_path: Path) -> None:
    """Four of five questions right: 80.0%, with its interval, over five."""
    records = [record(n, f1=float(n != 0), confidence=0.9) for n in range(5)]
    page = written(tmp_path, records)
    tiles = ["".join(tile.itertext()).split() for tile in page.find_class("tile")]
    right = next(words for words in tiles if words[:3] == ["Right,", "or", "rightly"])
    low, high = (
        report_of(records).figures["correct"].low,
        report_of(records).figures["correct"].high,
    )
    assert right == [
        "Right,",
        "or",
        "rightly",
        "silent",
        "80.0%",
        f"[{low:.1%},",
        f"{high:.1%}]",
        "over",
        "5",
    ]


def test_every_plot_is_there_and_says_its_numbers(tmp_path: Path) -> None:
    """Six images with a name each; the reliability diagram counts its bins."""
    records = [record(n, f1=n % 2, confidence=(n % 10) / 10 + 0.05) for n in range(100)]
    page = written(tmp_path, records)
    images = page.xpath("//figure//svg[@role='img']")
    assert len(images) == 6
    assert all(image.get("aria-label") for image in images)
    told = [element.text for element in page.iter("title") if element.getparent().tag == "circle"]
    bins = [text for text in told if text.startswith("10 answers, ")]
    assert len(bins) == 10
    assert "10 answers, 5% sure, 0% right [0%, 28%]" in bins  # Wilson: 3.84 / 13.84
    assert "10 answers, 95% sure, 100% right [72%, 100%]" in bins


def test_a_case_shows_what_was_expected_answered_and_retrieved(tmp_path: Path) -> None:
    """Gold is marked where it stands in the passage, the quote in its sentence."""
    wrong = record(1, f1=0.0, text="1907", confidence=0.8, rank=2)
    page = written(tmp_path, [wrong])
    (case,) = page.find_class("case")
    assert "1911" in "".join(case[0].itertext())
    assert [q.text for q in case.iter("q")] == ["1907"]
    assert "It was finished in 1907, they say." in "".join(case[1].itertext())
    assert "80% sure" in "".join(case[1].itertext())
    assert [mark.text for mark in case.iter("mark")] == ["1911"]
    assert page.xpath("//details[@open]")


def test_questions_without_texts_have_a_report_too(tmp_path: Path) -> None:
    """Questions of documents have no answers to show; the page says how they are ranked."""
    records = [
        record(
            n,
            task="documents",
            golds=(gold("", document="e" if n else "d"),),
            answers=(),
            scores=None,
            cause=None,
        )
        for n in range(4)
    ]
    page = written(tmp_path, records)
    assert any("nDCG" in "".join(tile.itertext()) for tile in page.find_class("tile"))
    assert len(page.find_class("case")) == 0


def test_the_worst_come_first_and_are_fifty() -> None:
    """Wrong answers by falling confidence, then silence by rising; what went well is not there."""
    records = [record(n, f1=1.0, confidence=0.9) for n in range(500)]
    records += [record(500 + n, f1=0.0, confidence=0.3 + n / 100) for n in range(40)]
    records += [record(600 + n, f1=0.0, confidence=n / 1000) for n in range(40)]
    found = [shown.record.id for shown in worst(iter(records), count=WORST)]
    assert found == [f"q{n}" for n in range(539, 499, -1)] + [f"q{n}" for n in range(600, 610)]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"f1": 1.0, "confidence": 0.9}, 0.0),
        ({"f1": 0.0, "confidence": 0.9}, 1.9),
        ({"f1": 1.0, "confidence": 0.2}, 0.8),
        ({"answerable": False, "confidence": 0.2}, 0.0),
        ({"answerable": False, "confidence": 0.4}, 1.4),
        ({"task": "documents", "cause": None, "rank": 1}, 0.0),
        ({"task": "documents", "cause": None, "rank": None}, 0.5),
    ],
)
def test_badness(changed: dict[str, object], expected: float) -> None:
    """Zero is well; a wrong answer weighs above one, silence below."""
    assert badness(record(1, **changed)) == pytest.approx(expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        ([], [("abcdef", False)]),
        ([(2, 4)], [("ab", False), ("cd", True), ("ef", False)]),
        ([(0, 6)], [("abcdef", True)]),
        ([(2, 4), (3, 5)], [("ab", False), ("cd", True), ("e", True), ("f", False)]),
        ([(-3, 1), (5, 9)], [("a", True), ("bcde", False), ("f", True)]),
        ([(9, 12), (-4, -1)], [("abcdef", False)]),
    ],
)
def test_pieces(spans: list[tuple[int, int]], expected: list[tuple[str, bool]]) -> None:
    """They make up the text, whatever the spans; marked is what any span covers."""
    assert pieces("abcdef", spans) == tuple(Piece(text=t, marked=m) for t, m in expected)


def test_memory_does_not_grow_with_the_questions(tmp_path: Path) -> None:
    """Ten times as many records take no more than a tenth more to write."""
    report = report_of([record(1, f1=0.0, confidence=0.9)])

    def records(count: int) -> Iterator[Record]:
        for n in range(count):
            yield record(n, f1=0.0, confidence=0.9, text="x" * 2000)

    def peak(count: int) -> int:
        tracemalloc.start()
        write_html(records(count), report, tmp_path / "report.html")
        _, most = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        return most

    peak(60)
    assert peak(2000) < 1.1 * peak(200)
