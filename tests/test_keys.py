"""Keys: kept as hashes, known again at once by every process, refused whole where damaged."""

import base64
import hashlib
import json
import re
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import msgspec
import pytest

from rag.errors import DamagedKeys, InvalidRequest, NotFound, StoreError
from rag.keys import FILE, Key, KeyFile


@pytest.fixture
def keys(tmp_path: Path) -> KeyFile:
    return KeyFile(tmp_path)


def test_a_key_is_found_by_what_its_holder_presents(keys: KeyFile) -> None:
    """It has what it was made with; its secret is 32 bytes, in no file, and its hash is."""
    key, presented = keys.create("laptop", scopes=["write", "ask"], collections=["b", "a", "b"])
    match = re.fullmatch(r"cvk_([0-9a-f]{12})_(.{43})", presented)
    assert match is not None
    assert match[1] == key.id
    assert len(base64.urlsafe_b64decode(match[2] + "=")) == 32
    assert keys.find(presented) == key
    assert (key.name, key.scopes, key.collections) == ("laptop", ("ask", "write"), ("a", "b"))
    assert (key.expires, key.revoked) == (None, None)
    stored = keys.path.read_text()
    assert match[2] not in stored
    assert hashlib.sha256(match[2].encode()).hexdigest() in stored


def test_two_keys_have_nothing_in_common(keys: KeyFile) -> None:
    """Each opens its own; the id of one with the secret of the other opens nothing."""
    one, first = keys.create("one", scopes=["ask"])
    other, second = keys.create("other", scopes=["admin"])
    assert keys.all() == [one, other]
    assert first[-43:] != second[-43:]
    assert keys.find(f"cvk_{other.id}_{first[-43:]}") is None
    assert keys.find(first) == one
    assert keys.find(second) == other


def test_nothing_but_the_whole_key_is_found(keys: KeyFile) -> None:
    """Each character matters, and what is no key is no error."""
    _, presented = keys.create("laptop", scopes=["ask"])
    for place in range(len(presented)):
        other = "A" if presented[place] != "A" else "B"
        assert keys.find(presented[:place] + other + presented[place + 1 :]) is None
    for wrong in ("", " ", presented[:-1], presented + "A", presented + "\n", f" {presented}"):
        assert keys.find(wrong) is None
    for odd in ("é" * 60, "\0", "x" * 100_000, presented.replace("_", "-"), presented.upper()):
        assert keys.find(odd) is None


def test_a_revoked_key_opens_nothing(keys: KeyFile) -> None:
    """From the next call on; it stays in the list with the time, which a second one keeps."""
    key, presented = keys.create("laptop", scopes=["ask"])
    revoked = keys.revoke(key.id)
    assert keys.find(presented) is None
    assert revoked.revoked is not None
    assert abs(revoked.revoked - datetime.now(UTC)) < timedelta(minutes=1)
    assert keys.revoke(key.id) == revoked
    assert keys.all() == [revoked]
    assert not keys.any_valid()
    with pytest.raises(NotFound, match=r"'nope'.*rag keys list"):
        keys.revoke("nope")


