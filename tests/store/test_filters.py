"""Filters, against plain Python."""

from rag.store import Filters


def test_filters_know_whether_they_let_all_pass() -> None:
    """Only filters without any condition are empty; a list of no documents is a condition."""
    assert Filters().empty
    assert not Filters(documents=()).empty
    assert not Filters(metadata=(("a", ""),)).empty
