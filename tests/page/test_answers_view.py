"""What stands under a question: confidence, differing documents, feedback, and who can read it."""

import json
from collections.abc import Callable
from typing import Any, Literal

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.invented import (
    EXAMPLES,
    STREAM,
    answer,
    ask,
    give_examples,
    passage,
    place,
    response,
    serve,
)

FINDING_MS = 120_000
WHY: Any = {"reason": "low_confidence", "message": "The documents do not say."}
BAR = """() => {
  const bar = document.querySelector(".bar");
  const [first, size] = getComputedStyle(bar).backgroundSize.split(" ");
  return Number.parseFloat(first);
}"""


def of(document: str, text: str, span: str, *, confidence: float = 0.9) -> Any:
    """Return an answer that one document gives."""
    named = {"id": document, "title": f"Title of {document}", "uri": "x", "version": "sha256:00"}
    return answer(text, place(text, span) | {"document": named}, confidence=confidence)


@pytest.fixture
def opened(page: Page) -> Page:
    page.goto("/")
    expect(page.locator("#count")).not_to_be_empty()
    return page


def sides(page: Page, *answers: Any) -> list[str]:
    script = """async (answers) => {
      const { sides } = await import("/page/disagreement.js");
      return sides(answers).map(({ text }) => text);
    }"""
    found: list[str] = page.evaluate(script, list(answers))
    return found


def test_documents_differ_only_where_likely_answers_of_separate_ones_do(opened: Page) -> None:
    """Each condition of the rule, taken away, takes the finding away."""
    may, june = of("d1", "In May.", "May"), of("d2", "It was June.", "June", confidence=0.7)
    assert sides(opened, may, june) == ["May", "June"]
    assert sides(opened, may, of("d2", "It was June.", "June", confidence=0.69)) == []
    assert sides(opened, may, of("d1", "It was June.", "June")) == []
    assert sides(opened, may, of("d2", "On 3 may.", "3 may")) == []
    assert sides(opened, of("d1", "1,000 men", "1,000"), of("d2", "1000 of them", "1000")) == []
    assert sides(opened, of("d1", "10,5", "10,5"), of("d2", "105", "105")) == ["10,5", "105"]
    assert sides(opened, of("d1", "Zoë", "Zoë"), of("d2", "zoe\u0308", "zoe\u0308")) == []
    assert sides(opened, may) == []
    assert sides(opened) == []
    both = may | {"citations": [*may["citations"], *june["citations"]]}
    assert sides(opened, both, june) == []
    three = may, june, of("d3", "May was it.", "May was"), of("d4", "In July.", "July")
    assert sides(opened, *three) == ["May", "June", "July"]


def test_differing_documents_stand_side_by_side(opened: Page) -> None:
    """The page says no more than that they differ; the others are folded below, and it is told."""
    may, june = of("d1", "In May.", "May"), of("d2", "It was June.", "June")
    doubtful = of("d3", "Or was it July?", "July", confidence=0.5)
    serve(opened, response(may, june, doubtful))
    ask(opened)
    expect(opened.locator(".turn h3")).to_have_text("The documents give different answers")
    left, right = (it.bounding_box() for it in opened.locator(".sides .answer").all())
    assert left is not None
    assert right is not None
    assert left["y"] == right["y"]
    assert left["x"] + left["width"] <= right["x"]
    expect(opened.locator("#announcer")).to_contain_text("The documents give different answers.")
    expect(opened.locator("summary")).to_have_text("Another answer")
    expect(opened.locator("details mark")).to_be_hidden()
    opened.locator("summary").focus()
    opened.keyboard.press("Enter")
    expect(opened.locator("details mark")).to_have_text("July")
    assert opened.locator(".citation .number").all_text_contents() == ["1", "2", "3"]
    opened.set_viewport_size({"width": 320, "height": 640})
    above, below = (it.bounding_box() for it in opened.locator(".sides .answer").all())
    assert above is not None
    assert below is not None
    assert above["x"] == below["x"]
    assert above["y"] + above["height"] <= below["y"]


