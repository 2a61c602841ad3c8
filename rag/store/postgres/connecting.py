"""Connections: what a service asks of each, and for how long it waits for an answer."""

from typing import Final, TypeVar

import psycopg
from psycopg import errors
from psycopg.abc import PQGen
from psycopg.conninfo import conninfo_to_dict, make_conninfo
from psycopg.rows import TupleRow

from rag.errors import SettingsError

Value = TypeVar("Value")

# How long it takes to heed Ctrl-C.
_INTERVAL: Final = 0.1
# What libpq does where the address does not say otherwise. What is sent and not received, or a peer
# that does not answer while we wait, ends a connection after ten seconds.
_DEFAULTS: Final[dict[str, str | int]] = {
    "application_name": "chapterverse",
    "connect_timeout": 3,
    "keepalives_idle": 4,
    "keepalives_interval": 2,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


class BoundedConnection(psycopg.Connection[TupleRow]):
    """Waits for an answer for `patience` seconds at most; None leaves that to the server.

    The server bounds a statement itself. This is for whoever stands between and takes all that is
    sent without ever answering: it is alive to TCP, so that nothing else would notice.

    `warned` tells that the server had a warning since it was last set to False.
    """

    patience: float | None = None
    warned = False

    def wait(
        self, gen: PQGen[Value], interval: float = _INTERVAL, timeout: float | None = None
    ) -> Value:
        """Wait as psycopg does; raise OperationalError, and be closed, when time is up."""
        bound = self.patience if timeout is None else timeout
        try:
            return super().wait(gen, interval, bound)
        except errors._WaitTimeout as error:  # noqa: SLF001  (what the method documents)
            # What comes after all would be taken for the answer to another statement.
            self.pgconn.finish()
            raise psycopg.OperationalError(f"no answer came within {bound:g} seconds") from error

    def take_all_time(self) -> None:
        """Let the statements of this transaction take as long as they do."""
        self.execute("SET LOCAL statement_timeout = 0")
        self.patience = None

    def heed_warnings(self) -> None:
        """Take note of warnings from now on."""

        def note(diagnostic: errors.Diagnostic) -> None:
            if diagnostic.severity_nonlocalized == "WARNING":
                self.warned = True

        self.add_notice_handler(note)


def checked(url: str, *, setting: str = "RAG_STORE", writing: bool = True) -> str:
    """Return how libpq is to connect to a url, or what it takes besides.

    Of several servers the one that takes writes is wanted, for `writing`. Raises SettingsError for
    an address that is none, without telling it.
    """
    try:
        given = conninfo_to_dict(url)
    except psycopg.ProgrammingError as error:
        raise SettingsError(
            f"{setting} is no address of a database. Write postgresql://USER@HOST/DATABASE, and "
            "the password into a file: https://www.postgresql.org/docs/current/libpq-pgpass.html."
        ) from error
    wanted = {**_DEFAULTS, "target_session_attrs": "read-write" if writing else "any"}
    return make_conninfo("", **{**wanted, **given})


def place_of(url: str) -> str:
    """Return where a database is, as people are told it: without user and password."""
    parts = conninfo_to_dict(checked(url))
    ports = str(parts.get("port") or "").split(",")
    hosts = str(parts.get("host") or "").split(",")
    ports = ports * len(hosts) if len(ports) == 1 else ports
    servers = (f"{host}:{port}" if port else host for host, port in zip(hosts, ports, strict=False))
    return f"postgresql://{','.join(servers)}/{parts.get('dbname', '')}"
