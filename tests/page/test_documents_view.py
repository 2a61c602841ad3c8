"""The documents' panel: adding, finding, choosing and deleting, against the real service."""

import re
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Locator, Page, Route, expect

OTTERS = {"name": "otters.md", "mimeType": "text/markdown", "buffer": b"# Otters\n\nOtters swim.\n"}
NONSENSE = {"name": "broken.pdf", "mimeType": "application/pdf", "buffer": b"%PDF-1.4 no"}
DROP = """(event) => {
  const data = new DataTransfer();
  data.items.add(new File(["# Dropped\\n\\nThe drop fell.\\n"], "dropped.md"));
  document.querySelector("main").dispatchEvent(
    new DragEvent(event, { bubbles: true, cancelable: true, dataTransfer: data }));
}"""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"


@pytest.fixture
def opened(page: Page) -> Iterator[Page]:
    """Open the panel; what a test adds is deleted in the end."""
    before = {each["id"] for each in listed(page)["documents"]}
    page.goto("/")
    open_panel(page)
    yield page
    page.unroute_all(behavior="ignoreErrors")
    for each in listed(page)["documents"]:
        if each["id"] not in before:
            page.request.delete(f"/v1/documents/{each['id']}")


def listed(page: Page, search: str = "") -> Any:
    return page.request.get("/v1/documents", params={"search": search}).json()


def open_panel(page: Page) -> None:
    page.locator("#open-documents").click()
    expect(page.locator(".list li").first).to_be_visible()


def add(page: Page, *files: Any) -> None:
    page.locator("#documents input[type=file]").set_input_files(list(files))


def row(page: Page, title: str) -> Locator:
    return page.locator(".list li", has=page.get_by_role("button", name=title, exact=True))


def upload_line(page: Page, name: str) -> Locator:
    return page.locator(".uploads li", has_text=name)


def test_the_list_is_the_services_and_is_searched_there(opened: Page) -> None:
    """Titles, dates and counts as on the wire; a search goes to the service and can be undone."""
    said = listed(opened)
    rows = opened.locator(".list li")
    expect(rows).to_have_count(said["total"])
    for shown, each in zip(rows.all(), said["documents"], strict=True):
        expect(shown).to_contain_text(each["title"])
        expect(shown).to_contain_text(f"{each['characters']:,} characters")
        expect(shown).to_contain_text(each["uri"])
        dates = shown.locator("time").evaluate_all("(all) => all.map((it) => it.dateTime)")
        assert dates == ([each["published"]] if each["published"] else [])
    field = opened.get_by_label("Search by title or address")
    field.fill("BRUSSELS")
    found = listed(opened, "brussels")
    assert 0 < found["total"] < said["total"]
    expect(rows).to_have_count(found["total"])
    expect(opened.locator("#documents [role=status]").last).to_have_text("1 document")
    field.fill("no such thing")
    expect(opened.locator("#documents [role=status]").last).to_have_text("0 documents")
    field.fill("")
    expect(rows).to_have_count(said["total"])


def test_the_panel_is_reached_and_left_by_keyboard(opened: Page) -> None:
    """Escape gives the focus back; Enter opens it again; a title opens its source."""
    opened.keyboard.press("Escape")
    expect(opened.locator("#documents")).to_be_hidden()
    expect(opened.locator("#open-documents")).to_be_focused()
    opened.keyboard.press("Enter")
    title = listed(opened)["documents"][0]["title"]
    opened.get_by_role("dialog").get_by_role("button", name=title, exact=True).focus()
    opened.keyboard.press("Enter")
    expect(opened.locator("#documents")).to_be_hidden()
    expect(opened.locator("#source .block").first).to_be_visible()
    expect(opened.locator("#source-title")).to_have_text(title)
    opened.keyboard.press("Escape")
    expect(opened.locator("#source")).to_be_hidden()
    expect(opened.locator("#open-documents")).to_be_focused()


