"""The page against the real service over the seeds: what comes is compared with the wire."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.page.invented import STREAM

QUESTION = "How many NATO soldiers were injured in the attack on KFOR troops in May 2023?"
CITATION = ".answer .citation"
MARK = "#source mark"

IN_THE_MIDDLE = """() => {
  const mark = document.querySelector("#source mark").getBoundingClientRect();
  const text = document.querySelector("#source .text").getBoundingClientRect();
  const middle = (text.top + text.bottom) / 2;
  return Math.abs((mark.top + mark.bottom) / 2 - middle) < text.height / 3;
}"""
BEFORE_THE_MARK = """() => {
  const range = document.createRange();
  range.setStart(document.querySelector("#source .text"), 0);
  range.setEndBefore(document.querySelector("#source mark"));
  return Array.from(range.toString()).length;
}"""
LOADED = """() => Object.fromEntries(["navigation", "resource"]
  .flatMap((type) => performance.getEntriesByType(type))
  .filter(({ name }) => !name.includes("/v1/"))
  .map((it) => [new URL(it.name).pathname.split("/").at(-1), it.decodedBodySize]))"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


def ask(page: Page, question: str = QUESTION) -> dict[str, Any]:
    """Type the question where the focus is, press Enter; return what the service says at once."""
    expect(page.locator("#question")).to_be_focused()
    page.keyboard.type(question)
    page.keyboard.press("Enter")
    expect(page.locator(".turn").first.locator(".answer").first).to_be_visible()
    expect(page.locator(".turn [aria-busy]")).to_have_count(0)
    answers: dict[str, Any] = page.request.post("/v1/ask", data={"question": question}).json()
    return answers


@pytest.fixture
def opened(page: Page) -> Page:
    page.goto("/")
    total = page.request.get("/v1/documents?limit=1&offset=0").json()["total"]
    expect(page.locator("#count")).to_have_text(f"{total} documents")
    return page


def test_an_answer_stands_in_its_sentence_with_the_span_emphasised(opened: Page) -> None:
    """The sentence, the span in it, confidence and sources are those of the response."""
    answer = ask(opened)["answers"][0]
    shown = opened.locator(".answer").first
    assert shown.locator("blockquote").text_content() == answer["sentence"]
    assert shown.locator("mark").text_content() == answer["citations"][0]["quote"]
    expect(opened.locator(".answer", has_text="93").first).to_be_visible()
    percent = round(answer["confidence"] * 100)
    expected = "over 99%" if percent >= 100 else "under 1%" if percent <= 0 else f"{percent}%"
    expect(shown.locator(".percent")).to_have_text(expected)
    titles = [citation["document"]["title"] for citation in answer["citations"]]
    assert shown.locator(".citation .title").all_text_contents() == titles
    expect(opened.locator("#announcer")).to_contain_text(answer["text"])


def test_a_citation_opens_its_source_at_the_quote(opened: Page) -> None:
    """The panel holds the document's text to the letter, marked at the cited code points."""
    citation = ask(opened)["answers"][0]["citations"][0]
    opened.locator(CITATION).first.click()
    expect(opened.locator(MARK)).to_be_in_viewport()
    expect(opened.locator(".verified")).to_have_text("Verified")
    text = opened.request.get(f"/v1/documents/{citation['document']['id']}/text").body().decode()
    assert opened.locator(MARK).text_content() == citation["quote"]
    assert opened.locator("#source .text").text_content() == text
    assert opened.evaluate(BEFORE_THE_MARK) == citation["start"]
    opened.wait_for_function(IN_THE_MIDDLE)
    expect(opened.locator("#source-title")).to_have_text(citation["document"]["title"])


def test_the_keyboard_alone_suffices(opened: Page) -> None:
    """Ask, reach the first source, read it, close it, and be back at the citation."""
    ask(opened)
    opened.keyboard.press("Tab")  # the button that asks
    opened.keyboard.press("Tab")
    citation = opened.locator(CITATION).first
    expect(citation).to_be_focused()
    assert citation.evaluate("node => getComputedStyle(node).outlineStyle") == "solid"
    opened.keyboard.press("Enter")
    expect(opened.locator(MARK)).to_be_in_viewport()
    expect(opened.locator("#source .text")).to_be_focused()
    opened.keyboard.press("Escape")
    expect(opened.locator("#source")).to_be_hidden()
    expect(citation).to_be_focused()
    opened.keyboard.press("Enter")
    expect(opened.locator(MARK)).to_be_in_viewport()
    opened.keyboard.press("Shift+Tab")
    expect(opened.locator("#source .close")).to_be_focused()
    opened.keyboard.press("Enter")
    expect(citation).to_be_focused()


