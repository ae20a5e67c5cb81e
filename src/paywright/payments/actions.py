"""
Payments at Stripe: fetch one, and make our row agree with it.

Whatever names it (an intent, a charge, a refund, a dispute), it is fetched by its intent where there is one, with its refunds, disputes and invoice
beside it as far as they are in question.
"""

from collections.abc import Collection
from typing import Any, Literal

from paywright.customers.actions import owner
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.environments.queries import environment_of
from paywright.kernel.model import Customer, Money
from paywright.outbox.actions import lock_customers
from paywright.payments import mirror, queries
from paywright.payments.model import Payment, PaymentFacts
from paywright.payments.project import project
from paywright.payments.returns import settle_purchase
from paywright.payments.tables import payments
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.stripe.fetches import may_apply, once
from paywright.stripe.gateway import Gateway, StripeRefused, stripe_key
from paywright.stripe.metadata import id_of, metadata_of
from paywright.stripe.model import GONE, OVERTAKEN, PROCESSED, STALE, TOLD_BY_CHECKOUT, WRONG_MODE, Fetched, Outcome
from paywright.stripe.rounds import once_in_round

Noun = Literal["payment_intent", "charge", "refund", "dispute"]
Beside = Literal["refunds", "disputes", "warnings"]

_PATHS: dict[Noun, str] = {
    "payment_intent": "/v1/payment_intents/",
    "charge": "/v1/charges/",
    "refund": "/v1/refunds/",
    "dispute": "/v1/disputes/",
}
_EXPAND: dict[Noun, list[str]] = {
    "payment_intent": ["latest_charge.balance_transaction", "payment_method"],
    "charge": ["balance_transaction"],
}


def root_of(stripe_id: str, noun: Noun = "payment_intent") -> str:
    return f"{noun} {stripe_id}"


def fetch(
    app: App,
    environment: Environment,
    stripe_id: str,
    *,
    noun: Noun = "payment_intent",
    beside: Collection[Beside] = (),
) -> Fetched:
    """
    The payment as it is now. `beside` names lists that are in question whatever the charge says, e.g. after a refund event.

    Raises what the gateway raises, except for a missing one.
    """
    gateway = app.gateway(environment)
    if noun in ("refund", "dispute"):
        found = _get(gateway, noun, stripe_id)
        if found is None:
            return _fetched(app, environment, noun, stripe_id, None)
        noun, stripe_id = _paid_with(found)
    number = _next(app, environment, noun, stripe_id)
    found = _get(gateway, noun, stripe_id)
    if noun == "charge" and found is not None and found.get("payment_intent") is not None:
        noun, stripe_id = _paid_with(found)
        number = _next(app, environment, noun, stripe_id)
        found = _get(gateway, noun, stripe_id)
    if found is None:
        return Fetched(root_of(stripe_id, noun), number, None)
    root = root_of(stripe_id, noun)
    again = once_in_round(("has refunds", root), lambda: _has_refunds(app, environment, root))
    wanted = {*beside, *(["refunds"] if again else [])}
    return Fetched(root, number, found, _lists(gateway, noun, found, wanted))


def sync(
    app: App,
    environment: Environment,
    stripe_id: str,
    *,
    noun: Noun = "payment_intent",
    beside: Collection[Beside] = (),
) -> Outcome:
    """Fetch and apply. Any number at once, any number of times."""
    fetched = fetch(app, environment, stripe_id, noun=noun, beside=beside)
    with app.work(environment.id) as work:
        return apply(work, fetched)


@once
def apply(work: Work, fetched: Fetched, *, customer: Customer | None = None) -> Outcome:
    """Makes our rows agree with what was fetched, in this work. `customer` is whose it is if nothing on it says so: a guest's checkout."""
    if not may_apply(work, fetched.root, fetched.number):
        return OVERTAKEN if fetched.lists else STALE
    if fetched.found is None:
        return GONE
    environment = environment_of(work)
    facts = facts_of(fetched)
    assert facts is not None
    if facts.livemode != environment.livemode:
        return WRONG_MODE
    whose = _owner(work, facts, customer)
    if isinstance(whose, Outcome):
        return whose
    lock_customers(work, [whose])
    project(work, whose, facts)
    return PROCESSED


