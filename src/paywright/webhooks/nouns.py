"""How each noun is fetched and applied: the rooms' own functions, under one roof. Webhooks stands to their right and knows them all."""

from collections.abc import Callable
from typing import Any

import msgspec

from paywright.catalog import drift
from paywright.checkout import fulfilment as checkout
from paywright.checkout import in_app
from paywright.customers import sync as customers
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.invoices import actions as invoices
from paywright.kernel.ids import wall_ms
from paywright.payments import actions as payments
from paywright.payments import payouts
from paywright.payments.actions import Beside
from paywright.storage.work import Work
from paywright.stripe.model import GONE, PROCESSED, Fetched, Outcome
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import upcoming
from paywright.webhooks import account
from paywright.webhooks.model import Noun, Root
from paywright.webhooks.parts import WHOLE, fetch_whole
from paywright.webhooks.rules import EVENT_TYPES, SYNCED

Types = frozenset[str]


class Ways(msgspec.Struct, frozen=True):
    """In over the network, and into our rows."""

    fetch: Callable[[App, Environment, str, Types], Fetched]
    apply: Callable[[Work, Fetched, Types], Outcome]


def fetch(app: App, environment: Environment, root: Root, types: Types) -> Fetched:
    """`types` are those of the Stripe events that lead here: they say what else is in question."""
    if root.noun in WHOLE:
        whole = WHOLE[root.noun][1]
        return fetch_whole(
            app, environment, root, lambda stripe_id: fetch(app, environment, Root(whole, stripe_id), types)
        )
    return WAYS[root.noun].fetch(app, environment, root.id, types)


def apply(work: Work, root: Root, fetched: Fetched, types: Types = frozenset()) -> Outcome:
    """Makes our rows agree with what was fetched for `root`, in this work."""
    if root.noun not in WHOLE:
        return WAYS[root.noun].apply(work, fetched, types)
    return GONE if fetched.root == str(root) else WAYS[WHOLE[root.noun][1]].apply(work, fetched, types)


def _payment(noun: payments.Noun) -> Ways:
    def fetch_payment(app: App, environment: Environment, stripe_id: str, types: Types) -> Fetched:
        nouns = {EVENT_TYPES[each].noun for each in types if each in EVENT_TYPES}
        beside: list[Beside] = []
        if "refund" in nouns or "charge.refunded" in types:
            beside.append("refunds")
        if "dispute" in nouns:
            beside.append("disputes")
        if any(each.startswith("radar.early_fraud_warning.") for each in types):
            beside.append("warnings")
        return payments.fetch(app, environment, stripe_id, noun=noun, beside=beside)

    return Ways(fetch_payment, lambda work, fetched, _: in_app.apply(work, fetched))


def _fetch_invoice(app: App, environment: Environment, invoice_id: str, types: Types) -> Fetched:
    then = {noun for each in types if each in EVENT_TYPES for noun in EVENT_TYPES[each].then}
    return invoices.fetch(app, environment, invoice_id, then=then)


def _plain(room: Any) -> Ways:
    return Ways(
        lambda app, environment, stripe_id, _: room.fetch(app, environment, stripe_id),
        lambda work, fetched, _: room.apply(work, fetched),
    )


def _catalog(noun: drift.Noun) -> Ways:
    return Ways(
        lambda app, environment, stripe_id, _: drift.fetch(app, environment, stripe_id, noun=noun),
        lambda work, fetched, _: drift.apply(work, fetched),
    )


def _apply_subscription(work: Work, fetched: Fetched, types: Types) -> Outcome:
    """Its present state; and what Stripe says is about to happen, if that is still to come."""
    outcome = subscriptions.apply(work, fetched)
    if outcome == PROCESSED and fetched.found is not None:
        if "customer.subscription.trial_will_end" in types:
            upcoming.tell_trial_ending(work, fetched.found["id"])
        if "invoice.upcoming" in types:
            upcoming.tell_renewal_upcoming(work, fetched.found["id"])
    return outcome


WAYS: dict[Noun, Ways] = {
    "checkout_session": _plain(checkout),
    "payment_intent": _payment("payment_intent"),
    "charge": _payment("charge"),
    "refund": _payment("refund"),
    "dispute": _payment("dispute"),
    "invoice": Ways(_fetch_invoice, lambda work, fetched, _: invoices.apply(work, fetched)),
    "subscription": Ways(
        lambda app, environment, stripe_id, _: subscriptions.fetch(app, environment, stripe_id), _apply_subscription
    ),
    "customer": _plain(customers),
    "payout": _plain(payouts),
    "account": Ways(
        lambda app, environment, stripe_id, _: account.fetch(app, environment, stripe_id),
        lambda work, fetched, _: account.apply(work, fetched, now=wall_ms()),
    ),
    "product": _catalog("product"),
    "price": _catalog("price"),
}
assert WAYS.keys() == SYNCED