def test_on_a_phone_the_source_covers_the_conversation(opened: Page) -> None:
    """Nothing scrolls sideways; the panel fills the screen and what is behind it rests."""
    opened.set_viewport_size({"width": 360, "height": 740})
    ask(opened)
    assert opened.evaluate(OVERFLOW) == 0
    opened.locator(CITATION).first.click()
    expect(opened.locator(MARK)).to_be_in_viewport()
    panel = opened.locator("#source")
    opened.wait_for_function("() => document.getAnimations().length === 0")
    assert panel.bounding_box() == {"x": 0, "y": 0, "width": 360, "height": 740}
    assert opened.evaluate(OVERFLOW) == 0
    assert opened.locator("#conversation").evaluate("node => node.inert") is True
    opened.locator("#source .close").click()
    assert opened.locator("#conversation").evaluate("node => node.inert") is False
    expect(opened.locator(CITATION).first).to_be_focused()


def test_on_a_wide_screen_the_source_stands_beside_the_conversation(opened: Page) -> None:
    """With the panel open the next question can be asked; both are in sight."""
    ask(opened)
    opened.locator(CITATION).first.click()
    expect(opened.locator(MARK)).to_be_in_viewport()
    field, panel = opened.locator("#question").bounding_box(), opened.locator("#source")
    box = panel.bounding_box()
    assert field is not None
    assert box is not None
    assert field["x"] + field["width"] <= box["x"]
    opened.locator("#question").focus()
    ask(opened, "How many additional troops did NATO deploy to Kosovo?")
    expect(opened.locator(".turn")).to_have_count(2)
    expect(panel).to_be_visible()


def test_what_the_service_withholds_is_shown_as_an_abstention(opened: Page) -> None:
    """Asked for certainty the service abstains; its message and closest passages are shown."""

    def demand_certainty(route: Route) -> None:
        route.continue_(url=f"{route.request.url}&min_confidence=1")

    opened.route(STREAM, demand_certainty)
    opened.keyboard.type(QUESTION)
    opened.keyboard.press("Enter")
    body = {"question": QUESTION, "min_confidence": 1}
    said = opened.request.post("/v1/ask", data=body).json()
    expect(opened.locator(".abstention")).to_have_text(said["abstention"]["message"])
    expect(opened.locator(".answer")).to_have_count(0)
    closest = [passage["text"] for passage in said["passages"][:3]]
    assert opened.locator(".passage .excerpt").all_text_contents() == closest
    opened.locator(".passage").first.click()
    expect(opened.locator(MARK).first).to_be_in_viewport()
    assert "".join(opened.locator(MARK).all_text_contents()) == closest[0]
    expect(opened.locator(".verified")).to_have_text("Verified")


def test_titles_of_the_collection_open_whole_documents(opened: Page) -> None:
    """Before the first question a title opens its document at the beginning, without a mark."""
    listed = opened.request.get("/v1/documents?limit=6&offset=0").json()
    titles = [document["title"] for document in listed["documents"]]
    assert opened.locator("#collection .title").all_text_contents() == titles
    opened.locator("#collection .citation").first.click()
    identifier = listed["documents"][0]["id"]
    text = opened.request.get(f"/v1/documents/{identifier}/text").body().decode()
    expect(opened.locator("#source .block").first).to_be_visible()
    assert opened.locator("#source .text").text_content() == text
    expect(opened.locator(MARK)).to_have_count(0)


def test_opening_the_page_and_asking_loads_less_than_60_kb(opened: Page) -> None:
    """Uncompressed, as the browser measures it; the view of a source comes when it is opened."""
    ask(opened)
    loaded: dict[str, int] = opened.evaluate(LOADED)
    assert {"", "main.js", "base.css", "answers.js"} <= set(loaded)
    assert "source.js" not in loaded
    assert all(loaded.values())
    assert sum(loaded.values()) < 60_000


def test_what_is_said_of_an_answer_is_stored(opened: Page) -> None:
    """The service takes the verdict, which tells that the place it names is right."""
    ask(opened)
    with opened.expect_response("**/v1/feedback") as response:
        opened.get_by_role("button", name="Right", exact=True).first.click()
    assert response.value.ok
    expect(opened.locator("[aria-pressed=true]")).to_have_text("Right")


def test_the_policy_is_strict_and_in_force(
    opened: Page, service_url: str, strays: list[str]
) -> None:
    """The page is served with a policy that stops inline script, style and foreign images."""
    response = opened.request.get("/")
    policy = response.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    opened.evaluate(
        """() => {
          const script = document.createElement("script");
          script.append("window.ran = true");
          document.body.append(script);
        }"""
    )
    assert opened.evaluate("window.ran") is None
    assert opened.evaluate("window.violations.splice(0).length") > 0
    assert strays  # the console told it too
    strays.clear()
    assert opened.url == f"{service_url}/"