def test_confidence_is_words_and_a_bar_with_the_figure_at_hand(opened: Page) -> None:
    """The bar is as long as the answer is likely; the figure shows on hover and on focus."""
    text = "It is so."
    second = place(text, "so") | {
        "document": {"id": "d2", "title": "T", "uri": "x", "version": "v"}
    }
    cited = answer(text, place(text, "so"), place(text, "so", page=2), second, confidence=0.74)
    serve(opened, response(cited, of("d3", "No.", "No", confidence=0.3)))
    ask(opened)
    line = opened.locator(".confidence").first
    expect(line.locator(".words")).to_have_text("Likely right")
    expect(line).to_contain_text("in 2 documents")
    expect(line).to_have_attribute("title", "Of answers rated like this, 74% are right")
    assert opened.evaluate(BAR) == pytest.approx(74)
    figure = line.locator(".percent")
    expect(figure).to_have_text("74%")
    opened.mouse.move(1, 1)
    expect(figure).to_have_css("opacity", "0")
    line.hover()
    expect(figure).to_have_css("opacity", "1")
    opened.mouse.move(1, 1)
    opened.locator(".answer .citation").first.focus()
    expect(figure).to_have_css("opacity", "1")


def said(page: Page, press: Callable[[], None]) -> Any:
    """Return the feedback that is sent when something is pressed."""
    with page.expect_request("**/v1/feedback") as request:
        press()
    return json.loads(request.value.post_data or "")


def test_an_answer_is_judged_under_it(opened: Page) -> None:
    """Each verdict is sent with the place it is about, shows as chosen, and is kept for the tab."""
    cited = place("It is so.", "so")
    no = answer("No.", place("No.", "No"), confidence=0.6)
    serve(opened, response(answer("It is so.", cited), no))
    opened.route("**/v1/feedback", lambda it: it.fulfill(status=201, json={"status": "stored"}))
    ask(opened, "Is it?")
    row = opened.locator(".answer").first.get_by_role("group", name="Is this answer right?")
    body = said(opened, row.get_by_role("button", name="Right", exact=True).click)
    assert body == {
        "question": "Is it?",
        "collection": "default",
        "generation": 1,
        "verdict": "right",
        "answer": {"document": "d1", "version": "sha256:00", "start": 6, "end": 8, "quote": "so"},
        "span": None,
    }
    expect(row.get_by_role("status")).to_have_text("Noted, thank you")
    body = said(opened, row.get_by_role("button", name="Should not have answered").click)
    assert body["verdict"] == "should_abstain"
    opened.locator("summary").click()
    other = opened.locator("details .feedback")
    body = said(opened, other.get_by_role("button", name="Wrong").click)
    assert (body["verdict"], body["answer"]["quote"]) == ("wrong", "No")
    opened.reload()
    pressed = opened.locator("[aria-pressed=true]")
    expect(pressed).to_have_text(["Should not have answered", "Wrong"])


def test_the_right_answer_is_chosen_in_a_source(opened: Page) -> None:
    """Of the documents that were read one is opened to choose in; what is chosen there is sent."""
    cited, text = place("It is so.", "so"), "No 😀, it is thus."
    other = passage(text) | {
        "document": {"id": "d2", "title": "Second", "uri": "x", "version": "v2"}
    }
    serve(opened, response(answer("It is so.", cited), passages=(other, passage("It is so."))))
    opened.route("**/v1/feedback", lambda it: it.fulfill(status=201, json={"status": "stored"}))
    ask(opened)
    opened.get_by_role("button", name="Show the right answer").click()
    which = opened.locator(".feedback .plain")
    expect(which).to_have_text(["Report", "Second"])
    expect(which.first).to_be_focused()
    which.last.click()
    expect(opened.locator("#source")).to_be_visible()
    span = {"start": 12, "end": 16, "quote": "thus"}
    detail = {"document": {"id": "d2", "title": "Second", "version": "v2"}, **span}
    chosen = "detail => document.dispatchEvent(new CustomEvent('span-chosen', { detail }))"
    body = said(opened, lambda: opened.evaluate(chosen, detail))
    assert body["verdict"] == "span"
    assert body["span"] == {"document": "d2", "version": "v2", **span}
    assert body["answer"]["document"] == "d1"
    expect(opened.locator(".feedback [role=status]")).to_have_text("Noted: “thus”")
    expect(which).to_have_count(0)


