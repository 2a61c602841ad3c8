"""The embedder's tokenizer."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

from tokenizers import Tokenizer

from rag.errors import ModelError

_SLICE = 1024


class Tokens:
    """Counts and numbers tokens; may be used by several threads, since nothing in it changes.

    `limit` is the most tokens that the model reads, among them `special` special ones.
    """

    def __init__(self, file: Path, *, limit: int) -> None:
        # Truncation is set once and for each its own tokenizer: to change it while another thread
        # encodes raises "Already borrowed".
        self._whole: Final = _load(file)
        self._cut: Final = _load(file)
        self._cut.enable_truncation(limit)
        self.limit: Final = limit
        self.special: Final[int] = self._whole.num_special_tokens_to_add(is_pair=False)

    def count_tokens(self, texts: Sequence[str]) -> list[int]:
        """Return the number of tokens of each text, without special tokens."""
        return [len(ids) for ids in _encode(self._whole, texts, special=False)]

    def token_starts(self, text: str) -> list[int]:
        """Return the code point offsets at which the tokens of `text` start, ascending."""
        encoding = self._whole.encode(_valid(text), add_special_tokens=False)
        return [start for start, _ in encoding.offsets]

    def ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return each text's token ids with special ones, those beyond `limit` left off."""
        return list(_encode(self._cut, texts, special=True))


def _load(file: Path) -> Tokenizer:
    try:
        tokenizer = Tokenizer.from_file(str(file))
    except Exception as error:  # the library raises nothing narrower
        raise ModelError(f"{file} is no tokenizer that can be read: {error}.") from error
    tokenizer.no_truncation()
    tokenizer.no_padding()
    return tokenizer


def _encode(tokenizer: Tokenizer, texts: Sequence[str], *, special: bool) -> Iterator[list[int]]:
    for first in range(0, len(texts), _SLICE):
        batch = [_valid(text) for text in texts[first : first + _SLICE]]
        for encoding in tokenizer.encode_batch_fast(batch, add_special_tokens=special):
            yield encoding.ids


def _valid(text: str) -> str:
    """Return `text` with a question mark for each lone surrogate, which no tokenizer takes."""
    return text.encode("utf-8", "replace").decode("utf-8")
