"""The server: it answers while it loads, and finishes what it has before it stops."""

import asyncio
import logging
import os
import socket
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import Final

import uvicorn
from litestar import Litestar

from rag.api.service import Service

# From the signal to the end of the process in seconds: for the requests that were accepted, for
# refusing those that are not done by then, and in all. A manager of services waits 10 and kills.
_DRAIN: Final = 6.0
_REFUSE: Final = 0.5
_ALL: Final = 9.0
_CONNECTIONS: Final = 1  # for clients to take the rest of their responses
# Nothing has been accepted while models load; loading itself cannot be interrupted.
_ALL_LOADING: Final = 1.0
# Longer than proxies keep idle connections to a service (nginx: 60), so that they close them first.
_KEEP_ALIVE: Final = 65

_LOG: Final = logging.getLogger(__name__)


class Server(uvicorn.Server):
    """Serves an application whose service it loads, in a thread, once the port is open.

    `error` is what loading raised, which ends the server; `on_ready` is called when it has loaded.
    `proxies` are addresses that are believed from where a request comes.
    """

    def __init__(
        self,
        app: Litestar,
        service: Service,
        *,
        on_ready: Callable[[], None],
        proxies: Sequence[str] = (),
    ) -> None:
        config = uvicorn.Config(
            app,
            log_config=None,  # whoever runs the server says what becomes of records
            log_level="warning",
            access_log=False,
            proxy_headers=bool(proxies),
            forwarded_allow_ips=list(proxies),
            server_header=False,
            timeout_keep_alive=_KEEP_ALIVE,
            timeout_graceful_shutdown=_CONNECTIONS,
        )
        super().__init__(config)
        self._service: Final = service
        self._on_ready: Final = on_ready
        self._loading: Final = threading.Thread(target=self._load, name="loading", daemon=True)
        self.error: BaseException | None = None

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Open the port, then begin to load."""
        await super().startup(sockets)
        if self.started:
            self._loading.start()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Take no more requests from the signal on."""
        self._service.lifecycle.drain()
        super().handle_exit(sig, frame)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish what was accepted, while new requests are refused; then close all."""
        loading = self._loading.is_alive()
        last = threading.Timer(_ALL_LOADING if loading else _ALL, _end, kwargs={"quiet": loading})
        last.daemon = True
        last.start()
        lifecycle = self._service.lifecycle
        lifecycle.drain()
        draining = asyncio.create_task(lifecycle.idle(seconds=_DRAIN, grace=_REFUSE))
        while not draining.done() and not self.force_exit:
            await asyncio.wait([draining], timeout=0.1)
        await super().shutdown(sockets)
        # Else it stays until the process has ended: libraries take their time with their threads.
        if self.error is not None:
            last.cancel()

    def _load(self) -> None:
        try:
            self._service.load()
        except BaseException as error:  # noqa: BLE001  (raised by who runs the server)
            self.error = error
            self.should_exit = True
        else:
            if self._service.lifecycle.state == "ready":
                self._on_ready()


def _end(*, quiet: bool) -> None:
    """End the process; nothing that was acknowledged is lost by that."""
    if not quiet:
        _LOG.warning("Something did not end in %.0f seconds and was broken off.", _ALL)
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(0)
