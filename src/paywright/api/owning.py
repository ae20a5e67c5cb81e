"""What a customer owns: listing, granting, ending."""

from typing import Any, Literal

from sqlalchemy.engine import Connection

from paywright.api.call import Answer, Call, created, ok, whole
from paywright.api.checkout import asked_line
from paywright.api.parsing import Body, Note, Quantity
from paywright.catalog import queries as catalog_queries
from paywright.kernel.model import Json
from paywright.kernel.refusals import Refusal
from paywright.ownership import actions, present, queries
from paywright.ownership.defaults import owned_by_default
from paywright.ownership.model import OwnedProduct
from paywright.storage.work import Work
from paywright.subscriptions import changes


class GrantWanted(Body, frozen=True, kw_only=True):
    """`product_id` of the catalog or `product` inline; `price_id` only tells one-time from recurring."""

    product_id: str | None = None
    product: Json = None
    price_id: str | None = None
    quantity: Quantity = 1
    reason: Note | None = None


class Cancel(Body, frozen=True, kw_only=True):
    """`period_end`: access stays until then. `now`: it ends at once, without a refund."""

    at: Literal["period_end", "now"] = "period_end"


class Revoke(Body, frozen=True, kw_only=True):
    """`quantity` of a stackable one-time product, newest first; all of it, if left out."""

    quantity: Quantity | None = None


def list_owned_products(call: Call) -> Answer:
    """What the customer owns now, newest first."""
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        return whole(owned_products(connection, call, now))


def owned_products(connection: Connection, call: Call, now: int) -> list[dict[str, Any]]:
    """Without a secret key a server-only product is left out. Products included by default are owned without being rows."""
    live = queries.live(connection, call.environment.id, call.owner, now)
    catalog = catalog_queries.current(connection, call.environment.id)
    with_secret_key = call.caller.has_secret_key
    return [
        present.shown(
            owned, now, catalog=catalog, currency=call.environment.default_currency, with_secret_key=with_secret_key
        )
        for owned in owned_by_default(connection, call.environment.id, call.owner, live, now)
        if with_secret_key or not owned.product.server_only
    ]


def grant_product(call: Call, work: Work) -> Answer | Refusal:
    """Gives a product without money. With a recurring price it renews by the calendar until somebody ends it."""
    body: GrantWanted = call.body
    line = asked_line(call, body.product_id, body.product, body.price_id, body.quantity)
    if isinstance(line, Refusal):
        return line
    owned = actions.grant(work, call.environment, call.owner, line, with_secret_key=call.caller.has_secret_key)
    return owned if isinstance(owned, Refusal) else created(_shown(work.connection, call, owned, work.now))


def cancel(call: Call) -> Answer | Refusal:
    """Ends a subscription at its period's end, or now. The owned product as it is now; again, the same."""
    name = call.parts["product_id"]
    ended = changes.cancel(call.app, call.environment, call.owner, name, at=call.body.at, key=call.key)
    return owned_product_answered(call, ended)


def resume(call: Call) -> Answer | Refusal:
    """Takes back whatever is scheduled, a cancel or a switch."""
    name = call.parts["product_id"]
    return owned_product_answered(call, changes.resume(call.app, call.environment, call.owner, name, key=call.key))


def revoke(call: Call) -> Answer | Refusal:
    """Ends any purchase now, without a refund. What lives at Stripe is canceled there first."""
    name, quantity = call.parts["product_id"], call.body.quantity
    ended = changes.revoke(call.app, call.environment, call.owner, name, quantity=quantity, key=call.key)
    return owned_product_answered(call, ended)


def owned_product_answered(call: Call, owned: OwnedProduct | Refusal) -> Answer | Refusal:
    if isinstance(owned, Refusal):
        return owned
    now = call.app.now(call.environment.id)
    with call.app.database.read() as connection:
        return ok(_shown(connection, call, owned, now))


def _shown(connection: Connection, call: Call, owned: OwnedProduct, now: int) -> dict[str, Any]:
    return present.shown(
        owned,
        now,
        catalog=catalog_queries.current(connection, call.environment.id),
        currency=call.environment.default_currency,
        with_secret_key=call.caller.has_secret_key,
    )
