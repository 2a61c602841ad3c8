"""`rag serve`: the HTTP API and the page."""

import signal
import socket
from pathlib import Path

import click

from rag.cli.one_server import only_server
from rag.cli.options import home_option, settings_for


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    type=click.IntRange(0, 65535),
    default=8000,
    show_default=True,
    help="Port to listen on; 0 takes a free one.",
)
@home_option
def serve(*, host: str, port: int, home: Path | None) -> None:
    """Serve the HTTP API and the page until stopped."""
    settings = settings_for(home)
    # Before anything is loaded: a home that is served already, or a port in use, is told at once.
    with only_server(settings.home) as tell, _listen(host, port) as listening:
        from rag.api.app import create_app
        from rag.api.logs import configure_logging
        from rag.api.protection import protect
        from rag.api.server import Server
        from rag.api.tracing import open_tracing
        from rag.asgi import open_service

        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listening.getsockname()[1]}"
        tell(url)
        protection = protect(settings, address=listening.getsockname()[0])
        configure_logging(form=settings.log, level=settings.log_level, text=settings.log_text)
        tracing = open_tracing()
        service = open_service(settings)
        server = Server(
            create_app(service, protection=protection, tracing=tracing),
            service,
            on_ready=lambda: click.echo(f"Ready: {url}", err=True),
            proxies=settings.proxy,
        )

        def stop(*_: object) -> None:
            server.should_exit = True

        # The server ends by these signals and then raises them again, which would kill the process:
        # to be stopped is how a service ends well.
        for signal_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_, stop)
        server.run(sockets=[listening])
        if server.error is not None:
            raise server.error


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise ClickException where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=2048)
        # Else a response waits 40 ms for the client's acknowledgement of its headers: asyncio turns
        # that off only for sockets that name their protocol, which this one does not.
        listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return listening
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror}. Is it in use? Another one can "
            "be chosen with --port."
        ) from error
