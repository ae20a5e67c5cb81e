"""
Putting a catalog in force, and pinning what is sold from it.

An apply is one work: the new version, the product versions, what is archived, which Stripe prices are wanted, the event. Nothing that anybody owns
changes. Afterwards `push` (its own module) tells Stripe.
"""

from collections.abc import Callable, Iterable
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from paywright.catalog import queries
from paywright.catalog.diff import diff
from paywright.catalog.model import Catalog, Change, Item, Product, ProductVersion
from paywright.catalog.parse import parse, sent_version
from paywright.catalog.queries import Origin
from paywright.catalog.report import Report
from paywright.catalog.tables import catalog_ids, catalog_versions, catalogs, product_versions
from paywright.catalog.versions import catalog_hash, product_version_id
from paywright.catalog.wanted import want_stripe_prices
from paywright.environments.queries import environment_of
from paywright.kernel.ids import new_id
from paywright.kernel.refusals import Refusal
from paywright.outbox import actions as outbox
from paywright.outbox.audit import note
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

Kind = Literal["item", "product"]

IsInUse = Callable[[Work, Kind, str], bool]
"""Whether an item has entries, or a product owners. Rooms further right know; the doors hand it in."""


class Applied(msgspec.Struct, frozen=True):
    """`changed` False: the catalog in force is equal to it already, and nothing was written."""

    catalog: Catalog
    changed: bool
    changes: list[Change]


def apply(
    work: Work,
    document: Any,
    *,
    is_in_use: IsInUse,
    expected_version: int | None = None,
    origin: Origin = "api",
    actor: str | None = None,
) -> Applied | Refusal:
    """
    Puts a whole catalog in force.

    The version to replace is `expected_version` or the document's own `version`; with neither, whatever is in force is
    overwritten. Refusals: `catalog_conflict` `{version}`, `invalid_catalog` `{problems}`, `invalid_request` for a malformed
    shape. The same catalog again is `changed` False.
    """
    environment = environment_of(work)
    claimed = sent_version(document)
    if isinstance(claimed, Refusal):
        return claimed
    parsed = parse(document, mode=environment.mode)
    version = _lock(work)
    before = queries.current(work.connection, work.environment_id)
    for expected in (expected_version, claimed):
        if expected is not None and expected != version:
            return Refusal("catalog_conflict", {"version": version})
    if isinstance(parsed, Refusal):
        return parsed
    changes = diff(before, parsed)
    if not changes:
        return Applied(before, False, [])
    fixed = _types_that_are_fixed(work, before, parsed, is_in_use)
    if fixed is not None:
        return fixed
    after = _numbered(work, before, parsed)
    _write(work, before, after, origin, actor)
    want_stripe_prices(work, environment, after)
    shown = [{"action": change.action, "path": change.path} for change in changes]
    note(work, "catalog.applied", str(after.version), origin=origin, changes=len(changes))
    outbox.record(work, "catalog.applied", {"version": after.version, "changes": shown})
    return Applied(after, True, changes)


def pin_inline(work: Work, product: Product) -> ProductVersion:
    """Keeps an inline product as it is being sold, so that a purchase can name its version."""
    version = ProductVersion(product_version_id(None, product), None, product)
    _keep(work, [version])
    return version


def _lock(work: Work) -> int:
    """The version in force; two applies of one environment take turns."""
    insert_if_absent(work, catalogs, {"environment_id": work.environment_id})
    statement = sa.select(catalogs.c.version).where(catalogs.c.environment_id == work.environment_id).with_for_update()
    return int(work.execute(statement).scalar_one())


def _types_that_are_fixed(work: Work, before: Catalog, after: Catalog, is_in_use: IsInUse) -> Refusal | None:
    """What customers hold can't become somebody else's. An id that is back after having been archived counts as well."""
    known = _known_types(work, [*after.items, *after.products])
    report = Report()
    for kind, section, things in (("item", "items", after.items), ("product", "products", after.products)):
        for each, thing in things.items():
            was = known.get((kind, each), thing.customer_type)
            if was != thing.customer_type and is_in_use(work, kind, each):  # type: ignore[arg-type]
                message = f"Customers of type {was} hold this, so its customer type can't change any more."
                report.add("customer_type_fixed", f"{section}.{each}", message)
    return report.refusal()


