"""What processes take of memory and the processors, and files of the disk, in bytes (Linux)."""

import os
from dataclasses import dataclass
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True, kw_only=True)
class Memory:
    """`rss` is all that is resident; `pss` shares what several processes have among them."""

    rss: int
    pss: int


def memory_of(process: int) -> Memory:
    """Return the memory of a process."""
    values = dict.fromkeys(("Rss", "Pss"), 0)
    for line in (_PROC / str(process) / "smaps_rollup").read_text().splitlines():
        name, _, rest = line.partition(":")
        if name in values:
            values[name] = int(rest.split()[0]) * 1024
    return Memory(rss=values["Rss"], pss=values["Pss"])


def memory_of_all(process: int) -> Memory:
    """Return the memory of a process and of its children, each page counted once in `pss`."""
    parts = [memory_of(process), *map(memory_of, _children(process))]
    return Memory(rss=sum(part.rss for part in parts), pss=sum(part.pss for part in parts))


def work_of_all(process: int) -> float:
    """Return the seconds of a processor that a process and its children, ended ones too, took."""
    parts = [_times_of(process), *map(_times_of, _children(process))]
    return sum(parts)


def peak_of(process: int) -> int:
    """Return the most memory that a process ever had resident."""
    for line in (_PROC / str(process) / "status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise RuntimeError(f"the process {process} tells no peak")


def size_of(directory: Path) -> int:
    """Return what the files below a directory take of the disk."""
    return sum(path.stat().st_blocks * 512 for path in directory.rglob("*") if path.is_file())


def name_of(process: int) -> str:
    """Return the name of a process's program, empty where there is no such process."""
    try:
        return (_PROC / str(process) / "comm").read_text().strip()
    except FileNotFoundError:
        return ""


def parent_of(process: int) -> int:
    """Return the process that started a process, 0 where that has ended."""
    try:
        return int((_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()[1])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _times_of(process: int) -> float:
    """Return the seconds of a process and of those of its children that have ended."""
    try:
        fields = (_PROC / str(process) / "stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0.0
    return sum(map(int, fields[11:15])) / os.sysconf("SC_CLK_TCK")


def _children(process: int) -> list[int]:
    running = [int(entry.name) for entry in _PROC.iterdir() if entry.name.isdecimal()]
    return [other for other in running if parent_of(other) == process]