def test_files_are_added_and_errors_told_by_name(opened: Page) -> None:
    """One bad file does not keep the others out; its line has the service's own words."""
    total = listed(opened)["total"]
    add(opened, OTTERS, NONSENSE, OTTERS | {"name": "more.png"})
    expect(upload_line(opened, "otters.md")).to_contain_text("Added, 1 passage")
    file: Any = {"file": {key: NONSENSE[key] for key in ("name", "mimeType", "buffer")}}
    detail = opened.request.post("/v1/documents", multipart=file).json()["detail"]
    alert = upload_line(opened, "broken.pdf").get_by_role("alert")
    expect(alert).to_contain_text(detail)
    expect(upload_line(opened, "more.png").get_by_role("alert")).to_contain_text(".png")
    expect(row(opened, "Otters")).to_be_visible()
    expect(opened.locator("#count")).to_have_text(f"{total + 1} documents")
    add(opened, OTTERS)
    expect(upload_line(opened, "otters.md").first).to_contain_text("It was there already")
    opened.route("**/v1/documents", lambda route: route.abort("connectionrefused"))
    add(opened, OTTERS | {"name": "lost.md"})
    lost = upload_line(opened, "lost.md")
    expect(lost.get_by_role("alert")).to_contain_text("“lost.md” could not be sent")
    opened.unroute("**/v1/documents")
    lost.get_by_role("button", name="Try again").click()
    expect(lost).to_contain_text("Added, 1 passage")


def test_files_can_be_dropped_anywhere_on_the_page(page: Page, opened: Page) -> None:
    """The page says that it would take them; dropped, they are added and the panel tells so."""
    opened.keyboard.press("Escape")
    opened.evaluate(DROP, "dragover")
    content = 'getComputedStyle(document.body, "::after").content'
    assert "Drop the files" in page.evaluate(content)
    opened.evaluate(DROP, "drop")
    assert page.evaluate(content) == "none"
    expect(upload_line(opened, "dropped.md")).to_contain_text("Added, 1 passage")
    expect(row(opened, "Dropped")).to_be_visible()


def test_a_job_is_followed_to_its_end(opened: Page) -> None:
    """A large upload is told passage by passage, then as done or with why it failed."""
    job: Any = {"id": "j1", "status": "waiting", "chunks_done": 0, "chunks_total": None}
    states = [
        job | {"status": "running"},
        job | {"status": "running", "chunks_done": 3, "chunks_total": 10},
        job | {"status": "done", "chunks_done": 10, "chunks_total": 10, "documents": 2},
        job | {"status": "failed", "error": "It broke."},
    ]
    said: list[Any] = []

    def tell(route: Route) -> None:
        said.append(states[0])
        if len(states) > 1 and len(said) != 2:
            said[-1] = states.pop(0)
        route.fulfill(json=said[-1])

    opened.route("**/v1/documents", lambda route: route.fulfill(status=202, json=job))
    opened.route("**/v1/jobs/j1", tell)
    add(opened, OTTERS)
    line = upload_line(opened, "otters.md").first
    expect(line).to_contain_text("3 of 10 passages")
    bar = line.get_by_role("progressbar", name="otters.md")
    assert bar.evaluate("it => [it.value, it.max]") == [3, 10]
    expect(line).to_contain_text("Added, 2 documents")
    expect(line.locator("progress")).to_have_count(0)
    add(opened, OTTERS | {"name": "second.md"})
    expect(upload_line(opened, "second.md").get_by_role("alert")).to_contain_text("It broke.")


def delete(page: Page, title: str) -> None:
    """Press Delete, and again where it is asked for."""
    page.get_by_role("button", name=f"Delete “{title}”").click()
    question = page.locator(".list").get_by_role("alert")
    expect(question).to_contain_text(f"Delete “{title}”?")
    expect(question.get_by_role("button", name="Keep")).to_be_focused()
    question.get_by_role("button", name="Delete").click()
    expect(question).to_contain_text(f"“{title}” will be deleted in 8 seconds")
    expect(question.get_by_role("button", name="Undo")).to_be_focused()


