"""The files that run the service for others: checked, and nginx really put in front of it."""

import configparser
import json
import os
import re
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import httpx
import pytest
import uvicorn

from rag.api.app import create_app
from rag.api.protection import OPEN
from rag.settings import PREFIX, Settings, read_settings
from tests.services import make_service

ROOT = Path(__file__).parent.parent
DEPLOYMENT = ROOT / "rag" / "deployment"
UNIT = DEPLOYMENT / "chapterverse.service"
NGINX = DEPLOYMENT / "nginx.conf"
CONTAINERFILE = (ROOT / "Containerfile").read_text("utf-8")
KNOWN = {PREFIX + field.name.upper() for field in fields(Settings)}
HOST = "rag.example.org"


def instructions(name: str) -> list[str]:
    """Return the arguments of an instruction of the Containerfile, without continuations."""
    joined = CONTAINERFILE.replace("\\\n", " ")
    return re.findall(rf"^{name}\s+(.*)$", joined, flags=re.MULTILINE)


def test_settings_in_the_files_exist() -> None:
    """Each `RAG_*` variable that they set or mention is a setting, and the unit's are valid."""
    for text in (CONTAINERFILE, UNIT.read_text("utf-8"), NGINX.read_text("utf-8")):
        assert set(re.findall(r"\bRAG_\w+", text)) <= KNOWN
    given = dict(pair.split("=", maxsplit=1) for pair in unit()["Service"]["Environment"].split())
    settings = read_settings(given)
    assert (settings.keys, settings.proxy) == ("on", ("127.0.0.1",))


def test_the_container_does_not_run_as_root() -> None:
    """And its home is the only place that is written to, which lies on a volume."""
    stages = CONTAINERFILE.split("\nFROM ")
    assert re.findall(r"^USER (.*)$", stages[-1], flags=re.MULTILINE) == ["10001"]
    assert instructions("VOLUME") == ["/var/lib/chapterverse"]
    assert "RAG_HOME=/var/lib/chapterverse" in stages[-1]
    assert "RAG_MODELS=/opt/chapterverse/models" in stages[-1]
    assert (
        "RAG_MODELS=/opt/chapterverse/models" in stages[-2]
    )  # converted where they are looked for


def test_the_container_is_built_of_pinned_versions() -> None:
    """PyTorch's too, and of nothing that the ignore file keeps out."""
    runs = [run for run in instructions("RUN") if "pip install" in run]
    assert all("--constraint constraints.txt" in run or "grep '^torch=='" in run for run in runs)
    assert re.search(r"^torch==", (ROOT / "constraints.txt").read_text("utf-8"), re.MULTILINE)
    passed = set(
        re.findall(r"^!(.*)$", (ROOT / ".containerignore").read_text("utf-8"), re.MULTILINE)
    )
    copied = [words.split()[:-1] for words in instructions("COPY") if "--from" not in words]
    assert {name for names in copied for name in names} == passed
    assert all((ROOT / name).exists() for name in passed)


def test_the_container_is_healthy_while_questions_are_answered() -> None:
    """Its check asks `/health/ready` of the port that the command listens on."""
    (check,) = instructions("HEALTHCHECK")
    (command,) = instructions("CMD")
    port = json.loads(command)[-1]
    assert f"http://127.0.0.1:{port}/health/ready" in check
    assert instructions("EXPOSE") == [port]
    code = json.loads(check[check.index("[") :])[2]
    compile(code, "HEALTHCHECK", "exec")


def unit() -> configparser.ConfigParser:
    parser = configparser.ConfigParser(strict=False, interpolation=None)
    parser.optionxform = str  # type: ignore[method-assign, assignment]
    parser.read_string(UNIT.read_text("utf-8"))
    return parser


def systemd_analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("systemd-analyze is not installed: apt-get install systemd")
    return subprocess.run(
        ["systemd-analyze", *arguments], capture_output=True, text=True, check=False
    )


def test_systemd_understands_the_unit(tmp_path: Path) -> None:
    """Without a warning, once the program is where the unit says."""
    program = tmp_path / "rag"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o755)
    text = UNIT.read_text("utf-8").replace("/opt/chapterverse/bin/rag", str(program))
    copy = tmp_path / "chapterverse.service"
    copy.write_text(text, encoding="utf-8")
    done = systemd_analyze("verify", "--man=no", str(copy))
    assert (done.returncode, done.stderr) == (0, "")


