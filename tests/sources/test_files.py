"""Which files a path stands for."""

import os

import pytest

from rag.errors import UnreadableFile
from rag.sources import find_files


def test_a_directory_gives_its_files_sorted_and_without_hidden_ones(tmp_path):
    """Every regular file that is not hidden, of whatever kind; directories after files."""
    for name in ("b.txt", "a.xyz", "sub/c.md", "sub/.hidden.txt", ".git/d.txt", "a/e.txt"):
        file = tmp_path / name
        file.parent.mkdir(exist_ok=True)
        file.write_text("x")
    (tmp_path / "empty").mkdir()
    found = [path.relative_to(tmp_path).as_posix() for path in find_files(tmp_path)]
    assert found == ["a.xyz", "b.txt", "a/e.txt", "sub/c.md"]


def test_a_file_is_itself_even_when_hidden(tmp_path):
    """Who names a file means it."""
    file = tmp_path / ".notes.txt"
    file.write_text("x")
    assert list(find_files(file)) == [file]


def test_loops_of_links_end(tmp_path):
    """A link to a directory is not followed; a link to a file is a file; a broken one is none."""
    (tmp_path / "real.txt").write_text("x")
    (tmp_path / "loop").symlink_to(tmp_path, target_is_directory=True)
    (tmp_path / "link.txt").symlink_to(tmp_path / "real.txt")
    (tmp_path / "gone.txt").symlink_to(tmp_path / "nothing")
    assert [path.name for path in find_files(tmp_path)] == ["link.txt", "real.txt"]


def test_special_files_are_not_read(tmp_path):
    """A pipe would block its reader for ever."""
    os.mkfifo(tmp_path / "pipe.txt")
    assert list(find_files(tmp_path)) == []
    with pytest.raises(UnreadableFile, match="neither"):
        list(find_files(tmp_path / "pipe.txt"))


def test_a_directory_that_cannot_be_listed_is_yielded(tmp_path, monkeypatch):
    """It does not hide the others, and is not left out without a word: reading it fails."""
    for name in ("locked/a.txt", "open/b.txt"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).write_text("x")
    scandir = os.scandir

    def refuse(path):
        if os.fspath(path).endswith("locked"):
            raise PermissionError(13, "Permission denied", os.fspath(path))
        return scandir(path)

    monkeypatch.setattr("os.scandir", refuse)
    assert list(find_files(tmp_path)) == [tmp_path / "open/b.txt", tmp_path / "locked"]


@pytest.mark.parametrize("name", ["nowhere", "a\0b", "x" * 5000])
def test_a_path_that_is_none_is_an_error(tmp_path, name):
    """A mistyped path is not an empty directory."""
    with pytest.raises(UnreadableFile, match="check the path"):
        list(find_files(tmp_path / name))
