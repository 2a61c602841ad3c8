import pytest

from rag.eval.kinds import kind_of


@pytest.mark.parametrize(
    ("question", "kind"),
    [
        ("Who led the work?", "who"),
        ("Whose idea was it?", "who"),
        ("After the war, when did they return?", "when"),
        ("In which year was it built?", "which"),
        ("how many ships came", "how-many"),
        ("How much did it cost?", "how-many"),
        ("How was it built?", "how"),
        ("What's the cost?", "what"),
        ("What’s the cost?", "what"),
        ("Why?", "why"),
        ("Where do they live?", "where"),
        ("Is there a harbour where ships land?", "other"),
        ("Name the king who built it.", "other"),
        ("harbour of Tolvik cost", "keywords"),
        ("cost?", "other"),
        ("the harbour of Tolvik and what it did cost", "what"),
        ("one two three four five six seven", "other"),
        ("", "keywords"),
    ],
)
def test_a_question_is_of_the_kind_of_its_first_question_word(question, kind):
    assert kind_of(question) == kind
