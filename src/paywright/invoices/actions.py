"""
Invoices at Stripe: fetch one with what it is about, and make our rows agree.

A paid invoice is the proof of money for a period: `subscription.renewed` is told once per invoice, for ever. It grants no units, because repeats are
the ledger's calendar.
"""

from collections.abc import Collection
from typing import Any, Literal

import msgspec
import sqlalchemy as sa

from paywright.catalog import queries as catalog_queries
from paywright.customers.actions import owner
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.invoices import queries
from paywright.invoices.mirror import invoice_facts
from paywright.invoices.model import InvoiceFacts
from paywright.invoices.tables import invoices
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers, record
from paywright.payments import actions as payments
from paywright.payments.mirror import paid_through
from paywright.storage.statements import upsert
from paywright.storage.work import Work
from paywright.stripe.fetches import lock, may_apply, once
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import id_of
from paywright.stripe.model import GONE, NOT_OURS, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome
from paywright.subscriptions import actions as subscriptions
from paywright.subscriptions import queries as subscription_queries

EXPAND = ["payments", "discounts"]
Then = Literal["payment_intent", "subscription"]
CHANGE = "invoices"


def root_of(invoice_id: str) -> str:
    return f"invoice {invoice_id}"


def fetch(
    app: App,
    environment: Environment,
    invoice_id: str,
    *,
    then: Collection[str] = ("payment_intent", "subscription"),
) -> Fetched:
    """The invoice as it is now, with its payments and its subscription beside it, each under a root of its own, as far as `then` names them."""
    root = root_of(invoice_id)
    number = app.next_fetch(environment.id, root)
    gateway = app.gateway(environment)
    try:
        found = gateway.get(f"/v1/invoices/{invoice_id}", {"expand": EXPAND})
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root, number, None)
    lists: dict[str, list[dict[str, Any]]] = {}
    if found["lines"]["has_more"]:
        lists["lines"] = list(gateway.pages(f"/v1/invoices/{invoice_id}/lines"))
    related: list[Fetched] = []
    if "payment_intent" in then:
        for entry in paid_through(found):
            noun = entry["payment"]["type"]
            paid_with = id_of(entry["payment"][noun])
            assert paid_with is not None
            related.append(payments.fetch(app, environment, paid_with, noun=noun))
    subscription_id = invoice_facts(found, lists.get("lines")).subscription_id
    if "subscription" in then and subscription_id is not None:
        related.append(subscriptions.fetch(app, environment, subscription_id))
    return Fetched(root, number, found, lists, tuple(related))


def sync(app: App, environment: Environment, invoice_id: str) -> Outcome:
    """Fetch and apply, payments and subscription included. Any number at once, any number of times."""
    fetched = fetch(app, environment, invoice_id)
    with app.work(environment.id) as work:
        return apply(work, fetched)


@once
def apply(work: Work, fetched: Fetched) -> Outcome:
    """Makes our rows agree with what was fetched, in this work. An overtaken invoice still brings what was fetched beside it."""
    lock(work, [fetched])
    is_newest = may_apply(work, fetched.root, fetched.number)
    if fetched.found is None:
        return _remove_draft(work, fetched) if is_newest else STALE
    environment = environment_of(work)
    facts = invoice_facts(fetched.found, fetched.lists.get("lines"))
    if facts.livemode != environment.livemode:
        return WRONG_MODE
    customer = _owner(work, facts)
    if isinstance(customer, Outcome):
        return customer
    lock_customers(work, [customer])
    for related in fetched.related:
        if related.root.startswith("subscription "):
            subscriptions.apply(work, related)
        else:
            payments.apply(work, related, customer=customer)
    if not is_newest:
        return STALE
    payments.link_invoice(work, fetched.found, fetched.lists.get("lines"))
    payments.record_from_invoice(work, customer, fetched.found)
    _project(work, customer, facts, fetched.found)
    return PROCESSED


