"""The page against responses made up here: failures, hostile texts, and texts hard to slice."""

import random
from typing import Any, Literal
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.invented import (
    HARD,
    HOSTILE,
    STREAM,
    answer,
    ask,
    fulfill,
    passage,
    place,
    response,
    serve,
)


@pytest.fixture
def opened(page: Page) -> Page:
    page.goto("/")
    expect(page.locator("#count")).not_to_be_empty()
    return page


def test_an_abstention_says_so_and_offers_passages_as_passages(opened: Page) -> None:
    """Its message is shown, no answer is, and a passage opens its source, marked."""
    text = "First.\n\nA passage that came close.\n\nLast."
    why = {"reason": "low_confidence", "message": "The documents do not say."}
    close = passage(text) | {"start": 8, "end": 34, "text": "A passage that came close."}
    serve(opened, response(abstention=why, passages=(close,)), text=text)
    ask(opened)
    expect(opened.locator(".abstention")).to_have_text("The documents do not say.")
    expect(opened.locator(".answer")).to_have_count(0)
    expect(opened.locator("#announcer")).to_contain_text("The documents do not say.")
    opened.locator(".passage").click()
    expect(opened.locator("#source mark")).to_have_text("A passage that came close.")


def test_a_failure_of_the_service_is_told_and_can_be_tried_again(opened: Page) -> None:
    """A 500 is one line with role alert and the detail; asking again brings the answer."""
    problem: Any = {"type": "x", "title": "Internal", "status": 500, "detail": "The reader broke"}
    opened.route(STREAM, lambda route: route.fulfill(status=500, json=problem))
    ask(opened)
    alert = opened.locator(".turn").get_by_role("alert")
    expect(alert).to_contain_text("The service failed (500). The reader broke.")
    opened.unroute(STREAM)
    serve(opened, response(answer("It is so.", place("It is so.", "so"))))
    alert.get_by_role("button", name="Ask again").click()
    expect(opened.locator(".answer mark")).to_have_text("so")
    expect(alert).to_have_count(0)


def test_a_service_that_is_gone_is_told_with_what_to_do(opened: Page) -> None:
    """Without a connection the line names the command that starts the service."""
    opened.route(STREAM, lambda route: route.abort("connectionrefused"))
    ask(opened)
    expect(opened.locator(".turn").get_by_role("alert")).to_contain_text("rag serve")


def test_a_source_that_cannot_be_fetched_is_told_in_the_panel(opened: Page) -> None:
    """The panel stays, says what is wrong and tries again."""
    serve(opened, response(answer("It is so.", place("It is so.", "so"))), text="It is so.")
    opened.route("**/v1/documents/*/text?*", lambda route: route.abort("connectionrefused"))
    ask(opened)
    opened.locator(".answer .citation").click()
    alert = opened.locator("#source").get_by_role("alert")
    expect(alert).to_contain_text("rag serve")
    opened.unroute("**/v1/documents/*/text?*")
    serve(opened, None, text="It is so.")
    alert.get_by_role("button", name="Try again").click()
    expect(opened.locator("#source mark")).to_have_text("so")


def test_markup_in_texts_stays_text(opened: Page) -> None:
    """Scripts and images in question, title, sentence and source are shown, never made."""
    text = f"Before {HOSTILE} after."
    serve(opened, response(answer(text, place(text, HOSTILE, title=HOSTILE))), text=text)
    ask(opened, HOSTILE)
    expect(opened.locator(".turn h2")).to_have_text(HOSTILE)
    expect(opened.locator(".answer blockquote")).to_have_text(text)
    expect(opened.locator(".citation .title").last).to_have_text(HOSTILE)
    opened.locator(".answer .citation").click()
    expect(opened.locator("#source mark")).to_have_text(HOSTILE)
    expect(opened.locator("#source-title")).to_have_text(HOSTILE)
    assert opened.evaluate("window.ran") is None
    assert opened.locator("main script, main article img, #source img, #source script").count() == 0


def test_the_highlight_is_the_quote_behind_astral_and_right_to_left_text(opened: Page) -> None:
    """Neither surrogate pairs, a byte order mark nor Hebrew before a quote shift its highlight."""
    quote = "👩‍👩‍👧 שבע"
    text = HARD * 40 + f"\r\nThe answer is {quote}, so be it.\r\n" + HARD * 40
    sentence = f"The answer is {quote}, so be it."
    serve(opened, response(answer(sentence, place(text, quote))), text=text)
    ask(opened)
    assert opened.locator(".answer mark").text_content() == quote
    assert opened.locator(".answer blockquote").text_content() == sentence
    opened.locator(".answer .citation").click()
    expect(opened.locator("#source mark")).to_be_in_viewport()
    assert opened.locator("#source mark").text_content() == quote
    assert opened.locator("#source .text").text_content() == text


