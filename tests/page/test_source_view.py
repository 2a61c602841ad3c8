"""The source view: structure, the place in it, its link, copies, checks, and choosing a span."""

import json
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from playwright.sync_api import Page, Route, expect

MARK = "#source mark"
TEXT = "#source .text"
OPEN_PANEL = """async () => {
  const { styles } = await import("/page/later.js");
  const { sourcePanel } = await import("/page/source.js");
  await styles("panel", "source", "source_text");
  const byId = (id) => document.getElementById(id);
  const field = byId("question");
  window.openSource = sourcePanel({ panel: byId("source"), behind: byId("conversation"),
    fallback: field });
}"""
# A turn with buttons that open the places given, as the conversation makes them.
SHOW_TURN = """(places) => {
  const turn = document.createElement("article");
  turn.className = "turn";
  for (const place of places) {
    const button = document.createElement("button");
    button.className = "citation";
    button.textContent = place.quote ?? "whole";
    button.onclick = () => window.openSource(place, button, window.options);
    turn.append(button);
  }
  document.getElementById("turns").replaceChildren(turn);
}"""


def place(text: str, quote: str, *, before: str = "", after: str = "") -> Any:
    start = text.index(quote)
    known = {"id": "d1", "title": "Report {1}", "uri": "file:///r_1", "version": "sha256:00"}
    return {
        "document": known,
        "start": start,
        "end": start + len(quote),
        "page": 2,
        "section": ["Part", "Chapter"],
        "published": "2023-11-20",
        "before": before,
        "quote": quote,
        "after": after,
    }


def serve(page: Page, text: str, *, sections: Any = (), pages: Any = ()) -> list[str]:
    """Give `text` as the text of the document `d1`; return a list that requests are noted in."""
    seen: list[str] = []
    known = {"id": "d1", "title": "Report {1}", "uri": "file:///r_1", "version": "sha256:00"}
    detail: Any = {
        "document": known | {"published": "2023-11-20"},
        "sections": [{"start": start, "end": end, "path": path} for start, end, path in sections],
        "pages": [{"start": start, "end": end, "number": number} for start, end, number in pages],
    }

    def give_text(route: Route) -> None:
        seen.append(route.request.url)
        route.fulfill(body=text.encode(), content_type="text/plain; charset=utf-8")

    def check(route: Route) -> None:
        (cited,) = json.loads(route.request.post_data or "")["citations"]
        right = text[cited["start"] : cited["end"]] == cited["quote"]
        status = "valid" if right else "mismatch"
        result: Any = {"status": status, "message": f"It is {status}.", "version": "sha256:00"}
        route.fulfill(json={"generation": 1, "results": [result]})

    page.route("**/v1/documents/d1?*", lambda route: route.fulfill(json=detail))
    page.route("**/v1/documents/d1/text?*", give_text)
    page.route("**/v1/citations/verify", check)
    return seen


@pytest.fixture
def opened(page: Page) -> Page:
    """Open the page; `openSource` of the window opens a place, `options` are passed to it."""
    page.goto("/")
    page.evaluate(OPEN_PANEL)
    return page


def show(page: Page, *places: Any) -> None:
    page.evaluate(SHOW_TURN, list(places))
    page.locator(".turn .citation").first.click()


@pytest.fixture
def stored(page: Page) -> Iterator[Callable[[str], Any]]:
    """Store a text under one uri, in the place of the one before; it is deleted in the end."""
    ids: list[str] = []

    def store(text: str) -> Any:
        given = {"text": text, "title": "Minutes", "uri": "note:minutes"}
        added = page.request.post("/v1/documents?wait=true", data=given).json()
        document = added["documents"][0]["document"]
        ids.append(document["id"])
        return document

    yield store
    for id_ in set(ids):
        page.request.delete(f"/v1/documents/{id_}")


