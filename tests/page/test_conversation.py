"""Asking and the conversation: the stream, the keys, what is kept, addresses, files."""

import json
import random
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.page.invented import (
    STREAM,
    answer,
    ask,
    event,
    fulfill,
    passage,
    place,
    response,
    serve,
    stream,
)

SO: Any = response(answer("It is so.", place("It is so.", "so")), passages=(passage("It is so."),))
# The page's fetch of the stream gets a body that the test feeds through window.feed.
FED = """() => {
  const real = window.fetch;
  window.fetch = (path, options) => {
    if (!String(path).includes("/v1/ask/stream")) return real(path, options);
    const body = new ReadableStream({ start: (it) => (window.body = it) });
    window.feed = (text) => window.body.enqueue(new TextEncoder().encode(text));
    return Promise.resolve(new Response(body));
  };
}"""
EVENTS = """async (parts) => {
  const { events } = await import("/page/asking.js");
  const bytes = parts.map((it) => new Uint8Array(it));
  const all = [];
  for await (const it of events(new Blob(bytes).stream())) all.push(it);
  const body = new ReadableStream({
    start(it) {
      for (const part of bytes) it.enqueue(part);
      it.close();
    },
  });
  const cut = [];
  for await (const it of events(body)) cut.push(it);
  return [all, cut].map((list) => list.map(({ event, data }) => [event, data]));
}"""


@pytest.fixture
def opened(page: Page) -> Page:
    page.goto("/")
    expect(page.locator("#count")).not_to_be_empty()
    return page


def test_what_is_read_is_told_before_the_answers_come(opened: Page) -> None:
    """After the hits the page tells how much is read; each answer shows when it is there."""
    opened.evaluate(FED)
    passages = tuple(
        passage(f"It is so {n}.") | {"document": {"id": f"d{n % 3}", "title": f"T{n % 3}"}}
        for n in range(8)
    )
    said = response(*SO["answers"], passages=passages)
    hits, first, done = (f"{it}\n\n" for it in stream(said).split("\n\n")[1:4])
    ask(opened)
    waiting = opened.locator(".turn .waiting")
    expect(waiting).to_have_text("Looking through your documents")
    opened.evaluate("text => feed(text)", hits)
    expect(waiting).to_have_text("Reading 8 passages from 3 documents")
    expect(opened.locator("#announcer")).to_have_text("Reading 8 passages from 3 documents.")
    opened.evaluate("text => feed(text)", first[:30])
    opened.evaluate("text => feed(text)", first[30:])
    expect(opened.locator(".answer mark")).to_have_text("so")
    expect(waiting).to_have_text("Reading 8 passages from 3 documents")
    opened.evaluate("text => feed(text)", done)
    expect(waiting).to_have_count(0)
    expect(opened.locator("#announcer")).to_contain_text("Answer: so Likely right, 83%. 1 source.")
    expect(opened.locator(".turn .looked")).to_contain_text("8 passages of 3 documents read.")


def test_events_are_parsed_however_they_are_cut(opened: Page) -> None:
    """Every ending of lines, cut at any byte, gives the events of the WHATWG rules."""
    sent = (
        "\ufeffevent: one\r\ndata: {é😀\u2028}\r\n\r\n: comment\n\ndata:no space\ndata:  two\n"
        "id: 7\nretry: 5\nunknown\n\nevent: empty\n\rdata\r\rdata: x\revent: late\r\n\r\ndata: cut"
    ).encode()
    expected = [["one", "{é😀\u2028}"], ["", "no space\n two"], ["", ""], ["late", "x"]]
    chance = random.Random(3)
    for cuts in (len(sent), 1, 0, 0, 0):
        sizes = [cuts] * len(sent) if cuts else chance.choices(range(1, 9), k=len(sent))
        parts, at = [], 0
        for size in sizes:
            parts.append(list(sent[at : at + size]))
            at += size
        whole, cut = opened.evaluate(EVENTS, parts)
        assert whole == expected
        assert cut == expected


