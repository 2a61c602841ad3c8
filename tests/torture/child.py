"""The other side of `children`: forks a process for each order, which does it and tells of it.

It has one thread and has loaded all that is needed, so that a fork costs little and is safe. What
is told goes out by `writev`, a system call that nothing is injected into.
"""

import json
import os
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from rag import snapshots
from rag.errors import StoreError
from rag.store import SqliteStore, Store
from tests.torture.load import held, operation, prepared, write

Action = Callable[[int], object]
"""Does what is tried: with 0 the first time, with 1 the second time."""

Reading = Callable[[], object]

FINGERPRINT: Final = "f"


def main() -> None:
    """Do the orders that come as lines of JSON, until there are no more."""
    while line := _heard():
        child = os.fork()
        if not child:
            _obey(**json.loads(line))
        _, status = os.waitpid(child, 0)
        _say(ended=os.waitstatus_to_exitcode(status))


def load(directory: Path, *, first: int, checkpoint: int) -> None:
    """Do operation after operation from `first` on and tell of each that was acknowledged."""
    store = _opened(directory, checkpoint=checkpoint)
    _say(ready=os.getpid())
    number = first
    while True:
        _say(done=number, generation=write(store, operation(number)))
        number += 1


def attempt(directory: Path, *, act: str, number: int, checkpoint: int) -> None:
    """Do something when told to, read, do it again when told to, read."""
    action, reading = ACTS[act](directory, number, checkpoint)
    reading()
    _say(ready=os.getpid())
    _heard()
    refused = ""
    try:
        action(0)
    except StoreError as error:
        refused = str(error)
    _say(refused=refused)
    _heard()
    _say(read=reading())
    action(1)
    _say(read=reading())


def _put(directory: Path, number: int, checkpoint: int) -> tuple[Action, Reading]:
    store = _opened(directory, checkpoint=checkpoint)
    return lambda time: write(store, operation(number + time)), lambda: _held(store)


def _rechunk(directory: Path, number: int, checkpoint: int) -> tuple[Action, Reading]:
    """Put chunks that were made for other settings in the place of all."""
    store = _opened(directory, checkpoint=checkpoint)
    other = f"other {number}"
    store.begin_rechunking(other)
    with store.snapshot() as snapshot:
        new = list(prepared(held(snapshot)))
        store.stage(new, fingerprint=other, generation=snapshot.generation)

    def publish(_: int) -> None:
        if store.fingerprint != other:
            store.publish_staged(other)

    return publish, lambda: _held(store)


def _create(directory: Path, number: int, checkpoint: int) -> tuple[Action, Reading]:
    """Make a store beside the one that is there."""
    new = directory.with_name("new")

    def make(time: int) -> None:
        store = SqliteStore(new, fingerprint=FINGERPRINT)
        if time:
            write(store, operation(number))
        store.close()

    return make, lambda: checkpoint


def _snapshot(directory: Path, number: int, checkpoint: int) -> tuple[Action, Reading]:
    store = _opened(directory, checkpoint=checkpoint)
    home = directory.parents[1]
    return (
        lambda time: snapshots.create(home, name=f"{number}-{time}"),
        lambda: _held(store),
    )


def _restore(directory: Path, number: int, checkpoint: int) -> tuple[Action, Reading]:
    home = directory.parents[1]
    (name,) = snapshots.names(home)
    return lambda _: snapshots.restore(home, name, replace=True), lambda: (number, checkpoint)


ACTS: Final = {
    "put": _put,
    "rechunk": _rechunk,
    "create": _create,
    "snapshot": _snapshot,
    "restore": _restore,
}


def _opened(directory: Path, *, checkpoint: int) -> Store:
    """Open a store that copies its log into its file from so many pages on."""
    store = SqliteStore(directory, fingerprint=FINGERPRINT)
    store._writer.execute(f"PRAGMA wal_autocheckpoint = {checkpoint}").fetchall()
    return store


def _held(store: Store) -> object:
    with store.snapshot() as snapshot:
        return snapshot.generation, held(snapshot)


def _obey(*, directory: str, order: str, **arguments: Any) -> None:
    try:
        orders: dict[str, Callable[..., None]] = {"load": load, "attempt": attempt}
        orders[order](Path(directory), **arguments)
    except BaseException:  # noqa: BLE001  (a fork must not go on as its parent does)
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def _say(**what: object) -> None:
    data = json.dumps(what).encode() + b"\n"
    while data:
        data = data[os.writev(sys.stdout.fileno(), [data]) :]


def _heard() -> bytes:
    """Return the next line, read byte by byte: what follows is for another process."""
    line = b""
    while not line.endswith(b"\n"):
        read = os.read(sys.stdin.fileno(), 1)
        if not read:
            return b""
        line += read
    return line


if __name__ == "__main__":
    main()
