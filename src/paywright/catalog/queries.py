"""What is on sale, what was sold, and which of our prices one of Stripe's is."""

from collections.abc import Collection, Sequence
from typing import Literal
from weakref import WeakKeyDictionary

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection, Engine

from paywright.catalog.model import Catalog, Product, ProductVersion
from paywright.catalog.tables import catalog_versions, catalogs, product_versions, stripe_prices

Origin = Literal["file", "api", "dashboard"]


class Head(msgspec.Struct, frozen=True):
    """Which catalog is in force, and who put it there. Version 0: none yet."""

    version: int = 0
    origin: Origin | None = None
    catalog_hash: str | None = None
    applied_at: int | None = None


class SoldPrice(msgspec.Struct, frozen=True):
    """What a Stripe price means to us. `product_version` is the newest one sold at it; `is_for_sale` False: archived, its owners keep it."""

    product_id: str
    price_id: str
    product_version: str
    stripe_price_id: str
    is_for_sale: bool


_seen: WeakKeyDictionary[Engine, dict[str, tuple[str, Catalog]]] = WeakKeyDictionary()
"""Per database and environment the catalog read last, under the id of its apply. That id is new in each apply, also in one that is rolled back, so
what is remembered is never wrong, only unused."""


# Written once: making a statement costs more than running it.
_CURRENT = sa.select(catalogs.c.version, catalogs.c.applied_id).where(
    catalogs.c.environment_id == sa.bindparam("environment")
)
_BY_STRIPE_PRICE = (
    sa.select(
        *(stripe_prices.c[name] for name in ("product_id", "price_id", "product_version", "stripe_price_id", "active"))
    )
    .where(
        stripe_prices.c.environment_id == sa.bindparam("environment"),
        stripe_prices.c.stripe_price_id.in_(sa.bindparam("ids", expanding=True)),
    )
    .order_by(stripe_prices.c.active, stripe_prices.c.row_id)
    .limit(1000)
)


def current(connection: Connection, environment_id: str) -> Catalog:
    """The catalog in force as this transaction sees it: one small query, and a second one after a change."""
    row = connection.execute(_CURRENT, {"environment": environment_id}).one_or_none()
    if row is None or row.version == 0:
        return Catalog()
    catalog = remembered(connection.engine, environment_id, row.applied_id)
    if catalog is None:
        catalog = at_version(connection, environment_id, row.version)
        assert catalog is not None, row.version
        _seen.setdefault(connection.engine, {})[environment_id] = (row.applied_id, catalog)
    return catalog


def remembered(engine: Engine, environment_id: str, applied_id: str) -> Catalog | None:
    """The catalog of an apply if it is the one `current` read last."""
    found = _seen.get(engine, {}).get(environment_id)
    return found[1] if found is not None and found[0] == applied_id else None


def at_version(connection: Connection, environment_id: str, version: int) -> Catalog | None:
    """A catalog that is or was in force, as it was applied; None when there was no such version."""
    document = connection.execute(
        sa.select(catalog_versions.c.document).where(
            catalog_versions.c.environment_id == environment_id, catalog_versions.c.version == version
        )
    ).scalar_one_or_none()
    return None if document is None else msgspec.json.decode(document, type=Catalog)


def head(connection: Connection, environment_id: str) -> Head:
    columns = (
        catalogs.c.version,
        catalog_versions.c.origin,
        catalog_versions.c.catalog_hash,
        catalog_versions.c.applied_at,
    )
    same = (catalog_versions.c.environment_id == catalogs.c.environment_id) & (
        catalog_versions.c.version == catalogs.c.version
    )
    statement = sa.select(*columns).join(catalog_versions, same).where(catalogs.c.environment_id == environment_id)
    row = connection.execute(statement).one_or_none()
    return Head() if row is None else Head(row.version, row.origin, row.catalog_hash, row.applied_at)


