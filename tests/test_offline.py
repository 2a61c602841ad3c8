"""Nothing is sent to anybody: seen in a network namespace without a way out, call by call."""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.torture.tracing import unusable

CHILD = Path(__file__).parent / "offline_child.py"
# An address that a call names, in the words of strace.
FAMILY = re.compile(r"sa_family=(AF_\w+)")
LOOPBACK = re.compile(r'inet_addr\("127\.|inet_pton\(AF_INET6, "::1"')


def isolated() -> list[str]:
    """Return what runs a command in a network namespace of its own; skip where nothing may."""
    if shutil.which("unshare") is None:
        pytest.skip("unshare is not installed: apt-get install util-linux")
    for flags in (["-n"], ["-rn"]):
        tried = subprocess.run(["unshare", *flags, "true"], capture_output=True, check=False)
        if tried.returncode == 0:
            return ["unshare", *flags]
    pytest.skip("a network namespace may not be made here")


def sent_elsewhere(log: str) -> list[str]:
    """Return the calls that name another address than one of this machine."""
    named = [(line, FAMILY.search(line)) for line in log.splitlines()]
    return [
        line
        for line, family in named
        if family is not None
        and family[1] not in {"AF_UNIX", "AF_UNSPEC", "AF_NETLINK"}
        and not LOOPBACK.search(line)
    ]


def work_offline(home: Path, tmp_path: Path) -> None:
    """Take a document in, ask, and serve; check what was answered, and that nothing was sent."""
    if reason := unusable():
        pytest.skip(reason)
    document, log = tmp_path / "owl.txt", tmp_path / "log"
    # What keeps libraries from reporting must come from the program itself.
    kept = {"HOME", "LANG", "LD_LIBRARY_PATH", "PATH", "VIRTUAL_ENV"}
    environment = {name: value for name, value in os.environ.items() if name in kept}
    document.write_text("The owl lives in the old mill by the river.\n", encoding="utf-8")
    done = subprocess.run(
        [*isolated(), sys.executable, CHILD, home, document, log],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert done.returncode == 0, done.stderr
    asked, served = json.loads(done.stdout.splitlines()[-1])
    assert "old mill" in asked["answers"][0]["text"]
    assert served["answers"] == asked["answers"]
    calls = log.read_text(encoding="utf-8")
    assert "connect(" in calls  # that of the client to the service
    assert sent_elsewhere(calls) == []


def test_nothing_is_sent(make_home: Callable[..., Path], tmp_path: Path) -> None:
    """`rag ingest`, `rag ask` and `rag serve` work without a network, and do not look for one."""
    work_offline(make_home(seeded=False), tmp_path)


@pytest.mark.long
def test_nothing_is_sent_at_the_first_use(tmp_path: Path) -> None:
    """Nor while the models are converted."""
    work_offline(tmp_path / "home", tmp_path)


def test_what_is_sent_is_seen() -> None:
    """Other machines' addresses of either family, by connection or by message; not this one's."""
    own = """\
1 connect(3, {sa_family=AF_UNIX, sun_path="/run/nscd/socket"}, 110) = -1 ENOENT
1 connect(3, {sa_family=AF_INET, sin_port=htons(80), sin_addr=inet_addr("127.0.0.1")}, 16) = 0
1 connect(3, {sa_family=AF_INET6, sin6_port=htons(80), sin6_flowinfo=htonl(0), \
inet_pton(AF_INET6, "::1", &sin6_addr), sin6_scope_id=0}, 28) = 0
1 sendto(3, "GET / HTTP/1.1", 14, 0, NULL, 0) = 14
1 sendto(3, [{nlmsg_len=20}], 20, 0, {sa_family=AF_NETLINK, nl_pid=0, nl_groups=00000000}, 12) = 20
"""
    others = """\
1 connect(3, {sa_family=AF_INET, sin_port=htons(53), sin_addr=inet_addr("9.9.9.9")}, 16) = -1
1 connect(3, {sa_family=AF_INET6, inet_pton(AF_INET6, "2620:fe::fe", &sin6_addr)}, 28) = -1
1 sendto(3, "a", 1, 0, {sa_family=AF_INET, sin_addr=inet_addr("9.9.9.9")}, 16) = 1
"""
    assert sent_elsewhere(own) == []
    assert sent_elsewhere(others) == others.splitlines()
