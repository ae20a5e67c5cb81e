"""Saved cards: a setup intent for the browser, and the card it saved as the customer's default."""

from paywright.customers import queries
from paywright.customers import sync as customer_sync
from paywright.customers.actions import ensure_stripe_customer, forget_missing
from paywright.customers.model import Billing, SetupIntent
from paywright.customers.tables import setup_intents
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.ids import new_id
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.stripe import metadata
from paywright.stripe.gateway import StripeDeclined, StripeRefused, stripe_key
from paywright.stripe.metadata import id_of, metadata_of


def billing(app: App, environment: Environment, customer: Customer) -> Billing:
    """What we last heard from Stripe; no call is made."""
    with app.database.read() as connection:
        return queries.billing(connection, environment.id, customer)


def create_setup_intent(app: App, environment: Environment, customer: Customer) -> SetupIntent | Refusal:
    """For saving a card without buying anything. Each call makes a new one."""
    if not environment.is_at_stripe:
        return Refusal("no_stripe_customer")
    made = _made_setup_intent(app, environment, customer) or _made_setup_intent(app, environment, customer)
    return made or Refusal("no_stripe_customer")


def _made_setup_intent(app: App, environment: Environment, customer: Customer) -> SetupIntent | Refusal | None:
    """None when Stripe's customer was gone: the next one is for a new customer."""
    stripe_customer = ensure_stripe_customer(app, environment, customer)
    row_id = new_id("sint")
    with app.work(environment.id) as work:
        row = {"environment_id": environment.id, "id": row_id, "customer": customer.key, "created_at": work.now}
        work.execute(setup_intents.insert().values(**row))
    params = {
        "customer": stripe_customer,
        "usage": "off_session",
        "metadata": metadata.ours(environment.id, customer_key=customer.key),
    }
    try:
        made = app.gateway(environment).post(
            "/v1/setup_intents", params, idempotency_key=stripe_key(environment.id, row_id, "create")
        )
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise
        if not _is_customer_gone(app, environment, customer, stripe_customer, refused):
            return Refusal("stripe_refused", {"stripe_message": refused.message})
        return None
    with app.work(environment.id) as work:
        here = setup_intents.c.environment_id == environment.id, setup_intents.c.id == row_id
        work.execute(setup_intents.update().where(*here).values(stripe_setup_intent_id=made["id"]))
    return SetupIntent(made["id"], made["client_secret"], app.publishable_key(environment), environment.stripe_account)


def _is_customer_gone(
    app: App, environment: Environment, customer: Customer, stripe_customer: str, refused: StripeRefused
) -> bool:
    """Deleted at Stripe since we looked; then it is forgotten."""
    is_gone = refused.is_missing and refused.param in ("customer", "id")
    if is_gone:
        with app.work(environment.id) as work:
            forget_missing(work, customer, stripe_customer)
    return is_gone


def set_default_payment_method(
    app: App, environment: Environment, customer: Customer, setup_intent_id: str
) -> Billing | Refusal:
    """The card a succeeded setup intent of this customer saved becomes the one renewals are charged to. Again changes nothing."""
    gateway = app.gateway(environment)
    try:
        found = gateway.get(f"/v1/setup_intents/{setup_intent_id}")
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        return invalid_request("setup_intent_id", "There is no such setup intent.")
    with app.database.read() as connection:
        mapped = queries.stripe_customer_id(connection, environment.id, customer)
    keys = metadata_of(found)
    if (
        mapped is None
        or id_of(found.get("customer")) != mapped
        or keys.get(metadata.CUSTOMER) not in (None, customer.key)
    ):
        return invalid_request("setup_intent_id", "There is no such setup intent.")
    method = id_of(found.get("payment_method"))
    if found["status"] != "succeeded" or method is None:
        return invalid_request(
            "setup_intent_id", f"This setup intent is `{found['status']}`; confirm it in the browser first."
        )
    params = {"invoice_settings": {"default_payment_method": method}}
    try:
        key = stripe_key(environment.id, setup_intent_id, "default")
        gateway.post(f"/v1/customers/{mapped}", params, idempotency_key=key, repeatable=True)
    except StripeDeclined as declined:
        return Refusal("card_declined", {"decline_code": declined.code})
    except StripeRefused as refused:
        if not refused.is_missing:
            raise
        _is_customer_gone(app, environment, customer, mapped, refused)
        return invalid_request("setup_intent_id", "The card this setup intent saved is gone; save one anew.")
    fetched = customer_sync.fetch(app, environment, mapped)
    with app.work(environment.id) as work:
        customer_sync.apply(work, fetched)
    return billing(app, environment, customer)


def create_portal_session(
    app: App,
    environment: Environment,
    customer: Customer,
    *,
    return_url: str | None = None,
    configuration: str | None = None,
    flow: str | None = None,
) -> str | Refusal:
    """
    The address of Stripe's billing portal for this customer; `flow` leads straight to one deed there.

    `no_stripe_customer` before the first checkout.
    """
    with app.database.read() as connection:
        mapped = queries.stripe_customer_id(connection, environment.id, customer)
    if mapped is None or not environment.is_at_stripe:
        return Refusal("no_stripe_customer")
    flow_data = None if flow is None else {"type": flow}
    params = {"customer": mapped, "return_url": return_url, "configuration": configuration, "flow_data": flow_data}
    try:
        made = app.gateway(environment).post(
            "/v1/billing_portal/sessions",
            {name: value for name, value in params.items() if value is not None},
            idempotency_key=stripe_key(environment.id, new_id("bps"), "create"),
        )
    except StripeRefused as refused:
        if refused.is_key_dead:
            raise
        if not _is_customer_gone(app, environment, customer, mapped, refused):
            return Refusal("stripe_refused", {"stripe_message": refused.message})
        return Refusal("no_stripe_customer")
    return str(made["url"])
