"""Checksums of rows and of sets, against values computed by hand."""

import hashlib
import random

from rag.store.checksums import NOTHING, added, checksum, removed


def test_a_checksum_is_that_of_the_written_form() -> None:
    """BLAKE2b of 16 bytes over MessagePack, here spelled out by its table of formats."""
    form = bytes.fromhex("95 a161 03 c0 c40100 d1ff38")
    expected = hashlib.blake2b(form, digest_size=16).digest()
    assert checksum(("a", 3, None, b"\x00", -200)) == expected
    assert len(expected) == len(NOTHING) == 16


def test_rows_that_differ_in_types_or_borders_have_other_checksums() -> None:
    """Text and bytes, null and empty, number and digits, and other cuts of the same letters."""
    rows = [
        ("ab", "c"),
        ("a", "bc"),
        ("abc",),
        ("ab", b"c"),
        ("", "abc"),
        (None, "abc"),
        (b"", "abc"),
        ("1", "abc"),
        (1, "abc"),
        (1.0, "abc"),
    ]
    assert len({checksum(row) for row in rows}) == len(rows)


def test_the_checksum_of_a_set_follows_its_rows_in_any_order() -> None:
    """It is their sum modulo 2^128: after all rows left again, that of nothing."""
    rng = random.Random(1)
    rows = [rng.randbytes(16) for _ in range(50)]
    total = added(NOTHING, rows)
    assert int.from_bytes(total) == sum(map(int.from_bytes, rows)) % 2**128
    assert added(added(NOTHING, rows[25:]), rows[:25]) == total
    assert removed(total, rows[10:]) == added(NOTHING, rows[:10])
    rng.shuffle(rows)
    assert removed(total, rows) == NOTHING
    assert added(b"\xff" * 16, [b"\x00" * 15 + b"\x01"]) == NOTHING
