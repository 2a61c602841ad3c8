"""What counts as the same word: splitting, folding, stop words and stems, by tantivy's analyzer."""

import unicodedata
from collections.abc import Sequence
from typing import Final

import tantivy

# To be raised when the same text gives other stems than before: what databases keep of them is made
# anew then, by `rag store migrate`.
RECIPE: Final = "1"

# A question of more words than this is a pasted text: its first words say what it is about.
_MAX_TERMS: Final = 64


class Analyzer:
    """Turns text into the stems of its words, in order, with repetitions.

    Case, accents and English endings make no difference; English stop words and words of 80 bytes
    or more are left out. Used by one thread at a time.
    """

    def __init__(self) -> None:
        self._analyzer: Final = (
            tantivy.TextAnalyzerBuilder(tantivy.Tokenizer.simple())
            .filter(tantivy.Filter.remove_long(80))
            .filter(tantivy.Filter.lowercase())
            .filter(tantivy.Filter.ascii_fold())
            .filter(tantivy.Filter.stopword("english"))
            .filter(tantivy.Filter.stemmer("english"))
            .build()
        )

    def stems(self, text: str) -> list[str]:
        """Return the stems of the text's words."""
        # The tokenizer takes a combining mark that stands alone for the end of a word.
        return self._analyzer.analyze(unicodedata.normalize("NFC", text))

    def heading_stems(self, title: str, section: Sequence[str]) -> list[str]:
        """Return the stems of what stands above a passage: its document's title, its section."""
        return self.stems(" ".join((title, *section)))

    def question_stems(self, question: str) -> list[str]:
        """Return the stems that a question is ranked by: each once, in order, the first 64."""
        return list(dict.fromkeys(self.stems(question)))[:_MAX_TERMS]
