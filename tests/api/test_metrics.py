"""`/metrics`, parsed by Prometheus' own parser and compared with what was counted by hand."""

import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest
from litestar.testing import TestClient
from prometheus_client import Metric
from prometheus_client.parser import text_string_to_metric_families

from rag.api.app import create_app
from rag.api.prometheus import Metrics, State
from rag.api.protection import OPEN
from rag.api.readiness import Readiness
from rag.api.service import Service
from rag.errors import ModelError
from rag.home import Home
from rag.keys import KeyFile
from rag.stages import Outcome, observed_by, stage, tell
from tests.services import FakeOpening, make_service

Figures = dict[tuple[str, frozenset[tuple[str, str]]], float]


def figures(text: str) -> Figures:
    """Return each sample's value by its name and labels."""
    return {
        (sample.name.removeprefix("chapterverse_"), frozenset(sample.labels.items())): sample.value
        for family in families(text)
        for sample in family.samples
    }


def families(text: str) -> list[Metric]:
    return list(text_string_to_metric_families(text))


def key(name: str, **labels: str) -> tuple[str, frozenset[tuple[str, str]]]:
    return name, frozenset(labels.items())


@pytest.fixture
def opening(tmp_path: Path) -> FakeOpening:
    return FakeOpening(tmp_path / "home")


@pytest.fixture
def service(tmp_path: Path, opening: FakeOpening) -> Service:
    return make_service(tmp_path / "home", opening)


@pytest.fixture
def client(service: Service) -> Iterator[TestClient[Any]]:
    with TestClient(create_app(service), raise_server_exceptions=False) as opened:
        yield opened


@pytest.fixture
def scrape(client: TestClient[Any]) -> Callable[[], Figures]:
    def scraped() -> Figures:
        response = client.get("/metrics")
        assert response.status_code == 200, response.text
        assert response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8"
        return figures(response.text)

    return scraped


def add(client: TestClient[Any], text: str, *, uri: str, collection: str = "default") -> None:
    body = {"text": text, "uri": uri, "collection": collection}
    assert client.post("/v1/documents", json=body).status_code == 201


def test_requests_are_counted(client: TestClient[Any], scrape: Callable[[], Figures]) -> None:
    """By route, method and status; each path that leads nowhere and each odd method is one."""
    for name in ("a", "b", "c"):
        client.get(f"/v1/documents/{name}")
        client.get(f"/nothing/{name}")
        client.request(f"ODD{name}", "/v1/ask")
    client.post("/v1/ask", json={"question": "Who?"})
    client.post("/v1/ask", json={"question": ""})
    client.head("/")
    found = scrape()
    counted = {
        (labels["route"], labels["method"], labels["status"]): value
        for (name, pairs), value in found.items()
        if name == "http_requests_total" and (labels := dict(pairs))
    }
    assert counted == {
        ("/v1/documents/{document_id}", "GET", "404"): 3,
        ("unknown", "GET", "404"): 3,
        ("/v1/ask", "other", "405"): 3,
        ("/v1/ask", "POST", "200"): 1,
        ("/v1/ask", "POST", "400"): 1,
        ("/", "HEAD", "200"): 1,
    }
    duration = "http_request_duration_seconds"
    assert found[key(f"{duration}_count", route="/v1/ask", method="POST")] == 2
    assert found[key(f"{duration}_bucket", route="/v1/ask", method="POST", le="+Inf")] == 2
    assert found[key("http_requests_in_flight")] == 1  # the scrape itself