@pytest.mark.parametrize(
    ("body", "told"),
    [
        pytest.param(stream(SO).rpartition("event: done")[0], "The answer broke off.", id="cut"),
        pytest.param(
            stream(SO).rpartition("event: answer")[0]
            + event("problem", {"title": "Late", "status": 503, "detail": "It took too long."}),
            "It took too long.",
            id="problem",
        ),
        pytest.param(event("hits", [])[:-4] + "!\n\n", "The service does not answer", id="garbage"),
    ],
)
def test_a_stream_that_fails_midway_is_told_and_can_be_asked_again(
    opened: Page, body: str, told: str
) -> None:
    """What came of the answer does not stay as if it were one; asking again brings all of it."""
    opened.route(STREAM, lambda it: it.fulfill(body=body, content_type="text/event-stream"))
    ask(opened)
    alert = opened.locator(".turn").get_by_role("alert")
    expect(alert).to_contain_text(told)
    expect(opened.locator(".answer")).to_have_count(0)
    serve(opened, SO)
    alert.get_by_role("button", name="Ask again").click()
    expect(opened.locator(".answer mark")).to_have_text("so")


def test_a_busy_service_says_when_to_try_again(opened: Page) -> None:
    """The wait that a 429 names is in the line."""
    problem: Any = {"title": "Too many", "status": 429, "detail": "Too many questions"}
    opened.route(
        STREAM, lambda it: it.fulfill(status=429, json=problem, headers={"Retry-After": "7"})
    )
    ask(opened)
    told = opened.locator(".turn").get_by_role("alert")
    expect(told).to_contain_text("Too many questions. Try again in 7 seconds.")


def test_keys_reach_the_field_and_the_last_question(opened: Page) -> None:
    """`/` focuses the field from anywhere but from where one types; Up in it recalls."""
    serve(opened, SO)
    ask(opened, "First?\nYes, first.")
    expect(opened.locator(".answer")).to_be_visible()
    opened.locator(".answer .citation").focus()
    opened.keyboard.press("/")
    field = opened.locator("#question")
    expect(field).to_be_focused()
    expect(field).to_have_value("")
    opened.keyboard.press("/")
    expect(field).to_have_value("/")
    opened.keyboard.press("ArrowUp")
    expect(field).to_have_value("/")
    field.fill("")
    opened.keyboard.press("ArrowUp")
    expect(field).to_have_value("First?\nYes, first.")


def test_the_conversation_outlives_a_reload(opened: Page) -> None:
    """Turns, answers and what was said of them are there again, and nothing is asked anew."""
    serve(opened, SO)
    ask(opened, "One?")
    expect(opened.locator(".answer")).to_have_count(1)
    ask(opened, "Two?")
    expect(opened.locator(".answer")).to_have_count(2)
    opened.unroute(STREAM)
    asked: list[str] = []
    opened.on("request", lambda it: asked.append(it.url) if "/stream?" in it.url else None)
    opened.reload()
    expect(opened.locator(".turn h2")).to_have_text(["Two?", "One?"])
    expect(opened.locator(".answer mark")).to_have_text(["so", "so"])
    expect(opened.locator("#welcome p")).to_be_hidden()
    assert asked == []


def test_a_question_that_the_reload_cut_off_is_asked_again(opened: Page) -> None:
    """The newest turn without a response is asked when the page is back, an older one offers it."""
    held: list[Route] = []
    opened.route(STREAM, lambda it: held.append(it))  # noqa: PLW0108 (it sets an attribute)
    ask(opened, "One?")
    ask(opened, "Two?")
    expect(opened.locator(".turn").last).to_contain_text("Stopped")
    opened.unroute(STREAM)
    serve(opened, SO)
    opened.reload()
    expect(opened.locator(".turn").first.locator("mark")).to_have_text("so")
    expect(opened.locator(".turn").last).to_contain_text("This was not answered. Ask again")


