"""Directories derived from a source: a cache, verified before a library reads a byte of it."""

import hashlib
import logging
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Generic, TypeVar

import msgspec

from rag.durable import sync
from rag.errors import ModelError

_STAMP: Final = "stamp.json"
_LOG: Final = logging.getLogger(__name__)

FactsT = TypeVar("FactsT", bound=msgspec.Struct)


@dataclass(frozen=True, slots=True, kw_only=True)
class Derivation(Generic[FactsT]):
    """How a directory is made from a source.

    `source` is the source's digest, `recipe` a number to be raised when the same source gives other
    files than before. `make` writes `files` into a directory and returns what is known of them.
    `kept` names files that others put beside them and that hold for whatever is made of the same
    source: a directory that is made anew takes them over.
    """

    source: str
    recipe: int
    files: Sequence[str]
    facts: type[FactsT]
    make: Callable[[Path], FactsT]
    kept: Sequence[str] = ()


class _Stamp(msgspec.Struct, frozen=True, kw_only=True):
    recipe: int
    source: str
    files: dict[str, str]
    facts: msgspec.Raw


def open_derived(directory: Path, derivation: Derivation[FactsT]) -> FactsT:
    """Return the facts of a derived directory, which is made first where it is not there.

    What is damaged in it, or was made from another source, is made anew; files that the derivation
    does not name are lost then. Raises ModelError where it cannot be written, and what `make`
    raises; then nothing is left behind.
    """
    facts = _read(directory, derivation)
    if facts is not None:
        return facts
    try:
        _make(directory, derivation)
    except OSError as error:
        facts = _read(directory, derivation)  # another process may have been faster
        if facts is None:
            message = f"Cannot keep the converted model in {directory.parent}: {error}."
            raise ModelError(message) from error
        return facts
    facts = _read(directory, derivation)
    if facts is None:
        message = f"{directory} does not keep what is written to it: is the disk sound?"
        raise ModelError(message)
    return facts


def sha256_of(file: Path) -> str:
    """Return the hex digest of a file's bytes."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _read(directory: Path, derivation: Derivation[FactsT]) -> FactsT | None:
    """Return the facts of what lies in `directory`, or None where that cannot be used."""
    try:
        stamp = msgspec.json.decode((directory / _STAMP).read_bytes(), type=_Stamp)
        found = {name: sha256_of(directory / name) for name in derivation.files}
        facts = msgspec.json.decode(stamp.facts, type=derivation.facts)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
        _LOG.warning("%s is damaged (%s) and is made anew.", directory, error)
        return None
    if found != stamp.files:
        _LOG.warning("%s is damaged and is made anew.", directory)
        return None
    if (stamp.recipe, stamp.source) != (derivation.recipe, derivation.source):
        return None
    return facts


def _make(directory: Path, derivation: Derivation[FactsT]) -> None:
    directory.parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix=".making-", dir=directory.parent))
    try:
        facts = derivation.make(made)
        stamp = _Stamp(
            recipe=derivation.recipe,
            source=derivation.source,
            files={name: sha256_of(made / name) for name in derivation.files},
            facts=msgspec.Raw(msgspec.json.encode(facts)),
        )
        (made / _STAMP).write_bytes(msgspec.json.encode(stamp))
        kept = [name for name in derivation.kept if (directory / name).exists()]
        for name in kept:
            shutil.copyfile(directory / name, made / name)
        for name in (*derivation.files, *kept, _STAMP):
            sync(made / name)
        sync(made)
        if directory.exists():  # damaged or outdated: a directory cannot be renamed onto another
            directory.rename(made / "replaced")
        made.rename(directory)
        shutil.rmtree(directory / "replaced", ignore_errors=True)
        sync(directory.parent)
    finally:
        shutil.rmtree(made, ignore_errors=True)
