"""Responses of a service, made up, and a page that is served them."""

import json
from typing import Any, Final

from playwright.sync_api import Page, Route

STREAM: Final = "**/v1/ask/stream?*"
EXAMPLES: Final = "**/v1/examples?*"
HOSTILE: Final = '<script>window.ran = 1</script><img src="/x" onerror="window.ran = 2">'
HARD: Final = "\ufeff𝔉𝔯𝔞𝔨𝔱𝔲𝔯 👩‍👩‍👧 é e\u0301 שלום עולם\r\n\fمرحبا 😀 "


def place(text: str, quote: str, *, title: str = "Report", page: int | None = None) -> Any:
    start = text.rindex(quote)
    end = start + len(quote)
    return {
        "document": {"id": "d1", "title": title, "uri": "file:///r", "version": "sha256:00"},
        "start": start,
        "end": end,
        "start_byte": len(text[:start].encode()),
        "end_byte": len(text[:end].encode()),
        "page": page,
        "section": ["Part", "Chapter"],
        "published": "2023-11-20",
        "before": text[max(0, start - 200) : start],
        "quote": quote,
        "after": text[end : end + 200],
    }


def answer(sentence: str, *citations: Any, confidence: float = 0.83) -> Any:
    text = citations[0]["quote"]
    return {
        "text": text,
        "confidence": confidence,
        "sentence": sentence,
        "citations": list(citations),
    }


def passage(text: str) -> Any:
    kept = ("document", "start", "end", "page", "section", "published")
    cited = place(text, text)
    return {key: cited[key] for key in kept} | {"text": text, "score": 0.5}


def response(*answers: Any, abstention: Any = None, passages: tuple[Any, ...] = ()) -> Any:
    return {
        "question": "?",
        "generation": 1,
        "reader": "made up",
        "answers": list(answers),
        "abstention": abstention,
        "passages": list(passages),
        "timings_ms": {},
    }


def give_examples(page: Page, *questions: str) -> None:
    """Answer requests for example questions."""
    found: Any = {"generation": 1, "questions": list(questions)}
    page.route(EXAMPLES, lambda route: route.fulfill(json=found))


def event(name: str, data: Any) -> str:
    return f"event: {name}\ndata: {json.dumps(data)}\n\n"


def stream(asked: Any) -> str:
    """Return the events that a response as of `/v1/ask` makes."""
    hits = {key: asked[key] for key in ("question", "generation", "passages", "timings_ms")}
    done = {key: asked[key] for key in ("question", "generation", "reader", "abstention")}
    return "".join(
        [
            ": a heartbeat\n\n",
            event("hits", hits),
            *(event("answer", each) for each in asked["answers"]),
            event("done", done | {"timings_ms": {}}),
        ]
    )


def fulfill(route: Route, asked: Any) -> None:
    """Answer a request of the stream."""
    route.fulfill(body=stream(asked), content_type="text/event-stream; charset=utf-8")


def serve(page: Page, asked: Any, *, text: str = "", status: str = "valid") -> None:
    """Answer every question with `asked`, and give `text` as the text of every document."""
    verified = {"generation": 1, "results": [{"status": status, "message": f"It is {status}."}]}
    page.route(STREAM, lambda route: fulfill(route, asked))
    page.route("**/v1/citations/verify", lambda route: route.fulfill(json=verified))
    known: Any = {"id": "d1", "title": "Report", "uri": "file:///r", "version": "sha256:00"}
    detail: Any = {"document": known | {"published": None}, "sections": [], "pages": []}
    page.route("**/v1/documents/d1?*", lambda route: route.fulfill(json=detail))
    page.route(
        "**/v1/documents/*/text?*",
        lambda route: route.fulfill(body=text.encode(), content_type="text/plain; charset=utf-8"),
    )


def ask(page: Page, question: str = "What now?") -> None:
    page.locator("#question").fill(question)
    page.keyboard.press("Enter")