def _owner(work: Work, facts: InvoiceFacts) -> Customer | Outcome:
    """By metadata, by the mapping, by the subscription or the invoice we hold; of nobody, it is ours if it sells a price of ours."""
    named = owner(work, facts.keys, facts.stripe_customer_id)
    if isinstance(named, Customer) or named.reason == "other_environment":
        return named
    held = subscription_queries.row_of(work.connection, work.environment_id, facts.subscription_id or "")
    held = held or queries.row_of(work.connection, work.environment_id, facts.id)
    if held is not None:
        return Customer.of_key(held.customer)
    prices = [line.stripe_price_id for line in facts.lines if line.stripe_price_id is not None]
    if named == NOT_OURS and catalog_queries.by_stripe_price(work.connection, work.environment_id, prices):
        return Outcome("unresolved", "unresolved", facts.stripe_customer_id)
    return named


def _project(work: Work, customer: Customer, facts: InvoiceFacts, found: dict[str, Any]) -> None:
    before = queries.row_of(work.connection, work.environment_id, facts.id)
    is_failing = facts.status == "open" and facts.attempted and _has_failed(work, found)
    told = 0 if before is None else before.attempt_told
    is_renewal_told = before is not None and bool(before.is_renewal_told)
    _save(
        work,
        customer,
        facts,
        attempt_told=facts.attempt_count if is_failing else told,
        is_renewal_told=is_renewal_told or facts.is_renewal_paid,
    )
    shown = {"invoice": queries.shown(queries.row_of(work.connection, work.environment_id, facts.id))}

    def tell(event_type: str, **more: Any) -> None:
        record(work, event_type, {**shown, **more}, customer=customer, change=CHANGE)

    status = None if before is None else before.status
    if before is None:
        tell("invoice.created")
    if facts.status == "paid" and status != "paid":
        tell("invoice.paid")
    if facts.status == "void" and status != "void":
        tell("invoice.voided")
    if is_failing and facts.attempt_count > told:
        tell("invoice.payment_failed", next_attempt_at=shown["invoice"]["next_attempt_at"])
    if facts.is_renewal_paid and not is_renewal_told:
        _tell_renewed(work, customer, facts)


def _tell_renewed(work: Work, customer: Customer, facts: InvoiceFacts) -> None:
    assert facts.subscription_id is not None
    held = subscription_queries.row_of(work.connection, work.environment_id, facts.subscription_id)
    period = None
    if facts.period_start is not None and facts.period_end is not None:
        period = {"start": rfc3339(facts.period_start), "end": rfc3339(facts.period_end)}
    told = {
        "subscription": {"id": facts.subscription_id} if held is None else subscription_queries.shown(held),
        "period": period,
        "invoice_id": facts.id,
    }
    record(work, "subscription.renewed", told, customer=customer, change="products")


def _has_failed(work: Work, found: dict[str, Any]) -> bool:
    """An attempted invoice may wait for a bank debit: only its payment says that it failed. Without one we know of, an attempt was in vain."""
    statuses = payments.statuses_of(work, found)
    return not statuses or any(status != "pending" for status in statuses)


def _save(work: Work, customer: Customer, facts: InvoiceFacts, *, attempt_told: int, is_renewal_told: bool) -> None:
    taken = ("id number status currency amount_due amount_paid amount_remaining subtotal total billing_reason subscription_id "
             "attempt_count next_attempt_at created_at due_at paid_at period_start period_end hosted_invoice_url invoice_pdf").split()  # fmt: skip
    row = {name: getattr(facts, name) for name in taken} | {
        "environment_id": work.environment_id,
        "customer": customer.key,
        "attempt_told": attempt_told,
        "is_renewal_told": int(is_renewal_told),
        "lines": msgspec.json.encode(facts.lines).decode(),
        "seen_at": work.now,
    }
    upsert(work, invoices, row, key=("environment_id", "id"))


def _remove_draft(work: Work, fetched: Fetched) -> Outcome:
    """Only a draft can be deleted at Stripe; anything else that is missing there stays with us as history."""
    invoice_id = fetched.root.partition(" ")[2]
    where = (invoices.c.environment_id == work.environment_id) & (invoices.c.id == invoice_id)
    removed = work.execute(sa.delete(invoices).where(where, invoices.c.status == "draft"))
    return PROCESSED if removed.rowcount == 1 else GONE