def link(document: Any, text: str, quote: str, *, spoken: bool = True) -> str:
    start = text.index(quote)
    query = {"version": document["version"]} | ({"quote": quote} if spoken else {})
    return f"/#/d/{document['id']}/{start}-{start + len(quote)}?{urlencode(query)}"


def test_a_link_opens_its_span_in_a_fresh_tab(page: Page) -> None:
    """The document is open at the span, with title, section and date, and the span is verified."""
    document = page.request.get("/v1/documents?search=pristina").json()["documents"][0]
    text = page.request.get(f"/v1/documents/{document['id']}/text").text()
    page.goto(link(document, text, "93 NATO soldiers"))
    expect(page.locator(MARK)).to_have_text("93 NATO soldiers")
    expect(page.locator(MARK)).to_be_in_viewport()
    expect(page.locator("#source-title")).to_have_text(document["title"])
    expect(page.locator("#source .facts")).to_contain_text("The violence of May and September")
    expect(page.locator("#source time")).to_have_attribute("datetime", document["published"])
    mark = page.locator(".verified.valid")
    expect(mark).to_have_text("Verified")
    mark.focus()
    page.keyboard.press("Enter")
    start = text.index("93 NATO soldiers")
    checked = page.locator("#source details p")
    expect(checked).to_contain_text(f"Characters {start} to {start + 16} of the text are this")
    expect(checked).to_contain_text(document["version"])


def test_headings_and_page_breaks_are_set_without_altering_the_text(opened: Page) -> None:
    """Headings get their level and pages their number; the text stays what it is, to the letter."""
    text = "\ufeffIntro 😀\n# Part\nOne.\r\n\n## Chapter\nTwo.\f\nThree.\n"
    at = [text.index(word) for word in ("# Part", "## Chapter", "Three.")]
    ends = [*at[1:2], len(text)]
    sections = [(0, at[0], []), (at[0], ends[0], ["Part"]), (at[1], ends[1], ["Part", "Chapter"])]
    serve(opened, text, sections=sections, pages=[(0, at[2], 7), (at[2], len(text), 8)])
    show(opened, place(text, "Two."))
    expect(opened.locator(MARK)).to_have_text("Two.")
    assert opened.locator(TEXT).text_content() == text
    assert opened.locator("#source h3").all_text_contents() == ["# Part\n"]
    assert opened.locator("#source h4").all_text_contents() == ["## Chapter\n"]
    breaks = opened.locator("[data-page]").evaluate_all(
        """(blocks) => blocks.map((it) =>
          [getComputedStyle(it, "::before").content, Array.from(it.textContent)[0]])"""
    )
    assert breaks == [['"Page 7"', "\ufeff"], ['"Page 8"', "T"]]


def test_a_quote_over_headings_and_pages_is_marked_whole(opened: Page) -> None:
    """Its parts put together are the quote, wherever it is cut."""
    text = "# A\none\n# B\ntwo\nthree\n"
    quote = "one\n# B\ntwo"
    parts = [(0, 8, ["A"]), (8, len(text), ["B"])]
    serve(opened, text, sections=parts, pages=[(0, 12, 1), (12, 22, 2)])
    show(opened, place(text, quote))
    expect(opened.locator(MARK)).to_have_count(3)
    assert "".join(opened.locator(MARK).all_text_contents()) == quote
    assert opened.locator(TEXT).text_content() == text


def test_the_sentence_around_the_quote_is_marked_lightly(opened: Page) -> None:
    """What the citation gives as its sentence is set apart, where the text has it."""
    text = "First. We have 😀 1,000 troops. Last."
    serve(opened, text)
    cited = place(text, "1,000", before="We have 😀 ", after=" troops.")
    show(opened, cited, cited | {"before": "They had "})
    expect(opened.locator(".sentence")).to_have_count(2)
    assert opened.locator(".sentence").all_text_contents() == ["We have 😀 ", " troops."]
    opened.keyboard.press("n")
    expect(opened.locator(".steps")).to_contain_text("2 of 2")
    assert opened.locator(".sentence").all_text_contents() == [" troops."]


