"""`paywright catalog migrate-owners`: owners of a product get what it includes now."""

import sys
from typing import TYPE_CHECKING, Any

import click

from paywright.cli.options import must, opened, shared, show

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.environments.model import Environment
    from paywright.ownership.migrations import Migration, OwnerFilter, Preview

SOURCES = ("checkout", "grant", "default", "test")


@click.command("migrate-owners")
@click.argument("product")
@click.option("--from-version", metavar="PV", help="Only owners of this product version.")
@click.option("--source", type=click.Choice(SOURCES), help="Only those who have it from there.")
@click.option("--price", "price_id", metavar="ID", help="Only those who pay this price.")
@click.option("--granted-after", metavar="INSTANT", help="Only those who have it since then or later.")
@click.option("--granted-before", metavar="INSTANT", help="Only those who had it before then.")
@click.option("--customer", "customers", multiple=True, metavar="TYPE:ID", help="Only this customer; may be repeated.")
@click.option("--apply", "is_meant", is_flag=True, help="Do it. Without this nothing is written.")
@shared
def migrate_owners(
    product: str, is_meant: bool, environment: str | None, as_json: bool, customers: tuple[str, ...], **asked: Any
) -> None:
    """
    Give owners what PRODUCT includes now. Shows what would change; --apply does it.

    Included items move, prices do not. It may be interrupted at any time: the same command goes on where it was, and so does the worker of a server.
    """
    from paywright.ownership import migrations

    which = owner_filter(customers, **asked)
    with opened(environment) as (app, selected):
        if not is_meant:
            now = app.now(selected.id)
            with app.database.read() as connection:
                seen = must(migrations.preview(connection, selected.id, product, which, now), as_json=as_json)
            show(migrations.preview_shown(seen), sentences(seen), as_json=as_json)
            return
        started = begin(app, selected, product, which, as_json=as_json)
        done = carry_out(app, selected, started, as_json=as_json)
    there = "" if not done.unchanged else f" {done.unchanged} needed nothing."
    show(migrations.shown(done), f"{done.migrated} owners of {product} migrated.{there}", as_json=as_json)


def begin(app: "App", environment: "Environment", product: str, which: "OwnerFilter", *, as_json: bool) -> "Migration":
    """A new migration, or the one that was interrupted."""
    from paywright.kernel.refusals import Refusal
    from paywright.ownership import migrations

    with app.work(environment.id) as work:
        started = migrations.start(work, product, which, actor="cli")
    if isinstance(started, Refusal) and started.code == "migration_running":
        with app.database.read() as connection:
            running = migrations.migration(connection, environment.id, product, started.facts["migration_id"])
        if running is not None and running.filter == which:
            click.echo(f"Going on with {running.id}.", err=True)
            return running
    found: Migration = must(started, as_json=as_json)
    return found


def carry_out(app: "App", environment: "Environment", started: "Migration", *, as_json: bool) -> "Migration":
    """With a bar on standard error, for people."""
    from paywright.ownership import migrations

    if as_json:
        return migrations.finish(app, environment, started.id)
    reached = started.migrated + started.unchanged
    length = max(1, started.owners - reached)
    with click.progressbar(length=length, label="Owners", file=sys.stderr) as bar:

        def tell(stands: "Migration") -> None:
            nonlocal reached
            bar.update(stands.migrated + stands.unchanged - reached)
            reached = stands.migrated + stands.unchanged

        return migrations.finish(app, environment, started.id, tell=tell)


def owner_filter(
    customers: tuple[str, ...],
    *,
    from_version: str | None,
    source: Any,
    price_id: str | None,
    granted_after: str | None,
    granted_before: str | None,
) -> "OwnerFilter":
    from paywright.ownership.migrations import OwnerFilter

    return OwnerFilter(
        from_version=from_version,
        source=source,
        price_id=price_id,
        granted_after=moment(granted_after, "--granted-after"),
        granted_before=moment(granted_before, "--granted-before"),
        customers=tuple(sorted(customer_key(each) for each in customers)),
    )


def moment(written: str | None, option: str) -> int | None:
    from paywright.kernel.instants import parse_instant

    found = None if written is None else parse_instant(written)
    if written is not None and found is None:
        raise click.UsageError(f"{option} is an instant with its offset, such as 2026-11-20T12:00:00Z.")
    return found


def customer_key(written: str) -> str:
    from paywright.kernel.model import Customer, parse_customer

    customer_type, _, customer_id = written.partition(":")
    found = parse_customer(customer_type, customer_id)
    if not isinstance(found, Customer):
        raise click.UsageError(f"--customer {written}: write it as user:u_1.")
    return found.key


def sentences(seen: "Preview") -> str:
    lines = [f"{seen.to_migrate} of {seen.owners} owners of {seen.product_id} would be migrated to {seen.version_id}."]
    for each in seen.versions:
        lines.append(f"{each.version_id}: {each.owners} owners{', nothing to do' if each.is_there else ''}")
        for move in each.items:
            lines.append(f"  {move.item_id}: {terms(move.before)} -> {terms(move.after)}")
    if seen.to_migrate:
        lines.append("Nothing was written. Say --apply to do it.")
    return "\n".join(lines)


def terms(included: Any) -> str:
    if included is None:
        return "not included"
    return f"{included.quantity}, repeat {included.repeat}, expires {included.expires}"
