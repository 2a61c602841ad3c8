"""The default embedder agrees with sentence-transformers in float32."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from rag.embedding.reference import ReferenceEmbedder
from rag.embedding.weights import find_weights

TEXTS = [
    "NATO has deployed a thousand additional troops to Kosovo.",
    "Who is the Secretary General of NATO?",
    "",
    "Die Sitzung begann um acht Uhr. " * 3,
    "日本語の文章です。😀 e\u0301",
    "shared_buffers sets the amount of memory the server uses. " * 12,
    "A text that is far longer than the model reads. " * 200,
    *(f"Sentence {i} is about the number {i * i}. " * (i % 9 + 1) for i in range(20)),
]


def test_agrees_with_the_reference(minilm):
    """Each vector has the direction of that of sentence-transformers, in the order given."""
    reference = ReferenceEmbedder(find_weights("minilm"))
    assert (minilm.dim, minilm.tokens.limit) == (reference.dim, reference.tokens.limit)
    assert (minilm.dim, minilm.tokens.limit) == (384, 256)
    assert minilm.fingerprint == reference.fingerprint
    expected = reference.embed_passages(TEXTS)
    rows = minilm.embed_passages(TEXTS)
    assert rows.dtype == np.float32
    assert np.sum(rows * expected, axis=1).min() > 0.9995
    likeness = expected @ expected.T
    assert np.abs(rows @ rows.T - likeness).max() < 0.01
    question = TEXTS[1]
    assert minilm.embed_question(question) @ reference.embed_question(question) > 0.9995


def test_rows_are_unit_vectors(minilm):
    """Every row has length one, also that of an empty text."""
    assert np.abs(np.linalg.norm(minilm.embed_passages(TEXTS), axis=1) - 1).max() < 1e-5
    assert abs(np.linalg.norm(minilm.embed_question(TEXTS[0])) - 1) < 1e-5


def test_nothing_in_nothing_out(minilm):
    """No texts give no rows, of the right width."""
    assert minilm.embed_passages([]).shape == (0, 384)


def test_same_bytes_again(minilm):
    """The same list gives the same bytes, also while other threads embed."""
    expected = minilm.embed_passages(TEXTS), minilm.embed_question("Where?")
    with ThreadPoolExecutor(4) as pool:
        rows = [pool.submit(minilm.embed_passages, TEXTS) for _ in range(3)]
        questions = [pool.submit(minilm.embed_question, "Where?") for _ in range(20)]
    assert all(job.result().tobytes() == expected[0].tobytes() for job in rows)
    assert all(job.result().tobytes() == expected[1].tobytes() for job in questions)


def test_neighbours_change_a_vector_by_rounding_alone(minilm):
    """A text alone and among longer ones has nearly the same vector."""
    alone = np.vstack([minilm.embed_passages([text]) for text in TEXTS])
    assert np.sum(alone * minilm.embed_passages(TEXTS), axis=1).min() > 0.9995


def test_slices_are_put_together(minilm, monkeypatch):
    """More texts than one slice holds come back complete and in order."""
    expected = minilm.embed_passages(TEXTS)
    monkeypatch.setattr("rag.embedding.compiled._SLICE", 5)
    assert np.sum(minilm.embed_passages(TEXTS) * expected, axis=1).min() > 0.9995


def test_few_shapes(minilm, monkeypatch):
    """Texts of all lengths run as one in sixteen of them: each other shape would take memory."""
    shapes = []

    def noted(ids):
        tokens, mask = inputs(ids)
        assert tokens.shape == mask.shape
        assert mask.sum() == sum(map(len, ids))
        shapes.append(tokens.shape[1])
        return [tokens, mask]

    inputs = minilm._inputs
    monkeypatch.setattr(minilm, "_inputs", noted)
    minilm.embed_passages(["word " * n for n in range(400)])
    assert set(shapes) == set(range(16, 257, 16))


@pytest.mark.parametrize("text", ["\ud800", "\x00", "\u200b" * 50])
def test_odd_texts(minilm, text):
    """Texts without a proper character still have a vector."""
    assert np.isfinite(minilm.embed_question(text)).all()
