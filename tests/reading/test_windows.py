from itertools import pairwise

import pytest

from rag.reading.onnx import SHIPPED
from rag.reading.windows import WindowCutter, WindowSize

TEXT = "The lighthouse at Skarven Point was lit in 1871. Its keeper, Ölve Brandt, stayed 30 years."


@pytest.fixture(scope="module")
def cut():
    def cut(text, size=None):
        cutter = WindowCutter(SHIPPED / "tokenizer.json", size or WindowSize())
        return cutter.cut("Who kept the lighthouse?", [text])[0]

    return cut


def test_tokens_and_characters_are_inverse(cut):
    """Characters of an answer give its tokens, and those tokens give the characters back."""
    (window,) = cut(TEXT)
    start = TEXT.index("Ölve")
    end = start + len("Ölve Brandt")
    tokens = window.tokens(start, end)
    assert tokens is not None
    assert window.characters(*tokens) == (start, end)


def test_windows_cover_a_long_passage_and_share_their_overlap(cut):
    size = WindowSize(tokens=40, overlap=10, question=8)
    text = " ".join(f"word{number}" for number in range(60))
    windows = cut(text, size)
    assert all(len(window.ids) <= 40 for window in windows)
    assert windows[0].offsets[0, 0] == 0
    assert windows[-1].offsets[-1, 1] == len(text)
    for one, other in pairwise(windows):
        assert (one.offsets[-10:] == other.offsets[:10]).all()
    assert len(windows) > 2


def test_an_answer_cut_by_the_window_is_not_found_in_it(cut):
    size = WindowSize(tokens=20, overlap=4, question=8)
    windows = cut(TEXT, size)
    end = int(windows[0].offsets[-1, 1])
    assert windows[0].tokens(end - 2, end + 6) is None
    assert windows[0].tokens(end + 3, end + 6) is None


def test_a_passage_without_tokens_has_no_window(cut):
    assert cut(" \n ") == []


def test_question_and_special_tokens_lie_outside_the_passage(cut):
    (window,) = cut(TEXT)
    assert window.types[: window.first].sum() == 0
    assert window.last == len(window.ids) - 1
    assert len(window.offsets) == window.last - window.first