def facts_of(fetched: Fetched) -> PaymentFacts | None:
    """None: gone at Stripe."""
    if fetched.found is None:
        return None
    if fetched.root.startswith("charge "):
        return mirror.charge_facts(fetched.found, fetched.lists)
    return mirror.intent_facts(fetched.found, fetched.lists)


def received(fetched: Fetched) -> Money | None:
    """What has come in through a fetched payment; None when it is gone."""
    facts = facts_of(fetched)
    return None if facts is None else Money(facts.amount_received, facts.currency)


def paid_at(fetched: Fetched) -> int | None:
    """When the money came; None while it has not."""
    facts = facts_of(fetched)
    return facts.paid_at if facts is not None and facts.status == "paid" else None


def record_nothing_to_pay(
    work: Work, customer: Customer, *, stripe_checkout_session_id: str, checkout_session_id: str, currency: str
) -> Payment:
    """A free order, everything off, or a trial: a payment of 0, paid, once per session. The customer is locked by the caller."""
    known = queries.payment_of_checkout(work.connection, work.environment_id, checkout_session_id)
    if known is not None:
        return known
    environment = environment_of(work)
    facts = PaymentFacts(
        fact=f"checkout_session {stripe_checkout_session_id}",
        status="paid",
        stripe_status="no_payment_required",
        amount=0,
        currency=currency,
        livemode=environment.livemode,
        created_at=work.now,
        checkout_session_id=checkout_session_id,
        paid_at=work.now,
    )
    return project(work, customer, facts)


def record_from_invoice(work: Work, customer: Customer, invoice: dict[str, Any]) -> Payment | None:
    """
    The payment of an invoice that has no intent and no charge: out of band, from credit, or of nothing. None: it has one, or nothing happened.

    A trial's first invoice, of 0, is the payment its checkout recorded. The customer is locked by the caller.
    """
    facts = mirror.invoice_facts(invoice)
    if facts is None:
        return None
    environment_id = work.environment_id
    if queries.payment_of_fact(work.connection, environment_id, facts.fact) is None:
        if facts.status != "paid":
            return None
        if facts.amount == 0 and facts.checkout_session_id is not None:
            of_checkout = queries.payment_of_checkout(work.connection, environment_id, facts.checkout_session_id)
            if of_checkout is not None:
                return of_checkout
    return project(work, customer, facts)


def link_invoice(work: Work, invoice: dict[str, Any], lines: list[dict[str, Any]] | None = None) -> None:
    """Writes the invoice, and what it is for, on the payments it was paid through: an intent no longer names its invoice. `lines` in full."""
    facts = _facts_of_invoice(invoice)
    if not facts:
        return
    subscription_id, period = mirror.subscription_of(invoice), mirror.paid_period(invoice, lines)
    values: dict[str, Any] = {"invoice_id": invoice["id"], "subscription_id": subscription_id}
    if period is not None:
        values |= {"period_start": period[0], "period_end": period[1]}
    here = payments.c.environment_id == work.environment_id
    work.execute(payments.update().where(here, payments.c.fact.in_(facts)).values(**values))
    if subscription_id is not None:
        settle_purchase(work, subscription_id=subscription_id)


def statuses_of(work: Work, invoice: dict[str, Any]) -> list[str]:
    """Of the payments we know this invoice was to be paid through."""
    found = (queries.payment_of_fact(work.connection, work.environment_id, fact) for fact in _facts_of_invoice(invoice))
    return [payment.status for payment in found if payment is not None]


def _facts_of_invoice(invoice: dict[str, Any]) -> list[str]:
    entries = [entry["payment"] for entry in mirror.paid_through(invoice)]
    return [f"{entry['type']} {id_of(entry[entry['type']])}" for entry in entries]


