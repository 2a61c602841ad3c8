"""A collection's threshold: kept in its file, and in force only where it was measured."""

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from rag.catalog import names
from rag.components import index_fingerprint
from rag.errors import NotFound, SettingsError
from rag.promises import min_confidence, threshold_file
from rag.reading.calibration import FEATURES, Calibration
from rag.settings import Settings, read_settings
from rag.thresholds import Threshold, calibration_sha256, load_threshold, save_threshold

CALIBRATION = Calibration(weights=(0.5,) * len(FEATURES), bias=-1.0, min_confidence=0.4)


class FakeReader:
    """Has a name and a calibration."""

    def __init__(self, *, name: str = "fake-1", calibration: Calibration = CALIBRATION) -> None:
        self.name = name
        self.calibration = calibration


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return read_settings({"RAG_HOME": str(tmp_path)})


@pytest.fixture
def threshold(settings: Settings) -> Threshold:
    """A threshold of 0.62, kept for the fake reader over an index by these settings."""
    made = Threshold(
        min_confidence=0.62,
        precision=0.9,
        confidence_level=0.95,
        questions=200,
        answered=120,
        right=115,
        reader="fake-1",
        calibration=calibration_sha256(CALIBRATION),
        index=index_fingerprint(settings),
        k=10,
    )
    save_threshold(made, threshold_file(settings))
    return made


def in_force(settings: Settings, reader: FakeReader, *, measuring: bool = False) -> float:
    index = index_fingerprint(settings)
    return min_confidence(settings, reader=reader, index=index, measuring=measuring)  # type: ignore[arg-type]


def test_what_is_kept_is_read_again(settings: Settings, threshold: Threshold) -> None:
    """Whole; without a file there is none; nothing else is left in the directory."""
    file = threshold_file(settings)
    assert load_threshold(file) == threshold
    assert load_threshold(file.with_name("other.json")) is None
    assert list(file.parent.iterdir()) == [file]


def test_the_setting_goes_first_then_the_threshold_then_the_reader(
    settings: Settings, threshold: Threshold
) -> None:
    """Each where the one before it is not given."""
    assert in_force(replace(settings, min_confidence=0.1), FakeReader()) == 0.1
    assert in_force(settings, FakeReader()) == threshold.min_confidence
    threshold_file(settings).unlink()
    assert in_force(settings, FakeReader()) == 0.4


@pytest.mark.usefixtures("threshold")
@pytest.mark.parametrize(
    ("reader", "tokens", "changed"),
    [
        pytest.param(FakeReader(name="fake-2"), 200, r"reader fake-1 \(now fake-2\)", id="reader"),
        pytest.param(
            FakeReader(calibration=replace(CALIBRATION, bias=-1.1)), 200, "calibration", id="bias"
        ),
        pytest.param(FakeReader(), 150, "index", id="chunking"),
    ],
)
def test_a_promise_that_cannot_be_kept_is_refused(
    settings: Settings, reader: FakeReader, tokens: int, changed: str
) -> None:
    """With what differs and what to do; whoever measures anew gets the reader's own threshold."""
    other = replace(settings, chunk_tokens=tokens)
    with pytest.raises(SettingsError, match=rf"promises that 90% .* measured with {changed}"):
        in_force(other, reader)
    assert in_force(other, reader, measuring=True) == 0.4
    assert in_force(replace(other, min_confidence=0.5), reader) == 0.5


def test_beside_a_database_it_lies_in_the_home(settings: Settings, threshold: Threshold) -> None:
    """It is in force there, and makes no directory that would pass for a collection."""
    beside = replace(settings, store="postgresql://db.example.org/index")
    save_threshold(msgspec.structs.replace(threshold, min_confidence=0.71), threshold_file(beside))
    assert in_force(beside, FakeReader()) == 0.71
    assert in_force(settings, FakeReader()) == 0.62
    save_threshold(threshold, threshold_file(beside, collection="other"))
    assert names(settings.home) == ["default"]
    with pytest.raises(NotFound):
        threshold_file(beside, collection="../other")


def test_the_readers_own_threshold_does_not_change_its_calibration() -> None:
    """It takes no part in making a confidence; everything else does."""
    same = replace(CALIBRATION, min_confidence=0.9)
    other = replace(CALIBRATION, weights=(*CALIBRATION.weights[:-1], 0.6))
    assert calibration_sha256(same) == calibration_sha256(CALIBRATION)
    assert calibration_sha256(other) != calibration_sha256(CALIBRATION)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"min_confidence": "high"}', b"\xff"])
def test_a_damaged_file_is_refused(settings: Settings, content: bytes) -> None:
    """It is not taken for none: a promise would silently be gone."""
    file = threshold_file(settings)
    file.parent.mkdir(parents=True)
    file.write_bytes(content)
    with pytest.raises(SettingsError, match="holds no threshold"):
        in_force(settings, FakeReader())


def test_unknown_fields_are_refused(settings: Settings, threshold: Threshold) -> None:
    """A file of another version may promise something else."""
    file = threshold_file(settings)
    other = msgspec.to_builtins(threshold) | {"per": "topic"}
    file.write_bytes(msgspec.json.encode({"threshold": other, "sha256": ""}))
    with pytest.raises(SettingsError, match="per"):
        in_force(settings, FakeReader())


@pytest.mark.usefixtures("threshold")
def test_an_altered_digit_is_noticed(settings: Settings) -> None:
    """A file that still reads well but is not as it was written is refused."""
    file = threshold_file(settings)
    content = file.read_text()
    assert content.count("0.62") == 1
    file.write_text(content.replace("0.62", "0.02"))
    with pytest.raises(SettingsError, match="altered"):
        load_threshold(file)
