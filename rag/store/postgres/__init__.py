"""Stores in a PostgreSQL server (extra `chapterverse[postgres]`), all collections in one database.

`Server` is a database with its bounded pool of connections, `PostgresStore` a collection in it.
Rows, checksums and generations are those of the store in a file: `rag.store.tables` says what they
have in common.
"""

from rag.store.postgres.graphs import Building
from rag.store.postgres.preparing import migrate
from rag.store.postgres.server import Server
from rag.store.postgres.standby import Standby
from rag.store.postgres.store import PostgresStore

__all__ = ["Building", "PostgresStore", "Server", "Standby", "migrate"]
