"""A write that is killed at, or refused by, any system call it makes leaves the old or new state.

strace does this to the real calls of a real process, between it and the kernel.
"""

import random
import re
import resource
import shutil
import signal
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Final

import pytest

from rag import snapshots
from rag.store import FILE_NAME, SqliteStore
from tests.torture.child import FINGERPRINT
from tests.torture.children import Forker
from tests.torture.conftest import fill
from tests.torture.load import Texts, apply, held, operation
from tests.torture.tracing import WRITES, counted, tracing, unusable

needs_strace = pytest.mark.skipif(bool(unusable()), reason=unusable())

NUMBER: Final = 29  # replaces and adds
NEVER, ALWAYS = 1_000_000, 1
# What is done, and from how many pages on the log is copied into the file.
PUBLISHING = [("put", NEVER), ("put", ALWAYS)]
OTHERS = [("rechunk", ALWAYS), ("create", ALWAYS), ("snapshot", NEVER), ("restore", ALWAYS)]

ERRORS: Final = ("error=EIO", "error=ENOSPC")
SHORT: Final = "retval=0"
# What an error has to say besides what failed.
ADVICE: Final = re.compile("Check|Make some|Make room|Restart|Restore|Use another")


class Ground:
    """A home to start from, again and again, and what may have become of it."""

    def __init__(self, base: Path, forker: Forker) -> None:
        self.forker: Final = forker
        self.log: Final = base / "log"
        self._base: Final = base
        self._used = 0
        directory = base / "sound" / "collections" / "default"
        self.early = fill(directory, operations=10)
        snapshots.create(base / "sound", name="early")
        shutil.rmtree(directory)
        self.texts = fill(directory, operations=NUMBER)

    def home(self) -> Path:
        """Return a fresh copy."""
        self._used += 1
        return Path(shutil.copytree(self._base / "sound", self._base / str(self._used)))

    def calls(self, act: str, checkpoint: int) -> list[tuple[str, int]]:
        """Return each call that an act makes, with its number among those of its kind."""
        child = self.start(self.home(), act, checkpoint)
        with tracing(child, self.log):
            self.forker.tell()
            assert self.forker.hear("refused") == ""
        self.forker.tell()
        assert len(self.forker.rest()[0]) == 2
        return [(call, n + 1) for call, times in counted(self.log).items() for n in range(times)]

    def start(self, home: Path, act: str, checkpoint: int) -> int:
        """Start a process that is ready to act, and return its id."""
        return self.forker.start(
            directory(home), order="attempt", act=act, number=NUMBER, checkpoint=checkpoint
        )

    def outcomes(self, act: str) -> tuple[Texts, Texts]:
        """Return what the collection may hold once: before and after an act."""
        if act == "put":
            return self.texts, apply(self.texts, operation(NUMBER))
        return self.texts, self.early if act == "restore" else self.texts

    def tally(self, acts: Iterable[tuple[str, int]]) -> Iterator[tuple[str, int, str, int]]:
        """Yield all calls of some acts: act, pages of `checkpoint`, call, its number."""
        for act, checkpoint in acts:
            for call, number in self.calls(act, checkpoint):
                yield act, checkpoint, call, number


def directory(home: Path) -> Path:
    return home / "collections" / "default"


def opened(place: Path) -> Texts:
    """Open a store as a program does that starts anew, read all, write, and return what it held."""
    fingerprint = None if (place / FILE_NAME).exists() else FINGERPRINT
    store = SqliteStore(place, fingerprint=fingerprint)
    with store.snapshot() as snapshot:
        texts = held(snapshot)
        generation = snapshot.generation
    assert store.put([]) == generation + 1
    store.close()
    return texts


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory, forker: Forker) -> Ground:
    return Ground(tmp_path_factory.mktemp("ground"), forker)


