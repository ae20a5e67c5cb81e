"""
Our customers and Stripe's.

The local row comes first; the key sent to Stripe comes from that row, so however many checkouts of a new customer run at once, Stripe makes one.
Stripe's search is never asked: it lags, and an e-mail address is neither unique nor stable.
"""

from typing import Any

import sqlalchemy as sa

from paywright.customers import queries
from paywright.customers.tables import stripe_customers
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.model import Customer
from paywright.outbox.actions import lock_customers, open_incident
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work
from paywright.stripe import metadata
from paywright.stripe.gateway import KEYS_KEPT_MS, StripeUnknown, stripe_key
from paywright.stripe.model import NOT_OURS, OTHER_ENVIRONMENT, Outcome

KEYS_PER_CALL_MAX = 3
"""Stripe that keeps failing under each of them is down, and the row stands for a repeat."""


def ensure_stripe_customer(app: App, environment: Environment, customer: Customer, *, email: str | None = None) -> str:
    """The id of the one Stripe Customer of this customer, made if there is none. Safe to repeat and to run at once."""
    for _ in range(KEYS_PER_CALL_MAX):
        made = _ensured(app, environment, customer, email)
        if made is not None:
            return made
    raise StripeUnknown(f"no answer under {KEYS_PER_CALL_MAX} keys")


def _ensured(app: App, environment: Environment, customer: Customer, email: str | None) -> str | None:
    """None when the key of this generation can say no more, and nothing was made under it: ask again under the next one."""
    row = _row(app, environment, customer, email)
    if row.stripe_customer_id is not None:
        return str(row.stripe_customer_id)
    params: dict[str, Any] = {"metadata": metadata.ours(environment.id, customer_key=customer.key)}
    if row.email:
        params["email"] = row.email  # As stored: a repeat must send exactly what the first one sent.
    made = None
    if wall_ms() - row.requested_at < KEYS_KEPT_MS:
        key = stripe_key(environment.id, row.row_id, "customer", row.generation)
        try:
            made = app.gateway(environment).post("/v1/customers", params, idempotency_key=key)
        except StripeUnknown as unknown:
            if not unknown.is_kept:
                raise
    if made is None:
        made = _look(app, environment, customer, row.created_at)
    if made is None:
        _next_generation(app, environment, customer, row.generation)
        return None
    with app.work(environment.id) as work:
        remember(work, customer, str(made["id"]))
        return queries.stripe_customer_id(work.connection, environment.id, customer) or str(made["id"])


def _row(app: App, environment: Environment, customer: Customer, email: str | None) -> Any:
    with app.work(environment.id) as work:
        row_id = new_id("scus")
        row = {"environment_id": environment.id, "customer": customer.key, "row_id": row_id, "email": email}
        insert_if_absent(work, stripe_customers, {**row, "created_at": work.now, "requested_at": wall_ms()})
        columns = (
            stripe_customers.c.stripe_customer_id,
            stripe_customers.c.row_id,
            stripe_customers.c.generation,
            stripe_customers.c.email,
            stripe_customers.c.created_at,
            stripe_customers.c.requested_at,
        )
        return work.execute(sa.select(*columns).where(_is(work, customer))).one()


