"""
An export, brought into an empty database of either kind: all of it, in one transaction, or nothing.

What is brought in is held against what the export says of itself; `paywright ledger verify` proves the balances afterwards, and a second export
of the new database says the same lines.
"""

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.healing import portable
from paywright.healing.export import End, Manifest, Row
from paywright.storage.database import Database
from paywright.storage.migrate import revisions

PAGE = 1_000
FIRST_START = ("audit", "environments")
"""What there is once a database was opened, and nothing was done in it."""
LINE_BYTES_MAX = 64 * 1024 * 1024


class NotAnExport(Exception):
    """The file is not a whole export of this version; the message says what is wrong with it. Nothing was written."""


class NotEmpty(Exception):
    """The database holds something already; the message names it. Nothing was written."""


class Restored(msgspec.Struct, frozen=True):
    """`secrets_missing` says what the export could not bring along."""

    rows: int
    environments: list[str]
    secrets_missing: list[str]


def restore(
    database: Database,
    source: BinaryIO,
    *,
    begun: Callable[[Manifest], None] | None = None,
    progress: Callable[[int], None] | None = None,
) -> Restored:
    """
    Into an empty database at the export's own schema.

    An environment that a first start made, and nothing was done in, counts as nothing. Raises `NotAnExport`, `NotEmpty`, `DatabaseUnavailable`.
    """
    lines = _Lines(source)
    manifest = _manifest(lines, database)
    if begun is not None:
        begun(manifest)
    tables = {table.name: table for table in portable.tables()}
    counted: Counter[str] = Counter()
    with database.write() as connection:
        _make_room(connection, tables)
        for table_name, rows in _pages(lines):
            if table_name not in tables:
                raise NotAnExport(f"there is no table {table_name} in this version")
            _insert(connection, tables[table_name], rows)
            counted[table_name] += len(rows)
            if progress is not None:
                progress(len(rows))
        _check(manifest, counted, lines)
        return Restored(sum(counted.values()), _environments(connection, tables), _secrets_missing(connection, tables))


class _Lines:
    """Lines of an export, hashed as they are read. `end` is the last one, once it was reached."""

    def __init__(self, source: BinaryIO) -> None:
        self._source = source
        self._digest = hashlib.sha256()
        self.end: End | None = None
        self.number = 0

    def next(self) -> bytes:
        """Empty at the end of the file."""
        line = self._source.readline(LINE_BYTES_MAX)
        self.number += 1
        return line

    def take(self, line: bytes) -> None:
        self._digest.update(line)

    @property
    def sha256(self) -> str:
        return self._digest.hexdigest()


def _manifest(lines: _Lines, database: Database) -> Manifest:
    first = lines.next()
    lines.take(first)
    try:
        manifest = msgspec.json.decode(first, type=Manifest)
    except msgspec.DecodeError as error:
        raise NotAnExport(f"the first line is no manifest of a Paywright export: {error}") from error
    if manifest.paywright_export != portable.FORMAT:
        raise NotAnExport(
            f"this is an export of format {manifest.paywright_export}; this version reads {portable.FORMAT}"
        )
    schema, _ = revisions(database)
    if manifest.schema != schema:
        raise NotAnExport(
            f"it was made at schema {manifest.schema} by Paywright {manifest.version}, and this database is at {schema}: "
            "bring it in with that version, then run `paywright migrate` with this one"
        )
    return manifest


def _pages(lines: _Lines) -> Iterator[tuple[str, list[dict[str, Any]]]]:
    """Rows of one table at a time, at most a thousand."""
    table = ""
    rows: list[dict[str, Any]] = []
    while line := lines.next():
        found = _row(line, lines.number)
        if isinstance(found, End):
            lines.end = found
            break
        lines.take(line)
        if found.table != table or len(rows) == PAGE:
            if rows:
                yield table, rows
            table, rows = found.table, []
        rows.append(found.row)
    if rows:
        yield table, rows
    if lines.end is not None and lines.next():
        raise NotAnExport(f"line {lines.number}: there is something behind the end")


_Line = Row | End
_row_decoder, _end_decoder = msgspec.json.Decoder(Row), msgspec.json.Decoder(End)


def _row(line: bytes, number: int) -> _Line:
    try:
        return _end_decoder.decode(line) if line.startswith(b'{"end"') else _row_decoder.decode(line)
    except msgspec.DecodeError as error:
        raise NotAnExport(f"line {number} is no row: {error}") from error


def _insert(connection: Connection, table: sa.Table, rows: list[dict[str, Any]]) -> None:
    try:
        connection.execute(table.insert(), [portable.read_back(table, row) for row in rows])
    except (KeyError, ValueError) as error:
        raise NotAnExport(f"a row of {table.name} does not fit: {error.args[0]}") from error
    except sa.exc.IntegrityError as error:
        raise NotAnExport(f"a row of {table.name} is not what such a row can be: {error.orig}") from error


def _check(manifest: Manifest, counted: Counter[str], lines: _Lines) -> None:
    if lines.end is None:
        raise NotAnExport("the file ends in the middle: its last line is missing")
    wanted = {name: rows for name, rows in manifest.rows.items() if rows}
    if wanted != dict(counted) or lines.end.rows != sum(counted.values()):
        raise NotAnExport("it does not hold as many rows as its first line says")
    if lines.sha256 != lines.end.sha256:
        raise NotAnExport("its lines are not those it was written with: the hash differs")


def _make_room(connection: Connection, tables: dict[str, sa.Table]) -> None:
    for name, table in tables.items():
        if name not in FIRST_START and connection.execute(sa.select(sa.literal(1)).select_from(table).limit(1)).first():
            raise NotEmpty(f"the database is not empty: there are rows in {name}")
    for name in FIRST_START:
        connection.execute(tables[name].delete())


def _environments(connection: Connection, tables: dict[str, sa.Table]) -> list[str]:
    known = tables["environments"].c.environment_id
    return list(connection.execute(sa.select(known).order_by(known).limit(1_000)).scalars())


def _secrets_missing(connection: Connection, tables: dict[str, sa.Table]) -> list[str]:
    missing = [f"environment {name}: its Stripe key and webhook secret" for name in _environments(connection, tables)]
    hooks = tables["hooks"].c
    found = connection.execute(
        sa.select(hooks.environment_id, hooks.id)
        .where(hooks.kind == "endpoint")
        .order_by(hooks.environment_id, hooks.id)
        .limit(1_000)
    )
    return missing + [f"environment {row.environment_id}: the secret of the hook {row.id}" for row in found]
