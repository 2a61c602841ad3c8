"""Connections over TLS: verified, or refused with a sentence.

A server of PostgreSQL 15 shows what becomes of each way to connect; as pgvector is not there for
it, what is stored goes over TLS to the server of the other tests, through what ends it before.
"""

import asyncio
import shutil
import ssl
import subprocess
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import psycopg
import pytest

from rag.errors import StoreError, Unreachable
from rag.store.postgres import PostgresStore, Server, migrate
from rag.store.postgres.connecting import checked
from tests.fakes import make_document, ready
from tests.postgres import ROLE, SUPERUSER, PostgresServer, running_server
from tests.store.conformance.opening import everything

DEBIAN: Final = Path("/usr/lib/postgresql/15/bin")
HBA: Final = f"""
hostssl all {SUPERUSER},{ROLE} 127.0.0.1/32 trust
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Certificates:
    """A server's certificate for 127.0.0.1 and one for another host, and who made them."""

    authority: Path
    stranger: Path
    certificate: Path
    elsewhere: Path
    key: Path


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    """Two authorities of our own, of which one has signed two certificates."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed: apt-get install openssl")
    place = tmp_path_factory.mktemp("tls")

    def openssl(*arguments: object) -> None:
        command = ["openssl", *map(str, arguments)]
        subprocess.run(command, cwd=place, check=True, capture_output=True)

    curve = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256")
    made = (*curve, "-nodes", "-days", 2)
    for name in ("authority", "stranger"):
        openssl(
            *("req", "-x509", *made, "-subj", f"/CN={name}"),
            *("-keyout", f"{name}.key", "-out", f"{name}.crt"),
        )
    openssl("req", *made, "-subj", "/CN=server", "-keyout", "server.key", "-out", "server.csr")
    for name, host in (("certificate", "IP:127.0.0.1"), ("elsewhere", "DNS:db.example.org")):
        (place / "names").write_text(f"subjectAltName={host}\n")
        openssl(
            *("x509", "-req", "-in", "server.csr", "-days", 2, "-extfile", "names"),
            *("-CA", "authority.crt", "-CAkey", "authority.key", "-CAcreateserial"),
            *("-out", f"{name}.crt"),
        )
    return Certificates(
        authority=place / "authority.crt",
        stranger=place / "stranger.crt",
        certificate=place / "certificate.crt",
        elsewhere=place / "elsewhere.crt",
        key=place / "server.key",
    )


@pytest.fixture(scope="module")
def debian(certificates: Certificates) -> Iterator[PostgresServer]:
    """A server of PostgreSQL 15 that takes nobody without TLS."""
    if not (DEBIAN / "postgres").exists():
        pytest.skip("PostgreSQL 15 is not installed: apt-get install postgresql-15")
    with running_server(DEBIAN) as server:
        for source, name in ((certificates.certificate, "server.crt"), (certificates.key, "key")):
            target = server.data / name
            shutil.copy(source, target)
            target.chmod(0o600)
            shutil.chown(target, server.data.owner())
        server.execute("ALTER SYSTEM SET ssl_cert_file = 'server.crt'")
        server.execute("ALTER SYSTEM SET ssl_key_file = 'key'")
        server.execute("ALTER SYSTEM SET ssl = on")
        (server.data / "pg_hba.conf").write_text(HBA)
        server.stop(mode="fast")
        server.start()
        yield server


def test_a_verified_server_is_connected_to(
    debian: PostgresServer, certificates: Certificates
) -> None:
    """With its authority's certificate; what it lacks is told, be it a connection over TLS."""
    url = f"{debian.url()}?sslmode=verify-full&sslrootcert={certificates.authority}"
    with psycopg.connect(checked(url)) as connection:
        used, version = connection.execute(
            "SELECT ssl, version FROM pg_stat_ssl WHERE pid = pg_backend_pid()"
        ).fetchone() or (False, "")
    assert used
    assert version in {"TLSv1.2", "TLSv1.3"}
    with pytest.raises(StoreError, match=r"version 0, this program needs \d+\. Run rag store mig"):
        Server(url)
    debian.execute(f"GRANT CREATE ON DATABASE postgres TO {ROLE}")
    with pytest.raises(StoreError, match="vector"):
        migrate(url)


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        pytest.param("sslmode=verify-full&sslrootcert={stranger}", "certificate verify", id="whom"),
        pytest.param("sslmode=disable", "no encryption", id="without"),
    ],
)
def test_a_server_that_is_not_as_wanted_is_not_connected_to(
    debian: PostgresServer, certificates: Certificates, settings: str, told: str
) -> None:
    """Another authority's certificate is refused, and so is, by this server, no TLS at all."""
    url = f"{debian.url()}?{settings.format(stranger=certificates.stranger)}"
    with pytest.raises(Unreachable, match=told):
        Server(url)


@contextmanager
def in_front_of(port: int, *, certificate: Path, key: Path) -> Iterator[int]:
    """Take TLS connections and pass what they bring on to a port without it; give the own port."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    context.set_alpn_protocols(["postgresql"])
    started = threading.Event()
    ports: list[int] = []
    loops: list[asyncio.AbstractEventLoop] = []
    done = asyncio.Event()

    async def copy(source: asyncio.StreamReader, target: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await source.read(1 << 16):
                target.write(data)
                await target.drain()
        target.close()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        from_there, there = await asyncio.open_connection("127.0.0.1", port)
        try:
            await asyncio.gather(copy(reader, there), copy(from_there, writer))
        finally:
            for one in (writer, there):
                one.transport.abort()
                with suppress(OSError):
                    await one.wait_closed()

    async def serve() -> None:
        loops.append(asyncio.get_running_loop())
        server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
        ports.append(server.sockets[0].getsockname()[1])
        started.set()
        async with server:
            await done.wait()
        # What is still under way ends before the loop does.
        under_way = asyncio.all_tasks() - {asyncio.current_task()}
        for task in under_way:
            task.cancel()
        await asyncio.gather(*under_way, return_exceptions=True)
        await asyncio.sleep(0.05)

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    try:
        yield ports[0]
    finally:
        loops[0].call_soon_threadsafe(done.set)
        thread.join()


def test_all_is_stored_and_read_over_tls(
    postgres_server: PostgresServer, certificates: Certificates
) -> None:
    """Over a verified connection a store has what it has without one."""
    url = postgres_server.make_database()
    with in_front_of(
        postgres_server.port, certificate=certificates.certificate, key=certificates.key
    ) as port:
        there = url.replace(f":{postgres_server.port}/", f":{port}/")
        verified = f"sslmode=verify-full&sslrootcert={certificates.authority}"
        secured = f"{there}?sslnegotiation=direct&{verified}"
        migrate(secured)
        with closing(Server(secured)) as server, closing(Server(url)) as direct:
            store = PostgresStore(server, "a", fingerprint="f")
            for n in range(4):
                store.put(ready(make_document(f"text {n}\nand more", uri=f"file:{n % 3}")))
            store.delete(make_document("", uri="file:1").id)
            assert everything(store) == everything(PostgresStore(direct, "a", fingerprint="f"))


def test_a_certificate_of_another_host_is_refused(
    postgres_server: PostgresServer, certificates: Certificates
) -> None:
    """Even one of the right authority."""
    with in_front_of(
        postgres_server.port, certificate=certificates.elsewhere, key=certificates.key
    ) as port:
        url = (
            f"postgresql://{ROLE}@127.0.0.1:{port}/postgres?sslnegotiation=direct"
            f"&sslmode=verify-full&sslrootcert={certificates.authority}"
        )
        with pytest.raises(Unreachable, match="does not match host name"):
            Server(url)
