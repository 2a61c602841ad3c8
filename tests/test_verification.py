"""Whether a quote is where a citation says, and where it stands now."""

from pathlib import Path

import pytest

from rag.store import SqliteStore
from rag.verification import Quote, verify
from tests.fakes import make_document, ready

OLD = "One cat sat. Two cats ran. One cat slept."


def check(texts: list[str], quote: Quote, tmp_path: Path):
    """Store a document's versions one after the other and verify a quote against the last."""
    store = SqliteStore(tmp_path, fingerprint="f")
    for text in texts:
        store.put(ready(make_document(text)))
    with store.snapshot() as snapshot:
        verified = verify(snapshot, quote)
    store.close()
    return verified


def quote(text: str, *, occurrence: int = 0, version: str | None = OLD, context: int = 10) -> Quote:
    """Quote a text of the old version with some of what surrounds it."""
    start = -1
    for _ in range(occurrence + 1):
        start = OLD.index(text, start + 1)
    return Quote(
        document=make_document("").id,
        sha256=None if version is None else make_document(version).sha256,
        start=start,
        end=start + len(text),
        text=text,
        before=OLD[max(0, start - context) : start],
        after=OLD[start + len(text) :][:context],
    )


@pytest.mark.parametrize("version", [OLD, None])
def test_a_quote_of_the_present_version(tmp_path: Path, version: str | None) -> None:
    """It is valid at its offsets; one letter or offset off it is a mismatch."""
    good = quote("One cat", occurrence=1, version=version)
    found = check([OLD], good, tmp_path)
    assert (found.status, found.place) == ("valid", (27, 34))
    assert found.sha256 == make_document(OLD).sha256
    for wrong in ({"start": 26}, {"end": 35}, {"text": "One cow"}, {"start": 10**9}):
        fields = {name: getattr(good, name) for name in Quote.__dataclass_fields__}
        found = check([], Quote(**(fields | wrong)), tmp_path)
        assert (found.status, found.place) == ("mismatch", None)


@pytest.mark.parametrize(
    ("now", "occurrence", "expected"),
    [
        pytest.param("New. " + OLD, 0, 5, id="moved"),
        pytest.param("New. " + OLD, 1, 32, id="moved-second"),
        pytest.param("One cat slept. " + OLD, 0, 15, id="by-what-follows"),
        pytest.param("Two cats ran. One cat. One cat sat.", 1, 14, id="by-what-precedes"),
        pytest.param("One cat and one dog. One cat too.", 1, 21, id="nearest-to-the-old-place"),
        pytest.param("One cat and one dog. One cat too.", 0, 0, id="nearest-at-the-start"),
        pytest.param("No such animal.", 0, None, id="gone"),
    ],
)
def test_a_quote_of_a_replaced_version(
    tmp_path: Path, now: str, occurrence: int, expected: int | None
) -> None:
    """It is superseded, with its place in the present text: by its surroundings, else nearest."""
    found = check([OLD, now], quote("One cat", occurrence=occurrence), tmp_path)
    assert found.status == "superseded"
    assert found.sha256 == make_document(now).sha256
    assert found.place == (None if expected is None else (expected, expected + 7))


def test_surroundings_may_have_changed_in_part(tmp_path: Path) -> None:
    """Where not all of them are found, the nearer ones still tell occurrences apart."""
    now = "One cat sat. THREE cats ran. One cat slept."
    found = check([OLD, now], quote("One cat", occurrence=1, context=27), tmp_path)
    assert found.place == (29, 36)


def test_what_was_never_stored_is_unknown(tmp_path: Path) -> None:
    """A version that never was, a document that never was, and one that was deleted."""
    found = check([OLD], quote("One", version="never"), tmp_path)
    assert (found.status, found.place) == ("unknown", None)
    assert "was stored" in found.message
    nobody = Quote(document="nope", sha256=None, start=0, end=1, text="O")
    assert check([], nobody, tmp_path).status == "unknown"
    store = SqliteStore(tmp_path, fingerprint="f")
    store.delete(make_document("").id)
    store.close()
    found = check([], quote("One"), tmp_path)
    assert (found.status, found.sha256) == ("unknown", None)
    assert "deleted in generation 2" in found.message
