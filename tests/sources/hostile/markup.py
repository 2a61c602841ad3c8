"""Hostile HTML."""

from collections.abc import Callable

MANY = 100_000
TEXT = b"<p>An article of some words, so that a page has a content which can be found.</p>" * 20


def page(body: bytes, *, head: bytes = b"") -> bytes:
    """Return a page with `body` after some ordinary text."""
    return (
        b"<!doctype html><html><head>" + head + b"</head><body>" + TEXT + body + b"</body></html>"
    )


def _inside(start: bytes, end: bytes, *, times: int = MANY) -> Callable[[], bytes]:
    return lambda: page(start * times + b"deep" + end * times)


FILES: dict[str, Callable[[], bytes]] = {
    "deep-divs.html": _inside(b"<div>", b"</div>"),
    "deep-divs-inside-limits.html": _inside(b"<div class='nav toc share'>", b"</div>", times=240),
    "deep-bold.html": lambda: page(b"<b>" * MANY + b"bold"),
    "deep-tables.html": _inside(b"<table><tr><td>", b"</td></tr></table>"),
    "deep-tables-inside-limits.html": _inside(
        b"<table><tr><td>a</td><td>", b"</td></tr></table>", times=60
    ),
    "deep-lists.html": _inside(b"<ul><li>", b"</li></ul>"),
    "deep-quotes.html": _inside(b"<blockquote>", b"</blockquote>"),
    "deep-fonts.html": lambda: page(b"<p><font><i><a href=x>" * MANY),
    "one-line.html": lambda: page(b"<p>" + b"word " * 2_000_000 + b"</p>"),
    "many-attributes.html": lambda: page(
        b"<p " + b" ".join(b"a%d=b" % n for n in range(50_000)) + b">text</p>"
    ),
    "huge-attribute.html": lambda: page(b"<p class='" + b"nav " * 2_400_000 + b"'>text</p>"),
    "huge-title.html": lambda: page(b"", head=b"<title>" + b"title " * 300_000 + b"</title>"),
    "many-headings.html": lambda: page(b"<h2>a</h2><p>b</p>" * MANY),
    "many-links.html": lambda: page(b"<a href='/a'>link</a> " * MANY),
    "many-cells.html": lambda: page(b"<table>" + b"<tr><td>a<td>b</tr>" * MANY + b"</table>"),
    "many-breaks.html": lambda: page(b"<p>" + b"a<br>" * 500_000),
    "many-entities.html": lambda: page(b"<p>" + b"&amp;&#x10FFFF;&#xD800;&#0;&unknown;" * MANY),
    "many-spans.html": lambda: page(b"<span>a</span>" * 2 * MANY),
    "open-comment.html": lambda: page(b"<!--" * MANY + b"<p>text</p>"),
    "open-script.html": lambda: page(b"<script>" + b"</scrip" * 500_000),
    "entities.html": lambda: (
        b"<!DOCTYPE html [<!ENTITY a 'lollol'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;&a;'>"
        b"<!ENTITY c SYSTEM 'file:///etc/passwd'>]><html><body><p>Text &b; &c;</p></body></html>"
    ),
    "false-charset.html": lambda: (
        page(b"<p>text</p>", head=b"<meta charset='utf-7'>") + b"\xff\xfe"
    ),
    "nuls.html": lambda: page(b"<p>a\0b\0</p>\0" * MANY),
    "many-dates.html": lambda: page(
        b"<time datetime='2020-01-01'>2020-01-01 May 5, 2021</time>" * 30_000,
        head=b"<meta property='article:published_time' content='2020-01-01T'>" * 30_000,
    ),
    "deep-linked-data.html": lambda: page(
        b"",
        head=b"<script type='application/ld+json'>" + b'{"a":' * 50_000 + b"</script>",
    ),
}
