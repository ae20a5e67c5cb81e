"""Applying a catalog file: what `paywright catalog apply` does, and `paywright dev` whenever the file has changed."""

from pathlib import Path

from paywright.catalog import queries
from paywright.catalog.actions import Applied, IsInUse, apply
from paywright.catalog.loading import load
from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse
from paywright.catalog.versions import catalog_hash
from paywright.engine.app import App
from paywright.kernel.refusals import Refusal


def apply_file(
    app: App, environment_id: str, path: Path, *, is_in_use: IsInUse, force: bool = False
) -> Applied | Refusal:
    """
    Puts the file in force. Does not push.

    Without `force` it does not overwrite what was edited in the dashboard: `catalog_conflict` with `edited_in`. Raises `CatalogFileUnreadable`.
    """
    document = load(path)
    with app.database.read() as connection:
        head = queries.head(connection, environment_id)
    read = parse_for(app, environment_id, document)
    if isinstance(read, Refusal):
        return read
    if not force and head.origin == "dashboard" and head.catalog_hash != catalog_hash(read):
        return Refusal("catalog_conflict", {"version": head.version, "edited_in": "dashboard"})
    expected = None if force else head.version
    with app.work(environment_id) as work:
        return apply(work, document, is_in_use=is_in_use, expected_version=expected, origin="file")


def has_changed(app: App, environment_id: str, path: Path) -> bool:
    """Whether the file says something else than when it was applied last; True when it never was, or can't be read as a catalog."""
    read = parse_for(app, environment_id, load(path))
    with app.database.read() as connection:
        applied = queries.last_from_file(connection, environment_id)
    return isinstance(read, Refusal) or catalog_hash(read) != applied


def parse_for(app: App, environment_id: str, document: object) -> Catalog | Refusal:
    """The catalog as the environment's mode reads it."""
    environment = app.environment(environment_id)
    assert environment is not None, environment_id
    return parse(document, mode=environment.mode)
