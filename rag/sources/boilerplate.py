"""What on a web page is not its content: navigation, banners, related links."""

import re

from lxml.etree import _Element

from rag.sources.markup import Block, Role

_NOT_CONTENT = frozenset({"nav", "aside", "footer", "dialog"})
_ROLES = frozenset({
    "alertdialog", "banner", "complementary", "contentinfo", "dialog", "menu", "menubar",
    "navigation", "search", "toolbar"
})  # fmt: skip
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+|\d+")
_NAMES = frozenset({
    "breadcrumb", "breadcrumbs", "navbar", "navheader", "navfooter", "nav", "navigation",
    "sidebar", "pagination", "pager", "newsletter", "subscribe", "skiplink", "skiplinks",
    "advert", "advertisement", "headerlink", "onetrust", "cookiebot", "cookieconsent", "didomi",
    "usercentrics", "gdpr", "lineno", "linenos", "linenumber"
})  # fmt: skip
_CONSENT = frozenset({"cookie", "cookies", "consent", "privacy"})
_NOTICE = frozenset({
    "banner", "bar", "notice", "popup", "modal", "overlay", "dialog", "wall", "message", "layer"
})  # fmt: skip
_LINK_LISTS = frozenset({
    "related", "recommended", "recommendations", "popular", "trending", "share", "sharing",
    "social", "menu", "tags", "more", "footer", "promo", "similar", "further"
})  # fmt: skip
_TABLE_OF_CONTENTS = frozenset({"toc", "toctree"})
_CONTAINERS = frozenset({"a", "div", "section", "ul", "ol", "form", "table", "td", "p", "span"})
_LARGEST_SHARE = 0.4  # of the page's text: what holds more is the content, whatever its name
_MOSTLY_LINKS = 0.5
_LINK_DENSE = 0.7
_HEADING = Role.HEADING


def boilerplate(body: _Element) -> frozenset[_Element]:
    """Return the elements of a page that are marked as something else than its content."""
    largest = _LARGEST_SHARE * _length(body)
    return frozenset(
        element
        for element in body.iterdescendants()
        if isinstance(element.tag, str)
        and (_hidden(element) or _marked(element))
        and (element.tag == "nav" or _length(element) <= largest)
    )


def main_content(body: _Element, *, without: frozenset[_Element]) -> _Element | None:
    """Return the one element that the page marks as its content; None where none or several are."""
    marked = [one for one in body.iter() if one.tag == "main" or one.get("role") == "main"]
    for candidates in (marked, list(body.iter("article"))):
        found = [
            one
            for one in candidates
            if _length(one) and not any(up in without for up in (one, *one.iterancestors()))
        ]
        if len(found) == 1:
            return found[0]
    return None


def content_blocks(blocks: list[Block], *, kept: str) -> list[Block]:
    """Choose the blocks of a page's content by `kept`, the text that an extractor found.

    An extractor tells well where the content lies, but loses tables, code and definitions in it.
    So all blocks are taken of the smallest element that holds what it kept, except lists of links
    that it did not keep.
    """
    shingles = frozenset(_shingles(kept))
    found = [(block, _overlap(block, shingles)) for block in blocks]
    lines = [_line(block.element) for block, here in found if here and block.role is not _HEADING]
    if not lines:
        return blocks
    # A block's own element is no region: what stands beside a single paragraph belongs to it.
    shared = frozenset.intersection(*(frozenset(line[:-1]) for line in lines))
    region = next(element for element in reversed(lines[0]) if element in shared)
    within = [region in _line(block.element) for block in blocks]
    first = within.index(True)
    while first and blocks[first - 1].role is _HEADING:  # what stands over the region names it
        first -= 1
        within[first] = True
    inside = [pair for pair, taken in zip(found, within, strict=True) if taken]
    total = sum(len(block.text) for block, _ in inside)
    chosen: list[Block] = []
    waiting: list[Block] = []  # headings whose text has not come yet
    for block, here in inside:
        if block.role is _HEADING:
            waiting = [outer for outer in waiting if (outer.level or 0) < (block.level or 0)]
            waiting.append(block)
        elif here or not _is_link_list(block):
            chosen += [*waiting, block]
            waiting = []
    # A page of links only, such as an index, is its links.
    return chosen if 2 * sum(map(_size, chosen)) > total else [block for block, _ in inside]


def _is_link_list(block: Block) -> bool:
    if block.linked < _LINK_DENSE * len(block.text) or block.element.tag == "p":
        return False
    around = (block.element, *block.element.iterancestors())
    return not any(_TABLE_OF_CONTENTS & _names(element) for element in around)


def _line(element: _Element) -> list[_Element]:
    """Return the elements from the root down to `element`."""
    return [element, *element.iterancestors()][::-1]


def _size(block: Block) -> int:
    return len(block.text)


def _length(element: _Element) -> int:
    return sum(len(text) for text in element.itertext())


def _hidden(element: _Element) -> bool:
    style = (element.get("style") or "").replace(" ", "").lower()
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or "display:none" in style
        or "visibility:hidden" in style
    )


def _marked(element: _Element) -> bool:
    """Tell whether an element's tag, role or names say that it is not content."""
    if element.tag in _NOT_CONTENT or element.get("role") in _ROLES:
        parent = element.getparent()
        source_of_quote = parent is not None and parent.tag == "blockquote"
        return not source_of_quote
    if element.tag == "header":
        inside = any(up.tag in {"main", "article"} for up in element.iterancestors())
        return not inside and next(element.iterdescendants("h1"), None) is None
    return element.tag in _CONTAINERS and _named(element)


def _named(element: _Element) -> bool:
    words = _names(element)
    about_consent = len(words & _CONSENT) > 1 or (words & _CONSENT and words & _NOTICE)
    if words & _NAMES or about_consent:
        return True
    linked = sum(_length(link) for link in element.iterdescendants("a"))
    return bool(words & _LINK_LISTS) and linked > _MOSTLY_LINKS * _length(element)


def _names(element: _Element) -> set[str]:
    names = f"{element.get('class') or ''} {element.get('id') or ''}"
    return {word.lower() for word in _WORD.findall(names)}


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())


def _shingles(text: str) -> list[tuple[str, ...]]:
    words = _words(text)
    return list(zip(words, words[1:], words[2:], strict=False)) or [tuple(words)]


def _overlap(block: Block, shingles: frozenset[tuple[str, ...]]) -> bool:
    own = _shingles(block.text)
    return sum(1 for shingle in own if shingle in shingles) > len(own) / 2
