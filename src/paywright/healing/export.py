"""Everything, as lines: streamed from one snapshot of the database, whatever is written meanwhile, in flat memory."""

import hashlib
import importlib.metadata
from collections.abc import Callable, Iterator
from typing import BinaryIO

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.healing import portable
from paywright.kernel.ids import wall_ms
from paywright.kernel.instants import rfc3339
from paywright.storage.database import Database
from paywright.storage.migrate import revisions

PAGE = 1_000

Progress = Callable[[int], None]
"""Called with the number of rows since the last call."""


class Manifest(msgspec.Struct, frozen=True):
    """The first line. `environment` None: all of them. `rows` counts the rows of each table."""

    paywright_export: int
    version: str
    schema: str
    environment: str | None
    exported_at: str
    rows: dict[str, int]


class End(msgspec.Struct, frozen=True):
    """The last line: an export without it was cut off. The hash is of every line before, line ends included."""

    end: bool
    rows: int
    sha256: str


class Row(msgspec.Struct, frozen=True):
    table: str
    row: dict[str, object]


def export(
    database: Database,
    out: BinaryIO,
    *,
    environment_id: str | None = None,
    begun: Callable[[Manifest], None] | None = None,
    progress: Progress | None = None,
) -> Manifest:
    """Writes all environments, or one. The same rows give the same lines, but for `exported_at`."""
    schema, newest = revisions(database)
    assert schema is not None
    assert schema == newest, "the caller has seen to it"
    with database.read() as connection:
        tables = portable.tables()
        manifest = Manifest(
            paywright_export=portable.FORMAT,
            version=importlib.metadata.version("paywright"),
            schema=schema,
            environment=environment_id,
            exported_at=rfc3339(wall_ms()),
            rows={str(table.name): _count(connection, table, environment_id) for table in tables},
        )
        if begun is not None:
            begun(manifest)
        digest = hashlib.sha256()
        _write(out, digest, msgspec.json.encode(manifest))
        rows = 0
        for table in tables:
            for line in _lines(connection, table, environment_id):
                _write(out, digest, line)
                rows += 1
                if progress is not None and rows % PAGE == 0:
                    progress(PAGE)
        if progress is not None:
            progress(rows % PAGE)
        out.write(msgspec.json.encode(End(True, rows, digest.hexdigest())) + b"\n")
    return manifest


def _count(connection: Connection, table: sa.Table, environment_id: str | None) -> int:
    counted = sa.select(sa.func.count()).select_from(table).where(portable.where(table, environment_id))
    return int(connection.execute(counted).scalar_one())


def _lines(connection: Connection, table: sa.Table, environment_id: str | None) -> Iterator[bytes]:
    statement = sa.select(*table.c).where(portable.where(table, environment_id)).order_by(*portable.by_key(table))
    for row in connection.execution_options(yield_per=PAGE).execute(statement):
        yield msgspec.json.encode(Row(str(table.name), portable.written(table, row)))


def _write(out: BinaryIO, digest: "hashlib._Hash", line: bytes) -> None:
    out.write(line + b"\n")
    digest.update(line + b"\n")
