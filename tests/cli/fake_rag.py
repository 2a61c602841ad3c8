"""`rag` with stand-ins for the models, for tests of how a server starts and stops.

`FAKE_QUESTION_SECONDS` is how long a question takes, `FAKE_LOADING_SECONDS` how long loading.
"""

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from rag import asgi
from rag.api.lifecycle import Lifecycle
from rag.api.readiness import WarmUp
from rag.api.service import Service
from rag.api.worker import Worker
from rag.cli import main
from rag.settings import Settings
from tests import services
from tests.fakes import FakeEmbedder

QUESTION = float(os.environ.get("FAKE_QUESTION_SECONDS", "0.01"))
LOADING = float(os.environ.get("FAKE_LOADING_SECONDS", "0"))


class SlowEmbedder(FakeEmbedder):
    """Takes its time over each question."""

    def embed_question(self, text: str) -> npt.NDArray[np.float32]:
        """Return one unit vector."""
        time.sleep(QUESTION)
        return super().embed_question(text)

    def embed_passages(self, texts: Sequence[str]) -> npt.NDArray[np.float32]:
        """Return unit rows."""
        return np.array([FakeEmbedder.embed_question(self, text) for text in texts], np.float32)


def open_service(settings: Settings) -> Service:
    """Return a service over the settings' home."""
    services.FakeEmbedder = SlowEmbedder  # type: ignore[misc]
    models = Worker("the models", capacity=settings.queue)
    service = services.make_service(
        Path(settings.home),
        models=models,
        queue=settings.queue,
        lifecycle=Lifecycle("loading"),
        request_seconds=settings.request_seconds,
    )
    warm_up = WarmUp(service.home)

    def load() -> None:
        time.sleep(LOADING)
        warm_up()

    readiness: Any = service.readiness
    readiness._ask = load
    return service


if __name__ == "__main__":
    asgi.open_service = open_service  # type: ignore[assignment]
    main()
