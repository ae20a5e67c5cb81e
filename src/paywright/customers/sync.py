"""The customer at Stripe: its e-mail address, and whether it is still there."""

from paywright.customers.actions import close_mapping, owner
from paywright.customers.tables import stripe_customers
from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply, next_fetch
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import metadata_of
from paywright.stripe.model import GONE, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome


def root_of(stripe_customer_id: str) -> str:
    return f"customer {stripe_customer_id}"


def fetch(app: App, environment: Environment, stripe_customer_id: str) -> Fetched:
    """A deleted customer is answered as such by Stripe, with 200 and `deleted`; one that never was is gone."""
    with app.work(environment.id) as work:
        number = next_fetch(work, root_of(stripe_customer_id))
    try:
        found = app.gateway(environment).get(f"/v1/customers/{stripe_customer_id}")
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root_of(stripe_customer_id), number, None)
    return Fetched(root_of(stripe_customer_id), number, found)


def apply(work: Work, fetched: Fetched) -> Outcome:
    """The mapping and the address follow; a deleted customer's mapping closes. Its subscriptions have events of their own."""
    if not may_apply(work, fetched.root, fetched.number):
        return STALE
    if fetched.found is None:
        return GONE
    if fetched.found.get("deleted"):
        close_mapping(work, fetched.found["id"])
        return PROCESSED
    environment = environment_queries.environment(work.connection, work.environment_id)
    assert environment is not None
    if fetched.found["livemode"] != environment.livemode:
        return WRONG_MODE
    customer = owner(work, metadata_of(fetched.found), fetched.found["id"])
    if isinstance(customer, Outcome):
        return customer
    here = stripe_customers.c.environment_id == work.environment_id, stripe_customers.c.customer == customer.key
    work.execute(stripe_customers.update().where(*here).values(email=fetched.found.get("email")))
    return PROCESSED
