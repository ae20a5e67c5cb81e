"""
What a switch would cost, promised for fifteen minutes.

A quote keeps its lines, its total and the instant Stripe prorates at, and a fingerprint of all that it depends on; `switching` charges exactly that
or refuses.
"""

from typing import Any

import msgspec

from paywright.catalog import queries as catalog_queries
from paywright.catalog.push import push
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.kernel.periods import boundary
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.storage.work import Work
from paywright.stripe.gateway import StripeRefused, stripe_key
from paywright.stripe.metadata import id_of
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions.model import TERMINAL
from paywright.subscriptions.quoted import LIFE_MS, NextInvoice, Quote, QuoteLine, Told, keep
from paywright.subscriptions.switch_rules import (
    AskedSwitch,
    AtStripe,
    Switch,
    SwitchWish,
    decide,
    fingerprint,
    items_after,
    units_changed,
)


def quote(
    app: App, environment: Environment, customer: Customer, asked: AskedSwitch, *, with_secret_key: bool
) -> Quote | Refusal:
    """What the switch would charge now and later, kept for fifteen minutes. Refuses by rules.md 5.2, in its order; nothing changes."""
    decided = decided_now(app, environment, customer, asked, with_secret_key=with_secret_key)
    if isinstance(decided, Refusal):
        return decided
    at_stripe, stripe_price_id, told, due_now, proration_date = None, None, Told(), 0, None
    if decided.owned.is_stripe_backed:
        at_stripe = look(app, environment, decided)
        if not _agrees(app, environment, decided, at_stripe):
            subscriptions.sync(app, environment, at_stripe.found["id"])
        decided = decided_now(
            app, environment, customer, asked, with_secret_key=with_secret_key, currency=at_stripe.currency
        )
        if isinstance(decided, Refusal):
            return decided
        if not _agrees(app, environment, decided, at_stripe):
            return Refusal("quote_expired")
        stripe_price_id = _stripe_price(app, environment, decided)
        proration_date = _proration_date(at_stripe, app.now(environment.id))
        bill = preview(app, environment, decided, at_stripe, stripe_price_id, proration_date)
        if isinstance(bill, Refusal):
            return _as_of_now(app, environment, customer, asked, with_secret_key, at_stripe, bill)
        due_now, lines = bill
        if due_now > 0 and at_stripe.payment_method_id is None:
            return Refusal("payment_method_required")
        told = Told(lines, _next_invoice(decided, at_stripe, proration_date))
    with app.work(environment.id) as work:
        return _keep(
            work,
            environment,
            decided,
            msgspec.structs.replace(asked, price_id=decided.line.price_id),
            at_stripe,
            told=msgspec.structs.replace(told, items=units_changed(decided.owned, decided.line)),
            due_now=due_now,
            proration_date=proration_date,
            stripe_price_id=stripe_price_id,
        )


def _as_of_now(
    app: App,
    environment: Environment,
    customer: Customer,
    asked: AskedSwitch,
    with_secret_key: bool,
    looked_at: AtStripe,
    refusal: Refusal,
) -> Refusal:
    """Stripe would not reckon. Who was overtaken by a cancel or another change, since we looked, hears that."""
    subscriptions.sync(app, environment, looked_at.found["id"])
    decided = decided_now(app, environment, customer, asked, with_secret_key=with_secret_key)
    if isinstance(decided, Refusal):
        return decided
    return refusal if look(app, environment, decided) == looked_at else Refusal("quote_expired")


def decided_now(
    app: App,
    environment: Environment,
    customer: Customer,
    asked: AskedSwitch,
    *,
    with_secret_key: bool,
    currency: str | None = None,
) -> Switch | Refusal:
    with app.work(environment.id) as work:
        return decided_in(work, environment, customer, asked, with_secret_key=with_secret_key, currency=currency)


def decided_in(
    work: Work,
    environment: Environment,
    customer: Customer,
    asked: AskedSwitch,
    *,
    with_secret_key: bool,
    currency: str | None = None,
) -> Switch | Refusal:
    """The checks, against what the customer owns in this work; the customer is locked by this."""
    lock_customers(work, [customer])
    ownership.settle(work, environment, customer)
    wish = SwitchWish(
        environment=environment,
        catalog=catalog_queries.current(work.connection, work.environment_id),
        customer=customer,
        with_secret_key=with_secret_key,
        asked=asked,
        owned=tuple(ownership.bought(work, customer)),
        currency=currency,
    )
    return decide(wish)


def look(app: App, environment: Environment, switch: Switch) -> AtStripe:
    """The subscription and the card as they are at Stripe now."""
    assert switch.owned.subscription is not None
    gateway = app.gateway(environment)
    path = f"/v1/subscriptions/{switch.owned.subscription.id}"
    found = gateway.get(path, {"expand": ["default_payment_method"]})
    if found["items"]["has_more"]:
        listed = list(gateway.pages("/v1/subscription_items", {"subscription": found["id"]}))
        found = {**found, "items": {**found["items"], "data": listed}}
    stripe_customer = id_of(found["customer"])
    method = _usable(found.get("default_payment_method"), stripe_customer)
    if method is None:
        expand = {"expand": ["invoice_settings.default_payment_method"]}
        holder = gateway.get(f"/v1/customers/{stripe_customer}", expand)
        method = _usable((holder.get("invoice_settings") or {}).get("default_payment_method"), stripe_customer)
    return AtStripe(found, method)


def _usable(method: dict[str, Any] | None, stripe_customer: str | None) -> str | None:
    """A card that was detached may still be named where it was the default."""
    return None if method is None or id_of(method.get("customer")) != stripe_customer else str(method["id"])