def test_an_abstention_is_judged_too(opened: Page) -> None:
    """It is right, or the place that does say is chosen; there is no answer to send."""
    serve(opened, response(abstention=WHY, passages=(passage("It is so."),)), text="It is so.")
    opened.route("**/v1/feedback", lambda it: it.fulfill(status=201, json={"status": "stored"}))
    ask(opened)
    body = said(opened, opened.get_by_role("button", name="Right, they do not say").click)
    assert (body["verdict"], body["answer"], body["span"]) == ("right", None, None)
    opened.get_by_role("button", name="They do: show where").click()
    expect(opened.locator("#source")).to_be_visible()


def test_feedback_that_fails_is_told_and_can_be_sent_again(opened: Page) -> None:
    """Nothing is shown as noted before the service has it."""
    serve(opened, response(answer("It is so.", place("It is so.", "so"))))
    opened.route("**/v1/feedback", lambda it: it.abort("connectionrefused"))
    ask(opened)
    opened.get_by_role("button", name="Wrong").click()
    alert = opened.locator(".feedback").get_by_role("alert")
    expect(alert).to_contain_text("does not answer")
    expect(opened.locator("[aria-pressed=true]")).to_have_count(0)
    opened.route("**/v1/feedback", lambda it: it.fulfill(status=201, json={"status": "stored"}))
    alert.get_by_role("button").click()
    expect(opened.locator("[aria-pressed=true]")).to_have_text("Wrong")
    expect(alert).to_have_count(0)


def test_examples_are_those_that_the_service_found(page: Page) -> None:
    """They are those of the collection, which the service answers; pressing one asks it."""
    page.unroute(EXAMPLES)
    found = page.request.get("/v1/examples", timeout=FINDING_MS).json()["questions"]
    assert 1 <= len(found) <= 4
    page.goto("/")
    examples = page.locator(".examples button")
    expect(examples).to_have_text(found)
    examples.first.click()
    expect(page.locator(".turn h2")).to_have_text(found[0])
    expect(page.locator(".answer mark").first).to_be_visible()


@pytest.mark.parametrize(
    "refusal",
    [
        pytest.param({"status": 503, "json": {"detail": "Busy"}}, id="busy"),
        pytest.param({"json": {"generation": 1, "questions": []}}, id="none"),
    ],
)
def test_without_examples_nothing_is_said_of_them(page: Page, refusal: dict[str, Any]) -> None:
    """The titles are there, no error is told, and a question can be asked."""
    page.route(EXAMPLES, lambda it: it.fulfill(**refusal))
    with page.expect_response(EXAMPLES):
        page.goto("/")
    expect(page.locator("#collection .citation").first).to_be_visible()
    serve(page, response(answer("It is so.", place("It is so.", "so"))))
    ask(page)
    expect(page.locator(".answer mark")).to_have_text("so")
    expect(page.locator(".examples")).to_have_count(0)
    expect(page.get_by_role("alert")).to_have_count(0)


def test_nothing_waits_for_examples(page: Page) -> None:
    """While they are being found the collection is shown and a question answered."""
    held: list[Route] = []
    page.route(EXAMPLES, lambda it: held.append(it))  # noqa: PLW0108 (it sets an attribute)
    with page.expect_request(EXAMPLES):
        page.goto("/")
    expect(page.locator("#collection .citation").first).to_be_visible()
    serve(page, response(answer("It is so.", place("It is so.", "so"))))
    ask(page)
    expect(page.locator(".answer mark")).to_have_text("so")
    assert len(held) == 1


def test_opening_the_page_asks_nothing(page: Page) -> None:
    """Before the reader asks, no question reaches the service."""
    give_examples(page, "Is it so?")
    asked: list[str] = []
    page.on("request", lambda it: asked.append(it.url) if "/v1/ask" in it.url else None)
    page.goto("/")
    expect(page.locator(".examples button").first).to_be_visible()
    assert asked == []


