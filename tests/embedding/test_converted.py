"""The converted model is a cache: verified, rebuilt when damaged, made without a network."""

import shutil
import subprocess
import sys

import numpy as np
import pytest

from rag.embedding import conversion
from rag.embedding.compiled import CompiledEmbedder
from rag.embedding.converted import open_converted
from rag.embedding.reference import ReferenceEmbedder
from rag.embedding.weights import find_weights
from rag.errors import ModelError

# In it every attempt at a connection or a look-up of a name fails.
OFFLINE = """
import socket, sys
def refuse(*_, **__):
    raise AssertionError("the network was touched")
socket.socket.connect = socket.create_connection = socket.getaddrinfo = refuse
from pathlib import Path
from rag.embedding.weights import find_weights
from rag.embedding.compiled import open_embedder
embedder = open_embedder(find_weights(sys.argv[1]), cache=Path(sys.argv[2]), threads=1)
assert embedder.embed_question("Who?").shape == (embedder.dim,)
print(sorted({"torch", "transformers", "sentence_transformers"} & set(sys.modules)))
print(getattr(sys.modules["openvino_telemetry"], "__file__", None))
"""


@pytest.fixture(scope="session")
def made(tiny_directory, tmp_path_factory):
    """Convert the tiny model once."""
    cache = tmp_path_factory.mktemp("made")
    return open_converted(find_weights(str(tiny_directory)), cache=cache)


@pytest.fixture
def cached(made, tmp_path, monkeypatch):
    """Give weights, a cache and the converted model in it; converting anew takes no time."""

    def convert(_, directory):
        for name in ("model.xml", "model.bin", "tokenizer.json"):
            shutil.copyfile(made.directory / name, directory / name)
        return made.facts

    monkeypatch.setattr(conversion, "convert", convert)
    directory = tmp_path / made.directory.name
    shutil.copytree(made.directory, directory)
    return made.weights, tmp_path, directory


def stamp_time(directory):
    return (directory / "stamp.json").stat().st_mtime_ns


def test_kept_and_used_again(cached):
    """A second start takes what the first has made, and leaves nothing else in the cache."""
    weights, cache, directory = cached
    before = stamp_time(directory)
    assert open_converted(weights, cache=cache).directory == directory
    assert stamp_time(directory) == before
    assert [path.name for path in cache.iterdir()] == [directory.name]


@pytest.mark.parametrize("name", ["model.bin", "model.xml", "tokenizer.json", "stamp.json"])
def test_damage_is_mended(cached, name):
    """A flipped bit in any file is noticed before the file is used, and the model made anew."""
    weights, cache, directory = cached
    good = (directory / name).read_bytes()
    middle = len(good) // 2
    bad = good[:middle] + bytes([good[middle] ^ 1]) + good[middle + 1 :]
    (directory / name).write_bytes(bad)
    open_converted(weights, cache=cache)
    assert (directory / name).read_bytes() == good
    assert [path.name for path in cache.iterdir()] == [directory.name]


def test_a_missing_file_is_mended(cached):
    """A cache that lost a file is made anew."""
    weights, cache, directory = cached
    (directory / "model.bin").unlink()
    open_converted(weights, cache=cache)
    assert (directory / "model.bin").exists()


def test_an_outdated_recipe_is_made_anew(cached, monkeypatch):
    """What an older version of this code has converted is not used."""
    weights, cache, directory = cached
    before = stamp_time(directory)
    monkeypatch.setattr("rag.embedding.converted.RECIPE", 2)
    open_converted(weights, cache=cache)
    assert stamp_time(directory) > before


def test_a_failed_conversion_leaves_nothing(tiny_directory, tmp_path, monkeypatch):
    """A model that does not agree with the reference is refused, and is not kept."""
    right = ReferenceEmbedder.embed_passages

    def wrong(self, texts):
        return right(self, texts)[:, ::-1]

    monkeypatch.setattr(conversion.ReferenceEmbedder, "embed_passages", wrong)
    with pytest.raises(ModelError, match="agrees with sentence-transformers by"):
        open_converted(find_weights(str(tiny_directory)), cache=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_cache_that_cannot_be_written(tiny_directory, tmp_path):
    """An unwritable cache is an error that names it."""
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(ModelError, match="file"):
        open_converted(find_weights(str(tiny_directory)), cache=tmp_path / "file")


def test_another_directory_with_prompts(made):
    """Any sentence-transformers directory works, with its own pooling, limit and prompts."""
    ours = CompiledEmbedder(made, threads=1)
    theirs = ReferenceEmbedder(made.weights)
    assert (ours.dim, ours.tokens.limit) == (theirs.dim, theirs.tokens.limit) == (32, 32)
    assert ours.fingerprint == theirs.fingerprint
    texts = ["one", "two words", "many words " * 50]
    agreement = np.sum(ours.embed_passages(texts) * theirs.embed_passages(texts), axis=1)
    assert agreement.min() > 0.999
    question = ours.embed_question("one")
    assert question @ theirs.embed_question("one") > 0.999
    assert question @ ours.embed_passages(["one"])[0] < 0.999  # another prompt, another vector


def test_float32_on_cpus_without_bfloat16(made):
    """In float32, as on most CPUs, the agreement with the reference is all but complete."""
    texts = ["one", "two words", "many words " * 50]
    ours = CompiledEmbedder(made, threads=1, precision="f32").embed_passages(texts)
    theirs = ReferenceEmbedder(made.weights).embed_passages(texts)
    assert np.abs(ours - theirs).max() < 1e-5


def test_no_network_and_no_torch(tiny_directory, tmp_path):
    """Nothing connects, OpenVINO's telemetry is out, and only converting loads torch."""
    command = [sys.executable, "-c", OFFLINE, str(tiny_directory), str(tmp_path)]
    first, second = (
        subprocess.run(command, capture_output=True, text=True, check=True).stdout.splitlines()
        for _ in range(2)
    )
    assert first == ["['sentence_transformers', 'torch', 'transformers']", "None"]
    assert second == ["[]", "None"]


def test_a_graph_that_cannot_be_read(cached):
    """A graph that OpenVINO refuses is an error that names the file."""
    weights, cache, directory = cached
    converted = open_converted(weights, cache=cache)
    (directory / "model.xml").write_text("<net>")
    with pytest.raises(ModelError, match=r"model\.xml"):
        CompiledEmbedder(converted, threads=1)
