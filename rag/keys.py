"""API keys: who may ask a service what, kept in a file of the home.

home/keys.json    the keys, each with the SHA-256 of its secret, under a checksum of all of them
home/keys.lock    held by whoever changes that file

A key is `cvk_`, the twelve hexadecimal digits of its public id, `_`, and its secret: 32 random
bytes in URL-safe base64. A plain hash of such a secret is enough, since none can be guessed; slow
hashes are for secrets that people choose.
"""

import base64
import fcntl
import hashlib
import hmac
import logging
import re
import secrets
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Annotated, Final, Literal, get_args

import msgspec

from rag.durable import replace_file
from rag.errors import DamagedKeys, InvalidRequest, NotFound, StoreError

Scope = Literal["ask", "write", "admin"]

FILE: Final = "keys.json"
SCOPES: Final[tuple[Scope, ...]] = get_args(Scope)
MAX_NAME_CHARACTERS: Final = 100

_KEY: Final = re.compile(r"cvk_(?P<id>[0-9a-f]{12})_(?P<secret>[A-Za-z0-9_-]{43})", re.ASCII)
# Of no secret: what an unknown id is compared with, so that it takes as long as a known one.
_NOBODY: Final = hashlib.sha256(secrets.token_bytes(32)).hexdigest()

_LOG: Final = logging.getLogger(__name__)


