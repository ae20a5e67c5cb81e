"""How each noun is fetched and applied: the rooms' own functions, under one roof. Webhooks stands to their right and knows them all."""

from collections.abc import Callable
from typing import Any

import msgspec

from paywright.checkout import fulfilment as checkout
from paywright.checkout import in_app
from paywright.customers import sync as customers
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.invoices import actions as invoices
from paywright.payments import actions as payments
from paywright.payments.actions import Beside
from paywright.storage.work import Work
from paywright.stripe.model import Fetched, Outcome
from paywright.subscriptions import actions as subscriptions
from paywright.webhooks.model import Noun, Root
from paywright.webhooks.rules import EVENT_TYPES, SYNCED

Types = frozenset[str]


class Ways(msgspec.Struct, frozen=True):
    """In over the network, and into our rows."""

    fetch: Callable[[App, Environment, str, Types], Fetched]
    apply: Callable[[Work, Fetched], Outcome]


def fetch(app: App, environment: Environment, root: Root, types: Types) -> Fetched:
    """`types` are those of the Stripe events that lead here: they say what else is in question."""
    return WAYS[root.noun].fetch(app, environment, root.id, types)


def apply(work: Work, root: Root, fetched: Fetched) -> Outcome:
    return WAYS[root.noun].apply(work, fetched)


def _payment(noun: payments.Noun) -> Ways:
    def fetch_payment(app: App, environment: Environment, stripe_id: str, types: Types) -> Fetched:
        nouns = {EVENT_TYPES[each].noun for each in types if each in EVENT_TYPES}
        beside: list[Beside] = []
        if "refund" in nouns or "charge.refunded" in types:
            beside.append("refunds")
        if "dispute" in nouns:
            beside.append("disputes")
        return payments.fetch(app, environment, stripe_id, noun=noun, beside=beside)

    return Ways(fetch_payment, in_app.apply)


def _fetch_invoice(app: App, environment: Environment, invoice_id: str, types: Types) -> Fetched:
    then = {noun for each in types if each in EVENT_TYPES for noun in EVENT_TYPES[each].then}
    return invoices.fetch(app, environment, invoice_id, then=then)


def _plain(room: Any) -> Ways:
    return Ways(lambda app, environment, stripe_id, _: room.fetch(app, environment, stripe_id), room.apply)


WAYS: dict[Noun, Ways] = {
    "checkout_session": _plain(checkout),
    "payment_intent": _payment("payment_intent"),
    "charge": _payment("charge"),
    "refund": _payment("refund"),
    "dispute": _payment("dispute"),
    "invoice": Ways(_fetch_invoice, invoices.apply),
    "subscription": _plain(subscriptions),
    "customer": _plain(customers),
}
assert WAYS.keys() == SYNCED
