"""A run's directory: its settings, written first, and the records that it holds already."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from rag.errors import BrokenFile, InvalidRequest
from rag.eval.records import HTML, RECORDS, REPORT

Setting = str | int | float | None

SETTINGS: Final = "settings.json"


def take_up(directory: Path, settings: Mapping[str, Setting]) -> int:
    """Make a directory ready to append records to and return how many it holds already.

    A record that a kill cut off is removed. Raises InvalidRequest where the directory holds a
    finished run, or one with other settings, naming what differs.
    """
    file = directory / SETTINGS
    try:
        directory.mkdir(parents=True, exist_ok=True)
        require_unfinished(directory)
        if not file.exists():
            file.write_text(json.dumps(dict(settings), indent=1) + "\n", encoding="utf-8")
            (directory / RECORDS).write_bytes(b"")
            return 0
        _check(file, settings)
        return _whole_lines(directory / RECORDS)
    except OSError as error:
        raise InvalidRequest(
            f"{directory} cannot hold an evaluation ({error.strerror or error})."
        ) from error


def require_unfinished(directory: Path) -> None:
    """Raise InvalidRequest where a directory holds a finished run."""
    if (directory / REPORT).exists():
        raise InvalidRequest(
            f"{directory} holds a finished evaluation. Give another directory, or --again to "
            "replace it."
        )


def clear(directory: Path) -> None:
    """Remove what an earlier run left in a directory, and nothing else."""
    for name in (REPORT, HTML, SETTINGS, RECORDS):
        (directory / name).unlink(missing_ok=True)


def _check(file: Path, settings: Mapping[str, Setting]) -> None:
    try:
        held = json.loads(file.read_text(encoding="utf-8"))
        differing = [
            f"{name} is {held.get(name)!r} there and {settings.get(name)!r} here"
            for name in sorted(held.keys() | settings.keys())
            if held.get(name) != settings.get(name)
        ]
    except (ValueError, AttributeError) as error:
        raise BrokenFile(f"{file} is damaged ({error}): give --again to start over.") from error
    if differing:
        raise InvalidRequest(
            f"{file.parent} holds an unfinished evaluation that this one cannot go on with: "
            f"{'; '.join(differing)}. Give another directory, or --again to replace it."
        )


def _whole_lines(file: Path) -> int:
    """Cut a file off behind its last line end and return the number of lines."""
    count = length = 0
    with file.open("rb+") as lines:
        for line in lines:
            if line.endswith(b"\n"):
                count += 1
                length += len(line)
        lines.truncate(length)
    return count
