"""Joining a cluster: what is missing is told before anything is sent anywhere."""

import socket
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pytest

from rag.components import index_fingerprint
from rag.distributed import cluster
from rag.distributed.cluster import cause_of, check, joined, require_token
from rag.errors import ModelError, RagError, SettingsError
from rag.settings import read_settings


@pytest.fixture
def no_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A user without a token."""
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.mark.parametrize("mode", [None, "", "disabled", "k8s"])
@pytest.mark.usefixtures("no_home")
def test_without_token_authentication_no_cluster_is_joined(mode: str | None) -> None:
    """The sentence says what to set, and where; a token alone is not enough."""
    environment = {"RAY_AUTH_TOKEN": "t"} | ({} if mode is None else {"RAY_AUTH_MODE": mode})
    with pytest.raises(SettingsError, match=r"RAY_AUTH_MODE=token .* ~/\.ray/auth_token"):
        require_token(environment)


def test_a_token_is_taken_from_each_of_its_places(no_home: Path) -> None:
    """The environment, the file it names, and the default file; empty ones are none."""
    mode = {"RAY_AUTH_MODE": "token"}
    require_token(mode | {"RAY_AUTH_TOKEN": "t"})
    with pytest.raises(SettingsError, match="auth_token has none"):
        require_token(mode)
    default = no_home / ".ray" / "auth_token"
    default.parent.mkdir()
    default.write_text("t\n")
    require_token(mode | {"RAY_AUTH_TOKEN": ""})
    named = no_home / "named"
    with pytest.raises(SettingsError, match="named has none"):
        require_token(mode | {"RAY_AUTH_TOKEN_PATH": str(named)})
    named.write_text(" \n")
    with pytest.raises(SettingsError, match="named is empty"):
        require_token(mode | {"RAY_AUTH_TOKEN_PATH": str(named)})


@pytest.fixture
def ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let Ray be installed and a token be there."""
    monkeypatch.setattr(cluster, "_require_ray", lambda: None)
    monkeypatch.setenv("RAY_AUTH_MODE", "token")
    monkeypatch.setenv("RAY_AUTH_TOKEN", "t")


@pytest.mark.parametrize(
    "address", ["auto", "local", "ray://10.0.0.1:10001", "10.0.0.1", "a:0", "a:65536"]
)
@pytest.mark.usefixtures("ready")
def test_an_address_that_is_none_is_refused(address: str, tmp_path: Path) -> None:
    """Those that would start a cluster or go by another protocol are none."""
    settings = read_settings({"RAG_HOME": str(tmp_path)})
    with pytest.raises(SettingsError, match=r"HOST:PORT"), joined(address, settings=settings):
        pass


@pytest.mark.usefixtures("ready")
def test_a_cluster_that_is_not_there_is_told_at_once(tmp_path: Path) -> None:
    """Without waiting as long as Ray would."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    settings = read_settings({"RAG_HOME": str(tmp_path)})
    with (
        pytest.raises(RagError, match=rf"at 127\.0\.0\.1:{port} \(Connection refused\)"),
        joined(f"127.0.0.1:{port}", settings=settings),
    ):
        pass


def test_without_ray_one_sentence_says_how_to_install_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before the environment or the network is looked at."""
    monkeypatch.setattr(cluster, "find_spec", lambda _: None)
    settings = read_settings({"RAG_HOME": str(tmp_path)})
    with (
        pytest.raises(SettingsError, match=r'pip install "chapterverse\[ray\]"'),
        joined("127.0.0.1:1", settings=settings),
    ):
        pass


def test_the_cause_of_a_failure_is_told_in_one_line() -> None:
    """An error of this package where there is one among the causes, else the first cause."""
    deep = OSError("No space left")
    own = ModelError("Cannot keep the model.\nNot at all.")
    own.__cause__ = deep
    outer = RuntimeError("task failed\nTraceback")
    outer.__cause__ = own
    assert cause_of(outer) == "Cannot keep the model."
    assert cause_of(deep) == "No space left."
    wrapped = RuntimeError("actor died")
    wrapped.cause = deep  # type: ignore[attr-defined]
    assert cause_of(wrapped) == "No space left."


def test_every_node_has_to_be_trusted_and_to_make_the_same_index(tmp_path: Path) -> None:
    """Each with a token, the head silent, and all with this version, model and chunk size."""
    settings = read_settings({"RAG_HOME": str(tmp_path)})
    nodes = [
        {"NodeManagerAddress": "10.0.0.1", "Resources": {"CPU": 1.0, "node:__internal_head__": 1}},
        {"NodeManagerAddress": "10.0.0.2", "Resources": {"CPU": 1.0}},
    ]

    @dataclass(frozen=True, kw_only=True)
    class Machine:
        version: str = version("chapterverse")
        fingerprint: str = index_fingerprint(settings)
        authenticates: bool = True
        reports: bool = False

    def refusal(head: Machine, other: Machine) -> str:
        with pytest.raises(RagError) as caught:
            check({"10.0.0.1": head, "10.0.0.2": other}, nodes=nodes, settings=settings)
        return str(caught.value)

    fine = Machine()
    check({"10.0.0.1": fine, "10.0.0.2": Machine(reports=True)}, nodes=nodes, settings=settings)
    assert "10.0.0.2 of the cluster takes whoever" in refusal(fine, Machine(authenticates=False))
    assert "(10.0.0.1) sends statistics" in refusal(Machine(reports=True), fine)
    assert "10.0.0.2 of the cluster would make another" in refusal(fine, Machine(version="0.0.9"))
    other = index_fingerprint(replace(settings, chunk_tokens=64))
    assert "at most 64 tokens" in refusal(fine, Machine(fingerprint=other))