def test_the_unit_is_sandboxed() -> None:
    """At most 2.0 of 10 on systemd's own scale of exposure, which calls that ok."""
    done = systemd_analyze("security", "--offline=true", "--no-pager", "--threshold=20", str(UNIT))
    if "--offline" in done.stderr:
        pytest.skip("systemd is too old to look at a file")
    assert done.returncode == 0, done.stdout


@pytest.fixture(scope="module")
def ports() -> dict[str, int]:
    found = {}
    sockets = [socket.socket() for _ in range(3)]
    for name, each in zip(("service", "http", "https"), sockets, strict=True):
        each.bind(("127.0.0.1", 0))
        found[name] = each.getsockname()[1]
    for each in sockets:
        each.close()
    return found


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory, ports: dict[str, int]) -> Iterator[str]:
    """A service with stand-ins for the models, as `rag serve` runs it behind a proxy."""
    home = tmp_path_factory.mktemp("proxied") / "home"
    app = create_app(make_service(home), protection=replace(OPEN, hosts=(HOST,)))
    config = uvicorn.Config(
        app,
        host="127.0.0.1",
        port=ports["service"],
        log_config=None,
        server_header=False,
        proxy_headers=True,
        forwarded_allow_ips=["127.0.0.1"],
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        time.sleep(0.01)
    yield f"127.0.0.1:{ports['service']}"
    server.should_exit = True
    thread.join()


@pytest.fixture(scope="module")
def configuration(
    tmp_path_factory: pytest.TempPathFactory, service: str, ports: dict[str, int]
) -> Path:
    """nginx.conf as it ships but for ports and places, inside the least around it."""
    for program in ("nginx", "openssl"):
        if shutil.which(program) is None:
            pytest.skip(f"{program} is not installed: apt-get install {program}")
    place = tmp_path_factory.mktemp("nginx")
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2"),
            *("-keyout", place / "privkey.pem", "-out", place / "fullchain.pem"),
            *("-subj", f"/CN={HOST}", "-addext", f"subjectAltName=DNS:{HOST}"),
        ],
        capture_output=True,
        check=True,
    )
    text = NGINX.read_text("utf-8")
    for old, new in {
        "server 127.0.0.1:8000;": f"server {service};",
        "listen 80;": f"listen 127.0.0.1:{ports['http']};",
        "listen 443 ssl;": f"listen 127.0.0.1:{ports['https']} ssl;",
        "listen [::]:80;": "",
        "listen [::]:443 ssl;": "",
        "/etc/letsencrypt/live/rag.example.org/": f"{place}/",
        "/var/log/nginx/": f"{place}/",
    }.items():
        assert old in text
        text = text.replace(old, new)
    temporary = "".join(
        f"    {name}_temp_path {place}/{name};\n"
        for name in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    file = place / "nginx.conf"
    file.write_text(
        # Who may start it as root need not let others into the directory of a test.
        f"{'user root;' if os.geteuid() == 0 else ''}\n"
        f"daemon off;\npid {place}/pid;\nerror_log {place}/error.log;\n"
        f"events {{}}\nhttp {{\n{temporary}{text}}}\n",
        encoding="utf-8",
    )
    return file


@pytest.fixture(scope="module")
def proxied(configuration: Path, ports: dict[str, int]) -> Iterator[httpx.Client]:
    """A client of the service that goes through nginx and TLS."""
    context = ssl.create_default_context(cafile=str(configuration.parent / "fullchain.pem"))

    class Pinned(httpx.HTTPTransport):
        """Finds the public name on this machine."""

        def handle_request(self, request: httpx.Request) -> httpx.Response:
            request.extensions["sni_hostname"] = HOST
            request.url = request.url.copy_with(host="127.0.0.1", port=ports["https"])
            return super().handle_request(request)

    with subprocess.Popen(["nginx", "-c", configuration, "-p", configuration.parent]) as process:
        try:
            for _ in range(500):
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", ports["https"])) == 0:
                        break
                time.sleep(0.01)
            transport = Pinned(verify=context)
            with httpx.Client(base_url=f"https://{HOST}", transport=transport) as client:
                yield client
        finally:
            process.terminate()
            process.wait(timeout=10)


def test_nginx_understands_its_configuration(configuration: Path) -> None:
    """Without a warning."""
    done = subprocess.run(
        ["nginx", "-t", "-q", "-c", configuration, "-p", configuration.parent],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_questions_go_through_tls(proxied: httpx.Client) -> None:
    """Documents by JSON and as a file, then a question; headers are the service's and HSTS."""
    text = {"text": "The owl lives in a tree.", "uri": "a"}
    assert proxied.post("/v1/documents", json=text).status_code == 201
    file = {"file": ("mill.txt", b"The mill stands by the river.")}
    assert proxied.post("/v1/documents", files=file).status_code == 201
    asked = proxied.post("/v1/ask", json={"question": "Where stands the mill?"})
    assert asked.json()["answers"][0]["text"] == "The mill stands by the river."
    hsts = asked.headers.get_list("strict-transport-security")
    assert hsts == ["max-age=63072000"]
    assert asked.headers["x-frame-options"] == "DENY"
    assert re.fullmatch("[0-9a-f]{32}", asked.headers["x-request-id"])
    assert asked.headers["server"] == "nginx"


def test_a_stream_is_not_held_back(proxied: httpx.Client) -> None:
    """Events arrive in their order, as a stream that nobody buffers."""
    url = "/v1/ask/stream"
    with proxied.stream("GET", url, params={"question": "Where lives the owl?"}) as response:
        assert response.status_code == 200
        assert response.headers["content-type"].startswith("text/event-stream")
        lines = list(response.iter_lines())
    events = [line.removeprefix("event: ") for line in lines if line.startswith("event: ")]
    assert events[0] == "hits"
    assert events[-1] == "done"
    assert "answer" in events


def test_what_is_too_large_is_refused(
    proxied: httpx.Client, configuration: Path, ports: dict[str, int]
) -> None:
    """By the service's own bound below nginx's, which refuses the rest before it is sent."""
    bound = {"file": ("large.txt", b"a" * 2_000_000)}
    refused = proxied.post("/v1/documents", files=bound)
    assert (refused.status_code, refused.headers["content-type"]) == (
        413,
        "application/problem+json",
    )
    context = ssl.create_default_context(cafile=str(configuration.parent / "fullchain.pem"))
    with (
        socket.create_connection(("127.0.0.1", ports["https"])) as plain,
        context.wrap_socket(plain, server_hostname=HOST) as connection,
    ):
        head = f"POST /v1/documents HTTP/1.1\r\nHost: {HOST}\r\nContent-Length: 60000000\r\n\r\n"
        connection.sendall(head.encode())
        assert connection.recv(12) == b"HTTP/1.1 413"


def test_figures_are_not_for_the_public(proxied: httpx.Client) -> None:
    """`/metrics` is the business of who is on the machine."""
    assert proxied.get("/metrics").status_code == 404


@pytest.mark.usefixtures("proxied")
def test_plain_http_is_sent_on(ports: dict[str, int]) -> None:
    """With the method and the body kept."""
    url = f"http://127.0.0.1:{ports['http']}/v1/ask"
    response = httpx.post(url, headers={"Host": HOST})
    assert (response.status_code, response.headers["location"]) == (308, f"https://{HOST}/v1/ask")


def test_no_log_of_nginx_holds_what_was_asked(proxied: httpx.Client, configuration: Path) -> None:
    """Neither questions in the query nor names in the path."""
    proxied.get("/v1/ask/stream", params={"question": "xylograph"})
    proxied.get("/v1/documents/xylograph")
    for _ in range(100):
        log = (configuration.parent / "chapterverse.log").read_text("utf-8")
        if len(log.splitlines()) >= 2:
            break
        time.sleep(0.01)
    assert re.search(r"^127\.0\.0\.1 \[\S+\] GET 404 \d+ [\d.]+ [0-9a-f]{32}$", log, re.MULTILINE)
    for file in configuration.parent.glob("*.log"):
        assert "xylograph" not in file.read_text("utf-8")