def test_a_link_to_a_question_asks_it_where_it_is_opened(opened: Page) -> None:
    """Question, collection and chosen documents are those of the link."""
    urls: list[str] = []

    def respond(route: Route) -> None:
        urls.append(route.request.url)
        fulfill(route, SO)

    opened.route(STREAM, respond)
    question = "100% sure? a+b&c=#/é 😀 “x”\nשלום"
    opened.goto(f"/#/q/{quote(question, safe='')}?documents=d1&documents=d2&collection=letters")
    expect(opened.locator(".turn h2")).to_have_text(question)
    expect(opened.locator(".answer mark")).to_have_text("so")
    assert parse_qs(urlsplit(urls[0]).query) == {
        "question": [question],
        "collection": ["letters"],
        "documents": ["d1", "d2"],
    }
    expect(opened.locator(".turn .looked")).to_contain_text("Only 2 chosen documents asked.")
    link = opened.locator(".turn .looked a")
    assert link.evaluate("it => it.href") == opened.evaluate("location.href")


def test_addresses_give_back_their_questions(opened: Page) -> None:
    """`askedBy(hashOf(turn))` is the turn's question, for any text; other hashes ask nothing."""
    chance = random.Random(11)
    alphabet = "a%?&+=#/ \n'\"<>`é😀ש2F"
    turns = [
        {
            "question": "".join(chance.choices(alphabet, k=chance.randrange(1, 20))),
            "collection": chance.choice(["default", "letters"]),
            "documents": chance.choice([[], ["d1"], ["d&1", "d=2"]]),
        }
        for _ in range(100)
    ]
    script = """async (turns) => {
      const { askedBy, hashOf } = await import("/page/turns.js");
      // As the address bar gives it back.
      return turns.map((turn) => askedBy(new URL(hashOf(turn), location.href).hash));
    }"""
    assert opened.evaluate(script, turns) == turns
    others = ["", "#", "#/d/x/1-2", "#/q/", "#/p/x"]
    script = 'async (all) => all.map((await import("/page/turns.js")).askedBy)'
    assert opened.evaluate(script, others) == [None] * len(others)


def test_back_and_on_lead_through_the_questions(opened: Page) -> None:
    """Each question has an address; going back shows it, and in the end the start again."""
    serve(opened, SO)
    for question in ("One?", "Two?", "Three?"):
        ask(opened, question)
        expect(opened.locator(".turn").first.locator("h2")).to_have_text(question)
        expect(opened.locator(".turn").first.locator(".looked")).to_be_visible()
    opened.set_viewport_size({"width": 800, "height": 400})
    assert opened.evaluate("decodeURIComponent(location.hash)") == "#/q/Three?"
    opened.go_back()
    opened.go_back()
    expect(opened.locator(".turn h2", has_text="One?")).to_be_in_viewport()
    expect(opened.locator(".turn h2", has_text="Three?")).not_to_be_in_viewport()
    opened.go_back()
    expect(opened.locator("#welcome p")).to_be_visible()
    expect(opened.locator(".turn")).to_have_count(3)
    opened.go_forward()
    expect(opened.locator("#welcome p")).to_be_hidden()
    opened.locator(".brand").click()
    expect(opened.locator("#welcome p")).to_be_visible()


def test_the_oldest_turns_give_way_where_the_room_is_full(opened: Page) -> None:
    """Of turns of a megabyte of text each the newest that fit are kept, in order."""
    script = """async () => {
      const { keep, restore } = await import("/page/turns.js");
      keep(Array.from({ length: 12 }, (_, n) => ({ n, text: "x".repeat(1_000_000) })));
      return restore().map(({ n }) => n);
    }"""
    kept = opened.evaluate(script)
    assert kept == list(range(12 - len(kept), 12))
    assert 3 <= len(kept) < 12


