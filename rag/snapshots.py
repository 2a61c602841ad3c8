"""Snapshots: copies of all collections of a home, made while they are used, and put back whole.

home/snapshots/NAME/manifest.json
home/snapshots/NAME/COLLECTION/store.sqlite   beside it what else belongs to the collection
"""

import hashlib
import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final

import msgspec

from rag.durable import NO_ROOM, replace_file, sync
from rag.errors import DamagedStore, InvalidRequest, NotFound, StoreError, StoreFull
from rag.store import FILE_NAME, SqliteStore, verify_file
from rag.store.mark import Mark, write_mark
from rag.store.opening import put_in_place

_STORE: Final = "store."  # the names of a store's own files begin with it
_MANIFEST: Final = "manifest.json"
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"
_PACKAGE: Final = version("chapterverse")  # at once: it is read from files, which may fail later


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedFile:
    """Size and checksum of a file."""

    bytes: int
    sha256: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SavedCollection:
    """What a snapshot holds of a collection, its files by name."""

    identity: str
    generation: int
    documents: int
    chunks: int
    fingerprint: str
    files: Mapping[str, SavedFile]


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What a snapshot holds; `created` is UTC (ISO 8601), `package` this package's version."""

    name: str
    created: str
    package: str
    collections: Mapping[str, SavedCollection]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sealed:
    manifest: Manifest
    sha256: str


def create(home: Path, *, name: str | None = None, min_free_bytes: int = 0) -> Manifest:
    """Copy every collection as it is at one moment, and verify the copies.

    The files beside a store are copied too, but for hidden ones and those in directories. Without a
    name the time of day is taken. Raises NotFound without a collection, InvalidRequest for a name
    that is not possible or taken, StoreFull without room, DamagedStore for a damaged collection.
    """
    now = datetime.now(UTC)
    name = _checked(now.strftime(_STAMP) if name is None else name)
    directory = home / "snapshots" / name
    with _disk(f"The snapshot {name!r} was not made"):
        if directory.exists():
            raise InvalidRequest(f"There is a snapshot {name!r} already. Choose another name.")
        sources = _holding(home / "collections", FILE_NAME)
        if not sources:
            raise NotFound(f"There is no index in {home} yet. Add documents: rag ingest PATH...")
        directory.parent.mkdir(parents=True, exist_ok=True)
        needed = sum(file.stat().st_size for s in sources for file in s.glob(f"{FILE_NAME}*"))
        _require_room(home, needed + min_free_bytes)
        with _prepared(directory.parent, name) as temporary:
            saved = {source.name: _save(source, temporary / source.name) for source in sources}
            manifest = Manifest(
                name=name,
                created=now.isoformat(timespec="seconds"),
                package=_PACKAGE,
                collections=saved,
            )
            sealed = _Sealed(manifest=manifest, sha256=_digest(manifest))
            replace_file(temporary / _MANIFEST, msgspec.json.format(msgspec.json.encode(sealed)))
            temporary.rename(directory)
            sync(directory.parent)
    return manifest


def names(home: Path) -> list[str]:
    """Return the names of a home's snapshots, ascending."""
    with _disk("The snapshots cannot be listed"):
        return [directory.name for directory in _holding(home / "snapshots", _MANIFEST)]


def read_manifest(home: Path, name: str) -> Manifest:
    """Return what a snapshot says of itself; raise NotFound, or DamagedStore if it is altered."""
    file = home / "snapshots" / _checked(name) / _MANIFEST
    try:
        with _disk(f"The snapshot {name!r} cannot be read"):
            if not file.exists():
                raise NotFound(f"There is no snapshot {name!r}. See rag snapshot list.")
            sealed = msgspec.json.decode(file.read_bytes(), type=_Sealed)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise _damaged(name, f"{_MANIFEST} cannot be read") from error
    if sealed.sha256 != _digest(sealed.manifest) or sealed.manifest.name != name:
        raise _damaged(name, f"{_MANIFEST} is altered")
    return sealed.manifest


def verify(home: Path, name: str) -> Manifest:
    """Check every file of a snapshot and all that its stores hold; return its manifest.

    Raises NotFound, or DamagedStore at the first thing that is wrong.
    """
    manifest = read_manifest(home, name)
    with _disk(f"The snapshot {name!r} cannot be read"):
        for collection, saved in manifest.collections.items():
            place = home / "snapshots" / name / collection
            for file, expected in saved.files.items():
                if _saved_file(place / file) != expected:
                    raise _damaged(name, f"{collection}/{file} is missing or altered")
            meta = verify_file(place / FILE_NAME)
            if (meta.identity, meta.generation) != (saved.identity, saved.generation):
                raise _damaged(name, f"{collection} is of another generation")
    return manifest


