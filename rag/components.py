"""The parts that settings name: embedder, reader, chunks and what reads files."""

from functools import cache
from importlib import resources
from typing import Final

from rag.chunking import ChunkingOptions
from rag.embedding.converted import TOKENIZER, open_converted
from rag.embedding.embedder import Embedder
from rag.embedding.passages import RECIPE
from rag.embedding.tokens import Tokens
from rag.embedding.weights import Weights, find_weights
from rag.reading.calibration import load_calibration
from rag.reading.opening import open_window_reader
from rag.reading.reader import Reader
from rag.settings import Settings
from rag.sources.isolation import IsolatedParser
from rag.sources.limits import Limits

_OVERLAP_TOKENS: Final = 50


@cache
def embedder_weights(embedder: str) -> Weights:
    """Return the files of the embedder of a setting; raise ModelError where they are not there."""
    return find_weights(embedder)


def chunking_options(settings: Settings) -> ChunkingOptions:
    """Return how documents are cut."""
    overlap = min(_OVERLAP_TOKENS, settings.chunk_tokens // 2)
    return ChunkingOptions(max_tokens=settings.chunk_tokens, overlap_tokens=overlap)


def index_fingerprint(settings: Settings) -> str:
    """Return what names all that the chunks and vectors made with the settings depend on."""
    return "; ".join(
        (
            f"embedding model {embedder_weights(settings.embedder).sha256}",
            chunking_options(settings).fingerprint,
            f"passages embedded by rule {RECIPE}",
        )
    )


def build_parser(settings: Settings) -> IsolatedParser:
    """Return what reads files within the settings' limits; has to be closed."""
    return IsolatedParser(parse_limits(settings))


def parse_limits(settings: Settings) -> Limits:
    """Return what reading one file may take."""
    return Limits(
        seconds=settings.parse_seconds,
        memory=settings.parse_bytes,
        characters=settings.parse_characters,
        pages=settings.parse_pages,
    )


def open_tokens(settings: Settings) -> Tokens:
    """Return the embedder's tokenizer without its model, which is converted at its first use."""
    converted = open_converted(embedder_weights(settings.embedder), cache=settings.model_cache)
    return Tokens(converted.directory / TOKENIZER, limit=converted.facts.limit)


def open_embedder(settings: Settings) -> Embedder:
    """Return the embedder, converted into the home at its first use."""
    from rag.embedding.compiled import open_embedder as open_compiled  # noqa: PLC0415  (OpenVINO)

    return open_compiled(
        embedder_weights(settings.embedder), cache=settings.model_cache, threads=settings.threads
    )


def open_reader(settings: Settings, *, embedder: Embedder) -> Reader:
    """Return the reader that the settings name; raise ModelError where it cannot be used."""
    if settings.reader == "sentence":
        from rag.reading.sentence import SentenceReader  # noqa: PLC0415

        calibration = resources.files("rag.reading") / "sentence-calibration.json"
        with resources.as_file(calibration) as file:
            return SentenceReader(embedder, calibration=load_calibration(file))
    if settings.reader == "trained":
        from rag.reading.onnx import OnnxReader  # noqa: PLC0415  (loads ONNX Runtime)

        return OnnxReader(threads=settings.threads)
    return open_window_reader(settings.reader, cache=settings.model_cache, threads=settings.threads)