def last_from_file(connection: Connection, environment_id: str) -> str | None:
    """The hash of the catalog that was applied from a file last; None when none ever was."""
    return connection.execute(
        sa.select(catalog_versions.c.catalog_hash)
        .where(catalog_versions.c.environment_id == environment_id, catalog_versions.c.origin == "file")
        .order_by(catalog_versions.c.version.desc())
        .limit(1)
    ).scalar_one_or_none()


def product_version(connection: Connection, environment_id: str, product_version_id: str) -> ProductVersion | None:
    """A product as it was sold; None when no such version was ever applied or pinned."""
    return product_versions_of(connection, environment_id, [product_version_id]).get(product_version_id)


def product_versions_of(
    connection: Connection, environment_id: str, product_version_ids: Sequence[str]
) -> dict[str, ProductVersion]:
    """Several at once, by id; those that do not exist are left out. At most a thousand."""
    assert len(product_version_ids) <= 1000, len(product_version_ids)
    found = remembered_versions(environment_id, product_version_ids)
    missing = sorted(set(product_version_ids) - found.keys())
    if not missing:
        return found
    rows = connection.execute(
        sa.select(product_versions.c.id, product_versions.c.product_id, product_versions.c.document)
        .where(product_versions.c.environment_id == environment_id, product_versions.c.id.in_(missing))
        .order_by(product_versions.c.id)
        .limit(len(missing))
    )
    for row in rows:
        found[row.id] = ProductVersion(row.id, row.product_id, msgspec.json.decode(row.document, type=Product))
        _remember(environment_id, found[row.id])
    return found


def remembered_versions(environment_id: str, product_version_ids: Collection[str]) -> dict[str, ProductVersion]:
    """Those that were read before, by id: they never change."""
    return {
        each: _versions[environment_id, each] for each in product_version_ids if (environment_id, each) in _versions
    }


def by_stripe_price(
    connection: Connection, environment_id: str, stripe_price_ids: Sequence[str]
) -> dict[str, SoldPrice]:
    """
    Which of our prices these are, by Stripe's id; those that are not ours are left out. At most a hundred.

    Archived ones are found too. Where several of ours adopted one Stripe price over time, the one for sale wins, then the newest.
    """
    assert len(stripe_price_ids) <= 100, len(stripe_price_ids)
    rows = connection.execute(_BY_STRIPE_PRICE, {"environment": environment_id, "ids": list(stripe_price_ids)})
    return {
        row.stripe_price_id: SoldPrice(
            row.product_id, row.price_id, row.product_version, row.stripe_price_id, bool(row.active)
        )
        for row in rows
    }


def known_stripe_prices(connection: Connection, environment_id: str) -> set[str]:
    """Every Stripe price id that is ours, archived ones too; at most ten thousand."""
    rows = connection.execute(
        sa.select(stripe_prices.c.stripe_price_id)
        .where(stripe_prices.c.environment_id == environment_id, stripe_prices.c.stripe_price_id.is_not(None))
        .order_by(stripe_prices.c.stripe_price_id, stripe_prices.c.row_id)
        .limit(10_000)
    )
    return {row.stripe_price_id for row in rows}


def stripe_price_ids(connection: Connection, environment_id: str, product_id: str) -> dict[str, str]:
    """Our price id → Stripe's, for the prices of a product that are for sale and known to Stripe. What is missing needs a push."""
    rows = connection.execute(
        sa.select(stripe_prices.c.price_id, stripe_prices.c.stripe_price_id)
        .where(
            stripe_prices.c.environment_id == environment_id,
            stripe_prices.c.product_id == product_id,
            stripe_prices.c.active == 1,
            stripe_prices.c.stripe_price_id.is_not(None),
        )
        .order_by(stripe_prices.c.price_id, stripe_prices.c.row_id)
        .limit(1000)
    )
    return {row.price_id: row.stripe_price_id for row in rows}


_VERSIONS_MAX = 5_000
_versions: dict[tuple[str, str], ProductVersion] = {}
"""Product versions read so far. Their id is a hash of their content, so one entry serves every database that has it."""


def _remember(environment_id: str, version: ProductVersion) -> None:
    if len(_versions) >= _VERSIONS_MAX:
        _versions.clear()
    _versions[environment_id, version.id] = version
