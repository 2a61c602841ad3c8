from dataclasses import replace

import pytest

from rag.training.loop import train
from rag.training.options import TrainingOptions
from tests.training.tiny import invented_examples, write_encoder, write_examples


@pytest.fixture(scope="session")
def options(tmp_path_factory):
    """Tell of a run of some twenty steps on invented questions; `out` is to be replaced."""
    directory = tmp_path_factory.mktemp("tiny")
    return TrainingOptions(
        data=(write_examples(invented_examples(), directory / "invented.jsonl"),),
        out=directory / "unused",
        start_from=write_encoder(directory / "encoder"),
        epochs=2,
        rate=3e-3,
        batch_tokens=120,
        window_tokens=96,
        threads=1,
        checkpoint_every=5,
    )


@pytest.fixture(scope="session")
def trained(options, tmp_path_factory):
    """Return the directory of a finished tiny run."""
    return train(replace(options, out=tmp_path_factory.mktemp("trained")))
