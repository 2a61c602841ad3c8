"""Dates: one day or none."""

import pytest

from rag.sources.dates import iso_day


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("2023-11-20", "2023-11-20"),
        ("2023-11-20T23:59:59+02:00", "2023-11-20"),
        ("D:20230306180657Z", "2023-03-06"),
        ("20 November 2023", "2023-11-20"),
        ("Nov 20, 2023", "2023-11-20"),
        ("25/12/2020", "2020-12-25"),
        ("3/4/2021", None),
        ("May 2021", None),
        ("2021", None),
        ("2021-13-45", None),
        ("D:20230231", None),
        ("yesterday", None),
        ("", None),
        ("9" * 400, None),
    ],
)
def test_iso_day(value, day):
    """A value is a day only if every reader of it would name the same one."""
    assert iso_day(value) == day
