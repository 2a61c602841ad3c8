"""Questions over HTTP: answers whose citations check out, filters, searches, verification."""

from collections.abc import Callable
from typing import Any

import pytest
from litestar import Litestar
from litestar.testing import TestClient

Client = TestClient[Litestar]

INJURED = "How many soldiers were injured in May 2023?"
UNANSWERABLE = "What is the boiling point of tungsten hexafluoride?"


def citations(response: Any) -> list[Any]:
    return [citation for answer in response["answers"] for citation in answer["citations"]]


def test_the_best_answer_is_the_sentence_that_says_it(ask: Callable[..., Any]) -> None:
    """The seeds say 93, in two documents; answers lie best first and name their reader."""
    response = ask(INJURED)
    assert response["question"] == INJURED
    assert "93" in response["answers"][0]["text"]
    assert response["abstention"] is None
    assert response["reader"]
    confidences = [answer["confidence"] for answer in response["answers"]]
    assert confidences == sorted(confidences, reverse=True)
    assert all(0 <= confidence <= 1 for confidence in confidences)
    assert {"retrieve", "read", "answer"} == set(response["timings_ms"])


def test_every_citation_is_what_the_document_says_there(
    client: Client, ask: Callable[..., Any]
) -> None:
    """Code point and byte offsets give the quote, the sentence stands around it, ids agree."""
    asked = [ask(q, min_confidence=0.0) for q in (INJURED, "Who is Vjosa Osmani?", UNANSWERABLE)]
    cited = [citation for response in asked for citation in citations(response)]
    assert len(cited) >= 9
    for citation in cited:
        document = citation["document"]
        text = client.get(f"/v1/documents/{document['id']}/text").content.decode()
        start, end = citation["start"], citation["end"]
        assert text[start:end] == citation["quote"]
        in_bytes = text.encode()[citation["start_byte"] : citation["end_byte"]]
        assert in_bytes.decode() == citation["quote"]
        assert text[:start].endswith(citation["before"])
        assert text[end:].startswith(citation["after"])
        detail = client.get(f"/v1/documents/{document['id']}").json()["document"]
        assert {key: detail[key] for key in document} == document
        assert detail["published"] == citation["published"]
    for response in asked:
        for answer in response["answers"]:
            first = answer["citations"][0]
            assert answer["text"] == first["quote"]
            assert answer["sentence"] == first["before"] + first["quote"] + first["after"]


def test_passages_are_slices_of_their_documents(client: Client, ask: Callable[..., Any]) -> None:
    """Each passage is the text at its offsets, under a heading path of its document."""
    response = ask(INJURED, k=4)
    assert len(response["passages"]) == 4
    for passage in response["passages"]:
        document = passage["document"]["id"]
        text = client.get(f"/v1/documents/{document}/text").content.decode()
        assert text[passage["start"] : passage["end"]] == passage["text"]
        sections = client.get(f"/v1/documents/{document}").json()["sections"]
        (around,) = [s for s in sections if s["start"] <= passage["start"] < s["end"]]
        assert around["path"] == passage["section"]


def test_the_same_question_gives_the_same_response(ask: Callable[..., Any]) -> None:
    """Everything but the timings is equal, to the last digit."""
    first, second = ask(INJURED), ask(INJURED)
    del first["timings_ms"], second["timings_ms"]
    assert first == second


@pytest.mark.parametrize("answers", [1, 2, 20])
def test_at_most_so_many_answers(ask: Callable[..., Any], answers: int) -> None:
    """The number asked for bounds the answers, and fewer are the beginning of more."""
    given = [a["text"] for a in ask(INJURED, answers=answers, min_confidence=0.0)["answers"]]
    more = [a["text"] for a in ask(INJURED, answers=20, min_confidence=0.0)["answers"]]
    assert given == more[:answers]
    assert 0 < len(given) <= answers


def test_confidence_below_the_threshold_is_withheld(ask: Callable[..., Any]) -> None:
    """A threshold between two confidences parts them; one that nothing meets makes abstain."""
    everything = ask(INJURED, min_confidence=0.0)["answers"]
    best, second = everything[0]["confidence"], everything[1]["confidence"]
    assert best > second
    kept = ask(INJURED, min_confidence=(best + second) / 2)
    assert [answer["text"] for answer in kept["answers"]] == [everything[0]["text"]]
    none = ask(INJURED, min_confidence=1.0)
    assert none["answers"] == []
    assert none["abstention"]["reason"] == "low_confidence"
    assert "chance" in none["abstention"]["message"]


def test_what_the_documents_do_not_say_is_not_answered(ask: Callable[..., Any]) -> None:
    """The abstention has its reason, and the passages that were read are there to look at."""
    response = ask(UNANSWERABLE)
    assert response["answers"] == []
    assert response["abstention"]["reason"] == "low_confidence"
    assert len(response["passages"]) == 10


ALL_DATES = {"2016-12-08", "2017-01-12", "2023-09-08", "2023-11-20", None}


