"""Pictures of the page for people to look at: `python tests/page/screenshots.py`.

They go to `screenshots/`, which git ignores. They are taken by pytest, with the fixtures of the
tests, but only when this file is named: it is no test of the suite.
"""

import json
from pathlib import Path
from typing import Final, Literal

import pytest
from playwright.sync_api import Page, Route, expect

FOLDER: Final = Path(__file__).resolve().parents[2] / "screenshots"
QUESTION: Final = "How many NATO soldiers were injured in the attack on KFOR troops in May 2023?"


def _withhold(route: Route) -> None:
    body = json.loads(route.request.post_data or "{}") | {"min_confidence": 1.0}
    route.continue_(post_data=json.dumps(body))


@pytest.mark.parametrize(
    ("name", "width", "height", "scheme"),
    [
        pytest.param("laptop", 1366, 850, "light", id="laptop"),
        pytest.param("dark", 1366, 850, "dark", id="dark"),
        pytest.param("phone", 360, 740, "light", id="phone"),
        pytest.param("wide", 2560, 1300, "light", id="wide"),
    ],
)
def test_take_pictures(
    page: Page, name: str, width: int, height: int, scheme: Literal["light", "dark"]
) -> None:
    """Take the start, an abstention, an answer, its source, and a failure."""

    def take(view: str) -> None:
        page.wait_for_function("() => document.getAnimations().every((it) => it.pending === false)")
        page.screenshot(path=FOLDER / f"{name}-{view}.png")

    def ask(question: str) -> None:
        page.locator("#question").fill(question)
        page.keyboard.press("Enter")

    page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
    page.set_viewport_size({"width": width, "height": height})
    page.goto("/")
    expect(page.locator("#collection .citation").first).to_be_visible()
    take("start")

    page.route("**/v1/ask", _withhold)
    ask("What does a coffee cost in Pristina?")
    expect(page.locator(".abstention")).to_be_visible()
    take("abstention")
    page.unroute("**/v1/ask")

    ask(QUESTION)
    expect(page.locator(".answer").first).to_be_visible()
    take("answer")

    page.locator(".answer .citation").first.click()
    expect(page.locator(".verified.valid")).to_be_visible()
    expect(page.locator("#source mark")).to_be_in_viewport()
    take("source")
    page.keyboard.press("Escape")

    page.route("**/v1/ask", lambda route: route.abort("connectionrefused"))
    ask("Is anybody there?")
    expect(page.get_by_role("alert")).to_be_visible()
    take("failure")


if __name__ == "__main__":
    raise SystemExit(pytest.main([__file__, "--quiet"]))
