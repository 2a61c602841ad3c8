"""The store against a dictionary: whatever is done to it in whatever order, both agree."""

import shutil
import tempfile
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    Bundle,
    RuleBasedStateMachine,
    consumes,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from rag.documents import document_id
from rag.errors import NotFound
from rag.reindexing import reindex
from rag.store import Snapshot, SqliteStore, verify_file
from tests.fakes import chunk_lines
from tests.torture.child import FINGERPRINT
from tests.torture.load import ExactEmbedder, Texts, held, prepared

URIS: Final = [f"file:{n}" for n in range(6)]
LINE: Final = st.sampled_from(["one", "two words", "𝒜 🐙", "שלום", "e\u0301tat"])
TEXT: Final = st.lists(LINE, max_size=6).map("\n".join)
URI: Final = st.sampled_from(URIS)


@dataclass(frozen=True, slots=True, kw_only=True)
class Held:
    """A snapshot that is held, and what it must show until it is let go."""

    snapshot: Snapshot
    generation: int
    end: ExitStack


class StoreMachine(RuleBasedStateMachine):
    """Does the same to a store and to a list of what each generation held."""

    snapshots = Bundle("snapshots")

    @initialize()
    def create(self) -> None:
        """Begin with an empty store."""
        self.base = Path(tempfile.mkdtemp())
        self.directory = self.base / "0"
        self.fingerprint = FINGERPRINT
        self.store = SqliteStore(self.directory, fingerprint=self.fingerprint)
        self.generations: list[Texts] = [{}]
        # The chunks of each generation as a derived index would hold them.
        self.chunks: list[dict[int, str]] = [{}]
        self.held: list[Held] = []

    @property
    def now(self) -> Texts:
        """What the store holds."""
        return self.generations[-1]

    @rule(uri=URI, text=TEXT)
    def put(self, uri: str, text: str) -> None:
        """Add a document or replace it."""
        self._put({uri: text})

    @rule(texts=st.dictionaries(URI, TEXT, max_size=4))
    def put_several(self, texts: Texts) -> None:
        """Put several documents, or none, in one step."""
        self._put(texts)

    @rule(uri=URI, first=TEXT, second=TEXT)
    def put_twice_in_one_step(self, uri: str, first: str, second: str) -> None:
        """The later of two versions in one step holds."""
        twice = [*prepared({uri: first}), *prepared({uri: second})]
        self._reached(self.store.put(twice), self.now | {uri: second})

    @precondition(lambda self: self.now)
    @rule(data=st.data())
    def put_the_same_again(self, data: st.DataObject) -> None:
        """The same bytes again leave the same documents."""
        uri = data.draw(st.sampled_from(sorted(self.now)))
        self._put({uri: self.now[uri]})

    @rule(uri=URI)
    def delete(self, uri: str) -> None:
        """Delete a document; one that is not there is NotFound and changes nothing."""
        if uri in self.now:
            left = {other: text for other, text in self.now.items() if other != uri}
            self._reached(self.store.delete(document_id(uri)), left)
        else:
            with pytest.raises(NotFound):
                self.store.delete(document_id(uri))

    @rule(uri=URI, text=TEXT)
    def fail_half_way(self, uri: str, text: str) -> None:
        """A write of which the last document does not fit changes nothing."""
        (fits,) = prepared({uri: text})
        (short,) = prepared({uri: "a line"})
        with pytest.raises(ValueError, match="1 chunks came with 0 vectors"):
            self.store.put(
                [
                    fits,
                    type(short)(
                        document=short.document, chunks=short.chunks, vectors=short.vectors[:0]
                    ),
                ]
            )

    @rule()
    def rechunk(self) -> None:
        """Cut and embed all documents anew for other settings: a generation of the same texts."""
        self.fingerprint += "+"
        *_, last = reindex(
            self.store,
            fingerprint=self.fingerprint,
            embedder=ExactEmbedder(),
            chunk=chunk_lines,
            passage=lambda _, chunk: chunk.text,
        )
        assert last.generation is not None
        self._reached(last.generation, self.now)

    @rule()
    def reopen(self) -> None:
        """Close the store, which ends what is held, and open it again."""
        self._let_go()
        self.store.close()
        verify_file(self.store.path)
        self.store = SqliteStore(self.directory, fingerprint=self.fingerprint)

    @rule()
    def copy_as_a_kill_leaves_it(self) -> None:
        """Go on with a copy of the files while they are open."""
        copy = shutil.copytree(self.directory, self.base / str(1 + int(self.directory.name)))
        self._let_go()
        self.store.close()
        self.directory = copy
        self.store = SqliteStore(copy, fingerprint=self.fingerprint)

    @rule(target=snapshots)
    def hold(self) -> Held:
        """Hold the present generation from now on."""
        end = ExitStack()
        snapshot = end.enter_context(self.store.snapshot())
        held_now = Held(snapshot=snapshot, generation=len(self.generations) - 1, end=end)
        self.held.append(held_now)
        return held_now

    @rule(ended=consumes(snapshots))
    def let_go(self, ended: Held) -> None:
        """End what is held, if it has not been."""
        ended.end.close()
        self.held = [other for other in self.held if other is not ended]

    @invariant()
    def the_present_is_whole(self) -> None:
        """The newest generation is what the dictionary holds, verified."""
        with self.store.snapshot() as snapshot:
            self._assert_shows(snapshot, len(self.generations) - 1)

    @invariant()
    def what_is_held_stays(self) -> None:
        """Each snapshot shows its own generation, and what changed on the way to it."""
        for each in self.held:
            self._assert_shows(each.snapshot, each.generation)

    def teardown(self) -> None:
        """Remove the files."""
        if hasattr(self, "store"):
            self._let_go()
            self.store.close()
            shutil.rmtree(self.base)

    def _put(self, texts: Texts) -> None:
        self._reached(self.store.put(prepared(texts)), self.now | texts)

    def _reached(self, generation: int, texts: Texts) -> None:
        assert generation == len(self.generations)
        self.generations.append(texts)
        with self.store.snapshot() as snapshot:
            self.chunks.append(chunks_since(snapshot, 0))

    def _let_go(self) -> None:
        for each in self.held:
            each.end.close()
        self.held = []

    def _assert_shows(self, snapshot: Snapshot, generation: int) -> None:
        assert snapshot.generation == generation
        assert held(snapshot) == self.generations[generation]
        expected = self.chunks[generation]
        for earlier, chunks in enumerate(self.chunks[: generation + 1]):
            if not snapshot.remembers(earlier):
                continue
            removed = set(snapshot.removed_since(earlier).tolist())
            added = chunks_since(snapshot, earlier)
            assert added == {
                id_: t for id_, t in expected.items() if earlier == 0 or id_ not in chunks
            }
            left = {id_: t for id_, t in chunks.items() if id_ not in removed}
            assert left | added == expected
            assert not removed & expected.keys()


def chunks_since(snapshot: Snapshot, generation: int) -> dict[int, str]:
    """Return the texts of the chunks that came after a generation, by id."""
    return {
        chunk.id: chunk.text
        for chunks, _ in snapshot.added_since(generation, batch=7)
        for chunk in chunks
    }


@pytest.mark.parametrize(
    ("runs", "steps"), [(30, 12), pytest.param(200, 30, marks=pytest.mark.long)]
)
def test_the_store_is_a_dictionary_with_a_history(runs: int, steps: int) -> None:
    """Random walks through all that can be done to a store find no difference."""
    run_state_machine_as_test(
        StoreMachine,
        settings=settings(
            max_examples=runs,
            stateful_step_count=steps,
            derandomize=True,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
