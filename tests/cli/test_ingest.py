"""`rag ingest`: what can be read goes in, what cannot is named, and it goes on where it was."""

import os
import re
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from rag.bootstrap import open_store
from rag.errors import NotFound
from rag.settings import read_settings
from tests import stores

Rag = Callable[..., Result]


def counts(result: Result) -> dict[str, str]:
    """Return the summary's rows."""
    return dict(line.split() for line in result.stdout.splitlines() if line.strip())


def stored(home: Path) -> list[str]:
    """Return the uris in an index, all of which is as it was written; none where there is none."""
    settings = read_settings(stores.environment(home))
    try:
        with open_store(settings, create=False) as store, store.snapshot() as snapshot:
            snapshot.verify()
            return [summary.uri for summary in snapshot.summaries(limit=100_000)]
    except NotFound:
        return []


def test_a_directory_goes_in_and_the_second_time_nothing_is_done(
    rag: Rag, home: Path, tmp_path: Path
) -> None:
    """Files below it are added, then unchanged, then only what was changed is replaced."""
    (tmp_path / "docs" / "sub").mkdir(parents=True)
    (tmp_path / "docs" / "a.txt").write_text("Ants march.")
    (tmp_path / "docs" / "sub" / "b.md").write_text("# Bees\n\nBees dance.")
    first = rag("ingest", tmp_path / "docs", home=home)
    assert first.exit_code == 0
    assert {k: v for k, v in counts(first).items() if k[:4] in {"adde", "chun", "fail"}} == {
        "added": "2",
        "chunks": "2",
        "failed": "0",
        "chunks/s": counts(first)["chunks/s"],
    }
    again = rag("ingest", tmp_path / "docs", home=home)
    assert (again.exit_code, counts(again)["unchanged"]) == (0, "2")
    (tmp_path / "docs" / "a.txt").write_text("Ants rest.")
    changed = counts(rag("ingest", tmp_path / "docs", home=home))
    assert (changed["replaced"], changed["unchanged"], changed["added"]) == ("1", "1", "0")
    assert len(stored(home)) == 2


def test_what_cannot_be_read_is_named_and_the_rest_goes_in(
    rag: Rag, home: Path, tmp_path: Path
) -> None:
    """One line on stderr each, with the reason; exit status 1."""
    (tmp_path / "empty.pdf").write_bytes(b"")
    (tmp_path / "really.docx").write_bytes(b"%PDF-1.7\n")
    (tmp_path / "data.xyz").write_bytes(b"x")
    (tmp_path / "good.txt").write_text("Ants march.")
    result = rag("ingest", tmp_path / "nowhere", tmp_path, home=home)
    assert result.exit_code == 1
    assert (counts(result)["added"], counts(result)["failed"]) == ("1", "4")
    lines = result.stderr.splitlines()
    assert len(lines) == 4
    for line, name, reason in (
        (lines[0], "nowhere", "No such file"),
        (lines[1], "data.xyz", ".xyz cannot be read"),
        (lines[2], "empty.pdf", "0 bytes"),
        (lines[3], "really.docx", "PDF file"),
    ):
        assert line.startswith(str(tmp_path / name))
        assert reason in line
    assert [Path(uri).name for uri in stored(home)] == ["good.txt"]


def test_a_directory_that_cannot_be_listed_does_not_stop_the_rest(
    rag: Rag, home: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is named as failed; what lies beside it goes in."""
    for name in ("locked", "open"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text(f"Ants are {name}.")
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    result = rag("ingest", tmp_path, home=home)
    assert (result.exit_code, counts(result)["added"]) == (1, "1")
    assert result.stderr.startswith(f"{tmp_path / 'locked'}: ")


def test_nothing_to_take_in_is_said(rag: Rag, home: Path, tmp_path: Path) -> None:
    """An empty directory, and one with unreadable files only, are status 1 and a clear line."""
    (tmp_path / "empty").mkdir()
    empty = rag("ingest", tmp_path / "empty", home=home)
    assert (empty.exit_code, empty.stdout) == (1, "")
    assert "no files" in empty.stderr
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "a.xyz").write_text("x")
    odd = rag("ingest", tmp_path / "odd", home=home)
    assert (odd.exit_code, counts(odd)["failed"]) == (1, "1")
    assert ".xyz cannot be read" in odd.stderr


def test_control_characters_in_names_reach_no_terminal(
    rag: Rag, home: Path, tmp_path: Path
) -> None:
    """A file's name cannot steer the terminal or break the line it is told on."""
    (tmp_path / "a\x1b[2J\n.xyz").write_text("x")
    result = rag("ingest", tmp_path, home=home)
    assert "\x1b" not in result.stderr
    assert "\ufffd[2J" in result.stderr


def write_many(directory: Path, *, files: int) -> None:
    directory.mkdir()
    for number in range(files):
        lines = (f"Sentence {n} of file {number} tells of ants and bees." for n in range(300))
        (directory / f"{number:03}.txt").write_text("\n\n".join(lines))


@pytest.mark.parametrize("end", [(signal.SIGINT, 130), (signal.SIGKILL, -9)])
def test_a_run_that_is_stopped_leaves_a_sound_index_and_goes_on(
    start: Callable[..., subprocess.Popen[str]],
    rag: Rag,
    home: Path,
    tmp_path: Path,
    end: tuple[signal.Signals, int],
) -> None:
    """Ctrl-C ends with 130 and no traceback; what was stored is whole and not done again."""
    write_many(tmp_path / "many", files=200)
    process = start("ingest", tmp_path / "many", home=home)
    deadline = time.monotonic() + 60
    while not stored(home):
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < deadline
        time.sleep(0.05)
    stop, status = end
    process.send_signal(stop)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == status
    assert "Traceback" not in errors
    before = stored(home)
    assert 0 < len(before) < 200
    kept = sorted(tmp_path.glob("many/*.txt"))[: len(before) + 1]
    result = rag("ingest", *kept, home=home)
    assert (counts(result)["unchanged"], counts(result)["added"]) == (str(len(before)), "1")
    assert len(stored(home)) == len(before) + 1


def test_the_summary_is_plain_in_a_pipe(rag: Rag, home: Path, tmp_path: Path) -> None:
    """No escape sequences where no terminal is."""
    (tmp_path / "a.txt").write_text("Ants march.")
    result = rag("ingest", tmp_path, home=home)
    assert not re.search("[\x00-\x09\x0b-\x1f]", result.output)
