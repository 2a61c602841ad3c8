"""`rag keys`, and who may ask a service that listens beyond this machine."""

import re
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from click.testing import Result

from rag.keys import KeyFile
from tests import stores

Rag = Callable[..., Result]
Start = Callable[..., subprocess.Popen[str]]


def test_a_key_is_shown_once(rag: Rag, tmp_path: Path) -> None:
    """Alone on standard output; it opens what was asked for, and nothing tells it again."""
    rag("collections", "create", "letters", home=tmp_path)
    made = rag(
        "keys", "create", "Ann's laptop", "--scope", "ask", "--scope", "write",
        "--collection", "letters", "--days", 30, home=tmp_path,
    )  # fmt: skip
    assert made.exit_code == 0
    presented = made.stdout.removesuffix("\n")
    key = KeyFile(tmp_path).find(presented)
    assert key is not None
    assert (key.name, key.scopes, key.collections) == (
        "Ann's laptop",
        ("ask", "write"),
        ("letters",),
    )
    assert key.id in made.stderr
    assert presented not in made.stderr
    listed = rag("keys", "list", home=tmp_path).stdout
    assert re.fullmatch(
        rf"{key.id}  valid    Ann's laptop: ask, write; only letters; made [\d-]+; until .* UTC\n",
        listed,
    )
    everything = b"".join(file.read_bytes() for file in tmp_path.rglob("*") if file.is_file())
    assert presented[-43:].encode() not in everything


def test_without_options_a_key_may_ask_everything(rag: Rag, tmp_path: Path) -> None:
    """Questions to all collections, for good; no more than that."""
    made = rag("keys", "create", "reader", home=tmp_path)
    key = KeyFile(tmp_path).find(made.stdout.strip())
    assert key is not None
    assert (key.scopes, key.collections, key.expires) == (("ask",), None, None)


def test_keys_are_listed_and_revoked(rag: Rag, tmp_path: Path) -> None:
    """By their id; a revoked one stays in the list and opens nothing."""
    assert "rag keys create" in rag("keys", "list", home=tmp_path).stdout
    made = [rag("keys", "create", name, home=tmp_path).stdout.strip() for name in ("one", "two")]
    file = KeyFile(tmp_path)
    one, two = file.all()
    revoked = rag("keys", "revoke", one.id, home=tmp_path)
    assert (revoked.exit_code, revoked.stdout) == (0, f"Revoked {one.id} (one).\n")
    lines = rag("keys", "list", home=tmp_path).stdout.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        f"{one.id}  revoked  one",
        f"{two.id}  valid    two",
    ]
    assert [file.find(presented) for presented in made] == [None, two]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("create", " "), "A key needs a name"),
        (("create", "x", "--collection", "nope"), "There is no collection 'nope'"),
        (("create", "x", "--scope", "admin", "--collection", "default"), "all collections"),
        (("revoke", "0" * 12), "There is no key '000000000000'"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    rag: Rag, tmp_path: Path, arguments: tuple[str, ...], message: str
) -> None:
    """Status 1, what to do, and no file."""
    refused = rag("keys", *arguments, home=tmp_path)
    assert (refused.exit_code, refused.stdout) == (1, "")
    (line,) = refused.stderr.splitlines()
    assert line.startswith("Error: ")
    assert message in line
    assert KeyFile(tmp_path).all() == []


def test_a_damaged_file_is_one_line(rag: Rag, tmp_path: Path) -> None:
    """Whatever is done with it; it is left as it is, for whoever has a copy."""
    (tmp_path / "keys.json").write_bytes(b'{"keys": []}')
    for arguments in (("list",), ("create", "x"), ("revoke", "0" * 12)):
        refused = rag("keys", *arguments, home=tmp_path)
        assert (refused.exit_code, refused.stdout) == (1, "")
        assert "keys.json is damaged" in refused.stderr
    assert (tmp_path / "keys.json").read_bytes() == b'{"keys": []}'


@pytest.mark.parametrize(
    ("host", "settings"),
    [
        ("0.0.0.0", {}),  # noqa: S104
        ("::", {}),
        ("127.0.0.1", {"RAG_KEYS": "on"}),
        ("127.0.0.1", {"RAG_HOSTS": "rag.example.org"}),
    ],
)
def test_a_service_without_keys_does_not_start_where_they_are_needed(
    rag: Rag, tmp_path: Path, host: str, settings: dict[str, str]
) -> None:
    """One line at once, before models are loaded, with both ways out; a revoked key is none."""
    if host == "::" and not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    for _ in range(2):
        refused = rag("serve", "--host", host, "--port", 0, home=tmp_path, **settings)
        assert (refused.exit_code, refused.stdout) == (1, "")
        (line,) = refused.stderr.splitlines()
        assert line.startswith("Error: Requests need a key here")
        assert "rag keys create" in line
        assert "RAG_KEYS=off" in line
        assert stores.names(tmp_path) == []
        rag("keys", "create", "x", home=tmp_path)
        rag("keys", "revoke", KeyFile(tmp_path).all()[0].id, home=tmp_path)


def test_a_service_with_keys_answers_those_who_have_one(
    rag: Rag, start: Start, make_home: Callable[..., Path]
) -> None:
    """On every address: the page is shown to all, a key asks, and one that is revoked no more."""
    home = make_home(seeded=False)
    presented = rag("keys", "create", "x", home=home).stdout.strip()
    with start("serve", "--host", "0.0.0.0", "--port", 0, home=home) as process:  # noqa: S104
        assert process.stderr is not None
        line = process.stderr.readline()
        assert line.startswith("Ready: http://0.0.0.0:"), line
        url = f"http://127.0.0.1:{line.strip().rpartition(':')[2]}"
        try:
            headers = {"Authorization": f"Bearer {presented}"}
            assert httpx.get(f"{url}/health/ready").status_code == 200
            assert httpx.get(url).status_code == 200
            assert httpx.get(f"{url}/v1/index").status_code == 401
            answered = httpx.get(f"{url}/v1/index", headers=headers)
            assert answered.status_code == 200
            assert answered.headers["ratelimit-policy"] == '"requests";q=600;w=60'
            assert rag("keys", "revoke", presented[4:16], home=home).exit_code == 0
            assert httpx.get(f"{url}/v1/index", headers=headers).status_code == 401
        finally:
            process.terminate()
        process.communicate(timeout=60)
        assert process.returncode == 0
