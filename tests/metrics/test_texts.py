import random
import string

import pytest

from rag.metrics.texts import contains, exact_match, f1_score, normalised


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("The  Cat's-paw, a (knot)!", "catspaw knot"),
        ("An apple a day", "apple day"),
        ("Athens", "athens"),  # articles are words, not beginnings of words
        ("A.", ""),
        ("the-end", "theend"),  # punctuation goes first, and the article is no word any more
        ("$1,000.50", "100050"),
        ("“quoted”", "“quoted”"),  # ASCII punctuation only
        ("\tone\n two ", "one two"),
    ],
)
def test_answers_are_normalised_as_by_the_official_script(text, expected):
    """Lower case, then ASCII punctuation, articles and extra white space away, in this order."""
    assert normalised(text) == expected


@pytest.mark.parametrize(
    ("text", "golds", "exact", "f1"),
    [
        pytest.param("Ada Ness", ["Ada Ness"], 1.0, 1.0, id="equal"),
        pytest.param("the Ada Ness.", ["ada ness"], 1.0, 1.0, id="equal once normalised"),
        pytest.param("Ness", ["Ada Ness"], 0.0, 2 / 3, id="precision 1, recall 1/2"),
        pytest.param("Ada Ness of Skarmo", ["Ada Ness"], 0.0, 2 / 3, id="precision 1/2, recall 1"),
        pytest.param("Tolvik", ["Ada Ness"], 0.0, 0.0, id="no word in common"),
        pytest.param("b b c", ["b c c"], 0.0, 2 / 3, id="repeated words count as often as in both"),
        pytest.param("Ness", ["Skarmo", "Ness"], 1.0, 1.0, id="the best of several"),
        pytest.param("", ["Ness"], 0.0, 0.0, id="silence where there is an answer"),
        pytest.param("Ness", [], 0.0, 0.0, id="an answer where there is none"),
        pytest.param("", [], 1.0, 1.0, id="silence where there is none"),
        pytest.param("the", [], 1.0, 1.0, id="nothing but an article is silence"),
        pytest.param("", ["the", "..."], 1.0, 1.0, id="golds that are nothing are none"),
        pytest.param("", ["the", "x"], 0.0, 0.0, id="golds that are nothing do not count"),
    ],
)
def test_exact_match_and_f1_by_hand(text, golds, exact, f1):
    """The rules of the SQuAD 2.0 script, each worked out by hand."""
    assert exact_match(text, golds) == exact
    assert f1_score(text, golds) == pytest.approx(f1)


def by_characters(text):
    kept = "".join(c for c in text.lower() if c not in string.punctuation)
    return [word for word in kept.split() if word not in {"a", "an", "the"}]


def test_f1_of_generated_texts():
    """Over 300 random pairs F1 is 2pr/(p+r), with common words struck out one by one."""
    rng = random.Random(1)
    words = ["the", "a", "Cat", "cat,", "dog", "(dog)", "fish", "An", "x.", "-", "y"]
    for _ in range(300):
        text, gold = (" ".join(rng.choices(words, k=rng.randint(0, 6))) for _ in range(2))
        given, wanted = by_characters(text), by_characters(gold)
        left = list(wanted)
        for word in given:
            if word in left:
                left.remove(word)
        common = len(wanted) - len(left)
        if given and wanted and common:
            precision, recall = common / len(given), common / len(wanted)
            expected = 2 * precision * recall / (precision + recall)
        else:
            expected = float(given == wanted)
        assert f1_score(text, [gold]) == pytest.approx(expected), (text, gold)
        assert exact_match(text, [gold]) == float(given == wanted), (text, gold)


def test_containment_is_of_whole_words():
    """Words stand in a row, whatever case and punctuation; part of a word is none."""
    assert contains("It was built in 1850, by Ada Ness.", "ada ness")
    assert not contains("It was built in 1850.", "185")
    assert not contains("Ada of Ness", "Ada Ness")
    assert not contains("anything", "the")
