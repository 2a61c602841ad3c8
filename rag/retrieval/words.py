"""What counts as the same word: splitting, folding, stop words and stems, by tantivy's analyzer."""

import unicodedata
from typing import Final

import tantivy


class Analyzer:
    """Turns text into the stems of its words, in order, with repetitions.

    Case, accents and English endings make no difference; English stop words and words of 80 bytes
    or more are left out.
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
