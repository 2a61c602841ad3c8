"""What does not fit is refused, and a refused write changes nothing."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from rag.documents import Section
from rag.errors import BrokenFile, Conflict, NotFound, StoreError
from rag.store import Filters, NewDocument, Store
from tests.fakes import DIM, make_document, ready
from tests.store.conformance.opening import Place, everything


def bad(change: Callable[[NewDocument], NewDocument]) -> Callable[[], Iterator[NewDocument]]:
    """Return what gives a good document, a replacement of the stored one, and a spoilt one."""

    def documents() -> Iterator[NewDocument]:
        yield from ready(make_document("good", uri="file:good"))
        yield from ready(make_document("replaced", uri="file:a.txt"))
        (new,) = ready(make_document("one\ntwo", uri="file:bad"))
        yield change(new)

    return documents


def with_chunk(new: NewDocument, **fields: Any) -> NewDocument:
    return replace(new, chunks=[replace(new.chunks[0], **fields), *new.chunks[1:]])


def stops(_: NewDocument) -> NewDocument:
    raise ZeroDivisionError


class Refusals:
    """What does not fit is refused, and a refused write changes nothing."""

    @pytest.mark.parametrize(
        ("documents", "error"),
        [
            pytest.param(
                bad(lambda n: replace(n, vectors=n.vectors[:1])), ValueError, id="too-few-vectors"
            ),
            pytest.param(
                bad(lambda n: replace(n, chunks=n.chunks[:1])), ValueError, id="too-many-vectors"
            ),
            pytest.param(
                bad(lambda n: replace(n, vectors=n.vectors[:, :8])),
                ValueError,
                id="other-dimension",
            ),
            pytest.param(
                bad(lambda n: replace(n, vectors=n.vectors.astype(np.float64))),
                ValueError,
                id="float64",
            ),
            pytest.param(
                bad(lambda n: replace(n, vectors=n.vectors * np.nan)), ValueError, id="nan"
            ),
            pytest.param(bad(lambda n: with_chunk(n, text="oen")), ValueError, id="not-its-slice"),
            pytest.param(bad(lambda n: with_chunk(n, start=1)), ValueError, id="other-offsets"),
            pytest.param(
                bad(lambda n: with_chunk(n, start=-7, end=-4, text="one")),
                ValueError,
                id="negative",
            ),
            pytest.param(
                bad(lambda n: with_chunk(n, start=0, end=0, text="")), ValueError, id="empty-chunk"
            ),
            pytest.param(bad(stops), ZeroDivisionError, id="iterable-raises"),
            pytest.param(
                bad(lambda n: replace(n, document=replace(n.document, uri="file:good"))),
                StoreError,
                id="uri-of-another-id",
            ),
        ],
    )
    def test_a_failing_put_changes_nothing(
        self, store: Store, documents: Callable[[], Iterator[NewDocument]], error: type[Exception]
    ) -> None:
        """An error at the last document of a put leaves all as it was, and the next put works.

        The documents before it, of which one replaces a stored one, are not there either.
        """
        store.put(ready(make_document("stored")))
        before = everything(store)
        with pytest.raises(error):
            store.put(documents())
        assert everything(store) == before
        assert store.put(ready(make_document("next", uri="file:next"))) == 2

    @pytest.mark.parametrize(
        "evil", [pytest.param("\0", id="nul"), pytest.param("\ud83d", id="half")]
    )
    @pytest.mark.parametrize(
        ("name", "change"),
        [
            ("text", lambda evil: {"text": f"one {evil}\ntwo"}),
            ("title", lambda evil: {"title": evil}),
            ("uri", lambda evil: {"uri": f"file:{evil}"}),
            ("headings", lambda evil: {"sections": [Section(start=0, end=9, path=("a", evil))]}),
            ("metadata", lambda evil: {"metadata": {"key": evil}}),
            ("metadata", lambda evil: {"metadata": {evil: "value"}}),
        ],
    )
    def test_what_cannot_be_stored_is_refused_by_name(
        self, store: Store, evil: str, name: str, change: Callable[[str], dict[str, Any]]
    ) -> None:
        """A NUL or a lone surrogate anywhere is refused, naming where; nothing is put."""
        document = make_document(**{"text": "one\ntwo", "uri": "file:evil", **change(evil)})
        new = NewDocument(document=document, chunks=[], vectors=np.empty((0, DIM), np.float32))
        before = everything(store)
        with pytest.raises(BrokenFile, match=rf"^the {name} of 'file:.*NUL or a lone surrogate"):
            store.put([*ready(make_document("good")), new])
        assert everything(store) == before

    def test_no_more_documents_are_stored_than_are_allowed(self, place: Place) -> None:
        """Conflict, and nothing is written; replacing and deleting go on, above the limit too."""
        a, b, c = (make_document(f"text {name}", uri=f"file:{name}") for name in "abc")
        limited = place(max_documents=2)
        assert limited.put(ready(a, b)) == 1
        before = everything(limited)
        with pytest.raises(
            Conflict, match=r"would have 3 documents, and 2 are allowed.*RAG_MAX_DOC"
        ):
            limited.put(ready(make_document("other", uri="file:a"), c))
        assert everything(limited) == before
        assert limited.put(ready(make_document("other", uri="file:a"))) == 2
        lowered = place(max_documents=1)
        assert lowered.put(ready(make_document("another", uri="file:b"))) == 3
        with pytest.raises(Conflict):
            lowered.put(ready(c))
        lowered.delete(a.id)
        raised = place(max_documents=2)
        raised.put(ready(c))
        with raised.snapshot() as snapshot:
            assert snapshot.count()[0] == 2

    @pytest.mark.parametrize("evil", ["\ud800", "a\0", "a\udfffb"])
    def test_text_that_cannot_be_stored_equals_nothing_that_is(
        self, store: Store, evil: str
    ) -> None:
        """Asking for a text with a lone surrogate or a NUL finds nothing, without failing."""
        document = make_document("text", metadata={"a": "b"})
        store.put(ready(document))
        with store.snapshot() as snapshot:
            with pytest.raises(NotFound):
                snapshot.document(evil)
            assert snapshot.chunk_ids([evil, document.id]).tolist() == [1]
            assert snapshot.matching(Filters(documents=(evil, document.id))) == [document.id]
            for filters in (
                Filters(documents=(evil,)),
                Filters(media_types=(evil,)),
                Filters(published_from=evil),
                Filters(published_to=evil),
                Filters(metadata=((evil, "b"),)),
                Filters(metadata=(("a", evil),)),
            ):
                assert snapshot.matching(filters) == []
        with pytest.raises(NotFound):
            store.delete(evil)
