"""Owners of a product are migrated to its newer version: asked first, then done."""

from typing import Annotated, Any, Literal

import msgspec

from paywright.api.call import Answer, Call, created, listed, ok
from paywright.api.parsing import Body, cursor_of, instant, read_cursor
from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.refusals import Refusal
from paywright.ownership import migrations
from paywright.ownership.migrations import OwnerFilter
from paywright.storage.work import Work


class OwnersWanted(Body, frozen=True, kw_only=True):
    """Which live owners; everything given must hold. `granted_before` is excluded. `customers`: only these, at most 1,000."""

    source: Literal["checkout", "grant", "default", "test"] | None = None
    price_id: str | None = None
    granted_after: str | None = None
    granted_before: str | None = None
    customers: Annotated[list[Customer], msgspec.Meta(min_length=1, max_length=1000)] | None = None


class MigrationWanted(Body, frozen=True, kw_only=True):
    """`from_version`: only owners of this product version (`product_version` of an owned product). A dry run unless `dry_run` is false."""

    from_version: str | None = None
    filter: OwnersWanted = OwnersWanted()
    dry_run: bool = True


def migrate_owners(call: Call, work: Work) -> Answer | Refusal:
    """
    Migrates owners to the product as it is in the catalog now: included items move, prices do not. A dry run shows what would change.

    201 `running`: the worker goes through the owners. Again, when it is `completed`, changes nothing.
    """
    body: MigrationWanted = call.body
    which = _filter(body)
    if isinstance(which, Refusal):
        return which
    product_id = call.parts["product_id"]
    if body.dry_run:
        seen = migrations.preview(work.connection, call.environment.id, product_id, which, work.now)
        return seen if isinstance(seen, Refusal) else ok(migrations.preview_shown(seen))
    started = migrations.start(work, product_id, which, actor=call.caller.actor)
    return started if isinstance(started, Refusal) else created(migrations.shown(started))


def list_owner_migrations(call: Call) -> Answer | Refusal:
    """Migrations of a product's owners, newest first."""
    before = read_cursor(call.query.cursor)
    if isinstance(before, Refusal):
        return before
    with call.app.database.read() as connection:
        rows = migrations.page(
            connection, call.environment.id, call.parts["product_id"], before=before, limit=call.query.limit
        )
    return listed(rows, limit=call.query.limit, cursor_of=lambda row: cursor_of(row.id), show=migrations.shown)


def read_owner_migration(call: Call) -> Answer | Refusal:
    """How far a migration has come."""
    named: dict[str, Any] = call.parts
    with call.app.database.read() as connection:
        found = migrations.migration(connection, call.environment.id, named["product_id"], named["migration_id"])
    return Refusal("not_found") if found is None else ok(migrations.shown(found))


def _filter(body: MigrationWanted) -> OwnerFilter | Refusal:
    asked = body.filter
    after, before = (
        instant(asked.granted_after, "filter.granted_after"),
        instant(asked.granted_before, "filter.granted_before"),
    )
    for moment in (after, before):
        if isinstance(moment, Refusal):
            return moment
    customers = []
    for each in asked.customers or ():
        customer = parse_customer(each.type, each.id)
        if isinstance(customer, Refusal):
            return customer
        customers.append(customer.key)
    return OwnerFilter(
        from_version=body.from_version,
        source=asked.source,
        price_id=asked.price_id,
        granted_after=after,  # type: ignore[arg-type]
        granted_before=before,  # type: ignore[arg-type]
        customers=tuple(sorted(customers)),
    )