def test_questions_are_counted(client: TestClient[Any], scrape: Callable[[], Figures]) -> None:
    """Stages, outcomes and the confidence of the best answer, given or withheld."""
    client.post("/v1/ask", json={"question": "Where lives the owl?"})  # nothing to read
    add(client, "The owl lives in a tree.", uri="a")
    client.post("/v1/ask", json={"question": "Where lives the owl?"})
    client.post("/v1/ask", json={"question": "Where lives the owl?"})
    question = {"question": "Where lives the owl?", "min_confidence": 1.0}
    client.post("/v1/ask", json=question)  # the fakes are sure to 0.9933
    nobody = {"question": "Where lives the owl?", "filters": {"documents": ["none"]}}
    client.post("/v1/ask", json=nobody)
    client.post("/v1/search", json={"question": "Where lives the owl?"})
    found = scrape()
    assert found[key("questions_total")] == 5
    abstentions = {
        dict(labels)["reason"]: value
        for (name, labels), value in found.items()
        if name == "abstentions_total"
    }
    assert abstentions == {"empty_index": 1, "no_passage": 1, "no_span": 0, "low_confidence": 1}
    stages = [found[key("stage_duration_seconds_count", stage=s)] for s in ("retrieve", "read")]
    assert stages == [6, 5]
    assert found[key("stage_duration_seconds_count", stage="answer")] == 5
    assert found[key("answer_confidence_count")] == 3
    assert found[key("answer_confidence_sum")] == pytest.approx(3 * 0.99330714907)
    assert found[key("answer_confidence_bucket", le="0.9")] == 0
    assert found[key("answer_confidence_bucket", le="1.0")] == 3


def test_open_collections_are_told(
    client: TestClient[Any], scrape: Callable[[], Figures], opening: FakeOpening, service: Service
) -> None:
    """Those in use, with generation, documents and chunks; a scrape opens none."""
    add(client, "One line.\nAnother line.", uri="a")
    add(client, "A third line.", uri="b")
    for name in ("second", "third"):
        assert client.post("/v1/collections", json={"name": name}).status_code == 201
    add(client, "One line.", uri="a", collection="second")
    opened = list(opening.opened)
    found = scrape()
    told = {
        (dict(labels)["collection"], name.removeprefix("collection_")): value
        for (name, labels), value in found.items()
        if name.startswith("collection_")
    }
    assert {name: value for (c, name), value in told.items() if c == "default"} == {
        "readable": 1,
        "generation": 2,
        "documents": 2,
        "chunks": 3,
    }
    assert {name: value for (c, name), value in told.items() if c == "second"} == {
        "readable": 1,
        "generation": 1,
        "documents": 1,
        "chunks": 1,
    }
    assert {collection for collection, _ in told} == set(service.home.open_stores())
    assert opening.opened == opened


def test_a_collection_that_cannot_be_read_is_told(
    client: TestClient[Any], scrape: Callable[[], Figures], opening: FakeOpening
) -> None:
    """Its other figures are left out; the rest is told as ever."""
    add(client, "One line.", uri="a")
    opening.catalog.remove("default")
    found = scrape()
    assert found[key("collection_readable", collection="default")] == 0
    assert key("collection_documents", collection="default") not in found
    assert (
        found[key("http_requests_total", route="/v1/documents", method="POST", status="201")] == 1
    )


def state(service: Service, *, ready: bool = True) -> State:
    return State(service.home, workers={"models": service.models}, ready=ready)


def test_queues_are_told(client: TestClient[Any], service: Service, opening: FakeOpening) -> None:
    """How many calls wait or run, how many may, and how many requests are not answered."""
    go_on = threading.Event()

    class Slow:
        def ask(self, *_: object, **__: object) -> None:
            assert go_on.wait(10)
            raise ValueError("slow")

    opening.answerer = Slow()
    body = {"json": {"question": "Who?"}}
    asking = [threading.Thread(target=client.post, args=["/v1/ask"], kwargs=body) for _ in "123"]
    for thread in asking:
        thread.start()
    try:
        for _ in range(1000):
            if service.models.waiting == 3:
                break
            time.sleep(0.01)
        found = figures(service.metrics.render(state(service)).decode())
    finally:
        go_on.set()
        for thread in asking:
            thread.join()
    assert found[key("worker_queue_depth", worker="models")] == 3
    assert found[key("worker_queue_capacity", worker="models")] == 4
    assert found[key("http_requests_in_flight")] == 3
    found = figures(service.metrics.render(state(service)).decode())
    assert found[key("worker_queue_depth", worker="models")] == 0
    assert found[key("http_requests_in_flight")] == 0
    assert found[key("http_requests_total", route="/v1/ask", method="POST", status="500")] == 3


