"""Passages and questions may be varied in any way that keeps answers where they are."""

import random

import pytest

from rag.training.augmentation import keywords, made_unanswerable, mistype, restyle
from rag.training.negatives import near_passages
from rag.training.passages import add_debris, crop, join_passage, join_sentences, sentence_starts
from tests.training.tiny import invented_examples

EXAMPLES = invented_examples()
VARIATIONS = {
    "crop": lambda example, rng: crop(example, rng, least=20),
    "debris": add_debris,
    "join": lambda example, rng: join_passage(example, "The Moon is round.", rng),
    "sentences": lambda example, rng: join_sentences([example, *EXAMPLES], rng, silent=0.0)[0],
}


@pytest.mark.parametrize("vary", VARIATIONS.values(), ids=VARIATIONS)
def test_answers_stay_where_they_are(vary):
    for seed, example in enumerate(EXAMPLES):
        varied = vary(example, random.Random(seed))
        assert [gold.text for gold in varied.answers] == [gold.text for gold in example.answers]
        for gold in varied.answers:
            assert varied.context[gold.start : gold.end] == gold.text


def test_cropping_keeps_whole_sentences():
    example = EXAMPLES[1]
    starts = {example.context[start:] for start in sentence_starts(example.context)}
    lengths = set()
    for seed in range(30):
        cropped = crop(example, random.Random(seed), least=20).context
        lengths.add(len(cropped))
        assert any(rest.startswith(cropped) for rest in starts)
        assert cropped.rstrip().endswith(".")
    assert len(lengths) > 1


def test_a_passage_that_lost_its_sentence_has_no_answer():
    joined = join_sentences(EXAMPLES, random.Random(1), silent=1.0)
    for example, silent in zip(EXAMPLES, joined, strict=True):
        if silent.answers == () and example.answers:
            assert example.context not in silent.context


def test_the_same_seed_gives_the_same_questions():
    first = [restyle(example.question, random.Random(5)) for example in EXAMPLES]
    assert first == [restyle(example.question, random.Random(5)) for example in EXAMPLES]


def test_keywords_keep_the_words_that_carry_content():
    asked = keywords("Who led the work on the harbour of Tolvik?", random.Random(2))
    assert {"led", "work", "harbour", "Tolvik"} <= set(asked.split())
    assert not {"the", "on", "of"} & set(asked.split())


def test_a_typing_error_changes_one_place():
    for seed in range(20):
        wrong = mistype("When was it built?", random.Random(seed))
        assert abs(len(wrong) - len("When was it built?")) <= 1
    assert mistype("Is it?", random.Random(0)) == "Is it?"


@pytest.mark.parametrize(
    ("question", "gone"),
    [("What happened in 1857?", "1857"), ("Who led the work before that?", "before")],
)
def test_a_question_is_made_unanswerable_by_one_word(question, gone):
    example = EXAMPLES[1]
    asked = type(example)(
        id="x", source="", title="", context=example.context, question=question, answers=()
    )
    changed = made_unanswerable(asked, [], random.Random(0))
    assert changed is not None
    assert changed.answers == ()
    assert gone not in changed.question
    assert len(set(question.split()) ^ set(changed.question.split())) == 2


def test_hard_negatives_do_not_hold_the_answer():
    near = near_passages(EXAMPLES)
    assert near.keys() == {example.id for example in EXAMPLES if example.answers}
    for example in EXAMPLES:
        for passage in near.get(example.id, ()):
            assert passage != example.context
            assert example.answers[0].text not in passage


def test_the_nearest_negative_shares_the_question_s_words():
    """Of all passages only those of the same town share its name."""
    example = EXAMPLES[1]
    assert example.title in near_passages(EXAMPLES)[example.id][0]
