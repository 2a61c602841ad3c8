"""Takes a document in, asks a question, serves and asks again, where no network can be reached.

Run as root of a network namespace of its own: `offline_child.py HOME DOCUMENT LOG`. What it and its
children send is listed in LOG by strace.
"""

import fcntl
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import urllib.request
from pathlib import Path

_RAG = str(Path(sys.executable).parent / "rag")
_QUESTION = "Where does the owl live?"
_SIOCSIFFLAGS = 0x8914  # of linux/sockios.h
_IFF_UP = 1


def raise_loopback() -> None:
    """Set the interface `lo` up, which a new namespace has down."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
        fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))


def work(home: str, document: str) -> None:
    """Do what a user does; raise where something does not end well."""
    at = ["--home", home]
    subprocess.run([_RAG, "ingest", *at, document], check=True)
    answered = subprocess.run(
        [_RAG, "ask", *at, "--json", _QUESTION], check=True, capture_output=True, text=True
    )
    with subprocess.Popen(
        [_RAG, "serve", *at, "--port", "0"], stderr=subprocess.PIPE, text=True
    ) as server:
        assert server.stderr is not None
        ready = server.stderr.readline()
        address = ready.removeprefix("Ready: ").strip()
        request = urllib.request.Request(  # noqa: S310
            f"{address}/v1/ask",
            data=json.dumps({"question": _QUESTION}).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as response:  # noqa: S310
            served = json.load(response)
        server.send_signal(signal.SIGTERM)
        assert server.wait(30) == 0, ready
    sys.stdout.write(json.dumps([json.loads(answered.stdout), served]))


def main() -> None:
    """Begin again under strace, once there is a loopback."""
    if len(sys.argv) == 3:
        work(*sys.argv[1:])
        return
    raise_loopback()
    home, document, log = sys.argv[1:]
    calls = "trace=connect,sendto,sendmsg,sendmmsg"
    traced = [sys.executable, __file__, home, document]
    os.execvp("strace", ["strace", "-f", "--seccomp-bpf", "-e", calls, "-o", log, *traced])  # noqa: S606


if __name__ == "__main__":
    main()
