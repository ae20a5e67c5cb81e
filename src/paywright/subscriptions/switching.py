"""
Confirming a switch: exactly what the quote said, or a refusal and nothing changed.

Without Stripe it is one work; the calendar makes a switch to come. At Stripe it goes in phases (`requests`): the quote is used up and the change
recorded in one work, Stripe is called with that row's key, and what is owned then follows from a fetch, as it would from a webhook.
"""

import msgspec
import sqlalchemy as sa

from paywright.catalog import queries as catalog_queries
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import OwnedProduct
from paywright.storage import idempotency
from paywright.storage.idempotency import IdempotencyKey
from paywright.storage.work import Work
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import quoted, quotes, requests
from paywright.subscriptions.quoted import Quote
from paywright.subscriptions.requests import Ask, Change
from paywright.subscriptions.switch_rules import (
    AskedSwitch,
    AtStripe,
    Switch,
    fingerprint,
    items_of_next_phase,
    phase_items,
)
from paywright.subscriptions.tables import switch_quotes

EXPAND = ["latest_invoice.payments"]
"""Of the answer to a switch: whether it was paid, or what the buyer has to do."""


def switch(
    app: App,
    environment: Environment,
    customer: Customer,
    chosen: str | AskedSwitch,
    *,
    with_secret_key: bool,
    key: IdempotencyKey | None = None,
) -> OwnedProduct | Refusal:
    """
    Confirms a quote by its id, or quotes and confirms at once. Answers the owned product as it is then: the new one, or the old with its change to
    come.

    Refuses as `quote` does, and `quote_not_found`, `quote_expired`, `payment_method_required`, `card_declined`, `payment_action_required`; then
    nothing has changed. Raises `StripeUnknown` and `StripeBusy` when Stripe's answer is not known: a repeat goes on with the same change. With a key,
    a repeat is answered what came of the quote that was confirmed under it.
    """
    confirmed = None if key is None else _confirmed_under(app, environment, key)
    if confirmed is not None:
        return _came_of(app, environment, customer, confirmed)
    if isinstance(chosen, AskedSwitch):
        begun = _begun(app, environment, customer, chosen)
        if begun is not None:
            return _carry_out(app, environment, *begun)
        quote = quotes.quote(app, environment, customer, chosen, with_secret_key=with_secret_key)
        if isinstance(quote, Refusal):
            return quote
    else:
        with app.database.read() as connection:
            found = quoted.find(connection, environment.id, customer, chosen)
            if found is None:
                return Refusal("quote_not_found")
            changes = requests.of_quote(connection, environment.id, found.id)
        if changes:
            return _carry_out(app, environment, found, changes[0])
        quote = found
    begun_now = _confirm(app, environment, quote, key)
    return _carry_out(app, environment, quote, begun_now) if isinstance(begun_now, Change) else begun_now


def _confirmed_under(app: App, environment: Environment, key: IdempotencyKey) -> str | None:
    with app.database.read() as connection:
        return idempotency.pointed_at(connection, environment.id, key)


def _came_of(app: App, environment: Environment, customer: Customer, quote_id: str) -> OwnedProduct | Refusal:
    with app.database.read() as connection:
        quote = quoted.find(connection, environment.id, customer, quote_id)
    assert quote is not None, "a key points at its quote in the work that uses it up"
    asked = requests.came_of(app, environment, quote_id)
    if asked is None:
        return _switched(app, environment, quote)
    return _answered(app, environment, quote, *asked)


def _begun(app: App, environment: Environment, customer: Customer, asked: AskedSwitch) -> tuple[Quote, Change] | None:
    """The same switch, confirmed before and still without an answer from Stripe."""
    columns = switch_quotes.c
    used = (
        sa.select(columns.id)
        .where(columns.environment_id == environment.id, columns.customer == customer.key, columns.used_at.is_not(None))
        .order_by(columns.created_at.desc(), columns.id.desc())
        .limit(1)
    )
    with app.database.read() as connection:
        quote_id = connection.execute(used).scalar_one_or_none()
        quote = None if quote_id is None else quoted.find(connection, environment.id, customer, quote_id)
        changes = [] if quote is None else requests.of_quote(connection, environment.id, quote.id)
    if quote is None or not changes:
        return None
    same = asked in (quote.asked, msgspec.structs.replace(quote.asked, price_id=None))
    return (quote, changes[0]) if same else None


