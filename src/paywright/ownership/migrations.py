"""
Migrating a filtered set of owners to the version of a product that is in force now.

A migration is a row that says how far it has come. It goes on in bounded works, each of which migrates a few owners and moves the mark, so a process
may die between any two of them and anybody goes on from there. Owners are taken in one order, by customer and id; what is bought meanwhile is of
the newer version by itself. An owner who is there already is left alone, so a migration may be run twice.
"""

from collections.abc import Callable
from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import ProductVersion
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.instants import rfc3339, rfc3339_or_none
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.outbox.audit import note
from paywright.ownership import queries
from paywright.ownership.actions import settle
from paywright.ownership.migrating import migrate
from paywright.ownership.migration_rules import ItemMove, item_moves, migrated
from paywright.ownership.model import Source
from paywright.ownership.tables import owned_products, owner_migrations
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

OWNERS_AT_ONCE = 20
"""Owners of one work: their rows stay locked until it commits, and their other calls wait that long."""

ELSEWHERE_S = 0.2

VERSIONS_MAX = 200
"""Versions a preview tells apart. Owners whose price is their own have a version of their own."""


class OwnerFilter(msgspec.Struct, frozen=True, omit_defaults=True):
    """Which live owners; everything given must hold. Instants are milliseconds, `granted_before` excluded. `customers` empty: all."""

    from_version: str | None = None
    source: Source | None = None
    price_id: str | None = None
    granted_after: int | None = None
    granted_before: int | None = None
    customers: tuple[str, ...] = ()


class Migration(msgspec.Struct, frozen=True):
    """`owners` counts those the filter named at the start, `unchanged` those looked at who were there already or own it no more."""

    id: str
    product_id: str
    version_id: str
    filter: OwnerFilter
    status: Literal["running", "completed"]
    owners: int
    migrated: int
    unchanged: int
    after: tuple[str, str]
    actor: str | None
    created_at: int
    finished_at: int | None
    is_ours: bool = False
    """Locked by this work: nobody else migrates these owners now."""


class VersionOwners(msgspec.Struct, frozen=True):
    """Owners of one version, and what a migration does to each of them; no moves and `is_there` when they have it already."""

    version_id: str
    owners: int
    is_there: bool
    items: list[ItemMove]


class Preview(msgspec.Struct, frozen=True):
    """A dry run. `to_migrate` are the owners whose purchase would change."""

    product_id: str
    version_id: str
    owners: int
    to_migrate: int
    versions: list[VersionOwners]


def preview(
    connection: Connection, environment_id: str, product_id: str, which: OwnerFilter, now: int
) -> Preview | Refusal:
    """What `start` would do. Nothing is written."""
    newer = _in_force(connection, environment_id, product_id)
    if isinstance(newer, Refusal):
        return newer
    counted = connection.execute(
        sa.select(owned_products.c.version_id, sa.func.count().label("owners"))
        .where(_live(environment_id, product_id, now), *_named(which))
        .group_by(owned_products.c.version_id)
        .order_by(sa.desc("owners"), owned_products.c.version_id)
        .limit(VERSIONS_MAX)
    ).all()
    sold = catalog_queries.product_versions_of(connection, environment_id, [row.version_id for row in counted])
    versions = []
    for row in counted:
        product = sold[row.version_id].product
        is_there = migrated(product, newer.product) == product
        versions.append(VersionOwners(row.version_id, row.owners, is_there, item_moves(product, newer.product)))
    return Preview(
        product_id,
        newer.id,
        sum(each.owners for each in versions),
        sum(each.owners for each in versions if not each.is_there),
        versions,
    )


