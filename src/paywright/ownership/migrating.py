"""One owner is migrated to a newer version of the product, inside a work that holds the customer's lock."""

import msgspec

from paywright.catalog.actions import pin_inline
from paywright.catalog.model import Product, ProductVersion
from paywright.catalog.queries import product_versions_of
from paywright.environments.model import Environment
from paywright.ledger import actions as ledger
from paywright.outbox.actions import record
from paywright.ownership.migration_rules import ItemMove, item_moves, migrated, units
from paywright.ownership.model import OwnedProduct, PendingChange
from paywright.ownership.record import rewrite, shown_in_event
from paywright.ownership.succession import sooner
from paywright.storage.work import Work


def migrate(
    work: Work, environment: Environment, owned: OwnedProduct, newer: ProductVersion, *, source: str, actor: str | None
) -> OwnedProduct | None:
    """
    From this instant new items are granted, repeats use the new quantities, dropped items stop repeating; entries so far stay, and so does the price.

    What is known to end or to change still does. None: the purchase is there already, and nothing was written. `source` is unique to this migration
    and purchase.
    """
    assert owned.product_id == newer.product_id
    product = migrated(owned.product, newer.product)
    if product == owned.product:
        return None
    version_id = _version(work, product, newer)
    change = _change_to_come(work, owned, newer)
    rewrite(work, owned, version_id=version_id, change_version_id=None if change is None else change.version_id)
    after = msgspec.structs.replace(owned, version_id=version_id, product=product, pending_change=change)
    for move in item_moves(owned.product, product):
        _move_item(work, after, move, source=source, actor=actor)
    if not after.access:
        ledger.pause_repeats(work, after.customer, after.id)
    elif after.access_until is not None:
        ledger.plan_pause(work, after.customer, after.id, after.access_until)
    told = {"product": shown_in_event(work, environment, after), "previous_version": owned.version_id}
    record(work, "product.migrated", told, customer=owned.customer, change="products")
    return after


def _version(work: Work, product: Product, newer: ProductVersion) -> str:
    """The newer version itself, or one of this owner's own, where they pay another price than is asked today."""
    return newer.id if product == newer.product else pin_inline(work, product).id


def _change_to_come(work: Work, owned: OwnedProduct, newer: ProductVersion) -> PendingChange | None:
    """Another price or quantity of the same product at the end of the period comes with the newer items too."""
    change = owned.pending_change
    if change is None or change.product_id != owned.product_id:
        return change
    coming = product_versions_of(work.connection, work.environment_id, [change.version_id])[change.version_id].product
    return msgspec.structs.replace(change, version_id=_version(work, migrated(coming, newer.product), newer))


def _move_item(work: Work, owned: OwnedProduct, move: ItemMove, *, source: str, actor: str | None) -> None:
    customer, item_id, included = owned.customer, move.item_id, move.after
    if included is None:
        ledger.leave_out_included(work, customer, owned.id, item_id)
        ledger.plan_quantity(work, customer, owned.id, item_id, None, None)
        return
    quantity, ends_at = units(included, owned.quantity), sooner(owned.ends_at, owned.leaves_at)
    if move.before is None:
        ledger.start_included(
            work,
            customer,
            owned.id,
            item_id,
            quantity,
            repeat=included.period,
            expires=included.expires,
            anchor=owned.repeats_from,
            ends_at=ends_at,
            source=source,
            actor=actor,
        )
    # An item that a migration left out and another brings back is known to the ledger, so starting it does nothing, and this does.
    ledger.move_included(
        work,
        customer,
        owned.id,
        item_id,
        quantity,
        repeat=included.period,
        expires=included.expires,
        source=source,
        actor=actor,
    )
    change = owned.pending_change
    if change is not None and owned.changes_at is not None and change.successor_id is None:
        ledger.plan_quantity(work, customer, owned.id, item_id, units(included, change.quantity), change.at)
