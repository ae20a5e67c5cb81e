"""
What somebody else did at Stripe while our call was on its way there, where money comes and goes back: a payment, a refund, a dispute, a new price, a
customer or a card that is deleted. Who asked hears what is so now.
"""

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from paywright.catalog.push import push
from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession
from paywright.customers import billing, queries
from paywright.customers.actions import ensure_stripe_customer
from paywright.customers.model import SetupIntent
from paywright.kernel.refusals import Refusal
from paywright.payments.model import Refund
from paywright.storage.idempotency import idempotency_key
from paywright_sandbox import Sandbox
from tests.harness.overtaking import Road, road_to
from tests.payments.counter import CATALOG
from tests.payments.desk import USER, VISA, Desk
from tests.subscriptions.terms import checkout_of

SESSIONS, REFUNDS = "/v1/checkout/sessions", "/v1/refunds"


@pytest.fixture(scope="module")
def road() -> Iterator[Road]:
    with Sandbox(seed=1) as sandbox, road_to(sandbox) as road:
        yield road


@pytest.fixture
def desk(sqlite_url: str, road: Road) -> Iterator[Desk]:
    made = Desk(sqlite_url, road)
    yield made
    assert road.is_quiet
    made.close()


def start(desk: Desk, product_id: str, key: str | None = None) -> CheckoutSession | Refusal:
    asked = checkout_of(product_id)
    under = None if key is None else idempotency_key("secret", key, method="POST", path="/", body=b"{}")
    return checkout.start(desk.app, desk.environment, asked, key=under)


def opened(desk: Desk, product_id: str) -> CheckoutSession:
    session = start(desk, product_id)
    assert isinstance(session, CheckoutSession), session
    return session


def paid(desk: Desk, session: CheckoutSession) -> Callable[[], Any]:
    return lambda: desk.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": VISA})


def code(outcome: object) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def test_a_payment_overtakes_the_end_of_its_checkout(desk: Desk, road: Road) -> None:
    session = opened(desk, "pack")
    road.overtake("POST", f"{SESSIONS}/{session.stripe_checkout_session_id}/expire", paid(desk, session))
    assert checkout.expire(desk.app, desk.environment, session.id) == Refusal(
        "session_not_open", {"status": "completed"}
    )
    assert (desk.bought(), desk.balance()) == ({"pack": True}, (100, 0))


def test_a_payment_overtakes_another_checkout_of_its_line(desk: Desk, road: Road) -> None:
    session = opened(desk, "licence")
    road.overtake("POST", f"{SESSIONS}/{session.stripe_checkout_session_id}/expire", paid(desk, session))
    assert code(start(desk, "pro")) == "line_taken"
    assert desk.bought() == {"licence": True}


@pytest.mark.parametrize("key", [None, "k"])
def test_a_checkout_overtaken_by_a_new_price_is_opened_at_that(desk: Desk, road: Road, key: str | None) -> None:
    def dearer() -> None:
        pack = {**CATALOG["products"]["pack"], "prices": {"once": {"amounts": {"usd": 2000}}}}
        desk.apply({**CATALOG, "products": {**CATALOG["products"], "pack": pack}})
        push(desk.app, "test")

    road.overtake("POST", SESSIONS, dearer)
    session = start(desk, "pack", key)
    assert isinstance(session, CheckoutSession), session
    assert session.status == "open"
    assert desk.get(f"{SESSIONS}/{session.stripe_checkout_session_id}")["amount_total"] == 2000
    assert start(desk, "pack", key) == session


def test_a_checkout_overtaken_by_the_end_of_its_sale_is_refused(desk: Desk, road: Road) -> None:
    def gone() -> None:
        kept = {name: product for name, product in CATALOG["products"].items() if name != "pack"}
        desk.apply({**CATALOG, "products": kept})
        push(desk.app, "test")

    road.overtake("POST", SESSIONS, gone)
    assert code(start(desk, "pack")) == "product_not_found"


@pytest.mark.parametrize(("theirs", "ours", "left"), [(1000, None, 0), (400, 700, 600), (400, 1000, 600)])
def test_a_refund_overtaken_by_another_hears_how_much_is_left(
    desk: Desk, road: Road, theirs: int, ours: int | None, left: int
) -> None:
    payment = desk.sell("pack")
    intent = payment.stripe_payment_intent_id
    road.overtake("POST", REFUNDS, lambda: desk.post(REFUNDS, {"payment_intent": intent, "amount": theirs}))
    key = idempotency_key("secret", "k", method="POST", path="/", body=b"{}")
    for _ in range(2):  # A twin, or a repeat whose answer was lost, hears the same.
        assert desk.refund(payment, ours, key=key) == Refusal("refund_too_large", {"refundable": left})
    assert desk.money(payment) == ("paid" if left else "refunded", theirs)
    if left:
        assert isinstance(desk.refund(payment, left), Refund)


def test_a_refund_overtaken_by_a_dispute_has_nothing_left_to_return(desk: Desk, road: Road) -> None:
    payment = desk.sell("pack")
    intent = payment.stripe_payment_intent_id
    road.overtake("POST", REFUNDS, lambda: desk.control("disputes", {"payment_intent": intent}))
    assert desk.refund(payment) == Refusal("refund_too_large", {"refundable": 0})
    assert desk.now(payment).disputed


def deleted(desk: Desk) -> Callable[[], Any]:
    stripe_customer = ensure_stripe_customer(desk.app, desk.environment, USER)
    return lambda: desk.app.gateway(desk.environment).delete(f"/v1/customers/{stripe_customer}")


def test_a_setup_intent_overtaken_by_the_end_of_its_stripe_customer_has_a_new_one(desk: Desk, road: Road) -> None:
    road.overtake("POST", "/v1/setup_intents", deleted(desk))
    made = billing.create_setup_intent(desk.app, desk.environment, USER)
    assert isinstance(made, SetupIntent), made
    with desk.app.database.read() as connection:
        mapped = queries.stripe_customer_id(connection, "test", USER)
    assert desk.get(f"/v1/setup_intents/{made.id}")["customer"] == mapped


@pytest.mark.parametrize("gone", ["card", "customer"])
def test_a_default_card_overtaken_by_its_end_is_not_there(desk: Desk, road: Road, gone: str) -> None:
    delete = deleted(desk)
    made = billing.create_setup_intent(desk.app, desk.environment, USER)
    assert isinstance(made, SetupIntent)
    confirmed = desk.post(f"/v1/setup_intents/{made.id}/confirm", {"payment_method": "pm_card_visa"})
    detach = f"/v1/payment_methods/{confirmed['payment_method']}/detach"
    road.overtake("POST", "/v1/customers/cus_", delete if gone == "customer" else lambda: desk.post(detach, {}))
    refusal = billing.set_default_payment_method(desk.app, desk.environment, USER, made.id)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.param) == ("invalid_request", "setup_intent_id")


def test_a_portal_overtaken_by_the_end_of_its_stripe_customer(desk: Desk, road: Road) -> None:
    road.overtake("POST", "/v1/billing_portal/sessions", deleted(desk))
    refused = billing.create_portal_session(desk.app, desk.environment, USER, return_url="https://app.test/")
    assert code(refused) == "no_stripe_customer"
