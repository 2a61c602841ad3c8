"""Cuts documents into chunks: whole sentences, bounded in the embedder's own tokens."""

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from rag.chunks import Chunk
from rag.documents import Document, Page, Section
from rag.sentences import sentence_spans

# A wordpiece tokenizer counts any "word" of over 100 characters as one unknown token, so that a
# bound in tokens alone would let a megabyte of base64 into one chunk.
_CHARACTERS_PER_TOKEN = 10

# Raise it when the same options cut a text differently than before.
_RECIPE = 1

_CLAUSE_END = re.compile(r"[;:,.!?。、，；：](?=[\"'”’»)\]]*\s)")


class Tokenizer(Protocol):
    """Counts as the embedder does, without special tokens and without truncation."""

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text."""
        ...

    def token_starts(self, text: str) -> list[int]:
        """Return the code point offsets at which the tokens of `text` start, ascending."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ChunkingOptions:
    """How documents are cut.

    `max_tokens` bounds a chunk's text in the embedder's tokens, without special ones.
    `overlap_tokens`: a chunk repeats the last sentence of the one before it in the same section if
    that sentence has at most so many tokens; 0 for no overlap.
    """

    max_tokens: int
    overlap_tokens: int

    def __post_init__(self) -> None:
        """Refuse sizes that cannot be met."""
        if self.max_tokens < 8 or not 0 <= self.overlap_tokens <= self.max_tokens // 2:
            message = (
                "max_tokens must be at least 8 and overlap_tokens between 0 and half of it, "
                f"not {self.max_tokens} and {self.overlap_tokens}"
            )
            raise ValueError(message)

    @property
    def fingerprint(self) -> str:
        """Names all that decides where a text is cut, but for the tokenizer."""
        return (
            f"chunks of at most {self.max_tokens} tokens, up to {self.overlap_tokens} of them "
            f"repeated, cut by rule {_RECIPE}"
        )


@dataclass(frozen=True, slots=True)
class _Piece:
    """A sentence, or a part of one that is too long: offsets in the document, and tokens.

    Unless `exact` the tokens are those of the piece with white space around it.
    """

    start: int
    end: int
    tokens: int
    exact: bool


def chunk_document(
    document: Document, *, options: ChunkingOptions, tokenizer: Tokenizer
) -> list[Chunk]:
    """Return the document's chunks in order, with the id 0.

    They cover all of the text but white space, neither begin nor end with white space, and none
    crosses a section's border. Within a section chunks have about equal lengths. Takes time linear
    in the length of the text.
    """
    chunks = []
    for section in document.sections:
        spans = _section_spans(document.text, section, options=options, tokenizer=tokenizer)
        chunks += [
            Chunk(
                id=0,
                document=document.id,
                start=start,
                end=end,
                text=document.text[start:end],
                section=section.path,
                page=_page(document.pages, start),
                tokens=tokens,
            )
            for start, end, tokens in spans
        ]
    return chunks


def _section_spans(
    text: str, section: Section, *, options: ChunkingOptions, tokenizer: Tokenizer
) -> Iterator[tuple[int, int, int]]:
    """Yield start, end and tokens of each chunk of a section."""
    pieces = _pieces(text, section, options=options, tokenizer=tokenizer)
    runs = list(_runs(pieces, options=options))
    spans = [(pieces[overlap].start, pieces[after - 1].end) for overlap, _, after in runs]
    # Of one that is a single piece the tokens are known already.
    known = [after - overlap == 1 and pieces[overlap].exact for overlap, _, after in runs]
    unknown = [span for span, each in zip(spans, known, strict=True) if not each]
    counts = iter(tokenizer.count_tokens([text[start:end] for start, end in unknown]))
    for (_, first, after), (start, end), each in zip(runs, spans, known, strict=True):
        tokens = pieces[first].tokens if each else next(counts)
        if tokens <= options.max_tokens:
            yield start, end, tokens
        else:  # pieces cut within a word can have more tokens together than one by one
            for piece in pieces[first:after]:
                yield piece.start, piece.end, piece.tokens


