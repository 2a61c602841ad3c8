"""The reference embedder: sentence-transformers on PyTorch, in float32."""

import threading
from collections.abc import Sequence
from typing import Final

import numpy as np
import numpy.typing as npt
from sentence_transformers import SentenceTransformer
from transformers.utils import logging

from rag.embedding.tokens import Tokens
from rag.embedding.weights import Weights
from rag.errors import ModelError

_BATCH = 32


class ReferenceEmbedder:
    """Embeds by sentence-transformers' own code; other embedders are compared with it."""

    def __init__(self, weights: Weights) -> None:
        self.model: Final = _load(weights)
        self._lock: Final = threading.Lock()  # its tokenizer must not be shared by threads
        self.name: Final = weights.name
        self.fingerprint: Final = weights.sha256
        self.dim: Final = int(self.model.get_embedding_dimension() or 0)
        self.tokens: Final = Tokens(
            weights.directory / "tokenizer.json", limit=int(self.model.max_seq_length or 512)
        )

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim), in the order given."""
        if not texts:
            return np.zeros((0, self.dim), np.float32)
        with self._lock:
            rows = self.model.encode_document(
                list(texts), batch_size=_BATCH, normalize_embeddings=True, show_progress_bar=False
            )
        return np.asarray(rows, np.float32)

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector, float32 (dim,)."""
        with self._lock:
            row = self.model.encode_query(text, normalize_embeddings=True, show_progress_bar=False)
        return np.asarray(row, np.float32)


def _load(weights: Weights) -> SentenceTransformer:
    """Load a model without a network; raise ModelError where it cannot be loaded."""
    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    logging.disable_progress_bar()  # type: ignore[no-untyped-call]
    try:
        model = SentenceTransformer(
            str(weights.directory),
            device="cpu",
            local_files_only=True,
            trust_remote_code=False,
            model_kwargs={"use_safetensors": True},
        )
    except Exception as error:  # whatever is wrong with the files, in whatever way it shows
        raise ModelError(
            f"sentence-transformers cannot load {weights.directory}: {error}"
        ) from error
    model.float().eval()
    return model