def test_a_document_is_deleted_only_after_time_to_think_again(page: Page) -> None:
    """Keep and Undo leave it alone; after eight seconds the service is told, and it is gone."""
    page.clock.install()
    page.goto("/")
    open_panel(page)
    add(page, OTTERS)
    expect(row(page, "Otters")).to_be_visible()
    page.get_by_role("button", name="Delete “Otters”").click()
    page.get_by_role("button", name="Keep").click()
    expect(row(page, "Otters")).to_be_visible()
    delete(page, "Otters")
    page.get_by_role("button", name="Undo").click()
    expect(row(page, "Otters")).to_be_visible()
    page.clock.run_for(10_000)
    assert listed(page, "otters.md")["total"] == 1
    delete(page, "Otters")
    page.clock.run_for(7_000)
    assert listed(page, "otters.md")["total"] == 1
    page.route("**/v1/documents/*", lambda route: route.abort("connectionrefused"))
    page.clock.run_for(2_000)
    alert = page.locator(".list").get_by_role("alert")
    expect(alert).to_contain_text("does not answer")
    page.unroute("**/v1/documents/*")
    with page.expect_response(re.compile("/v1/documents/\\w+\\?")) as deleted:
        alert.get_by_role("button", name="Try again").click()
    assert (deleted.value.request.method, deleted.value.status) == ("DELETE", 204)
    expect(row(page, "Otters")).to_have_count(0)
    expect(page.locator(".list").get_by_role("alert")).to_have_count(0)
    assert listed(page, "otters.md")["total"] == 0


def test_a_deletion_that_waits_is_sent_when_the_page_is_left(opened: Page) -> None:
    """Closing the tab is no way to lose it."""
    add(opened, OTTERS)
    expect(row(opened, "Otters")).to_be_visible()
    delete(opened, "Otters")
    opened.goto("about:blank")
    for _ in range(50):
        if listed(opened, "otters.md")["total"] == 0:
            return
        opened.wait_for_timeout(100)
    pytest.fail("the document is still there")


