"""Customers at Stripe: fetch one, and make our mapping agree with it."""

from paywright.customers.actions import close_mapping, owner
from paywright.engine.app import App
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply, next_fetch
from paywright.stripe.gateway import StripeRefused
from paywright.stripe.metadata import metadata_of
from paywright.stripe.model import GONE, PROCESSED, STALE, WRONG_MODE, Fetched, Outcome


def root_of(stripe_customer_id: str) -> str:
    return f"customer {stripe_customer_id}"


def fetch(app: App, environment: Environment, stripe_customer_id: str) -> Fetched:
    """The Stripe Customer as it is now; a deleted one is an object that says so. Raises what the gateway raises, except for a missing one."""
    root = root_of(stripe_customer_id)
    with app.work(environment.id) as work:
        number = next_fetch(work, root)
    try:
        return Fetched(root, number, app.gateway(environment).get(f"/v1/customers/{stripe_customer_id}"))
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return Fetched(root, number, None)


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
    environment = environment_queries.environment(work.connection, work.environment_id)
    assert environment is not None
    if fetched.found["livemode"] != environment.livemode:
        return WRONG_MODE
    whose = owner(work, metadata_of(fetched.found), stripe_customer_id)
    return PROCESSED if isinstance(whose, Customer) else whose
