"""The collections of a home: which there are, and what each is made with.

home/collections/NAME/store.sqlite      its documents, as `rag.store` keeps them
home/collections/NAME/collection.json   its own settings, in the form of `Recipe`
home/deleted/NAME-TIME                  what was deleted, whole
"""

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Final

import msgspec

from rag.durable import TOO_MANY_FILES, replace_file, sync
from rag.errors import Conflict, DamagedStore, InvalidRequest, NotFound, StoreError
from rag.settings import DEFAULT_COLLECTION, MAX_CHUNK_TOKENS, MIN_CHUNK_TOKENS
from rag.store.opening import finish_restoring

FILE: Final = "collection.json"

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_STAMP: Final = "%Y%m%dT%H%M%S.%fZ"


class Recipe(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a collection is made with, fixed when it is created; `created` is UTC, ISO 8601.

    `embedder` is "minilm" or the path of a directory, `chunk_tokens` as in `Settings`. A collection
    without a recipe follows the environment's settings, as does the default one, which its first
    use makes. Who changes the file makes the index stale until `rag reindex` brings it up to it.
    """

    embedder: str
    chunk_tokens: Annotated[int, msgspec.Meta(ge=MIN_CHUNK_TOKENS, le=MAX_CHUNK_TOKENS)]
    created: str


def directory_of(home: Path, name: str) -> Path:
    """Return where a collection lies or would lie; raise NotFound for what can name none."""
    if not _NAME.fullmatch(name):
        raise unknown(name)
    return home / "collections" / name


def names(home: Path) -> list[str]:
    """Return the names of a home's collections, ascending."""
    base = home / "collections"
    with _disk("The collections cannot be listed"):
        if not base.is_dir():
            return []
        return sorted(path.name for path in base.iterdir() if _NAME.fullmatch(path.name))


def require(home: Path, name: str) -> None:
    """Raise NotFound unless there is a collection of this name; its first use makes the default."""
    directory = directory_of(home, name)
    with _disk(f"The collection {name!r} cannot be opened"):
        if directory.is_dir():
            return
        restored = finish_restoring(directory) or directory.is_dir()
    if not restored and name != DEFAULT_COLLECTION:
        raise unknown(name)


def recipe_of(home: Path, name: str) -> Recipe | None:
    """Return a collection's recipe if it has one.

    Raises DamagedStore where it cannot be read, StoreError while no file can be opened.
    """
    file = directory_of(home, name) / FILE
    try:
        return msgspec.json.decode(file.read_bytes(), type=Recipe)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        if isinstance(error, OSError) and error.errno in TOO_MANY_FILES:
            raise StoreError(
                f"{file} cannot be read now: {error}. Raise the limit of open files."
            ) from error
        raise DamagedStore(
            f"{file} cannot be read ({error}). Restore a snapshot (rag snapshot list, rag snapshot "
            "restore NAME --replace), or write it again."
        ) from error


def check_name(name: str) -> None:
    """Raise InvalidRequest for what cannot name a collection."""
    if not _NAME.fullmatch(name):
        raise InvalidRequest(
            f"{name!r} cannot name a collection: take up to 64 small letters, digits, dashes and "
            "underscores, a letter or digit first.",
            pointer="/name",
        )


def create(
    home: Path, name: str, *, recipe: Recipe, fill: Callable[[Path], None], limit: int
) -> None:
    """Make a collection with its recipe and what `fill` puts into its directory, in one step.

    Raises InvalidRequest for a name that is none, and Conflict where there is such a collection or
    there are as many as `limit` already.
    """
    check_name(name)
    present = names(home)
    if name in present:
        raise Conflict(f"There is a collection {name!r} already. Use it, or take another name.")
    if len(present) >= limit:
        raise Conflict(
            f"There are {len(present)} collections already and no more are allowed. Delete one, or "
            "raise RAG_COLLECTIONS."
        )
    base = home / "collections"
    with _disk(f"The collection {name!r} was not made"):
        base.mkdir(parents=True, exist_ok=True)
        temporary = Path(tempfile.mkdtemp(dir=base, prefix=f".{name}.", suffix=".tmp"))
        try:
            fill(temporary)
            _write_recipe(temporary, recipe)
            temporary.rename(base / name)  # fails where another process was quicker
            sync(base)
        finally:
            shutil.rmtree(temporary, ignore_errors=True)


def put_copy_in_place(prepared: Path, directory: Path, *, recipe: Recipe | None) -> None:
    """Give a directory with a store its recipe and its place; raise Conflict where one is."""
    name = directory.name
    if directory.exists():
        raise Conflict(f"There is a collection {name!r} already. Use it, or take another name.")
    with _disk(f"The collection {name!r} was not put in its place"):
        if recipe is not None:
            _write_recipe(prepared, recipe)
        prepared.rename(directory)
        sync(directory.parent)


def _write_recipe(directory: Path, recipe: Recipe) -> None:
    content = msgspec.json.format(msgspec.json.encode(recipe), indent=1) + b"\n"
    replace_file(directory / FILE, content)


def move_aside(home: Path, name: str) -> Path:
    """Take a collection out of use and return where all of it lies now.

    Whoever has it open is refused from then on. Raises NotFound where there is none.
    """
    directory = directory_of(home, name)
    if not directory.is_dir():
        raise unknown(name)
    aside = home / "deleted" / f"{name}-{datetime.now(UTC).strftime(_STAMP)}"
    with _disk(f"The collection {name!r} was not deleted"):
        aside.parent.mkdir(exist_ok=True)
        directory.rename(aside)
        sync(aside.parent)
        sync(directory.parent)
    return aside


def unknown(name: str) -> NotFound:
    """Return the error for a name of no collection; others are not named: not all may know them."""
    return NotFound(
        f"There is no collection {name!r}. See which there are: rag collections list, or GET "
        "/v1/collections; make one: rag collections create NAME."
    )


@contextmanager
def _disk(outcome: str) -> Iterator[None]:
    """Turn what the operating system raises inside into errors that say what to do."""
    try:
        yield
    except OSError as error:
        raise StoreError(
            f"{outcome}: {error}. Check the disk, the directory's permissions and the limit of "
            "open files."
        ) from error
