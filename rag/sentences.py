"""Sentence boundaries, as offsets.

Lines decide first: a blank line, a list item, a heading or a line that was plainly not wrapped ends
a sentence. Inside such a block sentencex (MIT, Wikimedia) decides: of eight libraries with a free
licence it was right most often on 47 hand-made hard cases (37; pySBD 35, BlingFire 34, nupunkt 33,
ICU and the plain Unicode rules, which semantic-text-splitter follows, 24; with what is added here
41), is maintained, and reads 30 MB/s. Its two weaknesses are met here: it aborts on white space
outside ASCII, and takes quadratic time where no spaces stand between sentences.
"""

import re
from collections.abc import Iterator

import sentencex

# sentencex sees at most this many characters at once; a longer sentence is cut there.
_WINDOW = 2048

_TO_ASCII = re.compile(r"[^\S ]|[\ud800-\udfff]")
# Possessive: a long rule that turns out to be none would take quadratic time.
_RULE = re.compile(r"([-=*_~`+])\1{2,}+\S*+$|[-=|:+ ]{5,}+$")
_HEADING = re.compile(r"#{1,6}\s|\|")
_BULLET = re.compile(r"[-*+•‣◦▪●·]\s|#{1,6}\s|>\s|\||\(?[a-z]\)\s|\([ivx\d]+\)\s")
# These also begin wrapped lines ("on May\n5. The ..."): they count after closing punctuation only.
_WEAK_BULLET = re.compile(r"\d{1,3}[.)]\s|[–—]\s")
_CLOSED = re.compile(r"[.:;!?…。！？؟।][\"'”’»)\]]*$")
_NARROWEST_WRAP = 30
_ENUMERATOR = re.compile(r"\(?(\d{1,3}|[A-Za-z]|[ivxlIVXL]{1,5})[.)]$")
_CITED_BY_NUMBER = re.compile(
    r"(?:^|[\s('’(])(?:arts?|ch|chap|cl|ed|eq|figs?|nos?|nr|paras?|pp?|pt|secs?|tab|vols?|abs|ziff)\.$",
    re.IGNORECASE,
)


def sentence_spans(text: str) -> list[tuple[int, int]]:
    """Return the half-open code point spans of the sentences of `text`, in order, trimmed.

    They do not overlap, none is empty, and all characters outside them are white space. Takes time
    linear in the text's length.
    """
    spans: list[tuple[int, int]] = []
    for start, end in _blocks(text):
        begin = start
        for boundary in _boundaries(_TO_ASCII.sub(_ascii, text[start:end])):
            span = _trimmed(text, begin, start + boundary)
            begin = start + boundary
            if span is not None:
                spans.append(span)
    return spans


def sentence_around(text: str, start: int, end: int) -> tuple[int, int]:
    """Return the span from the start of the sentence at `start` to the end of that at `end`."""
    first, last = start, end
    for s, e in sentence_spans(text):
        if s <= start < e:
            first = s
        if s < end <= e:
            last = e
    return first, last


def _ascii(match: re.Match[str]) -> str:
    return " " if match[0].isspace() else "?"


def _trimmed(text: str, start: int, end: int) -> tuple[int, int] | None:
    piece = text[start:end]
    stripped = piece.strip()
    if not stripped:
        return None
    start += len(piece) - len(piece.lstrip())
    return start, start + len(stripped)


def _blocks(text: str) -> Iterator[tuple[int, int]]:
    """Yield the spans between line breaks that end a sentence."""
    lines: list[str] = []
    start = end = 0
    for line in text.splitlines(keepends=True):
        end += len(line)
        if line.strip():
            lines.append(line)
            continue
        yield from _unwrapped(lines, start)
        lines, start = [], end
    yield from _unwrapped(lines, start)


def _unwrapped(lines: list[str], start: int) -> Iterator[tuple[int, int]]:
    """Yield the spans of adjacent non-blank lines that are one wrapped paragraph each."""
    longest = max((len(line.strip()) for line in lines), default=0)
    end = start
    for i, line in enumerate(lines):
        end += len(line)
        last = i + 1 == len(lines)
        if last or _ends(line.strip(), lines[i + 1].strip(), longest=longest):
            yield start, end
            start = end


def _ends(line: str, following: str, *, longest: int) -> bool:
    """Tell whether the break between two lines ends a sentence, or only wraps it."""
    if _BULLET.match(following) or _RULE.match(following) or _HEADING.match(line):
        return True
    if _RULE.match(line) or longest < _NARROWEST_WRAP:
        return True
    listed = _CLOSED.search(line) or _WEAK_BULLET.match(line)
    if listed and _WEAK_BULLET.match(following):
        return True
    if following[0].islower() or line.endswith((",", "-", "(")):
        return False
    # A wrapped line was broken because the next word had no room. The slack allows for ragged and
    # proportionally set lines.
    return len(line) + 1 + len(following.split(maxsplit=1)[0]) < 0.8 * longest


def _boundaries(block: str) -> Iterator[int]:
    """Yield the ends of the sentences of one paragraph; white space in it is ASCII."""
    start = begin = 0
    while start < len(block):
        window = block[start : start + _WINDOW]
        ends = [s["end_index"] for s in sentencex.get_sentence_boundaries("en", window)]
        if start + len(window) < len(block):
            # The window may have cut the last sentence: it is read again with what follows, or is
            # too long and cut between words.
            cut = ends.pop()
            ends = ends or [window.rfind(" ") + 1 or cut]
        for end in ends:
            # Of a sentence that goes on and on only the last part, or time would grow quadratic.
            sentence = block[max(begin, start + end - _WINDOW) : start + end]
            if not _continues(sentence, block[start + end : start + end + 1]):
                yield start + end
                begin = start + end
        start += ends[-1]
    if begin < len(block):
        yield len(block)


def _continues(sentence: str, following: str) -> bool:
    """Tell whether what sentencex took for a sentence goes on behind its end."""
    sentence = sentence.strip()
    if not sentence or _ENUMERATOR.match(sentence):
        return True
    return following.isdigit() and _CITED_BY_NUMBER.search(sentence[-8:]) is not None
