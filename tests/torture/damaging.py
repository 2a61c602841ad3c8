"""What may become of a file: damage at a place that a seed chooses."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeAlias

Damage: TypeAlias = Callable[[Path, Path, random.Random], list[Path]]
"""Damages a file of a home; `earlier` is that file at an earlier time. Returns what it changed."""


def _cut(file: Path, _: Path, rng: random.Random) -> list[Path]:
    return _write(file, file.read_bytes()[: rng.randrange(max(1, file.stat().st_size))])


def _empty(file: Path, _: Path, __: random.Random) -> list[Path]:
    return _write(file, b"")


def _zero(size: int) -> Damage:
    """Zero a block of a size, as a disk that lost a sector or page gives it back."""

    def zero(file: Path, _: Path, rng: random.Random) -> list[Path]:
        data = bytearray(file.read_bytes())
        start = rng.randrange(0, max(1, len(data)), size)
        data[start : start + size] = bytes(len(data[start : start + size]))
        return _write(file, bytes(data))

    return zero


def _flip(file: Path, _: Path, rng: random.Random) -> list[Path]:
    data = bytearray(file.read_bytes())
    if data:
        data[rng.randrange(len(data))] ^= 1 << rng.randrange(8)
    return _write(file, bytes(data))


def _swap(file: Path, _: Path, rng: random.Random) -> list[Path]:
    """Let a file and another one of the home change places."""
    home = next(parent for parent in file.parents if parent.name == "home")
    others = [other for other in sorted(home.rglob("*")) if other.is_file() and other != file]
    # Those of the same name are what is confused soonest.
    alike = [other for other in others if other.name == file.name]
    other = rng.choice(alike if alike and rng.random() < 0.5 else others)
    aside = file.with_name("aside")
    file.rename(aside)
    other.rename(file)
    aside.rename(other)
    return [file, other]


def _older(file: Path, earlier: Path, _: random.Random) -> list[Path]:
    """Put the version in its place that the file had earlier."""
    if not earlier.is_file() or earlier.read_bytes() == file.read_bytes():
        return []
    return _write(file, earlier.read_bytes())


def _write(file: Path, data: bytes) -> list[Path]:
    if data == file.read_bytes():
        return []
    file.write_bytes(data)
    return [file]


DAMAGES: Final[dict[str, Damage]] = {
    "cut": _cut,
    "emptied": _empty,
    "512 bytes zeroed": _zero(512),
    "4096 bytes zeroed": _zero(4096),
    "a bit flipped": _flip,
    "swapped": _swap,
    "older": _older,
}
