"""The seam between texts and vectors."""

from collections.abc import Sequence
from typing import Protocol

import numpy as np
import numpy.typing as npt

from rag.embedding.tokens import Tokens


class Embedder(Protocol):
    """Turns texts into unit vectors whose inner product is their likeness.

    Implementations are deterministic: the same list gives the same bytes. A passage's vector may
    depend on its neighbours in the list by rounding alone. They may be called from several threads
    at once.
    """

    @property
    def name(self) -> str:
        """Names the model for people."""
        ...

    @property
    def fingerprint(self) -> str:
        """Names all that vectors depend on: only those of equal fingerprints can be compared."""
        ...

    @property
    def dim(self) -> int:
        """The length of a vector."""
        ...

    @property
    def tokens(self) -> Tokens:
        """The model's tokenizer; a text is cut at `tokens.limit`."""
        ...

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim), in the order given."""
        ...

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector, float32 (dim,)."""
        ...
