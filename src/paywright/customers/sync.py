"""Customers at Stripe: fetch one, and make our mapping, its e-mail address and its default card agree with it."""

from typing import Any

import msgspec

from paywright.customers import queries
from paywright.customers.actions import close_mapping, owner
from paywright.customers.mirror import card_of
from paywright.customers.tables import stripe_customers
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers, record
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import id_of, metadata_of
from paywright.stripe.model import GONE, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome

EXPAND = ["invoice_settings.default_payment_method"]


def root_of(stripe_customer_id: str) -> str:
    return f"customer {stripe_customer_id}"


def fetch(app: App, environment: Environment, stripe_customer_id: str) -> Fetched:
    """The Stripe Customer as it is now; a deleted one is an object that says so. Raises what the gateway raises, except for a missing one."""
    root = root_of(stripe_customer_id)
    number = app.next_fetch(environment.id, root)
    try:
        found = app.gateway(environment).get(f"/v1/customers/{stripe_customer_id}", {"expand": EXPAND})
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root, number, None)
    return Fetched(root, number, found)


def apply(work: Work, fetched: Fetched) -> Outcome:
    """Our metadata on it writes the mapping; its deletion closes it. Its subscriptions are told by events of their own."""
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        return GONE
    stripe_customer_id = str(fetched.found["id"])
    if fetched.found.get("deleted"):
        close_mapping(work, stripe_customer_id)
        return PROCESSED
    environment = environment_of(work)
    if fetched.found["livemode"] != environment.livemode:
        return WRONG_MODE
    whose = owner(work, metadata_of(fetched.found), stripe_customer_id)
    if not isinstance(whose, Customer):
        return whose
    if queries.stripe_customer_id(work.connection, work.environment_id, whose) == stripe_customer_id:
        _mirror(work, whose, fetched.found)
    return PROCESSED


def _mirror(work: Work, customer: Customer, found: dict[str, Any]) -> None:
    method = (found.get("invoice_settings") or {}).get("default_payment_method")
    card = card_of(method)
    before = queries.billing(work.connection, work.environment_id, customer).default_payment_method
    here = stripe_customers.c.environment_id == work.environment_id, stripe_customers.c.customer == customer.key
    encoded = None if card is None else msgspec.json.encode(card).decode()
    values = {"email": found.get("email"), "default_payment_method_id": id_of(method), "card": encoded}
    work.execute(stripe_customers.update().where(*here).values(**values))
    if card != before:
        lock_customers(work, [customer])
        facts = {"payment_method": None if card is None else msgspec.to_builtins(card)}
        record(work, "payment_method.updated", facts, customer=customer, change="billing")