def _agrees(app: App, environment: Environment, switch: Switch, at_stripe: AtStripe) -> bool:
    """What we think is owned through the subscription is among its items; the portal may have been faster than its webhook."""
    prices = [item["price"]["id"] for item in at_stripe.items]
    with app.database.read() as connection:
        sold = catalog_queries.by_stripe_price(connection, environment.id, prices)
    return at_stripe.found["status"] not in TERMINAL and any(
        each.product_id == switch.owned.product_id for each in sold.values()
    )


def preview(
    app: App, environment: Environment, switch: Switch, at_stripe: AtStripe, stripe_price_id: str, proration_date: int
) -> tuple[int, tuple[QuoteLine, ...]] | Refusal:
    """What is due now, by Stripe's own reckoning, and its lines. Nothing during a trial, and nothing for a switch to come."""
    if switch.happens == "period_end" or at_stripe.is_trialing:
        return 0, ()
    details = {
        "items": changed_items(app, environment, switch, at_stripe, stripe_price_id),
        "proration_behavior": "always_invoice",
        "proration_date": proration_date // 1000,
    }
    params = {"subscription": at_stripe.found["id"], "subscription_details": details}
    try:
        key = stripe_key(environment.id, new_id("prv"), "preview")
        found = app.gateway(environment).post("/v1/invoices/create_preview", params, idempotency_key=key)
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise
        return Refusal("stripe_refused", {"stripe_message": refused.message})
    lines = tuple(QuoteLine(line.get("description"), int(line["amount"])) for line in found["lines"]["data"])
    return int(found["amount_due"]), lines


def changed_items(
    app: App, environment: Environment, switch: Switch, at_stripe: AtStripe, stripe_price_id: str
) -> list[dict[str, Any]]:
    replaces, dropped = leaving(app, environment, switch, at_stripe)
    return items_after(at_stripe, stripe_price_id, switch.line.quantity, replaces=replaces, dropped=dropped)


def leaving(app: App, environment: Environment, switch: Switch, at_stripe: AtStripe) -> tuple[str, list[str]]:
    """The Stripe prices of the product that is switched, and of add-ons in the same subscription that lose their base by it."""
    prices = [item["price"]["id"] for item in at_stripe.items]
    with app.database.read() as connection:
        sold = catalog_queries.by_stripe_price(connection, environment.id, prices)
        catalog = catalog_queries.current(connection, environment.id)
    mine = [price for price in prices if price in sold and sold[price].product_id == switch.owned.product_id]
    assert mine, "what is owned through a subscription is one of its items"
    dropped = []
    for price in prices:
        other = catalog.products.get(sold[price].product_id) if price in sold else None
        if other is None or not other.is_add_on or not other.ends_with_base:
            continue
        if switch.owned.product_id in other.add_on_to and switch.line.product_id not in other.add_on_to:
            dropped.append(price)
    return mine[0], dropped


def _stripe_price(app: App, environment: Environment, switch: Switch) -> str:
    """Stripe's id of the target's price, pushed first where Stripe does not have it yet."""
    product_id, price_id = switch.line.product_id, switch.line.price_id
    assert product_id is not None
    assert price_id is not None
    for is_pushed in (False, True):
        with app.database.read() as connection:
            known = catalog_queries.stripe_price_ids(connection, environment.id, product_id)
        if price_id in known:
            return known[price_id]
        if not is_pushed:
            push(app, environment.id)
    raise AssertionError(f"the price {product_id}.{price_id} was pushed")


def _proration_date(at_stripe: AtStripe, now: int) -> int:
    """Milliseconds of a whole second, within the period that runs."""
    started = max(int(item["current_period_start"]) for item in at_stripe.items)
    return max(started, min(now // 1000, at_stripe.period_end)) * 1000


def _next_invoice(switch: Switch, at_stripe: AtStripe, now: int) -> NextInvoice:
    """At the end of the period that runs; a new interval begun now counts from now."""
    price, owned = switch.line.price, switch.owned
    assert price is not None
    assert price.period is not None
    assert owned.price_id is not None
    begins_anew = owned.product.prices[owned.price_id].interval != price.interval
    at = at_stripe.period_end * 1000
    if switch.happens == "now" and begins_anew and not at_stripe.is_trialing:
        at = boundary(now, price.period, 1)
    return NextInvoice(price.amounts[at_stripe.currency] * switch.line.quantity, at)


def _keep(
    work: Work,
    environment: Environment,
    switch: Switch,
    asked: AskedSwitch,
    at_stripe: AtStripe | None,
    *,
    told: Told,
    due_now: int,
    proration_date: int | None,
    stripe_price_id: str | None,
) -> Quote:
    owned = switch.owned
    assert owned.subscription is not None
    ends = owned.subscription.period_end(work.now) if at_stripe is None else at_stripe.period_end * 1000
    made = Quote(
        id=new_id("quo"),
        customer=owned.customer,
        owned_product_id=owned.id,
        asked=asked,
        version_id=switch.line.version_id,
        direction=switch.direction,
        happens=switch.happens,
        effective_at=work.now if switch.happens == "now" else ends or work.now,
        currency=environment.default_currency if at_stripe is None else at_stripe.currency,
        due_now=due_now,
        told=told,
        proration_date=proration_date,
        payment_method_id=None if at_stripe is None else at_stripe.payment_method_id,
        stripe_price_id=stripe_price_id,
        fingerprint=fingerprint(at_stripe, owned, switch.line.version_id, switch.line.price),
        expires_at=work.now + LIFE_MS,
    )
    keep(work, made)
    return made
