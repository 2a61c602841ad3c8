"""A collection's threshold: the confidence from which on answers keep a promised precision."""

import hashlib
from pathlib import Path
from typing import Final

import msgspec

from rag.durable import replace_file
from rag.errors import SettingsError
from rag.reading.calibration import Calibration

FILE: Final = "threshold.json"


class Threshold(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Answers from `min_confidence` on are right with at least the probability `precision`.

    It was shown to `confidence_level` on `questions` labelled questions, of which `answered` were
    answered and `right` of those rightly. It holds for `k` passages read by the reader named
    `reader` with the calibration of this checksum, over an index of this fingerprint, and for
    questions like those.
    """

    min_confidence: float
    precision: float
    confidence_level: float
    questions: int
    answered: int
    right: int
    reader: str
    calibration: str
    index: str
    k: int


class _Sealed(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a file holds: a flipped digit in it would change, unnoticed, what is answered."""

    threshold: Threshold
    sha256: str


def calibration_sha256(calibration: Calibration) -> str:
    """Return a digest of all that a calibration makes a confidence from."""
    numbers = (*calibration.weights, calibration.bias)
    return hashlib.sha256(msgspec.json.encode(numbers)).hexdigest()


def load_threshold(file: Path) -> Threshold | None:
    """Return a file's threshold, None where there is no file; raise SettingsError for others."""
    try:
        sealed = msgspec.json.decode(file.read_bytes(), type=_Sealed)
        if _seal(sealed.threshold) != sealed.sha256:
            message = "it was altered since it was written"
            raise msgspec.ValidationError(message)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise SettingsError(
            f"{file} holds no threshold ({error}). Delete it, or make it again: rag eval threshold."
        ) from error
    return sealed.threshold


def save_threshold(threshold: Threshold, file: Path) -> None:
    """Put a threshold in a file's place in one step; raise SettingsError where that fails."""
    sealed = _Sealed(threshold=threshold, sha256=_seal(threshold))
    content = msgspec.json.format(msgspec.json.encode(sealed), indent=1) + b"\n"
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        replace_file(file, content)
    except OSError as error:
        raise SettingsError(
            f"{file} cannot be written: {error.strerror}. Check the directory's permissions."
        ) from error


def changed_since(
    threshold: Threshold, *, reader: str, calibration: Calibration, index: str
) -> list[str]:
    """Return what is in force now but was not when a threshold was measured, in words."""
    measured = (threshold.reader, threshold.calibration, threshold.index)
    in_force = (reader, calibration_sha256(calibration), index)
    names = ("reader", "calibration", "index")
    return [
        f"{name} {before} (now {now})"
        for name, before, now in zip(names, measured, in_force, strict=True)
        if before != now
    ]


def _seal(threshold: Threshold) -> str:
    return hashlib.sha256(msgspec.json.encode(threshold)).hexdigest()
