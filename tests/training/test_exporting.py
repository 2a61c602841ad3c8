import numpy as np
import onnxruntime
import pytest
import torch

from rag.chunks import Chunk
from rag.reading.onnx import OnnxReader
from rag.reading.windows import WindowCutter, WindowSize
from rag.training.data import read_examples
from rag.training.evaluation import predict, read_with
from rag.training.exporting import build_graph, export, quantised
from rag.training.features import pad
from rag.training.model import load_model
from rag.training.smoothing import channel_ranges, factors


@pytest.fixture(scope="module")
def windows(trained, options):
    cutter = WindowCutter(trained / "tokenizer.json", WindowSize(tokens=96))
    return [
        cutter.cut(example.question, [example.context])[0][0]
        for example in read_examples(options.data)
    ]


def logits(graph, window):
    session = onnxruntime.InferenceSession(graph.SerializeToString())
    return session.run(
        ("start", "end", "relevance"), {"ids": window.ids[None], "types": window.types[None]}
    )


def test_the_float_graph_computes_what_the_model_computes(trained, windows):
    model = load_model(trained).eval()
    graph = build_graph(model, int8=False)
    for window in windows[:4]:
        with torch.inference_mode():
            expected = model(*pad([window]))
        for got, wanted in zip(logits(graph, window), expected, strict=True):
            np.testing.assert_allclose(got, wanted.numpy(), atol=1e-4)


@pytest.mark.parametrize("smoothed", [True, False])
def test_the_int8_graph_stays_close(trained, windows, smoothed):
    model = load_model(trained).eval()
    ranges = channel_ranges(model, windows) if smoothed else {}
    graph = build_graph(model, int8=True, ranges=ranges)
    for window in windows[:4]:
        with torch.inference_mode():
            expected = model(*pad([window]))
        passage = slice(window.first, window.last)
        start = logits(graph, window)[0][0, passage]
        reference = expected.start[0, passage].numpy()
        assert np.abs(start - reference).max() < 0.1 * np.ptp(reference) + 0.1


def test_ranges_are_those_of_the_layers_inputs(trained, windows):
    """The heads read the last layer: its largest values are their ranges."""
    model = load_model(trained).eval()
    ranges = channel_ranges(model, windows[:1])
    with torch.inference_mode():
        ids, types, mask = pad(windows[:1])
        hidden = model.encoder(input_ids=ids, token_type_ids=types, attention_mask=mask)
    largest = hidden.last_hidden_state.abs().amax((0, 1)).numpy()
    np.testing.assert_allclose(ranges["span"], largest, rtol=1e-5)


def test_smoothing_evens_out_a_loud_channel():
    """A channel a hundred times louder than the others is at most a few times louder after."""
    ranges = np.array([100.0, 1.0, 1.0], dtype=np.float32)
    evened = ranges / factors(ranges, np.ones((3, 4), dtype=np.float32))
    assert evened.max() / evened.min() < 3


@pytest.mark.parametrize("axis", [0, 1])
def test_quantised_values_are_within_half_a_step(axis):
    matrix = np.random.default_rng(3).normal(size=(20, 30)).astype(np.float32)
    rounded, scales = quantised(matrix, axis=axis)
    steps = np.expand_dims(scales, axis)
    assert rounded.dtype == np.int8
    assert np.abs(rounded * steps - matrix).max() <= steps.max() / 2 + 1e-6


def test_the_exported_reader_finds_what_the_model_finds(trained, options, tmp_path):
    """In float, reading through ONNX Runtime gives the spans that torch gives."""
    examples = read_examples(options.data)
    reader = OnnxReader(export(trained, tmp_path, name="tiny-1", samples=[], int8=False))
    assert reader.name == "tiny-1"
    expected = predict(load_model(trained), trained / "tokenizer.json", examples)
    for got, wanted in zip(read_with(reader, examples), expected, strict=True):
        assert got.text == wanted.text
        assert got.score == pytest.approx(wanted.score, abs=1e-3)
        assert got.relevance == pytest.approx(wanted.relevance, abs=1e-3)


def test_int8_scores_do_not_depend_on_the_other_chunks(trained, options, tmp_path):
    reader = OnnxReader(export(trained, tmp_path, name="tiny-1", samples=[]), threads=2)
    examples = read_examples(options.data)[:6]
    chunks = [
        Chunk(
            id=number,
            document=str(number),
            start=0,
            end=len(example.context),
            text=example.context * (number + 1),
            section=(),
            page=None,
            tokens=0,
        )
        for number, example in enumerate(examples)
    ]
    question = examples[0].question
    together = reader.read(question, chunks)
    for number, chunk in enumerate(chunks):
        alone = [(span.start, span.end, span.score) for span in reader.read(question, [chunk])]
        among = [(s.start, s.end, s.score) for s in together if s.chunk == number]
        assert alone == among
