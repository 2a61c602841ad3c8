"""A tiny encoder and invented questions, small enough to train within a test."""

import json
from dataclasses import asdict
from pathlib import Path

import torch
from tokenizers import Tokenizer
from tokenizers.models import WordPiece
from tokenizers.normalizers import BertNormalizer
from tokenizers.pre_tokenizers import BertPreTokenizer
from tokenizers.processors import BertProcessing
from transformers import BertConfig

from rag.training.data import Example, Gold
from rag.training.model import SpanModel, save_model

TOWNS = ["Tolvik", "Ravnby", "Skarmo", "Ostrand", "Lindvar", "Hamsoy", "Brekkow", "Falstad"]
PEOPLE = ["Maren Solberg", "Ivo Hjort", "Ada Ness", "Tor Brandt", "Lise Moe", "Ole Dahl"]


def invented_examples() -> list[Example]:
    """Return questions on passages about towns; every fourth is not answered by its passage."""
    examples = []
    for number in range(24):
        town, person = TOWNS[number % len(TOWNS)], PEOPLE[number % len(PEOPLE)]
        year = str(1850 + 7 * number)
        context = (
            f"The harbour of {town} was built in {year}. The work was led by {person}. "
            f"Before that, boats were drawn up on the beach."
        )
        text, question = (
            (year, f"When was the harbour of {town} built?")
            if number % 2
            else (person, f"Who led the work on the harbour of {town}?")
        )
        answers = (Gold(text=text, start=context.index(text)),)
        examples.append(
            Example(
                id=f"q{number}",
                source="invented",
                title=town,
                context=context,
                question=question if number % 4 else f"What did the harbour of {town} cost?",
                answers=answers if number % 4 else (),
            )
        )
    return examples


def write_examples(examples: list[Example], file: Path) -> Path:
    """Write examples as JSON lines."""
    file.write_text("".join(json.dumps(asdict(example)) + "\n" for example in examples))
    return file


def write_encoder(directory: Path) -> Path:
    """Write a random two-layer encoder with a tokenizer for the invented passages."""
    texts = [f"{example.context} {example.question}" for example in invented_examples()]
    words = sorted({word.strip(".?,").lower() for text in texts for word in text.split()})
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", ".", ",", "?", *words]
    vocabulary = {piece: number for number, piece in enumerate(pieces)}
    tokenizer = Tokenizer(WordPiece(vocabulary, unk_token="[UNK]"))  # noqa: S106
    tokenizer.normalizer = BertNormalizer()
    tokenizer.pre_tokenizer = BertPreTokenizer()
    tokenizer.post_processor = BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    torch.manual_seed(1)
    config = BertConfig(
        vocab_size=len(vocabulary),
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=384,
    )
    save_model(SpanModel(config), directory)
    tokenizer.save(str(directory / "tokenizer.json"))
    return directory
