"""Objects of a page are compared together: one of them that differs is told alone, and nothing of it is written."""

import sqlalchemy as sa

from paywright.checkout import actions as checkout
from paywright.healing.compare import agreeing
from paywright.healing.walk import LISTS
from paywright.payments.tables import payments
from paywright.stripe.tables import stripe_objects
from tests.healing.till import HealingShop
from tests.subscriptions.terms import USER


def test_one_that_differs_among_others_is_told_alone(till: HealingShop) -> None:
    for _ in range(3):
        session = till.open_checkout("pack")
        till.pay(session)
        checkout.sync(till.app, till.environment, session.id)
    till.hear_all()
    listed = LISTS["payment_intents"]
    expand = {"expand": [f"data.{each}" for each in listed.expand]}
    page = list(till.app.gateway(till.environment).pages(listed.path, expand))
    ids = {found["id"] for found in page}
    before = till.events(USER), numbers(till)
    assert agreeing(till.app, till.environment, "payment_intent", page) == ids
    assert (till.events(USER), numbers(till)) == before

    wrong = page[1]["id"]
    till.corrupt(payments, payments.c.stripe_payment_intent_id == wrong, receipt_url="https://elsewhere.example/")
    assert agreeing(till.app, till.environment, "payment_intent", page) == set()
    assert agreeing(till.app, till.environment, "payment_intent", [page[0], page[2]]) == ids - {wrong}
    assert [(line.noun, line.id, line.field) for line in till.reconcile()[1]] == [
        ("payment", f"payment_intent {wrong}", "receipt_url")
    ]
    assert till.row(payments, payments.c.stripe_payment_intent_id == wrong)["receipt_url"].startswith(
        "https://elsewhere."
    )


def numbers(till: HealingShop) -> list[tuple[object, ...]]:
    columns = (stripe_objects.c.root, stripe_objects.c.fetch_number, stripe_objects.c.applied_number)
    with till.app.database.read() as connection:
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(stripe_objects.c.root))]