def test_citations_of_a_turn_follow_each_other(opened: Page) -> None:
    """Buttons and keys step on and back, around the ends; the focus stays; the text comes once."""
    text = "one two three"
    fetched = serve(opened, text)
    show(opened, *(place(text, quote) for quote in ("one", "two", "three")))
    expect(opened.locator(MARK)).to_have_text("one")
    opened.keyboard.press("p")
    expect(opened.locator(MARK)).to_have_text("three")
    opened.keyboard.press("n")
    expect(opened.locator(MARK)).to_have_text("one")
    on = opened.get_by_role("button", name="Next citation")
    on.focus()
    for quote, count in (("two", "2 of 3"), ("three", "3 of 3")):
        opened.keyboard.press("Enter")
        expect(opened.locator(MARK)).to_have_text(quote)
        expect(opened.locator(".steps")).to_contain_text(count)
        expect(on).to_be_focused()
    expect(opened.locator(".turn [aria-current]")).to_have_text("three")
    assert len(fetched) == 1
    opened.keyboard.press("Escape")
    expect(opened.locator(".turn .citation").last).to_be_focused()


def test_a_quote_is_copied_with_its_reference(opened: Page, service_url: str) -> None:
    """As text, as Markdown, for a bibliography, and as a link that opens it again."""
    opened.context.grant_permissions(["clipboard-write"], origin=service_url)
    text = "Before.\nA {quote}\nof two lines.\nAfter."
    serve(opened, text)
    cited = place(text, "A {quote}\nof two lines.")
    show(opened, cited)
    address = f"{service_url}/#/d/d1/8-31?version=sha256%3A00&quote=A+%7Bquote%7D%0Aof+two+lines."
    copies = {
        "Text": "“A {quote}\nof two lines.”\n"
        f"— Report {{1}}, page 2, 20 November 2023, file:///r_1\n{address}\n",
        "Markdown": "> A {quote}\n> of two lines.\n>\n"
        f"> — [Report {{1}}]({address}), page 2, 20 November 2023\n",
        "BibTeX": "@misc{d1-8,\n  title = {Report \\{1\\}},\n  date = {2023-11-20},\n"
        f"  howpublished = {{file:///r_1}},\n  url = {{{address}}},\n  pages = {{2}},\n"
        "  note = {characters 8--31, version sha256:00},\n"
        "  quote = {A \\{quote\\}\nof two lines.}\n}\n",
        "Link": address,
    }
    for name, expected in copies.items():
        opened.locator(".copy").get_by_role("button", name=name).click()
        expect(opened.locator(".copy [role=status]")).to_have_text(f"{name} copied")
        field = opened.locator("#question")
        field.fill("")
        field.press("ControlOrMeta+V")  # the page itself may not read the clipboard
        expect(field).to_have_value(expected)
    assert opened.url == address
    opened.reload()
    expect(opened.locator(MARK)).to_have_text(cited["quote"])


def test_without_a_clipboard_it_is_copied_the_old_way(opened: Page) -> None:
    """Over plain HTTP from another machine browsers give pages no clipboard."""
    serve(opened, "one two")
    opened.evaluate(
        """() => {
          Object.defineProperty(navigator, "clipboard", { value: undefined });
          document.addEventListener("copy", () =>
            (window.copied = document.activeElement.value));
        }"""
    )
    show(opened, place("one two", "two"))
    button = opened.locator(".copy").get_by_role("button", name="Link")
    button.click()
    expect(opened.locator(".copy [role=status]")).to_have_text("Link copied")
    assert opened.evaluate("window.copied") == opened.url
    expect(button).to_be_focused()


