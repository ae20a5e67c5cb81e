"""
What an export holds, and what stays behind.

One JSON document per line: first what the export is, then every row of every table in the order of its key, last how many lines there were and
their SHA-256. Secrets never leave: the columns below are left empty, and whoever brings the export in sets them up again. Hashes leave as they
are, so API keys and claim tokens keep working.
"""

import base64
import importlib
from pathlib import Path
from typing import Any

import sqlalchemy as sa

from paywright.kernel.model import Json
from paywright.storage.schema import metadata

FORMAT = 1

EPHEMERAL = frozenset({"stripe_lanes", "stripe_paces", "worker_beats", "webhook_secrets"})
"""Tables that mean something to the running processes only, or hold nothing but secrets."""

LEFT_EMPTY: dict[str, dict[str, Any]] = {
    "app_jwts": {"shared_secret": None},
    "environments": {"stripe_secret_key": None},
    "hooks": {"secret": None},
    "letters": {"sealed": None},
}
"""Columns that are encrypted under `PAYWRIGHT_SECRET`, and what depends on them, as they stand in an export."""

UNSIGNED = {"status": "disabled", "disabled_reason": "secret_missing"}
"""An endpoint's hook: without its secret nothing can be signed for it. A function of the app's own needs none."""

UNSENT = {"status": "dead", "next_attempt_at": None, "last_error": "brought in without its text"}
"""A letter that was still to be sent: nobody can write it any more."""


def where(table: sa.Table, environment_id: str | None) -> sa.ColumnElement[bool]:
    """Answers that were kept encrypted, because they held a key or a token, stay behind: their requests will be answered anew."""
    here = sa.true() if environment_id is None else table.c.environment_id == environment_id
    if table.name == "idempotency_keys":
        return sa.and_(here, table.c.body.is_(None) | table.c.body.not_like("gAAAA%"))
    return here


def tables() -> list[sa.Table]:
    """Every room's, in the order they are written and brought in."""
    for path in sorted(Path(__file__).parent.parent.glob("*/tables.py")):
        importlib.import_module(f"paywright.{path.parent.name}.tables")
    return [table for table in metadata.sorted_tables if table.name not in EPHEMERAL]


def by_key(table: sa.Table) -> list[sa.Column[Any]]:
    return list(table.primary_key.columns)


def written(table: sa.Table, row: Any) -> dict[str, Json]:
    """A row as it stands in an export: what is empty is left out, bytes are Base64."""
    values = {
        str(column.name): value for column, value in zip(table.c, row, strict=True)
    }  # Plain: the names are of a class of their own.
    values |= LEFT_EMPTY.get(table.name, {})
    if table.name == "hooks" and values["kind"] == "endpoint":
        values |= UNSIGNED
    if table.name == "letters" and values["status"] in ("pending", "sending"):
        values |= UNSENT
    return {name: _as_json(value) for name, value in values.items() if value is not None}


def _as_json(value: Any) -> Json:
    return base64.b64encode(value).decode() if isinstance(value, bytes) else value


def read_back(table: sa.Table, shown: dict[str, Json]) -> dict[str, Any]:
    """Raises `KeyError` or `ValueError` for a row that is not of this table."""
    unknown = shown.keys() - {column.name for column in table.c}
    if unknown:
        raise KeyError(f"{table.name} has no column {min(unknown)}")
    row: dict[str, Any] = {}
    for column in table.c:
        value = shown.get(column.name)
        if isinstance(column.type, sa.LargeBinary) and isinstance(value, str):
            value = base64.b64decode(value, validate=True)
        row[column.name] = value
    return row