class Key(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known of a key: all but its secret, of which there is only the SHA-256.

    `admin` includes the other scopes and holds for all collections; `collections` is None where a
    key reaches all of them. Times are UTC.
    """

    id: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{12}$")]
    name: str
    sha256: Annotated[str, msgspec.Meta(pattern="^[0-9a-f]{64}$")]
    scopes: tuple[Scope, ...]
    collections: tuple[str, ...] | None
    created: datetime
    expires: datetime | None
    revoked: datetime | None

    def __post_init__(self) -> None:
        """Refuse a key that nobody can have made: without scopes, or admin of some collections."""
        if not self.scopes or self.collections == ():
            raise ValueError("a key must have a scope, and a collection where it has not all")
        if "admin" in self.scopes and self.collections is not None:
            raise ValueError("admin holds for all collections")
        if any(time is not None and time.tzinfo is None for time in self._times()):
            raise ValueError("a time has no zone")

    def state(self, now: datetime) -> Literal["valid", "expired", "revoked"]:
        """Return whether the key opens anything at a time."""
        if self.revoked is not None:
            return "revoked"
        return "expired" if self.expires is not None and self.expires <= now else "valid"

    def _times(self) -> tuple[datetime | None, ...]:
        return self.created, self.expires, self.revoked


class _File(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    sha256: str
    keys: msgspec.Raw


class KeyFile:
    """The keys of a home; safe to use from several threads and processes.

    Every method raises DamagedKeys where the file is not as it was written, which lets nobody in,
    and StoreError where the operating system refuses it.
    """

    def __init__(self, home: Path) -> None:
        self.path: Final = home / FILE
        self._lock: Final = threading.Lock()
        self._seen: tuple[int, ...] | None = None
        self._keys: dict[str, Key] | str = {}  # or why there are none

    def find(self, presented: str) -> Key | None:
        """Return the key that was presented, None for one that is malformed, unknown or not valid.

        What other processes created or revoked counts from the next call on.
        """
        keys = self._current()
        match = _KEY.fullmatch(presented)
        if match is None:
            return None
        key = keys.get(match["id"])
        known = _NOBODY if key is None else key.sha256
        same = hmac.compare_digest(known, _digest(match["secret"]))
        return key if key is not None and same and key.state(_now()) == "valid" else None

    def all(self) -> list[Key]:
        """Return every key, in the order of their making, those that were revoked too."""
        return list(self._current().values())

    def any_valid(self) -> bool:
        """Return whether any key opens anything now."""
        return any(key.state(_now()) == "valid" for key in self.all())

    def create(
        self,
        name: str,
        *,
        scopes: Sequence[Scope],
        collections: Sequence[str] | None = None,
        lifetime: timedelta | None = None,
    ) -> tuple[Key, str]:
        """Return a new key and the string that its holder presents, which nothing keeps.

        Raises InvalidRequest for a name without a letter, and for admin of some collections only.
        """
        if not name.strip() or len(name) > MAX_NAME_CHARACTERS or not name.isprintable():
            raise InvalidRequest(
                f"A key needs a name of 1 to {MAX_NAME_CHARACTERS} printable characters that tells "
                "whose it is."
            )
        if "admin" in scopes and collections is not None:
            raise InvalidRequest(
                "The scope admin holds for all collections. Leave out the collections, or make a "
                "key with other scopes."
            )
        secret = base64.urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")
        created = _now().replace(microsecond=0)
        with self._changing() as keys:
            key = Key(
                id=_new_id(keys),
                name=name,
                sha256=_digest(secret),
                scopes=tuple(scope for scope in SCOPES if scope in scopes),
                collections=None if collections is None else tuple(sorted(set(collections))),
                created=created,
                expires=None if lifetime is None else created + lifetime,
                revoked=None,
            )
            keys[key.id] = key
        return key, f"cvk_{key.id}_{secret}"

    def revoke(self, id_: str) -> Key:
        """Return a key that opens nothing from now on; raise NotFound where none has this id."""
        with self._changing() as keys:
            if id_ not in keys:
                raise NotFound(f"There is no key {id_!r}. List them: rag keys list.")
            if keys[id_].revoked is None:
                revoked = _now().replace(microsecond=0)
                keys[id_] = msgspec.structs.replace(keys[id_], revoked=revoked)
            return keys[id_]

    def _current(self) -> dict[str, Key]:
        """Return the keys by id, read again if the file is another than it was."""
        with self._lock:
            with self._translated("cannot be read"):
                seen = self._stat()
                if seen != self._seen:
                    self._keys = self._read()
                    self._seen = seen
            if isinstance(self._keys, str):
                raise DamagedKeys(self._keys)
            return self._keys

    def _stat(self) -> tuple[int, ...]:
        try:
            found = self.path.stat()
        except FileNotFoundError:
            return ()
        return found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns

    def _read(self) -> dict[str, Key] | str:
        try:
            data = self.path.read_bytes()
        except FileNotFoundError:
            return {}
        try:
            file = msgspec.json.decode(data, type=_File)
            if file.sha256 != hashlib.sha256(file.keys).hexdigest():
                raise ValueError("its checksum is of other keys")
            keys = msgspec.json.decode(file.keys, type=list[Key])
            if len({key.id for key in keys}) < len(keys):
                raise ValueError("two keys have one id")
        except (msgspec.MsgspecError, ValueError, RecursionError) as error:
            damaged = (
                f"{self.path} is damaged ({error}), so nobody is let in. Put a copy of it in its "
                "place, or move it away and make new keys: rag keys create."
            )
            _LOG.error("%s", damaged)
            return damaged
        return {key.id: key for key in keys}

    @contextmanager
    def _changing(self) -> Iterator[dict[str, Key]]:
        """Give the keys to be changed; they are on the disk when the block has ended."""
        with self._translated("was not changed"):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with self.path.with_suffix(".lock").open("wb") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX)
                keys = dict(self._current())
                yield keys
                content = msgspec.json.encode(list(keys.values()))
                whole = _File(sha256=hashlib.sha256(content).hexdigest(), keys=msgspec.Raw(content))
                replace_file(self.path, msgspec.json.encode(whole) + b"\n")

    @contextmanager
    def _translated(self, outcome: str) -> Iterator[None]:
        try:
            yield
        except OSError as error:
            raise StoreError(
                f"{self.path} {outcome}: {error.strerror}. Check the directory's permissions and "
                "free space."
            ) from error


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _new_id(keys: dict[str, Key]) -> str:
    while (id_ := secrets.token_hex(6)) in keys:
        pass
    return id_


def _now() -> datetime:
    return datetime.now(UTC)
