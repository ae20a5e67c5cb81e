"""`paywright keys`: API keys of an environment."""

from typing import TYPE_CHECKING, Any

import click
import msgspec

from paywright.cli.options import must, opened, shared, show, table

if TYPE_CHECKING:
    from paywright.access.model import ApiKey

SCOPES = ("read", "customers", "ledger", "catalog", "refunds", "admin")


@click.group("keys")
def group() -> None:
    """API keys: make, list, revoke."""


@group.command()
@click.option(
    "--kind",
    type=click.Choice(["secret", "publishable"]),
    default="secret",
    help="A publishable one may be in a browser.",
)
@click.option(
    "--scope", "scopes", multiple=True, type=click.Choice(SCOPES), help="Repeatable; all of them if left out."
)
@click.option("--name", help="To tell keys apart.")
@shared
def create(kind: Any, scopes: tuple[str, ...], name: str | None, environment: str | None, as_json: bool) -> None:
    """Make a key and print it. A secret key is shown now and never again."""
    from paywright.access.actions import create_key

    with opened(environment) as (app, selected), app.work(selected.id) as work:
        created = create_key(work, kind, scopes=scopes or SCOPES, name=name)
    created = must(created, as_json=as_json)
    show({**shown(created.key), "key": created.plain}, created.plain, as_json=as_json)


@group.command("list")
@shared
def list_keys(environment: str | None, as_json: bool) -> None:
    """All keys, newest first; secret ones by their last four characters."""
    from paywright.access import queries

    with opened(environment) as (app, selected), app.database.read() as connection:
        found = [shown(key) for key in queries.keys(connection, selected.id)]
    text = "No keys yet: `paywright keys create` makes one."
    if found:
        head = ("id", "kind", "key", "name", "scopes", "created", "revoked")
        text = table([_row(each) for each in found], head)
    show({"data": found}, text, as_json=as_json)


@group.command()
@click.argument("key_id")
@shared
def revoke(key_id: str, environment: str | None, as_json: bool) -> None:
    """Make a key worthless, within a second and for good."""
    from paywright.access.actions import revoke_key

    with opened(environment) as (app, selected), app.work(selected.id) as work:
        outcome = revoke_key(work, key_id)
    revoked: ApiKey = must(outcome, as_json=as_json)
    show(shown(revoked), f"{revoked.id} (…{revoked.last_four}) is revoked.", as_json=as_json)


def shown(key: "ApiKey") -> dict[str, Any]:
    """A key as JSON; a secret one without itself."""
    from paywright.kernel.instants import rfc3339, rfc3339_or_none

    fields: dict[str, Any] = msgspec.to_builtins(key)
    return {**fields, "created_at": rfc3339(key.created_at), "revoked_at": rfc3339_or_none(key.revoked_at)}


def _row(key: dict[str, Any]) -> tuple[str, ...]:
    visible = key["key"] or f"…{key['last_four']}"
    scopes = " ".join(key["scopes"])
    return (key["id"], key["kind"], visible, key["name"] or "", scopes, key["created_at"], key["revoked_at"] or "")