def refund_in_full(app: App, environment: Environment, payment_intent_id: str) -> None:
    """
    Returns all that is left of a payment, for the command `refund_payment`: the loser of two purchases that raced. Safe to repeat.

    Raises what the gateway raises; a payment that is refunded already, or was never paid, is no error.
    """
    key = stripe_key(environment.id, payment_intent_id, "refund_in_full")
    # All that is left, whatever it is by then: no amount.
    params = {"payment_intent": payment_intent_id, "metadata": metadata.ours(environment.id, customer_key=None)}
    try:
        app.gateway(environment).post("/v1/refunds", params, idempotency_key=key)
    except StripeRefused as refused:
        if refused.code not in ("charge_already_refunded", "payment_intent_unexpected_state"):
            raise
    sync(app, environment, payment_intent_id, beside=["refunds"])


def _owner(work: Work, facts: PaymentFacts, customer: Customer | None) -> Customer | Outcome:
    """By metadata, by the mapping, by whoever asked, by the row we hold: the first answer wins."""
    named = owner(work, facts.keys, facts.stripe_customer_id)
    if isinstance(named, Customer) or named.reason == "other_environment":
        return named
    if customer is not None:
        return customer
    known = queries.payment_of_fact(work.connection, work.environment_id, facts.fact)
    if known is None and metadata.CHECKOUT_SESSION in facts.keys:
        return TOLD_BY_CHECKOUT
    return named if known is None else known.customer


def _has_refunds(app: App, environment: Environment, root: str) -> bool:
    with app.database.read() as connection:
        return queries.has_refunds(connection, environment.id, root)


def _get(gateway: Gateway, noun: Noun, stripe_id: str) -> dict[str, Any] | None:
    expand = _EXPAND.get(noun)
    try:
        return gateway.get(_PATHS[noun] + stripe_id, {"expand": expand} if expand else {})
    except StripeRefused as refused:
        if refused.is_missing:
            return None
        raise


def _paid_with(found: dict[str, Any]) -> tuple[Noun, str]:
    """What a charge, a refund or a dispute belongs to."""
    intent = id_of(found.get("payment_intent"))
    if intent is not None:
        return "payment_intent", intent
    charge = id_of(found.get("charge"))
    assert charge is not None, "a refund or a dispute is of an intent or of a charge"
    return "charge", charge


def _next(app: App, environment: Environment, noun: Noun, stripe_id: str) -> int:
    return app.next_fetch(environment.id, root_of(stripe_id, noun))


def _fetched(app: App, environment: Environment, noun: Noun, stripe_id: str, found: dict[str, Any] | None) -> Fetched:
    return Fetched(root_of(stripe_id, noun), _next(app, environment, noun, stripe_id), found)


def _lists(
    gateway: Gateway, noun: Noun, found: dict[str, Any], wanted: Collection[str]
) -> dict[str, list[dict[str, Any]]]:
    """The lists in question: what the charge says went back, what was asked for, and whose invoice it is when nothing on it says so."""
    charge = found if noun == "charge" else found.get("latest_charge")
    charge = charge if isinstance(charge, dict) else {}
    of_it: dict[str, Any] = {noun: found["id"]}
    lists: dict[str, list[dict[str, Any]]] = {}
    if "refunds" in wanted or charge.get("amount_refunded", 0) > 0:
        lists["refunds"] = list(gateway.pages("/v1/refunds", of_it))
    if "disputes" in wanted or charge.get("disputed"):
        lists["disputes"] = list(gateway.pages("/v1/disputes", of_it))
    if "warnings" in wanted:
        lists["warnings"] = list(gateway.pages("/v1/radar/early_fraud_warnings", of_it))
    if noun == "payment_intent" and metadata.ENVIRONMENT not in metadata_of(found):
        asked = {"payment": {"type": "payment_intent", "payment_intent": found["id"]}, "expand": ["data.invoice"]}
        lists["invoice_payments"] = list(gateway.pages("/v1/invoice_payments", asked))
    return lists
