"""A reader that was exported can be trained further from what was exported."""

from dataclasses import replace

import pytest
import torch

from rag.errors import ModelError
from rag.reading.onnx import SHIPPED
from rag.training.exporting import export
from rag.training.importing import import_model
from rag.training.loop import train
from rag.training.model import load_model
from tests.training.tiny import invented_examples, write_encoder


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    return write_encoder(tmp_path_factory.mktemp("trained"))


def test_a_float_export_gives_the_same_weights_back(trained, tmp_path):
    """Every parameter is bit for bit what was exported."""
    exported = export(trained, tmp_path, name="tiny-1", samples=(), int8=False)
    ours, expected = import_model(exported).state_dict(), load_model(trained).state_dict()
    assert ours.keys() == expected.keys()
    for name, value in expected.items():
        assert torch.equal(ours[name], value), name


def test_an_int8_export_gives_them_back_but_for_rounding(trained, tmp_path):
    """Smoothing and scales are undone: a weight is off by half a step of its scale at most."""
    exported = export(trained, tmp_path, name="tiny-1", samples=invented_examples(), int8=True)
    ours, expected = import_model(exported).state_dict(), load_model(trained).state_dict()
    for name, value in expected.items():
        difference = (ours[name] - value).abs().max()
        assert difference <= 0.02 * value.abs().max(), name


def test_the_shipped_reader_can_be_imported():
    """Its size is that of the encoder it was trained from."""
    model = import_model(SHIPPED)
    assert model.encoder.config.num_hidden_layers == 6
    assert sum(value.numel() for value in model.parameters()) == pytest.approx(22.6e6, rel=0.01)


def test_a_graph_of_others_is_refused(tmp_path):
    """What was not exported here is an error that names the file."""
    (tmp_path / "model.onnx").write_bytes(b"\x08\x08")
    with pytest.raises(ModelError, match=r"model\.onnx"):
        import_model(tmp_path)


def test_an_exported_reader_is_trained_further(options, trained, tmp_path):
    """A run that starts from int8 ends with another model of the same shape."""
    exported = export(trained, tmp_path / "int8", name="tiny-1", samples=invented_examples())
    result = train(replace(options, start_from=exported, out=tmp_path / "run", epochs=1))
    before, after = import_model(exported).state_dict(), load_model(result).state_dict()
    assert before.keys() == after.keys()
    assert not torch.equal(before["span.weight"], after["span.weight"])
