"""Directories derived from a source are made anew where they are damaged."""

from pathlib import Path

import msgspec

from rag.derived import Derivation, open_derived


class Facts(msgspec.Struct, frozen=True):
    """How often it was made."""

    made: int


def test_what_others_put_beside_outlives_a_making(tmp_path: Path) -> None:
    """A kept file stays as it is when the others are made anew; any other is lost."""
    made = 0

    def make(directory: Path) -> Facts:
        nonlocal made
        made += 1
        (directory / "model").write_bytes(b"sound")
        return Facts(made)

    derivation = Derivation(
        source="s", recipe=1, files=("model",), facts=Facts, make=make, kept=("fitted", "absent")
    )
    directory = tmp_path / "derived"
    assert open_derived(directory, derivation) == Facts(1)
    (directory / "fitted").write_bytes(b"by hours of work")
    (directory / "other").touch()
    assert open_derived(directory, derivation) == Facts(1)
    (directory / "model").write_bytes(b"damaged")
    assert open_derived(directory, derivation) == Facts(2)
    assert {path.name for path in directory.iterdir()} == {"model", "fitted", "stamp.json"}
    assert (directory / "model").read_bytes() == b"sound"
    assert (directory / "fitted").read_bytes() == b"by hours of work"
    assert [path.name for path in tmp_path.iterdir()] == ["derived"]