def test_the_conversation_is_saved_as_markdown(opened: Page) -> None:
    """Oldest first; each place has one number throughout; signs of Markdown are escaped."""
    text = "1. It is *so*, and it was so."
    places = place(text, "so"), place(text, "*so*") | {"page": 4}
    why = {"reason": "no_span", "message": "The documents do not say."}
    serve(opened, response(answer(text, *places), answer(text, places[0], confidence=0.5)))
    ask(opened, "Is it\n<so>?")
    expect(opened.locator(".turn .looked")).to_be_visible()
    serve(opened, response(abstention=why))
    ask(opened, "And now?")
    expect(opened.locator(".abstention")).to_be_visible()
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Save as Markdown").click()
    assert download.value.suggested_filename == "conversation.md"
    markdown = download.value.path().read_text("utf-8")
    address = opened.url.partition("#")[0]
    lines = [it.replace(address, "/") for it in markdown.split("\n\n")]
    assert lines[:-1] == [
        "# Questions and answers",
        "## Is it \\<so\\>?",
        "> 1\\. It is \\*so\\*, and it was **so**.",
        "Likely right (83%). [1] [2]",
        "> 1\\. It is \\*so\\*, and it was **so**.",
        "Could be right (50%). [1]",
        "## And now?",
        "The documents do not say.",
        "## Sources",
        lines[-2],
    ]
    first, second = lines[-2].split("\n")
    assert first.startswith(
        "1. Report, Chapter, 20 November 2023. “so” <file:///r>, [place](/#/d/d1/"
    )
    assert second.startswith(
        "2. Report, page 4, 20 November 2023. “\\*so\\*” <file:///r>, [place](/#/d/d1/"
    )


def test_the_conversation_is_saved_as_json(opened: Page) -> None:
    """The file holds every question and response as the service gave it, oldest first."""
    serve(opened, SO)
    ask(opened, "One?")
    expect(opened.locator(".turn .looked")).to_be_visible()
    ask(opened, "Two?")
    expect(opened.locator(".turn .looked")).to_have_count(2)
    with opened.expect_download() as download:
        opened.get_by_role("button", name="Save as JSON").click()
    assert download.value.suggested_filename == "conversation.json"
    turns = json.loads(download.value.path().read_text("utf-8"))["turns"]
    assert [it["question"] for it in turns] == ["One?", "Two?"]
    kept = turns[0]["response"]["answers"][0]
    assert kept["citations"] == [SO["answers"][0]["citations"][0] | {"collection": "default"}]
    assert kept | {"citations": []} == SO["answers"][0] | {"citations": []}


def test_clearing_forgets_the_conversation(opened: Page) -> None:
    """No turn is shown or kept; the start is back."""
    serve(opened, SO)
    ask(opened)
    expect(opened.locator(".answer")).to_be_visible()
    opened.get_by_role("button", name="Clear").click()
    expect(opened.locator(".turn")).to_have_count(0)
    expect(opened.locator("#welcome p")).to_be_visible()
    assert opened.evaluate("sessionStorage.getItem('conversation')") == "[]"
    ask(opened, "Anew?")
    expect(opened.locator(".turn h2")).to_have_text("Anew?")


def test_printed_are_the_turns_with_their_references(opened: Page) -> None:
    """On paper: questions, answers, folded ones too, and sources; no field, no buttons."""
    second = answer("It is.", place("It is.", "is"), confidence=0.5)
    serve(opened, response(*SO["answers"], second))
    ask(opened)
    expect(opened.locator(".turn .looked")).to_be_visible()
    expect(opened.locator("details .citation")).to_be_hidden()
    opened.emulate_media(media="print", color_scheme="dark")
    opened.evaluate("dispatchEvent(new Event('beforeprint'))")
    for shown in (".turn h2", ".answer mark", "#turns .citation .title", ".percent"):
        for part in opened.locator(shown).all():
            expect(part).to_be_visible()
    for hidden in ("#ask", "#tools", ".feedback", "#theme"):
        expect(opened.locator(hidden).first).to_be_hidden()
    assert opened.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    opened.evaluate("dispatchEvent(new Event('afterprint'))")
    expect(opened.locator("details .citation")).to_be_hidden()


def test_the_switch_of_colours_is_kept(opened: Page) -> None:
    """From the system's colours to light, dark and back; the choice outlives a reload."""
    opened.emulate_media(color_scheme="light")
    paper = "getComputedStyle(document.body).backgroundColor"
    light = opened.evaluate(paper)
    switch = opened.locator("#theme")
    expect(switch).to_have_attribute("title", "Colours: system")
    switch.click()
    switch.click()
    expect(switch).to_have_accessible_name("Colours: dark. Change")
    dark = opened.evaluate(paper)
    assert dark != light
    opened.reload()
    expect(switch).to_have_attribute("title", "Colours: dark")
    assert opened.evaluate(paper) == dark
    switch.click()
    assert opened.evaluate(paper) == light
    opened.emulate_media(color_scheme="dark")
    assert opened.evaluate(paper) == dark


