"""Who is who at Stripe."""

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.customers.model import Billing, Card
from paywright.customers.tables import stripe_customers
from paywright.kernel.model import Customer


def stripe_customer_id(connection: Connection, environment_id: str, customer: Customer) -> str | None:
    return connection.execute(
        sa.select(stripe_customers.c.stripe_customer_id).where(
            stripe_customers.c.environment_id == environment_id, stripe_customers.c.customer == customer.key
        )
    ).scalar_one_or_none()


def customer_of(connection: Connection, environment_id: str, stripe_customer: str) -> Customer | None:
    key = connection.execute(
        sa.select(stripe_customers.c.customer).where(
            stripe_customers.c.environment_id == environment_id,
            stripe_customers.c.stripe_customer_id == stripe_customer,
        )
    ).scalar_one_or_none()
    return None if key is None else Customer.of_key(key)


def billing(connection: Connection, environment_id: str, customer: Customer) -> Billing:
    columns = (stripe_customers.c.stripe_customer_id, stripe_customers.c.email, stripe_customers.c.card)
    row = connection.execute(
        sa.select(*columns).where(
            stripe_customers.c.environment_id == environment_id, stripe_customers.c.customer == customer.key
        )
    ).one_or_none()
    if row is None:
        return Billing(False, None, None)
    card = None if row.card is None else msgspec.json.decode(row.card, type=Card)
    return Billing(row.stripe_customer_id is not None, row.email, card)
