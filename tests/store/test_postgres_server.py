"""The server that the tests of PostgreSQL run on is as they take it to be."""

import psycopg

from tests.postgres import PostgresServer


def test_the_server_is_of_the_version_that_is_wanted(postgres_server: PostgresServer) -> None:
    """PostgreSQL 18 with pgvector 0.8.4 or later, UTF-8, and a role that no policy passes over."""
    with psycopg.connect(postgres_server.make_database()) as connection:
        assert connection.info.server_version >= 180_000
        version, encoding, role = connection.execute(
            "SELECT extversion, current_setting('server_encoding'), current_user "
            "FROM pg_extension WHERE extname = 'vector'"
        ).fetchone() or ("", "", "")
        assert tuple(map(int, version.split("."))) >= (0, 8, 4)
        assert encoding == "UTF8"
        assert connection.execute(
            "SELECT rolsuper, rolbypassrls FROM pg_roles WHERE rolname = %s", (role,)
        ).fetchone() == (False, False)