def test_indices_agree_with_slicing_code_points(opened: Page) -> None:
    """Sliced at `indices` a text gives what Python's slices give, over any mixture of scripts."""
    chance = random.Random(7)
    alphabet = "aé€😀\u0301שع\n\r\ufeff\U0010ffff"
    cases = []
    for _ in range(200):
        text = "".join(chance.choices(alphabet, k=chance.randrange(30)))
        start, end = sorted((chance.randint(0, len(text)), chance.randint(0, len(text))))
        cases.append((text, start, end))
    got = opened.evaluate(
        """async (cases) => {
          const { indices, codePoints } = await import("/page/text.js");
          return cases.map(([text, start, end]) => {
            const [from, to] = indices(text, [start, end]);
            const parts = [text.slice(0, from), text.slice(from, to), text.slice(to)];
            return [parts, parts.map(codePoints)];
          });
        }""",
        cases,
    )
    for (text, start, end), (parts, counts) in zip(cases, got, strict=True):
        assert parts == [text[:start], text[start:end], text[end:]]
        assert counts == [start, end - start, len(text) - end]


def test_of_equal_words_in_a_sentence_the_cited_one_is_emphasised(opened: Page) -> None:
    """The citation's surroundings choose the occurrence."""
    text = "Nine or ten. Of ten, ten came and ten left. Ten stayed."
    cited = place(text, "ten left") | {"quote": "ten", "after": " left. Ten stayed."}
    serve(opened, response(answer("Of ten, ten came and ten left.", cited)))
    ask(opened)
    expect(opened.locator(".answer mark")).to_have_text("ten")
    head = opened.locator(".answer mark").evaluate("node => node.previousSibling.data")
    assert head == "Of ten, ten came and "


def test_sources_are_numbered_through_and_further_answers_follow(opened: Page) -> None:
    """Two answers with three sources between them: numbers 1 to 3, page or section, date."""
    text = "It is so. It is so."
    paged = place(text, "so", page=12)
    first = answer("It is so.", place(text, "so"), paged, confidence=0.999)
    second = answer("It is so.", place(text, "is"), confidence=0.2)
    serve(opened, response(first, second, passages=(passage(text),)))
    ask(opened)
    expect(opened.locator(".turn summary")).to_have_text("Another answer")
    opened.locator(".turn summary").click()
    assert opened.locator(".citation .number").all_text_contents() == ["1", "2", "3"]
    facts = opened.locator(".turn .citation .facts").all_inner_texts()
    assert [" ".join(it.split()) for it in facts] == [
        "Chapter 20 November 2023",
        "page 12 20 November 2023",
        "Chapter 20 November 2023",
    ]
    assert opened.locator(".percent").all_text_contents() == ["over 99%", "20%"]


def test_an_answer_that_was_overtaken_never_lands(opened: Page) -> None:
    """The next question stops the one that is open; each turn keeps to its own."""
    held: list[Route] = []

    def respond(route: Route) -> None:
        question = parse_qs(urlsplit(route.request.url).query)["question"][0]
        if question == "slow" and not held:
            held.append(route)
        else:
            text = f"This is {question}."
            fulfill(route, response(answer(text, place(text, question))))

    opened.route(STREAM, respond)
    ask(opened, "slow")
    expect(opened.locator(".turn .waiting")).to_be_visible()
    ask(opened, "quick")
    expect(opened.locator(".turn mark")).to_have_text("quick")
    turns = opened.locator(".turn")
    assert turns.locator("h2").all_text_contents() == ["quick", "slow"]
    expect(turns.last).to_contain_text("Stopped")
    turns.last.get_by_role("button", name="Ask again").click()
    expect(turns.last.locator("mark")).to_have_text("slow")
    expect(turns.first.locator("mark")).to_have_text("quick")


