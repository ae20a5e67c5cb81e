"""Who is who at Stripe."""

from collections.abc import Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.customers.model import Billing, Card, StandingBilling
from paywright.customers.tables import stripe_customers
from paywright.kernel.model import Customer


def stripe_customer_id(connection: Connection, environment_id: str, customer: Customer) -> str | None:
    return connection.execute(
        sa.select(stripe_customers.c.stripe_customer_id).where(
            stripe_customers.c.environment_id == environment_id, stripe_customers.c.customer == customer.key
        )
    ).scalar_one_or_none()


# Written once: making a statement costs more than running it.
_CUSTOMER_OF = sa.select(stripe_customers.c.customer).where(
    stripe_customers.c.environment_id == sa.bindparam("environment"),
    stripe_customers.c.stripe_customer_id == sa.bindparam("stripe_customer"),
)


def customer_of(connection: Connection, environment_id: str, stripe_customer: str) -> Customer | None:
    asked = {"environment": environment_id, "stripe_customer": stripe_customer}
    key = connection.execute(_CUSTOMER_OF, asked).scalar_one_or_none()
    return None if key is None else Customer.of_key(key)


def billing(connection: Connection, environment_id: str, customer: Customer) -> Billing:
    return billing_of(connection, environment_id, [customer])[customer].billing


def billing_of(
    connection: Connection, environment_id: str, owners: Sequence[Customer]
) -> dict[Customer, StandingBilling]:
    """Of several customers in one query."""
    c = stripe_customers.c
    found = {customer: StandingBilling(Billing(False, None, None), None) for customer in owners}
    wanted = sa.select(c.customer, c.stripe_customer_id, c.email, c.card).where(
        c.environment_id == environment_id, c.customer.in_([customer.key for customer in owners])
    )
    for row in connection.execute(wanted):
        card = None if row.card is None else msgspec.json.decode(row.card, type=Card)
        known = Billing(row.stripe_customer_id is not None, row.email, card)
        found[Customer.of_key(row.customer)] = StandingBilling(known, row.stripe_customer_id)
    return found
