"""Builds what actions take: the `App`, on a database that is up to date, with the environments of its first start."""

from pathlib import Path

from paywright.catalog.from_file import apply_file, has_changed
from paywright.catalog.loading import find
from paywright.emails.writing import note_letters
from paywright.engine.app import App
from paywright.environments import actions, queries
from paywright.environments.model import Environment
from paywright.kernel.model import Mode, Provider
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.ledger.opening import Opening
from paywright.ledger.queries import has_entries
from paywright.outbox.audit import note
from paywright.ownership import defaults
from paywright.ownership.queries import has_owners
from paywright.realtime.bell import Bell
from paywright.storage.database import Database
from paywright.storage.migrate import require_current, revisions, upgrade
from paywright.storage.work import Work
from paywright.webhooks.actions import wake_newly_mapped


class UnknownEnvironment(Exception):
    """The environment that was asked for does not exist; the message says how to make it."""


class CatalogRefused(Exception):
    """The catalog file is not valid, or would overwrite an edit; the message says where."""


def open_app(settings: Settings, *, provider: Provider = "stripe") -> App:
    """
    An App whose database is at the newest revision, with the selected environment in it. A new SQLite file is filled; any other database that is
    behind raises `SchemaOutdated`. The first start makes the environment `test` (with `provider`); another one must have been made before.
    """
    if is_new_sqlite(settings.database_url):
        upgrade(settings.database_url)
    app = App(settings)
    app.at_commit += [wake_newly_mapped, note_letters]
    try:
        require_current(app.database)
        opening = app.resource(Opening)
        opening.align, opening.included = defaults.align, defaults.included_by_default
        app.resource(Bell)
        select_environment(app, settings.environment, provider=provider)
    except BaseException:
        app.close()
        raise
    return app


def is_new_sqlite(database_url: str) -> bool:
    """True for a SQLite database without tables. It belongs to whoever starts first, so nobody has to migrate it by hand."""
    database = Database(database_url)
    try:
        return database.dialect == "sqlite" and revisions(database)[0] is None
    finally:
        database.close()


def select_environment(app: App, environment_id: str, *, provider: Provider = "stripe") -> Environment:
    found = app.environment(environment_id)
    if found is not None:
        return found
    if environment_id != "test":
        raise UnknownEnvironment(
            f"there is no environment `{environment_id}`: run `paywright environments create {environment_id}`"
        )
    made = create_environment(app, environment_id, mode="test", provider=provider)
    assert not isinstance(made, Refusal), made
    return made


def create_environment(app: App, environment_id: str, *, mode: Mode, provider: Provider) -> Environment | Refusal:
    with app.work(environment_id) as work:
        there_before = queries.environment(work.connection, environment_id) is not None
        made = actions.create(work, mode=mode, provider=provider)
        if not there_before and not isinstance(made, Refusal):
            note(work, "environment.created", environment_id, mode=mode, provider=provider)
        return made


def every_environment(app: App) -> list[Environment]:
    with app.database.read() as connection:
        return queries.every_environment(connection)


def apply_catalog_file(app: App, environment_id: str, folder: Path, named: Path | None = None) -> None:
    """
    Puts the catalog file in force where it says something else than when it was applied last; never in live. Without a file nothing happens.

    What was edited over HTTP or in the dashboard stays until the file changes. Raises `CatalogRefused`.
    """
    path = named or find(folder, app.settings.catalog)
    environment = app.environment(environment_id)
    assert environment is not None, environment_id
    if path is None or environment.livemode or not has_changed(app, environment_id, path):
        return
    applied = apply_file(app, environment_id, path, is_in_use=is_in_use)
    if isinstance(applied, Refusal):
        problems = "".join(f"\n  {each['path']}: {each['message']}" for each in applied.facts.get("problems", []))
        raise CatalogRefused(f"{path}: {applied.message}{problems}")


def is_in_use(work: Work, kind: str, thing_id: str) -> bool:
    """Whether an item has entries or a product has or had owners: `catalog.actions.apply` asks, and rooms to its right know."""
    if kind == "item":
        return has_entries(work.connection, work.environment_id, thing_id)
    return has_owners(work.connection, work.environment_id, thing_id)