def test_enter_asks_and_shift_enter_breaks_the_line(opened: Page) -> None:
    """Only Enter sends; a blank question is not sent; the field is emptied and keeps the focus."""
    sent: list[str] = []
    opened.on("request", lambda it: sent.append(it.url) if "/v1/ask/stream?" in it.url else None)
    serve(opened, response(answer("It is so.", place("It is so.", "so"))))
    opened.keyboard.press("Enter")
    opened.keyboard.type("one")
    opened.keyboard.press("Shift+Enter")
    opened.keyboard.type("two")
    expect(opened.locator("#question")).to_have_value("one\ntwo")
    assert sent == []
    opened.keyboard.press("Enter")
    expect(opened.locator(".answer")).to_be_visible()
    assert len(sent) == 1
    expect(opened.locator(".turn h2")).to_have_text("one\ntwo")
    expect(opened.locator("#question")).to_have_value("")
    expect(opened.locator("#question")).to_be_focused()


def test_a_changed_document_is_shown_without_a_mark(opened: Page) -> None:
    """Where the quote is not at its place nothing is marked, and the panel says so."""
    cited = place("It is so.", "so")
    serve(
        opened,
        response(answer("It is so.", cited)),
        text="It was not so at all.",
        status="superseded",
    )
    ask(opened)
    opened.locator(".answer .citation").click()
    expect(opened.locator("#source").get_by_role("alert")).to_contain_text("has changed")
    expect(opened.locator(".verified")).to_have_text("Not verified: It is superseded.")
    expect(opened.locator("#source mark")).to_have_count(0)
    expect(opened.locator("#source .text")).to_contain_text("It was not so at all.")


def test_a_document_of_two_million_characters_opens_at_its_quote(opened: Page) -> None:
    """The quote stands in sight although almost nothing above it has been laid out."""
    text = "Many words 😀 that nobody cites.\n" * 40_000 + "The needle.\n" + "More.\n" * 150_000
    serve(opened, response(answer("The needle.", place(text, "needle"))), text=text)
    assert len(text) > 2_000_000
    ask(opened)
    opened.locator(".answer .citation").click()
    expect(opened.locator("#source mark")).to_be_in_viewport()
    assert opened.locator("#source mark").text_content() == "needle"


def test_long_words_do_not_widen_a_narrow_screen(opened: Page) -> None:
    """10,000 characters without a space, in every text, at 320 pixels."""
    word = "w" * 10_000
    serve(opened, response(answer(word, place(word, word, title=word))), text=word)
    opened.set_viewport_size({"width": 320, "height": 640})
    ask(opened, "w" * 2000)
    opened.locator(".answer .citation").click()
    expect(opened.locator("#source mark")).to_be_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") == 320
    assert opened.locator("#source .text").evaluate("it => it.scrollWidth - it.clientWidth") == 0


def test_an_empty_collection_says_how_to_add_documents(page: Page) -> None:
    """With no documents the first thing to read is the command that adds some."""
    nothing: Any = {"generation": 0, "total": 0, "documents": []}
    page.route("**/v1/documents?*", lambda route: route.fulfill(json=nothing))
    page.goto("/")
    expect(page.locator("#count")).to_have_text("0 documents")
    expect(page.locator("#collection")).to_contain_text("rag ingest")


def test_a_service_that_is_not_ready_is_waited_for(page: Page) -> None:
    """While it answers 503 the page says why, then shows the collection by itself."""
    loading: Any = {"type": "x", "title": "Busy", "status": 503, "detail": "It loads"}
    page.route("**/v1/documents?*", lambda route: route.fulfill(status=503, json=loading))
    page.goto("/")
    expect(page.locator("#collection")).to_contain_text("It loads.")
    page.unroute("**/v1/documents?*")
    expect(page.locator("#collection .citation").first).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_systems_colours_and_calm_are_kept(
    opened: Page, scheme: Literal["light", "dark"]
) -> None:
    """Paper is lighter than ink by day and darker by night; nothing moves if none should."""
    opened.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    shades = opened.evaluate(
        """() => ["backgroundColor", "color"].map((key) =>
          getComputedStyle(document.body)[key].match(/\\d+/g).slice(0, 3)
            .reduce((sum, part) => sum + Number(part), 0))"""
    )
    assert (shades[0] > shades[1]) == (scheme == "light")
    serve(opened, response(answer("It is so.", place("It is so.", "so"))), text="It is so.")
    ask(opened)
    opened.locator(".answer .citation").click()
    expect(opened.locator("#source mark")).to_be_visible()
    assert opened.evaluate("document.getAnimations().length") == 0