def start(work: Work, product_id: str, which: OwnerFilter, *, actor: str | None) -> Migration | Refusal:
    """
    Writes down that these owners are to be migrated to the version in force now; the worker, or whoever calls `advance`, does it.

    One at a time and product: 409 `migration_running` `{migration_id}`. Unknown product: `product_not_found`.
    """
    newer = _in_force(work.connection, work.environment_id, product_id)
    if isinstance(newer, Refusal):
        return newer
    live = _live(work.environment_id, product_id, work.now)
    owners = work.execute(
        sa.select(sa.func.count()).select_from(owned_products).where(live, *_named(which))
    ).scalar_one()
    made = Migration(
        new_id("mig"), product_id, newer.id, which, "running", owners, 0, 0, ("", ""), actor, work.now, None
    )
    row = {
        "environment_id": work.environment_id,
        "id": made.id,
        "product_id": product_id,
        "version_id": newer.id,
        "filter": msgspec.json.encode(which).decode(),
        "owners": owners,
        "actor": actor,
        "created_at": work.now,
    }
    if insert_if_absent(work, owner_migrations, row):
        note(work, "owners.migrated", product_id, migration_id=made.id, owners=owners)
        return made
    where = (owner_migrations.c.product_id == product_id) & (owner_migrations.c.status == "running")
    running = _select(work.connection, work.environment_id, where, limit=1)
    return Refusal("migration_running", {"migration_id": running[0].id if running else None})


def advance(app: App, environment: Environment, migration_id: str) -> Migration | None:
    """
    One bounded work: a few more owners. Answers how it stands then; None when there is no such migration.

    Several processes may call this for one migration at once: one of them works, the others are told how it stands.
    """
    where = owner_migrations.c.id == migration_id
    with app.work(environment.id) as work:
        found = _select(work.connection, environment.id, where, limit=1, lock=True) or _select(
            work.connection, environment.id, where, limit=1
        )
        if not found or not found[0].is_ours or found[0].status != "running":
            return found[0] if found else None
        after = _migrate_some(work, environment, found[0])
        work.execute(
            owner_migrations.update()
            .where(owner_migrations.c.environment_id == environment.id, where)
            .values(
                status=after.status,
                migrated=after.migrated,
                unchanged=after.unchanged,
                after_customer=after.after[0],
                after_id=after.after[1],
                finished_at=after.finished_at,
            )
        )
    return after


def finish(
    app: App, environment: Environment, migration_id: str, *, tell: Callable[[Migration], None] | None = None
) -> Migration:
    """All of it, `tell`ing after each work. May be stopped at any time; the next call goes on where it was."""
    while True:
        stands = advance(app, environment, migration_id)
        assert stands is not None, migration_id
        if tell is not None:
            tell(stands)
        if stands.status != "running":
            return stands
        if not stands.is_ours:
            app.news.wait(ELSEWHERE_S)  # A worker is at it; it wakes us when it is in this process.


def advance_running(app: App, environment: Environment) -> int:
    """The worker's turn: one work for each migration that runs here. Answers how many there were."""
    with app.database.read() as connection:
        running = _select(connection, environment.id, owner_migrations.c.status == "running", limit=10)
    for each in running:
        advance(app, environment, each.id)
    return len(running)


def migration(connection: Connection, environment_id: str, product_id: str, migration_id: str) -> Migration | None:
    where = (owner_migrations.c.id == migration_id) & (owner_migrations.c.product_id == product_id)
    found = _select(connection, environment_id, where, limit=1)
    return found[0] if found else None


def page(
    connection: Connection, environment_id: str, product_id: str, *, before: str | None, limit: int
) -> list[Migration]:
    """Newest first, one more than `limit`; `before` is the id of the last one of the page before."""
    where = owner_migrations.c.product_id == product_id
    if before is not None:
        where &= owner_migrations.c.id < before
    return _select(connection, environment_id, where, limit=limit + 1)


def shown(each: Migration) -> dict[str, Any]:
    return {
        "id": each.id,
        "product_id": each.product_id,
        "product_version": each.version_id,
        "dry_run": False,
        "status": each.status,
        "owners": each.owners,
        "migrated": each.migrated,
        "unchanged": each.unchanged,
        "created_at": rfc3339(each.created_at),
        "finished_at": rfc3339_or_none(each.finished_at),
    }


def preview_shown(each: Preview) -> dict[str, Any]:
    return {
        "id": None,
        "product_id": each.product_id,
        "product_version": each.version_id,
        "dry_run": True,
        "status": "dry_run",
        "owners": each.owners,
        "to_migrate": each.to_migrate,
        "versions": [
            {
                "product_version": version.version_id,
                "owners": version.owners,
                "up_to_date": version.is_there,
                "items": [msgspec.to_builtins(move) for move in version.items],
            }
            for version in each.versions
        ],
    }