def test_texts_run_in_their_own_direction(opened: Page) -> None:
    """Question, sentence, title, section and passage in Hebrew are right to left."""
    text = "התשובה היא שבע."
    cited = place(text, "שבע", title="מסמך") | {"section": ["פרק"]}
    serve(opened, response(answer(text, cited)))
    ask(opened, "מה התשובה?")
    expect(opened.locator(".answer mark")).to_have_text("שבע")
    direction = "it => getComputedStyle(it).direction"
    for part in (".turn h2", ".answer blockquote", ".answer .title", ".answer .facts span"):
        assert opened.locator(part).evaluate(direction) == "rtl"


@pytest.mark.parametrize("width", [320, 3840])
def test_nothing_is_wider_than_the_screen(opened: Page, width: int) -> None:
    """With words of 10,000 letters everywhere: two sides, folded answers, passages, the choice."""
    word = "w" * 10_000
    document = {"id": "d2", "title": word, "uri": "x", "version": "v"}
    first = of("d1", f"a{word}", f"a{word}")
    second = answer(f"b{word}", place(f"b{word}", f"b{word}") | {"document": document})
    third = answer(f"c{word}", place(f"c{word}", "c", title=word), confidence=0.4)
    close = passage(word) | {"document": document}
    opened.set_viewport_size({"width": width, "height": 700})
    serve(opened, response(first, second, third, passages=(close, passage(word))))
    ask(opened)
    opened.locator("summary").click()
    opened.locator(".answer").first.get_by_role("button", name="Show the right").click()
    serve(opened, response(abstention=WHY | {"message": word}, passages=(close,)))
    ask(opened)
    expect(opened.locator(".abstention")).to_be_visible()
    opened.route(STREAM, lambda it: it.fulfill(status=400, json={"detail": word}))
    ask(opened)
    expect(opened.locator(".turn").get_by_role("alert")).to_be_visible()
    assert opened.evaluate("document.documentElement.scrollWidth") == width
    # Citations reach into the gutter, by less than 24 pixels.
    clipped = """() => [...document.querySelectorAll("#conversation *")].filter((it) => {
      const { overflow, display } = getComputedStyle(it);
      const wider = it.scrollWidth > it.clientWidth + 24;
      return overflow === "visible" && wider && /block|flex|grid/.test(display);
    }).map((it) => it.className)"""
    assert opened.evaluate(clipped) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_no_view_has_a_barrier(
    opened: Page, barriers: Callable[[], list[str]], scheme: Literal["light", "dark"]
) -> None:
    """axe-core finds nothing at the start, in answers, an abstention, a failure, the key's form."""
    opened.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    give_examples(opened, "Is it so?", "מה השעה?")
    opened.reload()
    expect(opened.locator(".examples button").first).to_be_visible()
    assert barriers() == []

    two = passage("Two.") | {
        "document": {"id": "d2", "title": "Second", "uri": "x", "version": "v"}
    }
    may, june = of("d1", "In May.", "May"), of("d2", "It was June.", "June")
    doubtful = of("d3", "Or was it July?", "July", confidence=0.5)
    guess = of("d4", "Or August?", "August", confidence=0.2)
    read = (passage("One."), two)
    serve(opened, response(may, june, doubtful, guess, passages=read), text="In May.")
    opened.route("**/v1/feedback", lambda it: it.fulfill(status=201, json={"status": "stored"}))
    ask(opened)
    opened.locator("summary").click()
    row = opened.locator(".feedback").first
    row.get_by_role("button", name="Right", exact=True).click()
    expect(row.get_by_role("status")).to_have_text("Noted, thank you")
    row.get_by_role("button", name="Show the right answer").click()
    opened.locator(".answer").last.hover()
    serve(opened, response(abstention=WHY, passages=read))
    ask(opened)
    expect(opened.locator(".abstention")).to_be_visible()
    held: list[Route] = []
    opened.route(STREAM, lambda it: held.append(it))  # noqa: PLW0108 (it sets an attribute)
    ask(opened)
    expect(opened.locator(".turn .waiting")).to_be_visible()
    assert barriers() == []

    opened.route(STREAM, lambda it: it.fulfill(status=500, json={"detail": "Broken"}))
    ask(opened)
    expect(opened.locator(".turn").get_by_role("alert")).to_be_visible()
    assert barriers() == []
    opened.route(STREAM, lambda it: it.fulfill(status=401, json={}))
    ask(opened)
    expect(opened.locator("#key")).to_be_focused()
    assert barriers() == []