def test_a_key_is_asked_for_and_shown_from_then_on(opened: Page) -> None:
    """After a 401 the page asks for a key, repeats the question with it, and can forget it."""
    sent: list[str | None] = []

    def guard(route: Route) -> None:
        sent.append(route.request.headers.get("authorization"))
        if sent[-1] == "Bearer right":
            fulfill(route, SO)
        else:
            route.fulfill(status=401, json={"detail": "A valid key is needed"})

    opened.route(STREAM, guard)
    ask(opened)
    dialog = opened.get_by_role("dialog", name="A key is needed")
    expect(dialog).to_contain_text("only those who show a key")
    expect(opened.locator("#key")).to_be_focused()
    opened.keyboard.type("wrong")
    opened.keyboard.press("Enter")
    expect(dialog).to_contain_text("refused the key")
    opened.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    alert = opened.locator(".turn").get_by_role("alert")
    expect(alert).to_contain_text("The service refused the key.")
    alert.get_by_role("button", name="Ask again").click()
    expect(dialog).to_be_visible()
    opened.keyboard.type(" right ")
    opened.keyboard.press("Enter")
    expect(opened.locator(".answer mark")).to_have_text("so")
    assert sent == [None, "Bearer wrong", None, "Bearer right"]
    kept = "[sessionStorage, localStorage].map((it) => it.getItem('key'))"
    assert opened.evaluate(kept) == ["right", None]
    opened.get_by_role("button", name="Forget the key").click()
    expect(opened.get_by_role("button", name="Forget the key")).to_be_hidden()
    assert opened.evaluate(kept) == [None, None]
    ask(opened, "Another?")
    expect(dialog).to_be_visible()
    assert sent[-1] is None


def test_every_request_shows_the_key(page: Page) -> None:
    """Once there is a key, what the page loads and does carries it."""
    page.add_init_script("sessionStorage.setItem('key', 'secret')")
    bare: list[str] = []

    def look(request: Request) -> None:
        if "/v1/" in request.url and request.headers.get("authorization") != "Bearer secret":
            bare.append(request.url)

    page.on("request", look)
    page.goto("/")
    expect(page.locator("#collection .citation").first).to_be_visible()
    serve(page, SO, text="It is so.")
    ask(page)
    page.locator(".answer .citation").click()
    expect(page.locator("#source mark")).to_be_visible()
    expect(page.get_by_role("button", name="Forget the key")).to_be_visible()
    assert bare == []


def test_what_a_key_may_not_do_is_said(opened: Page) -> None:
    """A 403 is the service's own sentence, without asking for another key."""
    serve(opened, SO)
    ask(opened)
    refusal: Any = {"title": "Forbidden", "status": 403, "detail": "This key may not write"}
    opened.route("**/v1/feedback", lambda it: it.fulfill(status=403, json=refusal))
    opened.get_by_role("button", name="Right", exact=True).click()
    expect(opened.locator(".feedback").get_by_role("alert")).to_contain_text(
        "This key may not write."
    )
    expect(opened.locator("dialog[open]")).to_have_count(0)


def test_the_page_says_when_a_part_of_it_cannot_be_loaded(opened: Page) -> None:
    """Parts come when they are needed: without a service that is told, and tried again."""
    serve(opened, SO, text="It is so.")
    ask(opened)
    opened.route("**/page/source.js", lambda it: it.abort("connectionrefused"))
    opened.locator(".answer .citation").click()
    alert = opened.locator("#trouble").get_by_role("alert")
    expect(alert).to_contain_text("could not be loaded")
    opened.unroute("**/page/source.js")
    alert.get_by_role("button", name="Try again").click()
    expect(opened.locator("#source mark")).to_have_text("so")
    expect(alert).to_have_count(0)
