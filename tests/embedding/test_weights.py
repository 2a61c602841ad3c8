"""Weights are found, checked, and told apart by their content."""

import shutil

import pytest

from rag.embedding.weights import find_weights, minilm_weights
from rag.errors import ModelError


def test_altered_weights_are_refused(tmp_path):
    """One flipped bit in the published weights is an error that names the file."""
    copy = tmp_path / "minilm"
    shutil.copytree(find_weights("minilm").directory, copy)
    assert minilm_weights(copy).sha256 == find_weights("minilm").sha256
    with (copy / "model.safetensors").open("r+b") as file:
        file.seek(1_000_000)
        byte = file.read(1)[0]
        file.seek(1_000_000)
        file.write(bytes([byte ^ 1]))
    with pytest.raises(ModelError, match=r"model\.safetensors is not the published"):
        minilm_weights(copy)


def test_no_such_directory(tmp_path):
    """A path without a directory is refused by name."""
    with pytest.raises(ModelError, match="nowhere"):
        find_weights(str(tmp_path / "nowhere"))


def test_pickled_weights_are_refused(tmp_path):
    """A directory without safetensors is refused, whatever else lies in it."""
    for name in ("modules.json", "tokenizer.json", "pytorch_model.bin"):
        (tmp_path / name).write_text("{}")
    with pytest.raises(ModelError, match=r"no model\.safetensors"):
        find_weights(str(tmp_path))


def test_other_content_has_another_digest(tmp_path, tiny_directory):
    """The digest depends on the files' content, not on where they lie."""
    copy = tmp_path / "copy"
    shutil.copytree(tiny_directory, copy)
    assert find_weights(str(copy)).sha256 == find_weights(str(tiny_directory)).sha256
    (copy / "config.json").write_text((copy / "config.json").read_text() + "\n")
    assert find_weights(str(copy)).sha256 != find_weights(str(tiny_directory)).sha256
