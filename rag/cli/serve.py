"""`rag serve`: the HTTP API and the page."""

import signal
import socket
from pathlib import Path

import click

from rag.cli.options import home_option, settings_for

_SHUTDOWN_SECONDS = 20


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
    # Before the models are loaded: a port in use is told at once.
    with _listen(host, port) as listening:
        import uvicorn

        from rag.asgi import open_app

        app = open_app(settings)
        name = f"[{host}]" if ":" in host else host
        url = f"http://{name}:{listening.getsockname()[1]}"

        class Server(uvicorn.Server):
            async def startup(self, sockets: list[socket.socket] | None = None) -> None:
                """Say that questions are answered, once the port is open and models are warm."""
                await super().startup(sockets)
                if self.started:
                    click.echo(f"Ready: {url}", err=True)

        config = uvicorn.Config(
            app,
            log_level="warning",
            server_header=False,
            timeout_graceful_shutdown=_SHUTDOWN_SECONDS,
        )
        # The server ends by these signals and then raises them again, which would kill the process:
        # to be stopped is how a service ends well.
        for signal_ in (signal.SIGINT, signal.SIGTERM):
            signal.signal(signal_, lambda *_: None)
        Server(config).run(sockets=[listening])


def _listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; raise ClickException where the address cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise click.ClickException(
            f"Cannot listen on {host} port {port}: {error.strerror}. Is it in use? Another one can "
            "be chosen with --port."
        ) from error
