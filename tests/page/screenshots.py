"""Pictures of the page for people to look at, taken by `make screenshots`.

They go to `screenshots/`, which git ignores. pytest takes them, with the fixtures of the tests, but
only when this file is named: it is no test of the suite.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.page.invented import EXAMPLES, STREAM, answer, ask, passage, place, response, serve

Take = Callable[[str], None]

FOLDER: Final = Path(__file__).resolve().parents[2] / "screenshots"
FINDING_MS: Final = 120_000
BROKEN: Final[FilePayload] = {
    "name": "minutes.pdf",
    "mimeType": "application/pdf",
    "buffer": b"%PDF-1.4 cut off",
}
QUESTION: Final = "How many NATO soldiers were injured in the attack on KFOR troops in May 2023?"


def _withhold(route: Route) -> None:
    route.continue_(url=f"{route.request.url}&min_confidence=1")


def _differing() -> object:
    """Return what two reports, a survey and the press say of one bridge."""
    said = {
        "d1": ("Report of the inspectors", "The bridge was closed to lorries on 3 May 2021."),
        "d2": ("Minutes of the council", "Since 17 June 2021 no lorry has been allowed on it."),
        "d3": ("Letter of a reader", "They shut it, I believe, in the spring."),
    }
    quotes = {"d1": "3 May 2021", "d2": "17 June 2021", "d3": "in the spring"}
    answers, passages = [], []
    for (key, (title, text)), confidence in zip(said.items(), (0.91, 0.84, 0.48), strict=True):
        document = {"id": key, "title": title, "uri": f"file:///{key}", "version": "sha256:00"}
        cited = place(text, quotes[key]) | {"document": document}
        answers.append(answer(text, cited, confidence=confidence))
        passages.append(passage(text) | {"document": document})
    return response(*answers, passages=tuple(passages))


def _upload_broken(page: Page) -> None:
    page.locator("#open-documents").click()
    page.locator("#documents input[type=file]").set_input_files(BROKEN)
    expect(page.locator(".uploads").get_by_role("alert")).to_be_visible()
    page.locator(".list input").first.check()


def _start(page: Page, take: Take) -> None:
    page.unroute(EXAMPLES)
    page.goto("/")
    expect(page.locator(".examples button").first).to_be_visible(timeout=FINDING_MS)
    take("start")


def _abstention(page: Page, take: Take) -> None:
    page.route(STREAM, _withhold)
    ask(page, "What does a coffee cost in Pristina?")
    expect(page.locator(".abstention")).to_be_visible()
    take("abstention")
    page.unroute(STREAM)


def _answer_and_source(page: Page, take: Take) -> None:
    ask(page, QUESTION)
    expect(page.locator(".turn:first-child .answer").first).to_be_visible()
    expect(page.locator(".turn:first-child .looked")).to_be_visible()
    page.locator(".answer").first.hover()
    take("answer")
    page.locator(".answer .citation").first.click()
    expect(page.locator(".verified.valid")).to_be_visible()
    expect(page.locator("#source mark")).to_be_in_viewport()
    take("source")
    page.keyboard.press("Escape")


def _disagreement(page: Page, take: Take) -> None:
    serve(page, _differing())
    ask(page, "When was the bridge closed to lorries?")
    expect(page.locator(".sides")).to_be_visible()
    page.locator(".turn:first-child summary").click()
    take("disagreement")
    page.locator(".turn:first-child [data-verdict=span]").first.click()
    take("feedback")


def _failures(page: Page, take: Take) -> None:
    page.route(STREAM, lambda route: route.abort("connectionrefused"))
    ask(page, "Is anybody there?")
    expect(page.get_by_role("alert")).to_be_visible()
    take("failure")
    page.unroute(STREAM)
    page.route(STREAM, lambda route: route.fulfill(status=401, json={}))
    ask(page, "May I come in?")
    expect(page.locator("#key")).to_be_focused()
    take("key")
    page.keyboard.press("Escape")
    _upload_broken(page)
    take("upload-error")
    page.keyboard.press("Escape")


@pytest.mark.parametrize(
    ("name", "width", "height", "scheme"),
    [
        pytest.param("laptop", 1366, 850, "light", id="laptop"),
        pytest.param("dark", 1366, 850, "dark", id="dark"),
        pytest.param("phone", 360, 740, "light", id="phone"),
        pytest.param("tiny", 320, 640, "dark", id="tiny"),
        pytest.param("wide", 3840, 2160, "light", id="wide"),
    ],
)
def test_take_pictures(
    page: Page, name: str, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    """Take the start, an abstention, an answer, its source, a disagreement, and failures."""

    def take(view: str) -> None:
        page.wait_for_function("() => document.getAnimations().every((it) => it.pending === false)")
        page.screenshot(path=FOLDER / f"{name}-{view}.png")

    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": height})
    for views in (_start, _abstention, _answer_and_source, _disagreement, _failures):
        views(page, take)
    if name == "laptop":
        page.emulate_media(media="print")
        page.pdf(path=FOLDER / "conversation.pdf")
