"""
What other people's libraries make anew for every client and every engine, although it is the same each time: made once in a test process.

A server makes one client and one engine in its life and never notices; the tests make thousands. The certificates every HTTP client reads
took 15 ms of each (and nothing here speaks TLS), and the statements every engine compiles took a third of a test on a database.
"""

import ssl
from typing import Any

import certifi
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.engine import Engine
from sqlalchemy.util import LRUCache

CERTIFICATES = certifi.where()
COMPILED_MAX = 10_000


def certificates() -> None:
    """The contexts of httpx, which names the file it reads, are shared: nobody may change one. All others, as of the SMTP client, are made anew."""
    make = ssl.create_default_context
    made: dict[str, ssl.SSLContext] = {}

    def make_or_share(purpose: ssl.Purpose = ssl.Purpose.SERVER_AUTH, **named: Any) -> ssl.SSLContext:
        if named != {"cafile": CERTIFICATES}:
            return make(purpose, **named)
        return made.setdefault(purpose.name, made.get(purpose.name) or make(purpose, **named))

    ssl.create_default_context = make_or_share


def compiled_statements() -> None:
    """
    Engines keep what they compiled by statement and dialect, each for itself. Here dialects of a kind are the same one and the engines keep it
    together, as if all databases of this process were one engine's.
    """
    for dialect in (PGDialect_psycopg, SQLiteDialect_pysqlite):
        dialect.__eq__ = _is_same_kind  # type: ignore[method-assign]
        dialect.__hash__ = _hash_of_kind  # type: ignore[assignment,method-assign]
    kept: LRUCache[Any, Any] = LRUCache(COMPILED_MAX)
    make = Engine.__init__

    def make_sharing(engine: Engine, *arguments: Any, **named: Any) -> None:
        make(engine, *arguments, **named)
        engine._compiled_cache = kept

    Engine.__init__ = make_sharing  # type: ignore[assignment,method-assign]


def _is_same_kind(dialect: object, other: object) -> bool:
    return type(dialect) is type(other)


def _hash_of_kind(dialect: object) -> int:
    return hash(type(dialect))