def _look(app: App, environment: Environment, customer: Customer, since: int) -> dict[str, Any] | None:
    """Among the Stripe Customers made since our row, the one that names this customer."""
    made_since = {"created": {"gte": since // 1000 - 3600}}
    for found in app.gateway(environment).pages("/v1/customers", made_since):
        keys = metadata.metadata_of(found)
        if keys.get(metadata.CUSTOMER) == customer.key and keys.get(metadata.ENVIRONMENT) == environment.id:
            return found
    return None


def _next_generation(app: App, environment: Environment, customer: Customer, generation: int) -> None:
    with app.work(environment.id) as work:
        work.execute(
            stripe_customers.update()
            .where(_is(work, customer), stripe_customers.c.generation == generation)
            .values(generation=generation + 1, requested_at=wall_ms())
        )


def remember(work: Work, customer: Customer, stripe_customer: str) -> None:
    """
    Writes the mapping if neither side is taken; a conflict keeps the older one and opens an incident.

    `newly_mapped` tells `webhooks` which waiting Stripe events become due in the same work.
    """
    known = _known(work, stripe_customer)
    if known == customer:
        return
    lock_customers(
        work, [customer]
    )  # Always before the mapping's row, or two works about one customer could wait for each other.
    insert_if_absent(
        work,
        stripe_customers,
        {
            "environment_id": work.environment_id,
            "customer": customer.key,
            "row_id": new_id("scus"),
            "created_at": work.now,
            "requested_at": wall_ms(),
        },
    )
    present = queries.stripe_customer_id(work.connection, work.environment_id, customer)
    if known is not None or present not in (None, stripe_customer):
        facts = {
            "customer": customer.key,
            "stripe_customer_id": stripe_customer,
            "known": known.key if known else present,
        }
        open_incident(work, "mapping_conflict", facts)
        return
    work.execute(stripe_customers.update().where(_is(work, customer)).values(stripe_customer_id=stripe_customer))
    work.notes.setdefault("customers.mapped", []).append(stripe_customer)


def _known(work: Work, stripe_customer: str) -> Customer | None:
    """Whose this work has seen it to be, so that the many objects of one purchase ask once."""
    seen: dict[str, Customer] = work.notes.setdefault("customers.seen", {})
    if stripe_customer not in seen:
        found = queries.customer_of(work.connection, work.environment_id, stripe_customer)
        if found is None:
            return None
        seen[stripe_customer] = found
    return seen[stripe_customer]


def newly_mapped(work: Work) -> list[str]:
    """Stripe Customers whose mapping this work wrote: the events that waited for them become due in the same work."""
    mapped: list[str] = work.notes.get("customers.mapped", [])
    return mapped


def forget_missing(work: Work, customer: Customer, stripe_customer: str) -> None:
    """Stripe says this one is gone (a wiped account, a test id under another key): close the mapping, so that the next checkout makes a new one."""
    work.notes.get("customers.seen", {}).pop(stripe_customer, None)
    work.execute(
        stripe_customers.update()
        .where(_is(work, customer), stripe_customers.c.stripe_customer_id == stripe_customer)
        .values(
            stripe_customer_id=None,
            generation=stripe_customers.c.generation + 1,
            requested_at=wall_ms(),
            created_at=work.now,
        )
    )


def close_mapping(work: Work, stripe_customer: str) -> None:
    """The Stripe Customer was deleted."""
    customer = queries.customer_of(work.connection, work.environment_id, stripe_customer)
    if customer is not None:
        forget_missing(work, customer, stripe_customer)


def owner(work: Work, keys: dict[str, str], stripe_customer: str | None) -> Customer | Outcome:
    """
    Whose a Stripe object is, by our metadata on it (`keys`) or by the mapping of its Stripe Customer.

    `OTHER_ENVIRONMENT` when its metadata names another one of ours (two apps may share an account); `unresolved` when it is ours but names nobody we
    know; `NOT_OURS` otherwise. A customer named by metadata is mapped on the way.
    """
    environment_id = keys.get(metadata.ENVIRONMENT)
    if environment_id is not None and environment_id != work.environment_id:
        return OTHER_ENVIRONMENT
    if metadata.CUSTOMER in keys:
        customer = Customer.of_key(keys[metadata.CUSTOMER])
        if stripe_customer is not None:
            remember(work, customer, stripe_customer)
        return customer
    known = None if stripe_customer is None else _known(work, stripe_customer)
    if known is not None:
        return known
    if environment_id == work.environment_id:
        return Outcome("unresolved", "unresolved", stripe_customer)
    return NOT_OURS


def _is(work: Work, customer: Customer) -> sa.ColumnElement[bool]:
    return sa.and_(
        stripe_customers.c.environment_id == work.environment_id, stripe_customers.c.customer == customer.key
    )
