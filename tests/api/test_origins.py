"""Names and origins: what other sites' pages make a browser send is refused."""

from collections.abc import Iterator
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

from rag.api.app import create_app
from rag.api.protection import Protection
from tests.api.raw import Answered, ask_raw
from tests.services import make_service

Client = TestClient[Litestar]

LOOPBACK, PUBLIC = ("127.0.0.1", 8000), ("203.0.113.1", 443)
LISTED = "https://app.example.org"
ASK = {"method": "POST", "path": "/v1/ask", "body": b'{"question": "Who?"}'}
LIVE = {"method": "GET", "path": "/health/live"}


def protected(*, hosts: tuple[str, ...] = (), origins: tuple[str, ...] = ()) -> Protection:
    return Protection(keys=None, rate=0, failures=0, hosts=hosts, origins=origins)


@pytest.fixture(scope="module")
def plain(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service with no names or origins beside its own."""
    app = create_app(make_service(tmp_path_factory.mktemp("plain")), protection=protected())
    with TestClient(app) as client:
        yield client


@pytest.fixture(scope="module")
def listing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Client]:
    """A service behind a proxy, which another site's pages may use."""
    protection = protected(hosts=("rag.example.org", "10.0.0.5:8000"), origins=(LISTED,))
    service = make_service(tmp_path_factory.mktemp("listing"))
    with TestClient(create_app(service, protection=protection)) as client:
        yield client


def send(client: Client, request: Any, **headers: str) -> Answered:
    """Return the response to a request that arrives on a loopback address by its own name."""
    given = {"host": "localhost:8000"} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return ask_raw(client, **{"server": LOOPBACK, "headers": given, **request})


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("localhost", True),
        ("localhost:8000", True),
        ("LOCALHOST:1", True),
        ("127.0.0.1", True),
        ("127.0.0.1:8000", True),
        ("[::1]", True),
        ("[::1]:8000", True),
        ("evil.example", False),
        ("evil.example:8000", False),
        ("localhost.evil.example", False),
        ("localhost.", False),
        ("127.0.0.1.evil.example", False),
        ("127.0.0.1:8000@evil.example", False),
        ("localhost:8000:8000", False),
        ("localhost:x", False),
        ("localhost:²", False),
        ("::1", False),
        ("0.0.0.0", False),  # noqa: S104
        ("", False),
    ],
)
@pytest.mark.parametrize("server", [LOOPBACK, ("::1", 8000), ("::ffff:127.0.0.1", 8000)])
@pytest.mark.parametrize("path", ["/", "/v1/documents", "/nope", "/health/live"])
def test_on_a_loopback_address_only_names_of_this_machine_are_answered(
    plain: Client, *, host: str, known: bool, server: tuple[str, int], path: str
) -> None:
    """421 for a name that somebody made lead here, so that his pages read nothing."""
    answered = send(plain, {"method": "GET", "path": path, "server": server}, host=host)
    assert (answered.status != 421) == known
    if not known:
        assert b"urn:chapterverse:problem:misdirected" in answered.body
        assert b"RAG_HOSTS" in answered.body
        assert "content-security-policy" in answered.headers


