import random

import pytest
import torch

from rag.reading.windows import WindowCutter, WindowSize
from rag.training.features import batches, collate, unit
from tests.training.tiny import invented_examples

EXAMPLES = invented_examples()


@pytest.fixture(scope="module")
def cutter(options):
    return WindowCutter(options.start_from / "tokenizer.json", WindowSize(tokens=96))


def test_targets_are_the_tokens_of_the_answer(cutter):
    for example in EXAMPLES:
        made = unit(example, [], cutter, random.Random(0))
        assert made is not None
        row = made[0]
        if example.answers:
            start, end = row.window.characters(row.start, row.end)
            assert example.context[start:end] == example.answers[0].text
        else:
            assert (row.start, row.end) == (0, 0)


def test_other_passages_are_rows_without_answer(cutter):
    made = unit(EXAMPLES[1], [EXAMPLES[2].context, " "], cutter, random.Random(0))
    assert made is not None
    assert [row.start > 0 for row in made] == [True, False]


def test_batches_hold_every_unit_once_within_their_tokens(cutter):
    units = [unit(example, [], cutter, random.Random(0)) for example in EXAMPLES]
    grouped = batches([made for made in units if made], 150, random.Random(3))
    assert sorted(id(made) for group in grouped for made in group) == sorted(map(id, units))
    assert all(collate(group).tokens <= 150 for group in grouped)
    assert len(grouped) > 1


def test_padding_is_masked(cutter):
    units = [unit(example, [], cutter, random.Random(0)) for example in EXAMPLES[:2]]
    batch = collate([made for made in units if made])
    lengths = [len(made[0].window.ids) for made in units if made]
    assert batch.mask.sum(dim=1).tolist() == lengths
    assert torch.equal(batch.ids * (1 - batch.mask), torch.zeros_like(batch.ids))
    assert batch.units == [[0], [1]]