def test_a_key_ends_when_its_time_is_over(keys: KeyFile, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is valid until the moment it names, and not at it."""
    key, presented = keys.create("guest", scopes=["ask"], lifetime=timedelta(days=2))
    assert key.expires == key.created + timedelta(days=2)
    moment = key.expires
    monkeypatch.setattr("rag.keys._now", lambda: moment - timedelta(microseconds=1))
    assert keys.find(presented) == key
    assert keys.any_valid()
    monkeypatch.setattr("rag.keys._now", lambda: moment)
    assert keys.find(presented) is None
    assert not keys.any_valid()
    assert key.state(moment) == "expired"


def test_what_another_process_changes_counts_at_once(keys: KeyFile, tmp_path: Path) -> None:
    """A file that was open before sees a key made or revoked by another one with its next look."""
    assert keys.all() == []
    other = KeyFile(tmp_path)
    key, presented = other.create("laptop", scopes=["ask"])
    assert keys.find(presented) == key
    other.revoke(key.id)
    assert keys.find(presented) is None
    keys.path.unlink()
    assert keys.all() == []


def test_keys_made_at_once_are_all_kept(tmp_path: Path) -> None:
    """Threads with files of their own, as processes have them, overwrite nothing of each other."""
    made: list[tuple[Key, str]] = []

    def make(name: str) -> None:
        file = KeyFile(tmp_path)
        made.extend(file.create(f"{name}{number}", scopes=["ask"]) for number in range(5))

    threads = [threading.Thread(target=make, args=(name,)) for name in "abcd"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    keys = KeyFile(tmp_path)
    assert len(keys.all()) == 20
    for key, presented in made:
        assert keys.find(presented) == key


def test_a_damaged_file_lets_nobody_in(keys: KeyFile, tmp_path: Path) -> None:
    """Whatever bit is turned, wherever it is cut: an error that says what to do, and no key."""
    _, presented = keys.create("laptop", scopes=["ask"])
    whole = keys.path.read_bytes()
    content = whole.rstrip(b"\n")
    damages = [b"", b"{}", b"[]", b"null", b"\0" * len(whole), content[:-1], b"[" * 100_000]
    damages += [content[:cut] for cut in range(0, len(content), 17)]
    for place in range(len(content)):
        flipped = bytearray(content)
        flipped[place] ^= 1
        damages.append(bytes(flipped))
    for damage in damages:
        keys.path.write_bytes(damage)
        fresh = KeyFile(tmp_path)
        for _ in range(2):
            with pytest.raises(DamagedKeys, match=r"keys\.json is damaged .* nobody is let in"):
                fresh.find(presented)
        with pytest.raises(DamagedKeys):
            fresh.any_valid()
        with pytest.raises(DamagedKeys):
            fresh.create("second", scopes=["ask"])
        assert keys.path.read_bytes() == damage
    keys.path.write_bytes(whole)
    assert fresh.find(presented) is not None


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"scopes": []}, id="no scope"),
        pytest.param({"scopes": ["root"]}, id="unknown scope"),
        pytest.param({"scopes": ["admin"], "collections": ["a"]}, id="admin of one collection"),
        pytest.param({"collections": []}, id="no collection"),
        pytest.param({"collections": "a"}, id="text for a list"),
        pytest.param({"created": "2026-01-31T12:00:00"}, id="time without zone"),
        pytest.param({"expires": "soon"}, id="no time"),
        pytest.param({"revoked": True}, id="no time of revocation"),
        pytest.param({"more": 1}, id="unknown field"),
        pytest.param({"name": None}, id="no name"),
        pytest.param({"id": "../../etc/pa"}, id="no id"),
        pytest.param({"sha256": ""}, id="no hash"),
        pytest.param({"sha256": "é" * 64}, id="no hexadecimal hash"),
    ],
)
def test_a_file_with_another_meaning_lets_nobody_in(
    keys: KeyFile, changes: dict[str, object]
) -> None:
    """Also under a checksum that is right: what is not understood is not guessed."""
    _, presented = keys.create("laptop", scopes=["ask"])
    (one,) = json.loads(keys.path.read_bytes())["keys"]
    content = msgspec.json.encode([one | changes])
    checksum = hashlib.sha256(content).hexdigest()
    keys.path.write_bytes(b'{"sha256":"%s","keys":%s}' % (checksum.encode(), content))
    with pytest.raises(DamagedKeys):
        keys.find(presented)


def test_two_keys_of_one_id_let_nobody_in(keys: KeyFile) -> None:
    """Which of them holds cannot be known."""
    _, presented = keys.create("laptop", scopes=["ask"])
    (one,) = json.loads(keys.path.read_bytes())["keys"]
    content = msgspec.json.encode([one, one | {"scopes": ["admin"]}])
    checksum = hashlib.sha256(content).hexdigest()
    keys.path.write_bytes(b'{"sha256":"%s","keys":%s}' % (checksum.encode(), content))
    with pytest.raises(DamagedKeys, match="one id"):
        keys.find(presented)


def test_a_file_that_cannot_be_read_lets_nobody_in(tmp_path: Path) -> None:
    """What the operating system refuses is an error, not an empty list."""
    (tmp_path / FILE).mkdir()
    with pytest.raises(StoreError, match=r"keys\.json cannot be read"):
        KeyFile(tmp_path).find("cvk_")


@pytest.mark.parametrize("name", ["", " ", "a\nb", "\x1b[31m", "x" * 101])
def test_a_key_needs_a_name_that_can_be_shown(keys: KeyFile, name: str) -> None:
    """One line of printable characters, and nothing is made of another."""
    with pytest.raises(InvalidRequest, match="printable"):
        keys.create(name, scopes=["ask"])
    assert not keys.path.exists()


def test_admin_is_of_all_collections(keys: KeyFile) -> None:
    """A key that could make and delete collections, but not reach them all, is not made."""
    with pytest.raises(InvalidRequest, match="all collections"):
        keys.create("x", scopes=["admin"], collections=["a"])
    assert not keys.path.exists()