def test_back_closes_the_source_and_forward_opens_it(page: Page) -> None:
    """The address is that of the place while it is open; closing it by hand goes back too."""
    page.goto("/")
    before = page.url
    title = page.locator("#collection .citation").first
    title.click()
    block = page.locator("#source .block").first
    expect(block).to_be_visible()
    assert "/#/d/" in page.url
    page.go_back()
    expect(page.locator("#source")).to_be_hidden()
    expect(title).to_be_focused()
    page.go_forward()
    expect(block).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.locator("#source")).to_be_hidden()
    expect(page).to_have_url(before)


def test_a_linked_source_is_closed_to_the_page_itself(page: Page) -> None:
    """In a fresh tab there is nothing to go back to: the field has the focus, the link is gone."""
    serve(page, "one two")
    page.goto("/#/d/d1/4-7?version=sha256:00")
    expect(page.locator(MARK)).to_have_text("two")
    page.keyboard.press("Escape")
    expect(page.locator("#question")).to_be_focused()
    assert page.url.endswith("/")


def test_a_superseded_citation_says_where_its_quote_is_now(
    page: Page, stored: Callable[[str], Any]
) -> None:
    """It is told, nothing is marked, and one press shows the quote in the present version."""
    old = "The meeting was on Monday. Ann chaired it."
    new = "A correction was made 😀. " + old
    document = stored(old)
    address = link(document, old, "Monday")
    now = stored(new)
    assert now["id"] == document["id"]
    page.goto(address)
    alert = page.locator("#source").get_by_role("alert")
    expect(alert).to_contain_text("has changed since it was cited: the quote stands elsewhere now")
    expect(page.locator(".verified.superseded")).to_contain_text("was replaced")
    expect(page.locator(MARK)).to_have_count(0)
    alert.get_by_role("button").click()
    expect(page.locator(MARK)).to_have_text("Monday")
    expect(page.locator(".verified")).to_have_text("Verified")
    expect(alert).to_have_count(0)
    start = new.index("Monday")
    assert f"/{start}-{start + 6}?" in page.url
    expect(page.locator("#source .text")).to_have_text(new)


def test_a_superseded_citation_whose_quote_is_gone_says_so(
    page: Page, stored: Callable[[str], Any]
) -> None:
    """Also where the link gives no quote, so that nothing can be looked for."""
    old = "The meeting was on Monday. Ann chaired it."
    document = stored(old)
    stored("The meeting was on Friday. Ann chaired it.")
    alert = page.locator("#source").get_by_role("alert")
    page.goto(link(document, old, "Monday"))
    expect(alert).to_contain_text("its present version holds no such quote".replace("its", "the"))
    expect(page.locator(MARK)).to_have_count(0)
    page.goto("about:blank")
    page.goto(link(document, old, "Monday", spoken=False))
    expect(alert).to_contain_text("has changed since it was cited")
    expect(page.locator(MARK)).to_have_count(0)
    page.goto("about:blank")
    page.goto(link(document, old, "Ann chaired"))
    expect(alert).to_contain_text("the quote still stands at its place")
    expect(page.locator(MARK)).to_have_text("Ann chaired")


CHOSEN = """() => {
  window.chosen = [];
  window.options = { choosing: true };
  document.addEventListener("span-chosen", ({ detail }) => window.chosen.push(detail));
}"""
SELECT = """([from, to]) => {
  const walker = document.createTreeWalker(document.querySelector("#source .text"), 4);
  const range = new Range();
  let seen = 0;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const next = seen + node.length;
    if (seen <= from && from <= next) range.setStart(node, from - seen);
    if (seen <= to && to <= next) { range.setEnd(node, to - seen); break; }
    seen = next;
  }
  getSelection().removeAllRanges();
  getSelection().addRange(range);
}"""