def _known_types(work: Work, ids: list[str]) -> dict[tuple[str, str], str]:
    """What these ids were last, also those that are archived."""
    rows = work.execute(
        sa.select(catalog_ids.c.kind, catalog_ids.c.id, catalog_ids.c.customer_type)
        .where(catalog_ids.c.environment_id == work.environment_id, catalog_ids.c.id.in_(ids))
        .order_by(catalog_ids.c.kind, catalog_ids.c.id)
        .limit(3 * len(ids) + 1)
    )
    return {(row.kind, row.id): row.customer_type for row in rows}


def _numbered(work: Work, before: Catalog, parsed: Catalog) -> Catalog:
    """The parsed catalog with everything that follows from the one before it."""
    ids = {product_id: product_version_id(product_id, product) for product_id, product in parsed.products.items()}
    defaults = {
        product_id: ids[product_id] for product_id, product in parsed.products.items() if product.include_by_default
    }
    were = {product_id: before.product_versions[product_id] for product_id in before.default_since}
    items: dict[str, Item] = {**before.archived_items, **before.items}
    return msgspec.structs.replace(
        parsed,
        version=before.version + 1,
        archived_items={item_id: item for item_id, item in items.items() if item_id not in parsed.items},
        product_versions=ids,
        defaults_version=before.defaults_version + (defaults != were),
        default_since={product_id: before.default_since.get(product_id, work.now) for product_id in defaults},
    )


def _write(work: Work, before: Catalog, after: Catalog, origin: Origin, actor: str | None) -> None:
    applied_id = new_id("cat")
    work.execute(
        catalogs.update()
        .where(catalogs.c.environment_id == work.environment_id)
        .values(version=after.version, applied_id=applied_id, defaults_version=after.defaults_version)
    )
    work.execute(
        catalog_versions.insert().values(
            environment_id=work.environment_id,
            version=after.version,
            applied_id=applied_id,
            catalog_hash=catalog_hash(after),
            document=msgspec.json.encode(after).decode(),
            origin=origin,
            actor=actor,
            applied_at=work.now,
        )
    )
    unchanged = set(before.product_versions.items())
    news = {each: version for each, version in after.product_versions.items() if (each, version) not in unchanged}
    _keep(work, (ProductVersion(version, each, after.products[each]) for each, version in news.items()))
    _write_ids(work, before, after)


def _keep(work: Work, versions: Iterable[ProductVersion]) -> None:
    """A version that was kept before stays as it is: the id is a hash of the content."""
    for version in sorted(versions, key=lambda each: each.id):
        row = {
            "id": version.id,
            "product_id": version.product_id,
            "document": msgspec.json.encode(version.product).decode(),
        }
        insert_if_absent(work, product_versions, {"environment_id": work.environment_id, **row, "created_at": work.now})


def _write_ids(work: Work, before: Catalog, after: Catalog) -> None:
    sections: tuple[tuple[str, Any, Any], ...] = (
        ("item", before.items, after.items),
        ("product", before.products, after.products),
        ("product_line", before.product_lines, after.product_lines),
    )
    for kind, old, new in sections:
        for each in sorted(new):
            if each in old and (old[each].display_name, old[each].customer_type) == (
                new[each].display_name,
                new[each].customer_type,
            ):
                continue
            key = {"environment_id": work.environment_id, "kind": kind, "id": each}
            insert_if_absent(work, catalog_ids, {**key, **_named(new[each]), "first_version": after.version})
            work.execute(catalog_ids.update().where(_is_id(work, kind, each)).values(**_named(new[each]), archived=0))
        for each in sorted(old.keys() - new.keys()):
            work.execute(catalog_ids.update().where(_is_id(work, kind, each)).values(archived=1))


def _named(thing: Any) -> dict[str, Any]:
    return {"display_name": thing.display_name, "customer_type": thing.customer_type}


def _is_id(work: Work, kind: str, each: str) -> sa.ColumnElement[bool]:
    return (
        (catalog_ids.c.environment_id == work.environment_id)
        & (catalog_ids.c.kind == kind)
        & (catalog_ids.c.id == each)
    )
