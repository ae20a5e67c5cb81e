"""`paywright environments` and `migrate`: what the database holds before anything else can."""

from typing import Any

import click

from paywright.cli.connecting import connect
from paywright.cli.options import fail, must, opened, read_settings, shared, show, table


@click.group("environments")
def group() -> None:
    """Environments: one app in one mode each."""


group.add_command(connect)


@group.command("create")
@click.argument("environment_id", metavar="ID")
@click.option("--mode", type=click.Choice(["test", "live"]), help="Live moves real money. Left out: test.")
@click.option(
    "--provider", type=click.Choice(["stripe", "sandbox", "instant"]), help="Where money moves. Left out: stripe."
)
@shared
def create(environment_id: str, mode: Any, provider: Any, environment: str | None, as_json: bool) -> None:
    """Make an environment. The same again answers what is there."""
    from paywright.app import create_environment

    with opened(environment) as (app, _):
        outcome = create_environment(app, environment_id, mode=mode or "test", provider=provider or "stripe")
    made = must(outcome, as_json=as_json)
    if (mode or made.mode, provider or made.provider) != (made.mode, made.provider):
        fail(
            f"there is an environment `{made.id}` already: {made.mode}, {made.provider}",
            as_json=as_json,
            code="environment_exists",
            facts=shown(made),
        )
    show(shown(made), f"{made.id}: {made.mode}, {made.provider}", as_json=as_json)


@group.command("list")
@shared
def list_environments(environment: str | None, as_json: bool) -> None:
    """All of them, by id."""
    from paywright.app import every_environment

    with opened(environment) as (app, _):
        found = every_environment(app)
    rows: list[tuple[str, ...]] = [(each.id, each.mode, each.provider) for each in found]
    show({"data": [shown(each) for each in found]}, table(rows, ("id", "mode", "provider")), as_json=as_json)


@click.command()
@shared
def migrate(environment: str | None, as_json: bool) -> None:
    """Bring the database up to date. Safe at any time, twice, and from several machines at once."""
    from paywright.storage.database import Database
    from paywright.storage.migrate import revisions, upgrade

    settings = read_settings(environment)
    upgrade(settings.database_url)
    database = Database(settings.database_url)
    try:
        revision, _ = revisions(database)
    finally:
        database.close()
    show({"revision": revision}, f"The database is at revision {revision}.", as_json=as_json)


def shown(environment: Any) -> dict[str, Any]:
    return {
        "id": environment.id,
        "mode": environment.mode,
        "provider": environment.provider,
        "stripe_account_id": environment.stripe_account_id,
    }