def test_elsewhere_every_name_is_answered_unless_names_are_listed(
    plain: Client, listing: Client
) -> None:
    """A public address has names that the service does not know; a list of names is complete."""
    for host, listed in [
        ("rag.example.org", True),
        ("RAG.example.org:8443", True),
        ("10.0.0.5:8000", True),
        ("10.0.0.5", False),
        ("10.0.0.5:80", False),
        ("localhost", True),
        ("evil.example", False),
    ]:
        for server in (LOOPBACK, PUBLIC):
            answered = send(listing, LIVE | {"server": server}, host=host)
            assert (answered.status == 200) == listed, (host, server)
        assert send(plain, LIVE | {"server": PUBLIC}, host=host).status == 200


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),  # no browser
        ({"origin": "http://localhost:8000"}, False),
        ({"origin": "http://localhost:8000", "sec_fetch_site": "same-origin"}, False),
        ({"origin": "https://localhost:8000"}, False),  # a proxy ends TLS
        ({"sec_fetch_site": "none"}, False),
        ({"origin": "http://localhost:3000", "sec_fetch_site": "same-site"}, True),
        ({"origin": "http://127.0.0.1:8000"}, True),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "https://evil.example", "sec_fetch_site": "cross-site"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"sec_fetch_site": "cross-site"}, True),
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, True),  # a form
    ],
)
@pytest.mark.parametrize(
    "request_",
    [
        ASK,
        {"method": "DELETE", "path": "/v1/documents/d"},
        {"method": "PUT", "path": "/nope"},
    ],
)
def test_foreign_pages_change_nothing(
    plain: Client, *, headers: dict[str, str], refused: bool, request_: Any
) -> None:
    """403 before the body is read, for whatever is not of the page's own origin."""
    answered = send(plain, request_ | ({"body": None} if refused else {}), **headers)
    assert (answered.status == 403) == refused
    if refused:
        assert b"urn:chapterverse:problem:foreign-origin" in answered.body
        assert "access-control-allow-origin" not in answered.headers


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate"}, 200),  # a link
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "no-cors"}, 403),  # an image
        ({"sec_fetch_site": "cross-site", "sec_fetch_mode": "cors"}, 403),
        ({"sec_fetch_site": "same-site", "sec_fetch_mode": "cors"}, 200),  # its page cannot read it
        ({"sec_fetch_site": "same-origin", "sec_fetch_mode": "cors"}, 200),
    ],
)
def test_foreign_pages_can_link_but_not_load(
    plain: Client, headers: dict[str, str], status: int
) -> None:
    """A reader may follow a link here; a page cannot make his browser put questions unseen."""
    for path in ("/", "/v1/documents"):
        assert send(plain, {"method": "GET", "path": path}, **headers).status == status


def test_without_a_list_no_page_is_told_that_it_may_read(plain: Client) -> None:
    """CORS is off: no header of it, whoever asks, and a preflight gives no permission."""
    for origin in ("https://evil.example", "http://localhost:8000", "null"):
        for request in (LIVE, {"method": "OPTIONS", "path": "/v1/ask"}):
            answered = send(plain, request, origin=origin, access_control_request_method="POST")
            assert not [name for name in answered.headers if name.startswith("access-control")]


def test_a_listed_origin_may_do_what_it_asks_for(listing: Client) -> None:
    """Its preflight is answered, its request served, its refusals too; the answer varies by it."""
    headers = {"origin": LISTED, "sec_fetch_site": "cross-site", "host": "rag.example.org"}
    preflight = send(
        listing,
        {"method": "OPTIONS", "path": "/v1/ask"},
        access_control_request_method="POST",
        access_control_request_headers="authorization,content-type",
        **headers,
    )
    assert (preflight.status, preflight.body) == (204, b"")
    assert preflight.headers["access-control-allow-origin"] == LISTED
    assert "POST" in preflight.headers["access-control-allow-methods"]
    assert preflight.headers["access-control-allow-headers"].lower().split(", ")[:2] == [
        "authorization",
        "content-type",
    ]
    for request, status in ((ASK, 200), ({"method": "GET", "path": "/nope"}, 404)):
        answered = send(listing, request, **headers)
        assert answered.status == status
        assert answered.headers["access-control-allow-origin"] == LISTED
        assert "Origin" in answered.headers["vary"].split(", ")
        assert "Retry-After" in answered.headers["access-control-expose-headers"]
        assert "access-control-allow-credentials" not in answered.headers


@pytest.mark.parametrize(
    "origin",
    [
        "https://evil.example",
        "http://app.example.org",
        "https://app.example.org:444",
        "https://app.example.org.evil.example",
        "null",
    ],
)
def test_an_origin_beside_the_list_is_refused(listing: Client, origin: str) -> None:
    """No permission to it, never `*`, and what lies in caches still varies by the origin."""
    headers = {"origin": origin, "sec_fetch_site": "cross-site", "host": "rag.example.org"}
    for request in (ASK, LIVE, {"method": "OPTIONS", "path": "/v1/ask"}):
        answered = send(listing, request, access_control_request_method="POST", **headers)
        assert answered.status == 403
        assert "access-control-allow-origin" not in answered.headers
        assert "Origin" in answered.headers["vary"].split(", ")
    same = send(listing, LIVE, host="rag.example.org")
    assert (same.status, "Origin" in same.headers["vary"]) == (200, True)