def _confirm(
    app: App, environment: Environment, quote: Quote, key: IdempotencyKey | None
) -> OwnedProduct | Refusal | Change:
    """Phase 1: the quote still holds, it is used up, and what is to be done is done or recorded."""
    with app.work(environment.id) as work:
        decided = _still(work, environment, quote)
        if isinstance(decided, Refusal):
            return decided
        if not decided.owned.is_stripe_backed:
            return _switch_by_the_calendar(work, environment, quote, decided, key)
        assert decided.owned.subscription is not None
        subscription_id = decided.owned.subscription.id
        asked_before = requests.newest(work.connection, environment.id, subscription_id)
        if requests.under_way(work.connection, environment.id, subscription_id):
            return Refusal("quote_expired")
    at_stripe = quotes.look(app, environment, decided)
    refusal = _charges_something_else(app, environment, quote, decided, at_stripe)
    if refusal is not None:
        return _as_of_now(app, environment, quote, subscription_id, refusal)
    asks = _asks(app, environment, quote, decided, at_stripe)
    with app.work(environment.id) as work:
        decided = _still(work, environment, quote)
        if isinstance(decided, Refusal):
            return decided
        # A change that was asked for meanwhile, even one that is done already, may have come after our look at Stripe.
        if requests.newest(work.connection, environment.id, subscription_id) != asked_before:
            return Refusal("quote_expired")
        if not _use_up(work, quote, key):
            return Refusal("quote_expired")
        return requests.request(work, subscription_id, asks)


def _use_up(work: Work, quote: Quote, key: IdempotencyKey | None) -> bool:
    """From here on the key means this quote."""
    is_ours = quoted.use_up(work, quote)
    if is_ours and key is not None:
        idempotency.point_at(work, key, quote.id)
    return is_ours


def _still(work: Work, environment: Environment, quote: Quote) -> Switch | Refusal:
    """What the quote was made for, if everything it depends on here is as it was. Who made it was allowed to ask for it."""
    if environment.block_new_purchases:
        return Refusal("purchases_blocked")
    present = quoted.find(work.connection, work.environment_id, quote.customer, quote.id)
    assert present is not None
    decided = quotes.decided_in(work, environment, quote.customer, quote.asked, with_secret_key=True)
    if present.used_at is not None or work.now >= quote.expires_at or isinstance(decided, Refusal):
        return Refusal("quote_expired")
    is_same = decided.owned.id == quote.owned_product_id and decided.line.version_id == quote.version_id
    if not decided.owned.is_stripe_backed:
        now_so = fingerprint(None, decided.owned, decided.line.version_id, decided.line.price)
        is_same = is_same and now_so == quote.fingerprint
    return decided if is_same else Refusal("quote_expired")


def _switch_by_the_calendar(
    work: Work, environment: Environment, quote: Quote, decided: Switch, key: IdempotencyKey | None
) -> OwnedProduct | Refusal:
    if not _use_up(work, quote, key):
        return Refusal("quote_expired")
    owned, line = decided.owned, decided.line
    if owned.own_ends_at is not None:
        # One thing is scheduled at a time: the end gives way.
        owned = ownership.schedule_end(work, owned, None, cancel_at_period_end=False)
    if quote.happens == "period_end":
        return ownership.plan_change(work, environment, owned, line, quote.effective_at)
    if line.product_id == owned.product_id:
        return ownership.change_terms(work, environment, owned, line)
    return ownership.switch(work, environment, owned, line)


def _charges_something_else(
    app: App, environment: Environment, quote: Quote, decided: Switch, at_stripe: AtStripe
) -> Refusal | None:
    """Stripe would not do exactly what was quoted any more: its subscription, the card or the total differ."""
    now_so = fingerprint(at_stripe, decided.owned, decided.line.version_id, decided.line.price)
    if now_so != quote.fingerprint:
        return Refusal("quote_expired")
    if at_stripe.payment_method_id != quote.payment_method_id:
        lost = at_stripe.payment_method_id is None and quote.due_now > 0
        return Refusal("payment_method_required" if lost else "quote_expired")
    assert quote.stripe_price_id is not None
    assert quote.proration_date is not None
    bill = quotes.preview(app, environment, decided, at_stripe, quote.stripe_price_id, quote.proration_date)
    if isinstance(bill, Refusal):
        return bill
    return None if bill[0] == quote.due_now else Refusal("quote_expired")


def _asks(app: App, environment: Environment, quote: Quote, decided: Switch, at_stripe: AtStripe) -> Ask:
    """The calls in their order. What is scheduled gives way; when the card is declined it is put back."""
    ask = _ask(app, environment, quote, decided, at_stripe)
    if at_stripe.is_to_end:
        ends, stays = _end_of(at_stripe)
        if ask.kind == "switch":
            ask = msgspec.structs.replace(ask, then=(stays,))
        else:
            ask = msgspec.structs.replace(ask, otherwise=(ends,))
            ask = msgspec.structs.replace(stays, then=(ask,), quote_id=quote.id)
    if at_stripe.schedule_id is None:
        return ask
    change = decided.owned.pending_change
    if ask.kind == "switch" and change is not None:
        ask = msgspec.structs.replace(ask, otherwise=_put_back(app, environment, decided, at_stripe))
    return Ask("release", object_id=at_stripe.schedule_id, then=(ask,), quote_id=quote.id)


def _end_of(at_stripe: AtStripe) -> tuple[Ask, Ask]:
    """Saying again that it ends, and that it does not. Stripe's portal schedules an end by `cancel_at` alone, which is cleared by its own name."""
    if at_stripe.found.get("cancel_at_period_end"):
        return Ask("update", {"cancel_at_period_end": True}), Ask("update", {"cancel_at_period_end": False})
    return Ask("update", {"cancel_at": at_stripe.found["cancel_at"]}), Ask("update", {"cancel_at": ""})