def test_readiness_is_told(tmp_path: Path) -> None:
    """1 while questions are answered; 0 where a question fails, though requests are taken."""
    service = make_service(tmp_path / "home")
    fails = False

    def ask() -> None:
        if fails:
            raise ModelError("The model is gone.")

    service = replace(service, readiness=Readiness(service.models, ask))
    with TestClient(create_app(service)) as client:
        assert figures(client.get("/metrics").text)[key("ready")] == 1
    service = make_service(tmp_path / "another")
    fails = True
    service = replace(service, readiness=Readiness(service.models, ask))
    with TestClient(create_app(service)) as client:
        assert figures(client.get("/metrics").text)[key("ready")] == 0


def test_figures_need_the_scope_admin(tmp_path: Path) -> None:
    """They tell of all collections, and so does a key with that scope reach all."""
    service = make_service(tmp_path / "home")
    keys = KeyFile(service.home.path)
    secrets = {
        "admin": keys.create("admin", scopes=["admin"]),
        "others": keys.create("others", scopes=["ask", "write"]),
    }
    protection = replace(OPEN, keys=keys)
    with TestClient(create_app(service, protection=protection)) as client:
        found = {
            name: client.get("/metrics", headers={"Authorization": f"Bearer {made[1]}"}).status_code
            for name, made in secrets.items()
        }
        assert client.get("/metrics").status_code == 401
    assert found == {"admin": 200, "others": 403}


def test_names_follow_the_conventions(client: TestClient[Any]) -> None:
    """Every figure of ours has the prefix, a help, a base unit, and `_total` where it counts."""
    add(client, "One line.", uri="a")
    client.post("/v1/ask", json={"question": "Which line?"})
    found = families(client.get("/metrics").text)
    names = [family.name for family in found]
    assert len(set(names)) == len(names)
    assert all(name.startswith(("chapterverse_", "process_", "python_")) for name in names)
    for family in found:
        assert family.documentation
        for sample in family.samples:
            if family.type == "counter":
                assert sample.name.endswith("_total")
            for unit in ("_ms", "_milliseconds", "_kilobytes", "_minutes"):
                assert unit not in sample.name
    build = next(family for family in found if family.name == "chapterverse_build_info")
    assert build.samples[0].labels["version"] == version("chapterverse")
    assert "process_resident_memory_bytes" in names


def test_stages_and_outcomes_reach_the_observers() -> None:
    """Of their own context only; a stage that fails is measured too, a model's loading is kept."""
    metrics, other = Metrics(), Metrics()
    outcome = Outcome(question="Who?", answers=(), confidence=0.25, abstention="low_confidence")
    with observed_by([metrics]):
        with pytest.raises(ValueError, match="no"), stage("read"):
            raise ValueError("no")
        with stage("load_reader"):
            pass
        tell(outcome)
    with observed_by([other]), stage("answer"):
        pass
    tell(outcome)
    home = Home(Path("nowhere"), FakeOpening(Path("nowhere")))
    found, others = (
        figures(each.render(State(home, workers={}, ready=False)).decode())
        for each in (metrics, other)
    )
    counted = [
        [all_[key("stage_duration_seconds_count", stage=name)] for name in ("read", "answer")]
        for all_ in (found, others)
    ]
    assert counted == [[1, 0], [0, 1]]
    assert found[key("questions_total")] == 1
    assert others[key("questions_total")] == 0
    assert found[key("answer_confidence_bucket", le="0.2")] == 0
    assert found[key("answer_confidence_bucket", le="0.3")] == 1
    assert 0 <= found[key("model_load_seconds", model="reader")] < 1
    assert key("model_load_seconds", model="reader") not in others
    assert found[key("ready")] == 0
