"""From which confidence on a collection's answers are given, and what that promises."""

from pathlib import Path
from typing import Final

from rag.catalog import directory_of
from rag.errors import SettingsError
from rag.reading.reader import Reader
from rag.settings import DEFAULT_COLLECTION, Settings
from rag.thresholds import FILE, changed_since, load_threshold

_BESIDE_A_DATABASE: Final = "thresholds"


def threshold_file(settings: Settings, *, collection: str = DEFAULT_COLLECTION) -> Path:
    """Return where a collection's threshold lies, if it has one.

    It goes where the collection goes, into a snapshot or out of use, as long as that is a
    directory. Beside a database it is in the home, for it holds for the reader of this service,
    which need not be that of another one over the same collection.
    """
    directory = directory_of(settings.home, collection)
    if settings.store:
        return settings.home / _BESIDE_A_DATABASE / f"{directory.name}.json"
    return directory / FILE


def min_confidence(
    settings: Settings,
    *,
    collection: str = DEFAULT_COLLECTION,
    reader: Reader,
    index: str,
    measuring: bool = False,
) -> float:
    """Return the confidence from which on answers are given from a collection, by its settings.

    The setting goes before the collection's threshold, and that before the reader's own. Raises
    SettingsError where the threshold cannot keep its promise with this reader and an index of this
    fingerprint, unless this is for `measuring`.
    """
    if settings.min_confidence is not None:
        return settings.min_confidence
    file = threshold_file(settings, collection=collection)
    threshold = load_threshold(file)
    if threshold is None:
        return reader.calibration.min_confidence
    changed = changed_since(
        threshold, reader=reader.name, calibration=reader.calibration, index=index
    )
    if not changed:
        return threshold.min_confidence
    if measuring:
        return reader.calibration.min_confidence
    raise SettingsError(
        f"{file} promises that {threshold.precision:.0%} of the answers are right, which was "
        f"measured with {'; '.join(changed)}. Measure again (rag eval run, then rag eval "
        "threshold), or give the promise up: delete the file or set RAG_MIN_CONFIDENCE."
    )