def restore(home: Path, name: str, *, replace: bool = False) -> list[Path]:
    """Put the collections of a snapshot, which is verified first, in their places.

    Collections that are there are moved aside, never deleted, if `replace`; otherwise they are a
    StoreError and nothing happens. Returns where they lie now. After a crash each collection is the
    old one or the new one. What has a replaced collection open refuses to go on with it.
    """
    manifest = verify(home, name)
    base = home / "collections"
    moved = []
    stamp = datetime.now(UTC).strftime(_STAMP)
    with _disk(f"The snapshot {name!r} was not restored"):
        present = [each for each in manifest.collections if (base / each).exists()]
        if present and not replace:
            raise StoreError(
                f"There is an index at {base / present[0]} already. With --replace it is moved "
                "aside and the snapshot restored."
            )
        base.mkdir(parents=True, exist_ok=True)
        total = sum(f.bytes for s in manifest.collections.values() for f in s.files.values())
        _require_room(home, total)
        for collection, saved in manifest.collections.items():
            with _prepared(base, collection) as temporary:
                for file, expected in saved.files.items():
                    _copy(home / "snapshots" / name / collection / file, temporary / file)
                    if _saved_file(temporary / file) != expected:
                        raise _damaged(name, f"{collection}/{file} is missing or altered")
                write_mark(temporary, Mark(identity=saved.identity, generation=saved.generation))
                aside = home / "replaced" / f"{collection}-{stamp}"
                if put_in_place(temporary, base / collection, aside=aside):
                    moved.append(aside)
    return moved


def _save(source: Path, target: Path) -> SavedCollection:
    """Copy a collection, verify the copy and return what it holds."""
    target.mkdir()
    store = SqliteStore(source, fingerprint=None)
    try:
        store.back_up(target / FILE_NAME)
    finally:
        store.close()
    meta = verify_file(target / FILE_NAME)
    for file in source.iterdir():
        if file.is_file() and not file.name.startswith((_STORE, ".")):
            _copy(file, target / file.name)
    for path in target.iterdir():
        sync(path)
    sync(target)
    return SavedCollection(
        identity=meta.identity,
        generation=meta.generation,
        documents=meta.documents,
        chunks=meta.chunks,
        fingerprint=meta.fingerprint,
        files={path.name: _saved_file(path) for path in sorted(target.iterdir())},
    )


def _holding(base: Path, file: str) -> list[Path]:
    """Return the directories of `base` that hold a file of this name, hidden ones left out.

    Not by Path.glob, which passes over a directory that it may not read: a snapshot without it
    would look whole.
    """
    if not base.exists():
        return []
    shown = sorted(path for path in base.iterdir() if not path.name.startswith("."))
    return [path for path in shown if (path / file).exists()]


def _saved_file(path: Path) -> SavedFile:
    if not path.exists():
        return SavedFile(bytes=0, sha256="")
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
        return SavedFile(bytes=file.tell(), sha256=digest)


def _copy(source: Path, target: Path) -> None:
    with source.open("rb") as reading, target.open("wb") as writing:
        shutil.copyfileobj(reading, writing, 1 << 20)
        writing.flush()
        os.fsync(writing.fileno())


@contextmanager
def _prepared(parent: Path, name: str) -> Iterator[Path]:
    """Give a new directory beside the place it is to be moved to; what is left of it goes."""
    temporary = Path(tempfile.mkdtemp(dir=parent, prefix=f".{name}.", suffix=".tmp"))
    try:
        yield temporary
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


@contextmanager
def _disk(outcome: str) -> Iterator[None]:
    """Turn what the operating system raises inside into errors that say what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in NO_ROOM:
            raise StoreFull(f"{outcome}: there is no room on the disk. Make some.") from error
        raise StoreError(
            f"{outcome}: {error}. Check the disk, the permissions and the limit of open files."
        ) from error


def _require_room(home: Path, needed: int) -> None:
    free = shutil.disk_usage(home).free
    if free < needed:
        raise StoreFull(
            f"Only {free / 1e6:,.0f} MB are free at {home}, {needed / 1e6:,.0f} MB are needed."
        )


def _checked(name: str) -> str:
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} cannot name a snapshot: take letters, digits, dots, dashes and underscores."
        )
    return name


def _digest(manifest: Manifest) -> str:
    return hashlib.sha256(msgspec.json.encode(manifest)).hexdigest()


def _damaged(name: str, what: str) -> DamagedStore:
    return DamagedStore(
        f"The snapshot {name!r} is damaged: {what}. Use another one: rag snapshot list."
    )