@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({}, ALL_DATES),
        ({"published_from": "2017-01-12"}, {"2017-01-12", "2023-09-08", "2023-11-20"}),
        ({"published_from": "2017-01-13"}, {"2023-09-08", "2023-11-20"}),
        ({"published_to": "2017-01-12"}, {"2016-12-08", "2017-01-12"}),
        ({"published_from": "2017-01-01", "published_to": "2017-12-31"}, {"2017-01-12"}),
        ({"published_from": "2030-01-01"}, set()),
        ({"media_types": ["text/markdown"]}, ALL_DATES),
        ({"media_types": ["application/pdf"]}, set()),
        ({"media_types": []}, set()),
        ({"metadata": {"publisher": "NATO"}}, {"2023-11-20"}),
        ({"metadata": {"publisher": "NATO", "place": "Brussels"}}, set()),
        ({"metadata": {"nothing": "NATO"}}, set()),
        ({"documents": ["nope"]}, set()),
    ],
)
def test_filters_choose_the_documents_that_may_answer(
    client: Client, filters: Any, expected: set[str | None]
) -> None:
    """Every condition must hold, bounds of dates included."""
    body = {"question": "What about Kosovo?", "filters": filters, "k": 100}
    hits = client.post("/v1/search", json=body).json()["hits"]
    assert {hit["published"] for hit in hits} == expected


def test_only_what_passes_the_filters_is_read_for_answers(ask: Callable[..., Any]) -> None:
    """Answers come from the one document that passes; if none does, that is the reason given."""
    response = ask(INJURED, filters={"metadata": {"publisher": "NATO"}}, min_confidence=0.0)
    assert {citation["published"] for citation in citations(response)} == {"2023-11-20"}
    nothing = ask(INJURED, filters={"metadata": {"publisher": "Nobody"}})
    assert (nothing["answers"], nothing["passages"]) == ([], [])
    assert nothing["abstention"]["reason"] == "no_passage"
    assert "filters" in nothing["abstention"]["message"]


def test_one_document_alone_can_be_searched(client: Client) -> None:
    """With its id in the filter, all of its passages and no others are found."""
    for document in client.get("/v1/documents").json()["documents"][:2]:
        body = {"question": "Kosovo?", "filters": {"documents": [document["id"]]}, "k": 100}
        hits = client.post("/v1/search", json=body).json()["hits"]
        assert {hit["document"]["id"] for hit in hits} == {document["id"]}
        assert len(hits) == document["chunks"]


def test_search_ranks_by_meaning_by_words_or_by_both(client: Client) -> None:
    """Hits lie best first, are at most k, and the lexical ones share a word with the question."""
    found = {}
    for retriever in ("hybrid", "dense", "lexical"):
        body = {"question": "banjska attack", "k": 5, "retriever": retriever}
        response = client.post("/v1/search", json=body)
        assert response.status_code == 200
        hits = response.json()["hits"]
        assert 0 < len(hits) <= 5
        scores = [hit["score"] for hit in hits]
        assert scores == sorted(scores, reverse=True)
        found[retriever] = hits
    for hit in found["lexical"]:
        words = (hit["text"] + " ".join(hit["section"]) + hit["document"]["title"]).lower()
        assert "banjska" in words or "attack" in words
    by_default = client.post("/v1/search", json={"question": "banjska attack", "k": 5})
    assert by_default.json()["hits"] == found["hybrid"]


def test_citations_verify_and_altered_ones_do_not(client: Client, ask: Callable[..., Any]) -> None:
    """A citation as it came is valid; one letter, offset, version or id off, and it is not."""
    response = ask(INJURED)
    cited = citations(response)[0]
    good = {
        "document": cited["document"]["id"],
        "start": cited["start"],
        "end": cited["end"],
        "quote": cited["quote"],
    }
    altered = [
        good,
        good | {"version": cited["document"]["version"]},
        good | {"quote": cited["quote"][:-1] + "x"},
        good | {"start": cited["start"] + 1},
        good | {"end": 10**12},
        good | {"version": "sha256:00"},
        good | {"document": "nope"},
    ]
    verified = client.post("/v1/citations/verify", json={"citations": altered})
    assert verified.status_code == 200
    assert verified.json()["generation"] == response["generation"]
    assert [result["status"] for result in verified.json()["results"]] == [
        "valid",
        "valid",
        "mismatch",
        "mismatch",
        "mismatch",
        "unknown",
        "unknown",
    ]
    assert all(result["message"] for result in verified.json()["results"])


def test_100_citations_of_many_questions_verify(client: Client, ask: Callable[..., Any]) -> None:
    """Every citation that the service gives is one that the service confirms."""
    questions = ("Who attacked the soldiers?", "What is KFOR?", "When did they meet?", INJURED)
    cited = [c for q in questions for c in citations(ask(q, answers=20, min_confidence=0.0))][:100]
    body = [
        {"document": c["document"]["id"], "version": c["document"]["version"]}
        | {key: c[key] for key in ("start", "end", "quote")}
        for c in cited
    ]
    results = client.post("/v1/citations/verify", json={"citations": body}).json()["results"]
    assert len(results) > 40
    assert {result["status"] for result in results} == {"valid"}
