"""`rag documents`: the list, the text and deletion."""

import json
from collections.abc import Callable
from pathlib import Path

from click.testing import Result

Rag = Callable[..., Result]


def test_the_list_names_every_document_whole(rag: Rag, seeded: Path) -> None:
    """Two lines each: id, date and title, then the whole uri; counts at the end."""
    result = rag("documents", "list", home=seeded)
    documents = json.loads(rag("documents", "list", "--json", home=seeded).stdout)["documents"]
    lines = result.stdout.splitlines()
    assert len(lines) == 2 * 5 + 1
    for line, below, document in zip(lines[::2], lines[1::2], documents, strict=False):
        date = document["published"] or "undated   "
        assert line == f"{document['id']}  {date}  {document['title']}"
        assert below == f"   {document['uri']}, {document['chunks']} chunks"
        assert Path(document["uri"]).is_file()
    assert lines[-1] == f"5 documents, {sum(d['chunks'] for d in documents)} chunks"
    assert "2 of 5 documents" in rag("documents", "list", "--limit", 2, home=seeded).stdout


def test_the_text_comes_exactly_as_it_is(rag: Rag, home: Path, tmp_path: Path) -> None:
    """In a pipe it is the file, byte for byte."""
    content = "\ufeffÄrger\r\n\tund \U0001f600 e\u0301".encode()
    (tmp_path / "a.txt").write_bytes(content)
    rag("ingest", tmp_path / "a.txt", home=home)
    listed = json.loads(rag("documents", "list", "--json", home=home).stdout)
    (document,) = listed["documents"]
    shown = rag("documents", "show", document["id"], home=home).stdout_bytes
    assert shown.removeprefix(b"\xef\xbb\xbf") == content.removeprefix(b"\xef\xbb\xbf")
    assert len(shown.decode()) == document["characters"]


def test_a_deleted_document_is_gone(rag: Rag, home: Path, tmp_path: Path) -> None:
    """After it was deleted it is unknown, and may be added again."""
    (tmp_path / "a.txt").write_text("Ants march.")
    rag("ingest", tmp_path / "a.txt", home=home)
    (document,) = json.loads(rag("documents", "list", "--json", home=home).stdout)["documents"]
    assert document["uri"] == str(tmp_path / "a.txt")
    deleted = rag("documents", "delete", document["id"], home=home)
    assert (deleted.exit_code, deleted.stdout) == (0, f"Deleted {document['id']}.\n")
    assert rag("documents", "show", document["id"], home=home).exit_code == 1
    assert rag("documents", "list", home=home).stdout == "0 documents, 0 chunks\n"
    assert "added      1" in rag("ingest", tmp_path / "a.txt", home=home).stdout
