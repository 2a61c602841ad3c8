"""Whether a quote stands where a citation says, in the version that it names."""

from dataclasses import dataclass
from typing import Literal

from rag.errors import NotFound
from rag.store import Snapshot

Status = Literal["valid", "mismatch", "superseded", "unknown"]

# How much of the surrounding text, in characters, is looked for where all of it is not found.
_WIDTHS = (32, 8)


@dataclass(frozen=True, slots=True, kw_only=True)
class Quote:
    """A quote to be checked: half-open code point offsets in a document, and what stands there.

    `sha256` is that of the version it was taken from, None for the present one. `before` and
    `after` are what surrounds the quote there, as much as is known.
    """

    document: str
    sha256: str | None
    start: int
    end: int
    text: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What became of a quote.

    `valid`: it stands there. `mismatch`: that version has another text there. `superseded`: it is
    of a version that was replaced. `unknown`: there is no such document, or no such version was
    ever stored. `sha256` names the present version. `place` is where the quote stands in it, as
    offsets; None where it does not, or was not looked for.
    """

    status: Status
    message: str
    sha256: str | None
    place: tuple[int, int] | None


def verify(snapshot: Snapshot, quote: Quote) -> Verified:
    """Check a quote against the stored text, character by character."""
    former = {version.sha256: version for version in snapshot.former_versions(quote.document)}
    try:
        document = snapshot.document(quote.document)
    except NotFound as error:
        message = str(error)
        if former:
            until = max(version.until for version in former.values())
            message = f"The document {quote.document!r} was deleted in generation {until}."
        return Verified(status="unknown", message=message, sha256=None, place=None)
    if quote.sha256 in {None, document.sha256}:
        place = (quote.start, quote.end)
        right = document.text[quote.start : quote.end] == quote.text
        said = "are this quote" if right else "are not this quote"
        return Verified(
            status="valid" if right else "mismatch",
            message=f"Characters {quote.start} to {quote.end} of the text {said}.",
            sha256=document.sha256,
            place=place if right else None,
        )
    if quote.sha256 not in former:
        return Verified(
            status="unknown",
            message=f"No version sha256:{quote.sha256} of this document was stored; it is now "
            f"sha256:{document.sha256}.",
            sha256=document.sha256,
            place=None,
        )
    found = _find(document.text, quote)
    now = f"It stands at {found[0]} to {found[1]} now." if found else "It holds no such quote."
    return Verified(
        status="superseded",
        message=f"The document was replaced in generation {former[quote.sha256].until}. {now}",
        sha256=document.sha256,
        place=found,
    )


def _find(text: str, quote: Quote) -> tuple[int, int] | None:
    """Return where a quote stands: with most of its surroundings, else nearest to its old place."""
    if not quote.text:
        return None
    widths = (max(len(quote.before), len(quote.after)), *_WIDTHS)
    surroundings = [(quote.before[-width:], quote.after[:width]) for width in widths if width]
    one_sided = [pair for before, after in surroundings for pair in ((before, ""), ("", after))]
    for before, after in (*surroundings, *one_sided, ("", "")):
        near = max(0, quote.start - len(before))
        found = _nearest(text, before + quote.text + after, near)
        if found is not None:
            return found + len(before), found + len(before) + len(quote.text)
    return None


def _nearest(text: str, wanted: str, near: int) -> int | None:
    after = text.find(wanted, near)
    before = text.rfind(wanted, 0, near + len(wanted) - 1)
    found = [start for start in (before, after) if start >= 0]
    return min(found, key=lambda start: (abs(start - near), start), default=None)