def test_a_long_list_comes_in_pages(page: Page) -> None:
    """Next and Previous ask the service for the others; the last page may have been emptied."""
    total = 120

    def give(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        offset, limit = int(query["offset"][0]), int(query["limit"][0])
        numbers = range(offset, min(total, offset + limit))
        found: Any = [
            {
                "id": f"d{number}",
                "title": f"Document {number}",
                "uri": f"file:///{number}",
                "version": "sha256:00",
                "media_type": "text/plain",
                "published": None,
                "characters": 1,
                "chunks": 1,
                "metadata": {},
            }
            for number in numbers
        ]
        route.fulfill(json={"generation": 1, "total": total, "documents": found})

    page.route("**/v1/documents?*", give)
    page.goto("/")
    open_panel(page)
    panel = page.locator("#documents")
    count = panel.get_by_role("status").last
    expect(count).to_have_text("1 to 50 of 120 documents")
    expect(panel.get_by_role("button", name="Previous")).to_be_hidden()
    following = panel.get_by_role("button", name="Next")
    following.click()
    following.click()
    expect(count).to_have_text("101 to 120 of 120 documents")
    expect(following).to_be_hidden()
    total = 100
    page.evaluate('document.dispatchEvent(new Event("documents-changed"))')
    expect(count).to_have_text("51 to 100 of 100 documents")
    expect(page.locator(".list li").first).to_contain_text("Document 50")


def test_ticked_documents_are_the_ones_that_are_asked(opened: Page) -> None:
    """They stand by the field as chips, are given to the asking part, and can be taken away."""
    first, second = listed(opened)["documents"][:2]
    chosen = 'import("/page/filters.js").then(({ chosenDocuments }) => chosenDocuments())'
    assert opened.evaluate(chosen) == []
    for each in (first, second):
        opened.get_by_label(f"Ask only “{each['title']}”").press("Space")
    assert opened.evaluate(chosen) == [first["id"], second["id"]]
    opened.keyboard.press("Escape")
    chips = opened.locator("#chosen button")
    assert chips.all_inner_texts() == [first["title"], second["title"]]
    chips.first.press("Enter")
    expect(opened.locator("#question")).to_be_focused()
    assert opened.evaluate(chosen) == [second["id"]]
    open_panel(opened)
    expect(opened.get_by_label(f"Ask only “{first['title']}”")).not_to_be_checked()
    expect(opened.get_by_label(f"Ask only “{second['title']}”")).to_be_checked()


def test_the_page_follows_the_chosen_collection(page: Page) -> None:
    """With several there is a list; the choice holds for all requests, and after a reload."""
    two: Any = {"collections": [{"name": "default"}, {"name": "letters"}]}
    asked: list[str] = []

    def note(route: Route) -> None:
        (name,) = parse_qs(urlsplit(route.request.url).query)["collection"]
        asked.append(name)
        route.fulfill(json={"generation": 1, "total": 0, "documents": []})

    page.route("**/v1/collections", lambda route: route.fulfill(json=two))
    page.route("**/v1/documents?*", note)
    page.goto("/")
    select = page.get_by_label("Collection", exact=True)
    expect(select).to_have_value("default")
    with page.expect_request(re.compile("/v1/documents\\?.*collection=letters")):
        select.select_option("letters")
    asked.clear()
    page.reload()
    expect(select).to_have_value("letters")
    page.locator("#open-documents").click()
    expect(page.locator("#documents [role=status]").last).to_have_text("0 documents")
    assert set(asked) == {"letters"}
    body = page.evaluate(
        """async () => {
          const { upload } = await import("/page/upload.js");
          const sent = new Promise((resolve) => {
            XMLHttpRequest.prototype.send = (form) => resolve(form.get("collection"));
          });
          upload([new File(["x"], "x.txt")], { list: document.querySelector(".uploads") });
          return sent;
        }"""
    )
    assert body == "letters"


def test_with_one_collection_there_is_nothing_to_choose(opened: Page) -> None:
    """The list of collections stays hidden; a kept choice that is gone is given up."""
    expect(opened.locator("#collections")).to_be_hidden()
    opened.evaluate('sessionStorage.setItem("collection", "gone")')
    opened.reload()
    expect(opened.locator("#collection .citation").first).to_be_visible()
    assert opened.evaluate('sessionStorage.getItem("collection")') == "default"


def test_a_list_that_cannot_be_had_is_told_with_a_retry(opened: Page) -> None:
    """One line, and pressing its button brings the list."""
    opened.keyboard.press("Escape")
    problem: Any = {"type": "x", "title": "Busy", "status": 503, "detail": "Too much to do"}
    opened.route("**/v1/documents?*", lambda route: route.fulfill(status=503, json=problem))
    opened.locator("#open-documents").click()
    alert = opened.locator(".list").get_by_role("alert")
    expect(alert).to_contain_text("Too much to do.")
    opened.unroute("**/v1/documents?*")
    alert.get_by_role("button").click()
    expect(opened.locator(".list li")).to_have_count(listed(opened)["total"])


def test_the_key_is_sent_with_a_file(opened: Page) -> None:
    """The upload carries the same header as every other request."""
    opened.evaluate('sessionStorage.setItem("key", "secret")')
    with opened.expect_request("**/v1/documents") as sent:
        add(opened, OTTERS)
    assert sent.value.headers["authorization"] == "Bearer secret"
    expect(upload_line(opened, "otters.md")).to_contain_text("Added, 1 passage")


@pytest.mark.parametrize("width", [320, 1280, 3840])
def test_the_documents_have_no_barriers(
    opened: Page, barriers: Callable[[], list[str]], width: int
) -> None:
    """axe-core finds nothing: with long names, errors, a question to delete, and with chips."""
    opened.set_viewport_size({"width": width, "height": 800})
    long = {"name": "w" * 200 + ".md", "mimeType": "text/markdown", "buffer": b"x" * 9000}
    add(opened, NONSENSE, long, OTTERS)
    expect(upload_line(opened, "otters.md")).to_contain_text("passage")
    expect(opened.locator(".uploads").get_by_role("alert")).to_be_visible()
    opened.locator(".list input").first.check()
    opened.get_by_role("button", name="Delete “Otters”").click()
    expect(opened.locator(".list").get_by_role("alert")).to_be_visible()
    assert barriers() == []
    assert opened.evaluate(OVERFLOW) == 0
    wide = "it => it.scrollWidth - it.clientWidth"
    assert opened.locator("#documents").evaluate(wide) == 0
    opened.get_by_role("button", name="Keep").click()
    opened.keyboard.press("Escape")
    expect(opened.locator("#chosen button")).to_be_visible()
    assert barriers() == []
    assert opened.evaluate(OVERFLOW) == 0