@needs_strace
@pytest.mark.parametrize(
    "acts",
    [
        pytest.param([("put", ALWAYS)], id="publish"),
        pytest.param([("put", NEVER), *OTHERS], id="all", marks=pytest.mark.long),
    ],
)
def test_a_kill_at_any_call_leaves_the_old_or_the_new(
    acts: list[tuple[str, int]], ground: Ground, report: Callable[[str], None]
) -> None:
    """Whichever call the process dies at: the state before or after, whole, open to writes.

    No snapshot is there that is not whole, and a restored collection is the old or the new one.
    """
    new = kills = 0
    for act, checkpoint, call, number in ground.tally(acts):
        home = ground.home()
        child = ground.start(home, act, checkpoint)
        with tracing(child, ground.log, inject=f"{call}:signal=KILL:when={number}"):
            ground.forker.tell()
            assert ground.forker.rest() == ([], -signal.SIGKILL), (
                f"{act} is not killed at {call} {number}"
            )
        for name in snapshots.names(home):
            snapshots.verify(home, name)
        if act == "create":
            assert opened(home / "collections" / "new") == {}
        found = opened(directory(home))
        assert found in ground.outcomes(act), f"{act} killed at {call} {number}"
        new += found != ground.texts
        kills += 1
        shutil.rmtree(home)
    report(f"{kills} kills at system calls: {kills} recovered, {new} to the new state")


@needs_strace
@pytest.mark.parametrize(
    ("acts", "share"),
    [
        pytest.param([("put", ALWAYS)], 0.25, id="sample"),
        pytest.param([*PUBLISHING, *OTHERS], 1, id="all", marks=pytest.mark.long),
    ],
)
def test_a_call_that_fails_is_a_clear_error_or_harmless(
    acts: list[tuple[str, int]], share: float, ground: Ground, report: Callable[[str], None]
) -> None:
    """EIO, ENOSPC or nothing written at any call: old state and an error, or the new state.

    Either way the same process reads on, and does the next write; what it did is there afterwards.
    """
    rng = random.Random(0)
    refused = failures = 0
    for act, checkpoint, call, number in ground.tally(acts):
        for fault in (*ERRORS, SHORT) if call in WRITES else ERRORS:
            if rng.random() >= share:
                continue
            home = ground.home()
            child = ground.start(home, act, checkpoint)
            with tracing(child, ground.log, inject=f"{call}:{fault}:when={number}"):
                ground.forker.tell()
                message = ground.forker.hear("refused")
            assert "(INJECTED)" in ground.log.read_text()
            case = f"{act} with {fault} at {call} {number}: {message or 'done'}"
            assert not message or ADVICE.search(message), case
            assert_goes_on(ground, home, act, refused=bool(message), case=case)
            refused += bool(message)
            failures += 1
    report(
        f"{failures} failing system calls: {refused} clear errors, {failures - refused} harmless"
    )


@pytest.mark.parametrize("cases", [10, pytest.param(200, marks=pytest.mark.long)])
def test_a_file_that_may_not_grow_is_a_clear_error(
    cases: int, ground: Ground, report: Callable[[str], None]
) -> None:
    """A write that the kernel cuts short at any byte, and no more room: the old state, an error."""
    rng = random.Random(cases)
    refused = 0
    for _ in range(cases):
        home = ground.home()
        checkpoint = rng.choice((NEVER, ALWAYS))
        child = ground.start(home, "put", checkpoint)
        hard = resource.prlimit(child, resource.RLIMIT_FSIZE)[1]
        # The log grows to some 30,000 bytes, the file has more already.
        limit = rng.randrange(1, 40_000)
        resource.prlimit(child, resource.RLIMIT_FSIZE, (limit, hard))
        ground.forker.tell()
        message = ground.forker.hear("refused")
        resource.prlimit(child, resource.RLIMIT_FSIZE, (hard, hard))
        case = f"a limit of {limit} bytes, {message or 'done'}"
        assert not message or ADVICE.search(message), case
        assert_goes_on(ground, home, "put", refused=bool(message), case=case)
        refused += bool(message)
    assert refused > cases / 3
    report(f"{cases} writes cut short: {refused} clear errors, {cases - refused} harmless")


def assert_goes_on(ground: Ground, home: Path, act: str, *, refused: bool, case: str) -> None:
    """The same process reads the old or the new, acts once more, and all of it is on the disk."""
    before, after = ground.outcomes(act)
    expected = before if refused else after
    ground.forker.tell()
    if act == "put":
        _, texts = ground.forker.hear("read")
        assert texts == expected, case
        final = apply(expected, operation(NUMBER + 1))
        assert ground.forker.hear("read")[1] == final, case
    else:
        final = after
    _, code = ground.forker.rest()
    assert code == 0, case
    if act == "create":
        made = apply({}, operation(NUMBER))
        assert opened(home / "collections" / "new") == made, case
    for name in snapshots.names(home):
        snapshots.verify(home, name)
    assert opened(directory(home)) == final, case
    shutil.rmtree(home)
