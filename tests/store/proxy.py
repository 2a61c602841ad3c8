"""A way to a server that can be cut at a chosen moment."""

import ctypes
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Final

_SO_ATTACH_FILTER: Final = 26


class Proxy:
    """Passes bytes on to a port of this machine and back.

    Once `word` is set, the first connection on which the client sends it is cut: before it is
    passed on, or, with `passed_on`, after it was, so that the client never learns of the reply.
    While it is `refusing` no new connection is passed on; while it is `silent` it takes whatever is
    sent, and nothing comes of it.
    """

    def __init__(self, port: int) -> None:
        self._target: Final = port
        self._listening: Final = socket.create_server(("127.0.0.1", 0))
        self.port: Final[int] = self._listening.getsockname()[1]
        self.word = b""
        self.passed_on = False
        self.cut = 0
        self.refusing = False
        self.silent = False
        self._ends: Final[set[socket.socket]] = set()
        threading.Thread(target=self._accept, daemon=True).start()

    def end_all(self) -> None:
        """Cut all connections, as a network that is lost and comes back."""
        for end in self._ends.copy():
            with suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def drop_packets(self) -> None:
        """Lose all packets of the present connections, both ways, as a network that is cut does."""
        # A filter of one instruction (Linux, socket(7) and BPF), which takes no byte of any packet.
        nothing = ctypes.create_string_buffer(struct.pack("HBBI", 0x06, 0, 0, 0))
        program = struct.pack("HxxxxxxP", 1, ctypes.addressof(nothing))
        for end in self._ends.copy():
            end.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)

    def close(self) -> None:
        """Take no more connections."""
        self._listening.shutdown(socket.SHUT_RDWR)
        self._listening.close()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listening.accept()
            except OSError:  # closed
                return
            if self.refusing:
                client.close()
                continue
            threading.Thread(target=self._connect, args=(client,), daemon=True).start()

    def _connect(self, client: socket.socket) -> None:
        with client, socket.create_connection(("127.0.0.1", self._target)) as server:
            self._ends.update((client, server))
            back = threading.Thread(target=self._pass_back, args=(server, client), daemon=True)
            back.start()
            with suppress(OSError):
                while data := client.recv(1 << 16):
                    if self.word and self.word in data:
                        self.word = b""
                        self.cut += 1
                        # Before it is passed on, or the reply might be faster than the cut.
                        client.shutdown(socket.SHUT_RDWR)
                        if not self.passed_on:
                            break
                    if not self.silent:
                        server.sendall(data)
                server.shutdown(socket.SHUT_RDWR)
            back.join()
            self._ends.difference_update((client, server))

    def _pass_back(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):  # cut
            while data := server.recv(1 << 16):
                if not self.silent:
                    client.sendall(data)
            client.shutdown(socket.SHUT_RDWR)


@contextmanager
def proxy_to(port: int) -> Iterator[Proxy]:
    """Run a proxy to a port."""
    proxy = Proxy(port)
    try:
        yield proxy
    finally:
        proxy.close()