def _migrate_some(work: Work, environment: Environment, running: Migration) -> Migration:
    place = sa.tuple_(owned_products.c.customer, owned_products.c.id)
    live = _live(work.environment_id, running.product_id, work.now)
    rows = work.execute(
        sa.select(owned_products.c.customer, owned_products.c.id)
        .where(live, *_named(running.filter), place > sa.tuple_(*running.after))
        .order_by(owned_products.c.customer, owned_products.c.id)
        .limit(OWNERS_AT_ONCE)
    ).all()
    newer = catalog_queries.product_version(work.connection, work.environment_id, running.version_id)
    assert newer is not None, running.version_id
    changed = 0
    customers = sorted({Customer.of_key(row.customer) for row in rows})
    lock_customers(work, customers)
    for customer in customers:
        settle(work, environment, customer)
    for row in rows:
        changed += _migrate_one(work, environment, running, newer, Customer.of_key(row.customer), row.id)
    is_done = len(rows) < OWNERS_AT_ONCE
    return msgspec.structs.replace(
        running,
        status="completed" if is_done else "running",
        migrated=running.migrated + changed,
        unchanged=running.unchanged + len(rows) - changed,
        after=running.after if not rows else (rows[-1].customer, rows[-1].id),
        finished_at=work.now if is_done else None,
    )


def _migrate_one(
    work: Work, environment: Environment, running: Migration, newer: ProductVersion, customer: Customer, owned_id: str
) -> bool:
    """Looked at again under the lock: it may have ended, or been attached to another customer."""
    owned = queries.owned_product(work.connection, work.environment_id, customer, owned_id)
    if owned is None or owned.ended_at is not None or owned.is_frozen:
        return False
    source = f"migration:{running.id}:{owned_id}"
    return migrate(work, environment, owned, newer, source=source, actor=running.actor) is not None


def _in_force(connection: Connection, environment_id: str, product_id: str) -> ProductVersion | Refusal:
    catalog = catalog_queries.current(connection, environment_id)
    product = catalog.products.get(product_id)
    if product is None:
        return Refusal("product_not_found", {"product_id": product_id})
    return ProductVersion(catalog.product_versions[product_id], product_id, product)


def _live(environment_id: str, product_id: str, now: int) -> sa.ColumnElement[bool]:
    columns = owned_products.c
    return sa.and_(
        columns.environment_id == environment_id,
        columns.product_id == product_id,
        columns.ended_at.is_(None),
        columns.ends_at.is_(None) | (columns.ends_at > now),
        # What is disputed may be taken back: nothing is added to it before that is over.
        columns.frozen_by.is_(None),
    )


def _named(which: OwnerFilter) -> list[sa.ColumnElement[bool]]:
    columns, asked = owned_products.c, []
    if which.from_version is not None:
        asked.append(columns.version_id == which.from_version)
    if which.source is not None:
        asked.append(columns.source == which.source)
    if which.price_id is not None:
        asked.append(columns.price_id == which.price_id)
    if which.granted_after is not None:
        asked.append(columns.granted_at >= which.granted_after)
    if which.granted_before is not None:
        asked.append(columns.granted_at < which.granted_before)
    if which.customers:
        asked.append(columns.customer.in_(which.customers))
    return asked


def _select(
    connection: Connection, environment_id: str, where: sa.ColumnElement[bool], *, limit: int, lock: bool = False
) -> list[Migration]:
    statement = (
        sa.select(*owner_migrations.c)
        .where(owner_migrations.c.environment_id == environment_id, where)
        .order_by(owner_migrations.c.id.desc())
        .limit(limit)
    )
    rows = connection.execute(statement.with_for_update(skip_locked=True) if lock else statement)
    return [
        Migration(
            id=row.id,
            product_id=row.product_id,
            version_id=row.version_id,
            filter=msgspec.json.decode(row.filter, type=OwnerFilter),
            status=row.status,
            owners=row.owners,
            migrated=row.migrated,
            unchanged=row.unchanged,
            after=(row.after_customer, row.after_id),
            actor=row.actor,
            created_at=row.created_at,
            finished_at=row.finished_at,
            is_ours=lock,
        )
        for row in rows
    ]