def _pieces(
    text: str, section: Section, *, options: ChunkingOptions, tokenizer: Tokenizer
) -> list[_Piece]:
    """Return the section's sentences, those that are too long cut into parts."""
    body = text[section.start : section.end]
    spans = sentence_spans(body)
    # What has too many characters is cut however many tokens it has: a megabyte is not counted.
    short = [(start, end) for start, end in spans if _fits(start, end, 0, options=options)]
    counts = iter(tokenizer.count_tokens([body[start:end] for start, end in short]))
    pieces = []
    for start, end in spans:
        tokens = next(counts) if _fits(start, end, 0, options=options) else None
        if tokens is not None and _fits(start, end, tokens, options=options):
            parts = [_Piece(start, end, tokens, exact=True)]
        else:
            parts = list(_parts(body, start, end, options=options, tokenizer=tokenizer))
        pieces += [
            _Piece(section.start + part.start, section.start + part.end, part.tokens, part.exact)
            for part in parts
        ]
    return pieces


def _fits(start: int, end: int, tokens: int, *, options: ChunkingOptions) -> bool:
    characters = options.max_tokens * _CHARACTERS_PER_TOKEN
    return tokens <= options.max_tokens and end - start <= characters


def _parts(
    text: str, start: int, end: int, *, options: ChunkingOptions, tokenizer: Tokenizer
) -> Iterator[_Piece]:
    """Cut a sentence that is too long: behind a clause, else between words, else anywhere."""
    starts = [start + offset for offset in tokenizer.token_starts(text[start:end])]
    while start < end:
        first = bisect_left(starts, start)
        limit = min(end, start + _share(end - start, options.max_tokens * _CHARACTERS_PER_TOKEN))
        after = first + _share(len(starts) - first, options.max_tokens)
        if after < len(starts):
            limit = min(limit, starts[after])
        stop = end if limit == end else _cut(text, start, limit)
        tokens = tokenizer.count_tokens([text[start:stop]])[0]
        while tokens > options.max_tokens:
            # A word cut in two can have more tokens than it has as a part of the whole.
            stop = _cut(text, start, start + (stop - start) * 3 // 4)
            tokens = tokenizer.count_tokens([text[start:stop]])[0]
        piece = text[start:stop]
        bare = piece.strip()
        if bare:
            first_shown = start + len(piece) - len(piece.lstrip())
            yield _Piece(
                first_shown, first_shown + len(bare), tokens, exact=len(bare) == len(piece)
            )
        start = stop


def _cut(text: str, start: int, limit: int) -> int:
    """Return the best place to end a part that starts at `start` and ends at `limit` at most."""
    middle = start + (limit - start) // 2
    clauses = [match.end() for match in _CLAUSE_END.finditer(text, middle, limit)]
    if clauses:
        return clauses[-1]
    for stop in range(limit, middle, -1):
        if text[stop - 1].isspace() or text[stop : stop + 1].isspace():
            return stop
    for stop in range(limit, middle, -1):  # between letters, but not before a combining mark
        if (
            not unicodedata.category(text[stop]).startswith("M")
            and "\u200d" not in text[stop - 1 : stop + 1]
        ):
            return stop
    return limit


def _share(amount: int, limit: int) -> int:
    """Return the size of the first of the fewest, equal parts of at most `limit`; at least 1."""
    return max(1, -(-amount // max(1, -(-amount // limit))))


def _runs(pieces: Sequence[_Piece], *, options: ChunkingOptions) -> Iterator[tuple[int, int, int]]:
    """Yield a section's chunks as (overlap, first, after).

    `pieces[first:after]` are new in the chunk; it starts with `pieces[overlap]`.
    """
    remaining = sum(piece.tokens for piece in pieces)
    first = 0
    while first < len(pieces):
        overlap, repeated = first, 0
        if first and pieces[first - 1].tokens <= options.overlap_tokens:
            before = pieces[first - 1]
            both = before.tokens + pieces[first].tokens
            if _fits(before.start, pieces[first].end, both, options=options):
                overlap, repeated = first - 1, before.tokens
        # Of the chunks still needed each gets its share, so that no scrap is left for the last.
        share = _share(remaining, options.max_tokens - options.overlap_tokens // 2)
        new, after = pieces[first].tokens, first + 1
        while after < len(pieces) and (new < share or remaining - new < options.max_tokens // 5):
            more = new + pieces[after].tokens
            start, end = pieces[overlap].start, pieces[after].end
            if not _fits(start, end, repeated + more, options=options):
                break
            new, after = more, after + 1
        yield overlap, first, after
        remaining -= new
        first = after


def _page(pages: Sequence[Page], start: int) -> int | None:
    """Return the number of the page on which `start` lies."""
    index = bisect_right(pages, start, key=lambda page: page.start)
    return pages[index - 1].number if index else None