def _ask(app: App, environment: Environment, quote: Quote, decided: Switch, at_stripe: AtStripe) -> Ask:
    assert quote.stripe_price_id is not None
    assert quote.proration_date is not None
    assert decided.line.price is not None
    replaces, dropped = quotes.leaving(app, environment, decided, at_stripe)
    if quote.happens == "period_end":
        items = items_of_next_phase(
            at_stripe, quote.stripe_price_id, decided.line.quantity, replaces=replaces, dropped=dropped
        )
        return _schedule(at_stripe.found["id"], items, decided.line.price.interval or "", quote.id)
    parameters = {
        "items": quotes.changed_items(app, environment, decided, at_stripe, quote.stripe_price_id),
        "expand": EXPAND,
    }
    if at_stripe.is_trialing:
        return Ask("switch", {**parameters, "proration_behavior": "none"}, quote_id=quote.id)
    prorated = {
        "proration_behavior": "always_invoice",
        "proration_date": quote.proration_date // 1000,
        "payment_behavior": "pending_if_incomplete",
    }
    return Ask("switch", {**parameters, **prorated}, quote_id=quote.id)


def _schedule(subscription_id: str, items: list[dict[str, object]], interval: str, quote_id: str | None) -> Ask:
    """Two calls: Stripe makes a schedule of the subscription as it is, then the phase to come is added."""
    count, _, unit = interval.partition(" ")
    wished = {"items": items, "duration": {"interval": unit, "interval_count": int(count)}}
    return Ask("schedule", {"from_subscription": subscription_id}, then=(Ask("phases", wished),), quote_id=quote_id)


def _put_back(app: App, environment: Environment, decided: Switch, at_stripe: AtStripe) -> tuple[Ask, ...]:
    """The change that was to come, as our own schedule said it; one made elsewhere with more phases than two is not ours to know."""
    found = app.gateway(environment).get(f"/v1/subscription_schedules/{at_stripe.schedule_id}")
    later = [each for each in found["phases"] if each["start_date"] >= at_stripe.period_end]
    change = decided.owned.pending_change
    with app.database.read() as connection:
        versions = catalog_queries.product_versions_of(
            connection, environment.id, [change.version_id] if change else []
        )
    if change is None or not later:
        return ()
    interval = versions[change.version_id].product.prices[change.price_id].interval
    return (_schedule(at_stripe.found["id"], phase_items(later[0]["items"]), interval or "", None),)


def _carry_out(app: App, environment: Environment, quote: Quote, change: Change) -> OwnedProduct | Refusal:
    """Phases 2 and 3, then the truth from Stripe: what the webhook will find done."""
    refusal = requests.carry_out(app, environment, change)
    return _answered(app, environment, quote, change.subscription_id, refusal)


def _answered(
    app: App, environment: Environment, quote: Quote, subscription_id: str, refusal: Refusal | None
) -> OwnedProduct | Refusal:
    if refusal is not None:
        return _as_of_now(app, environment, quote, subscription_id, refusal)
    subscriptions.sync(app, environment, subscription_id)
    return _switched(app, environment, quote)


def _switched(app: App, environment: Environment, quote: Quote) -> OwnedProduct | Refusal:
    """What was switched to, or what was switched from, with its change to come."""
    with app.work(environment.id) as work:
        lock_customers(work, [quote.customer])
        before = ownership_queries.owned_product(
            work.connection, environment.id, quote.customer, quote.owned_product_id
        )
        if before is None:
            return Refusal("quote_expired")
        if before.is_stripe_backed:
            assert before.subscription is not None
            held = ownership_queries.of_subscription(work.connection, environment.id, before.subscription.id)
        else:
            held = ownership_queries.live(work.connection, environment.id, quote.customer, work.now)
        live = [each for each in held if each.ended_at is None]
        wanted = quote.asked.to_product_id
        found = next((each for each in live if each.product_id == wanted), None)
        found = found or next((each for each in live if each.id == quote.owned_product_id), None)
    return found or Refusal("quote_expired")


def _as_of_now(app: App, environment: Environment, quote: Quote, subscription_id: str, refusal: Refusal) -> Refusal:
    """
    What is owned follows from Stripe, also after a no. Who was overtaken (by a cancel, a renewal, another change, a card taken away) hears that, not
    in which words Stripe refused.
    """
    subscriptions.sync(app, environment, subscription_id)
    if refusal.code != "stripe_refused":
        return refusal
    with app.work(environment.id) as work:
        decided = quotes.decided_in(work, environment, quote.customer, quote.asked, with_secret_key=True)
        left = ownership_queries.owned_product(work.connection, environment.id, quote.customer, quote.owned_product_id)
    if left is None or left.ended_at is not None:
        return Refusal("not_owned")
    if isinstance(decided, Refusal) or decided.owned.id != quote.owned_product_id:
        return Refusal("quote_expired")
    at_stripe = quotes.look(app, environment, decided)
    return _charges_something_else(app, environment, quote, decided, at_stripe) or refusal