def units(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


def test_a_selection_becomes_code_points_of_the_document(opened: Page) -> None:
    """Behind emoji, combining marks and CRLF, over a mark and a heading, without outer space."""
    text = "\ufeff👩‍👩‍👧 e\u0301 𝔉𝔯\r\n# שלום 😀\r\nThe answer is e\u0301 😀 42, so be it.\r\n"
    heading = text.index("#")
    serve(opened, text, sections=[(0, heading, []), (heading, len(text), ["שלום 😀"])])
    opened.evaluate(CHOSEN)
    show(opened, place(text, "answer is"))
    button = opened.get_by_role("button", name="This is the answer")
    expect(button).to_be_disabled()
    quotes = ["answer is e\u0301 😀 42", "שלום 😀\r\nThe", "42, so be it.", "👩‍👩‍👧 e\u0301"]
    for quote in quotes:
        start = text.index(quote)
        opened.evaluate(SELECT, [units(text[: start - 1]), units(text[: start + len(quote)])])
        expect(button).to_be_enabled()
        button.click()
        expect(opened.locator("#source")).to_be_hidden()
        detail = opened.evaluate("window.chosen.pop()")
        expected = {"id": "d1", "title": "Report {1}", "version": "sha256:00"}
        assert detail["document"] == expected
        assert text[detail["start"] : detail["end"]] == detail["quote"]
        assert (detail["start"], detail["quote"]) == (start, quote)
        opened.locator(".turn .citation").click()
        expect(button).to_be_disabled()


def test_a_span_is_chosen_by_keyboard_and_nothing_is_edited(opened: Page) -> None:
    """There is a caret to select with; typing changes nothing; a selection elsewhere is none."""
    text = "one two\nthree four\n"
    serve(opened, text)
    opened.evaluate(CHOSEN)
    show(opened, place(text, "two"))
    expect(opened.locator(MARK)).to_be_visible()
    scroller = opened.locator(TEXT)
    expect(scroller).to_be_focused()
    for key in ("Control+Home", "x", "Delete", "Enter", "Shift+ArrowRight", "Shift+ArrowRight"):
        opened.keyboard.press(key)
    assert scroller.text_content() == text
    button = opened.get_by_role("button", name="This is the answer")
    expect(button).to_be_enabled()
    button.focus()
    opened.keyboard.press("Enter")
    expect(opened.locator("#source")).to_be_hidden()
    (chosen,) = opened.evaluate("window.chosen")
    assert (chosen["start"], chosen["end"], chosen["quote"]) == (0, 2, "on")
    expect(opened.locator(".turn .citation")).to_be_focused()
    opened.keyboard.press("Enter")
    expect(opened.locator(MARK)).to_be_visible()
    opened.evaluate("getSelection().selectAllChildren(document.querySelector('#source-title'))")
    expect(button).to_be_disabled()


def test_a_line_of_two_million_characters_is_cut_between_words(opened: Page) -> None:
    """No block is too large to be set quickly, and the text is still the text."""
    text = "word 😀 " * 300_000
    serve(opened, text)
    show(opened, place(text, "word"))
    expect(opened.locator(MARK)).to_have_text("word")
    longest = opened.locator(".block").evaluate_all(
        "(blocks) => Math.max(...blocks.map(({ textContent }) => textContent.length))"
    )
    assert longest <= 30_000
    assert opened.locator(TEXT).text_content() == text


@pytest.mark.parametrize("width", [320, 1280, 3840])
def test_the_source_has_no_barriers(
    opened: Page, barriers: Callable[[], list[str]], width: int
) -> None:
    """axe-core finds nothing, with citations to step through, a notice and a span to choose."""
    text = "# Part\none two\n"
    serve(opened, text, sections=[(0, len(text), ["Part"])], pages=[(0, len(text), 1)])
    opened.set_viewport_size({"width": width, "height": 800})
    opened.evaluate(CHOSEN)
    show(opened, place(text, "two") | {"quote": "too"}, place(text, "two"))
    expect(opened.locator("#source").get_by_role("alert")).to_be_visible()
    expect(opened.locator(".verified")).to_be_visible()
    assert barriers() == []
    opened.keyboard.press("n")
    opened.locator(".verified").click()
    assert barriers() == []
    overflow = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    assert opened.evaluate(overflow) == 0
