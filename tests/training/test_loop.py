import json
from dataclasses import replace

import pytest
import torch
from safetensors.torch import load_file

from rag.training.data import read_examples
from rag.training.evaluation import evaluate, predict, report
from rag.training.features import Batch
from rag.training.loop import Run, loss_of, train
from rag.training.model import Logits, load_model


def weights(directory):
    return load_file(directory / "model.safetensors")


def test_a_killed_run_ends_as_one_that_was_not(options, trained, tmp_path, monkeypatch):
    """Killed in the second epoch, between two checkpoints, and started again: the same weights."""
    step = Run.step

    def killed_at_13(run, batch, planned):
        if run.steps == 13:
            raise KeyboardInterrupt
        step(run, batch, planned)

    with monkeypatch.context() as patch:
        patch.setattr(Run, "step", killed_at_13)
        with pytest.raises(KeyboardInterrupt):
            train(replace(options, out=tmp_path))
    assert not (tmp_path / "model.safetensors").exists()
    resumed = weights(train(replace(options, out=tmp_path)))
    assert resumed.keys() == weights(trained).keys()
    assert all(torch.equal(resumed[name], tensor) for name, tensor in weights(trained).items())


def test_another_seed_gives_other_weights(options, trained, tmp_path):
    other = weights(train(replace(options, out=tmp_path, seed=14)))
    assert any(not torch.equal(other[name], tensor) for name, tensor in weights(trained).items())


def test_training_learns(options, tmp_path):
    """A tiny network learns the invented questions that a fresh one does not know."""
    examples = [example for example in read_examples(options.data) if example.answers]
    fresh = predict(load_model(options.start_from), options.start_from / "tokenizer.json", examples)
    taught = train(
        replace(options, out=tmp_path, epochs=40, augment=False, batch_tokens=800, averaging=0.9)
    )
    assert report(examples, fresh).f1.value < 0.5
    assert evaluate(taught, examples).f1.value > 0.7


def test_metrics_tell_how_a_run_went(trained):
    metrics = json.loads((trained / "metrics.json").read_text())
    assert metrics["log"][-1]["done"] == 1.0
    assert metrics["log"][-1]["tokens"] > 0
    assert metrics["options"]["epochs"] == "2"


def test_a_right_span_in_a_low_window_costs_more_across_passages(options):
    """Two windows of one question; the loss falls when the wrong one stops competing."""
    batch = Batch(
        ids=torch.zeros(2, 4, dtype=torch.long),
        types=torch.ones(2, 4, dtype=torch.long),
        mask=torch.ones(2, 4, dtype=torch.long),
        starts=torch.tensor([2, 0]),
        ends=torch.tensor([2, 0]),
        units=[[0, 1]],
    )
    right = torch.tensor([0.0, 0.0, 5.0, 0.0])

    def loss(rival):
        scores = torch.stack([right, torch.tensor([9.0, 9.0 + rival, 0.0, 0.0])])
        alone = replace(options, relevance_weight=0.0, group_weight=1.0)
        return float(loss_of(Logits(scores, scores, torch.zeros(2)), batch, alone))

    assert loss(rival=4.0) > loss(rival=-4.0) + 0.1
