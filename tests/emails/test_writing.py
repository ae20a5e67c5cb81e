"""Which letters a shop's life writes, from the events its own rooms record, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.customers.tables import stripe_customers
from paywright.emails.rules import LETTERS
from paywright.environments import actions as environments
from paywright.invoices import actions as invoices
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.ledger.warning import warn_of_expiry
from paywright.outbox.actions import lock_customers, open_incident
from paywright.ownership.model import AskedLine
from paywright.payments import actions as payments
from paywright.payments import queries as payment_queries
from paywright.payments import refunding
from paywright.payments.model import AskedRefund
from paywright.storage.work import RolledBack
from paywright_sandbox import Sandbox
from tests.emails.postbox import Writing
from tests.harness.catalogue import unlike_the_catalogue
from tests.harness.shop import Shop
from tests.subscriptions.till import DECLINES_LATER, VISA, StripeShop

USER = Customer("user", "u_1")


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def till(database_url: str, sandbox: Sandbox) -> Iterator[StripeShop]:
    made = StripeShop(database_url, sandbox)
    yield made
    assert unlike_the_catalogue(made.app) == []
    made.close()


@pytest.fixture
def shop(sqlite_url: str) -> Iterator[Shop]:
    made = Shop(sqlite_url, {"products": {}})
    yield made
    made.close()


@pytest.fixture
def writing(till: StripeShop) -> Writing:
    made = Writing(till)
    made.configure(operator_email="ops@shop.example")
    return made


def told(writing: Writing) -> list[tuple[str, str, str]]:
    """Kind, recipient and subject of what is written since the last call, oldest first; and every one of them renders."""
    from paywright.emails.sending import rendered

    writing.write()
    shown = []
    for letter in reversed(writing.letters()):
        if letter.status == "pending":
            mail = rendered(writing.app, writing.environment, letter, lambda *_: "https://shop.test/account")
            shown.append((letter.kind, letter.recipient, mail.subject.removeprefix("[test] ")))
    writing.send()
    return shown


def addressed(writing: Writing, email: str | None) -> None:
    with writing.app.work("test") as work:
        work.execute(stripe_customers.update().values(email=email))


def newest_invoice(till: StripeShop, subscription_id: str) -> str:
    return str(till.get("/v1/invoices", {"subscription": subscription_id, "limit": 1})["data"][0]["id"])


def test_a_subscribers_life_in_letters(till: StripeShop, writing: Writing) -> None:
    subscription_id = till.buy("pro")
    addressed(writing, "u@x.example")
    assert told(writing) == [("receipt", "u@x.example", "Your receipt from Your shop: $20.00")]
    till.put_card(subscription_id, DECLINES_LATER)
    till.advance("32d")
    till.sync(subscription_id)
    invoices.sync(till.app, till.environment, newest_invoice(till, subscription_id))
    addressed(writing, "u@x.example")
    (failed,) = told(writing)
    assert failed == ("payment_failed", "u@x.example", "Your payment to Your shop did not go through")
    text = next(each for each in writing.letters() if each.kind == "payment_failed").facts
    assert (text["amount"], text["pay_url"].startswith("http")) == ({"amount": 2000, "currency": "usd"}, True)
    till.post(f"/v1/subscriptions/{subscription_id}", {"cancel_at_period_end": True})
    till.sync(subscription_id)
    ((kind, _, subject),) = told(writing)
    assert (kind, subject) == ("cancel_scheduled", "pro ends on March 1, 2027")
    till.advance("40d")
    till.sync(subscription_id)
    ((kind, _, subject),) = told(writing)
    assert (kind, subject) == ("plan_ended", "pro has ended")


def test_a_new_buyers_receipt_waits_for_their_address(till: StripeShop, writing: Writing) -> None:
    """Money is told before the end of the checkout, where the address is."""
    asked = StartCheckout(
        customer=USER,
        lines=(AskedLine(product_id="pro"),),
        success_url="https://app.test/ok",
        cancel_url="https://app.test/no",
        with_secret_key=True,
    )
    session = checkout.start(till.app, till.environment, asked)
    assert isinstance(session, CheckoutSession), session
    till.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": VISA, "email": "new@x.example"})
    addressed(writing, None)
    (intent,) = till.get("/v1/payment_intents", {"customer": session.stripe_customer_id})["data"]
    payments.sync(till.app, till.environment, intent["id"])
    assert told(writing) == []
    for _ in range(2):
        checkout.sync(till.app, till.environment, session.id)
        payments.sync(till.app, till.environment, intent["id"])
    assert told(writing) == [("receipt", "new@x.example", "Your receipt from Your shop: $20.00")]


def test_a_refund_is_told_once_with_what_it_was_for(till: StripeShop, writing: Writing) -> None:
    subscription_id = till.buy("pro")
    addressed(writing, "u@x.example")
    told(writing)
    with till.app.database.read() as connection:
        (payment,) = payment_queries.page(connection, "test")
    for amount in (500, 1500):
        made = refunding.refund(till.app, till.environment, AskedRefund(payment.id, amount=amount))
        assert not isinstance(made, Refusal), made
    till.sync(subscription_id)
    kinds = [(kind, subject) for kind, _, subject in told(writing)]
    refunds = [subject for kind, subject in kinds if kind == "refund"]
    assert refunds == ["Your refund from Your shop: $5.00", "Your refund from Your shop: $15.00"]
    assert [kind for kind, _ in kinds if kind != "refund"] == ["plan_ended"]


def test_units_that_will_be_lost_are_told_by_the_items_name(till: StripeShop, writing: Writing) -> None:
    till.buy("pro")
    addressed(writing, "u@x.example")
    told(writing)
    with till.app.work("test") as work:
        lock_customers(work, [USER])
        ledger.grant(work, USER, "credits", 1250, source="gift", expires_at=work.now + 3_600_000)
        warn_of_expiry(work, USER, until=work.now + 7_200_000)
    ((kind, _, subject),) = told(writing)
    assert (kind, subject) == ("units_expiring", "1,250 credits to use until January 1, 2027")


def test_the_operator_hears_of_incidents_and_the_customer_does_not(till: StripeShop, writing: Writing) -> None:
    with till.app.work("test") as work:
        lock_customers(work, [USER])
        open_incident(work, "paid_after_cancel", {"payment_id": "pay_1", "nothing": None}, customer=USER)
    assert told(writing) == [("incident", "ops@shop.example", "Incident: paid after cancel")]
    assert writing.letters()[0].facts["facts"] == [["payment id", "pay_1"]]


def test_nobody_is_told_of_an_undone_change(till: StripeShop, writing: Writing) -> None:
    def undone() -> None:
        with till.app.work("test") as work:
            open_incident(work, "wrong_mode", {})
            raise RolledBack

    undone()
    assert told(writing) == []


FAILED: dict[str, Any] = {
    "payment": {
        "id": "pay_1",
        "amount": {"amount": 500, "currency": "usd"},
        "failure": {"code": "declined", "message": "No."},
        "invoice_id": None,
        "checkout_session_id": "chk_1",
    }
}
SUBSCRIPTION = {"id": "sub_1", "current_period_end": "2026-05-01T00:00:00Z"}
PRODUCT = {"id": "own_1", "type": "subscription", "display_name": "Pro", "ends_at": "2026-05-01T00:00:00Z"}
MONEY = {"amount": 500, "currency": "usd"}
INVOICE = {"id": "in_1", "amount_remaining": MONEY, "hosted_invoice_url": "https://i.example"}
PAID = {
    "id": "pay_1",
    "amount": MONEY,
    "created_at": "x",
    "paid_at": None,
    "receipt_url": None,
    "invoice_id": None,
    "checkout_session_id": None,
}

RULES: dict[str, tuple[str, dict[str, Any], tuple[str, str] | None]] = {
    "a payment": ("payment.paid", {"payment": PAID}, ("receipt", "pay_1")),
    "a payment of nothing": ("payment.paid", {"payment": PAID | {"amount": {"amount": 0, "currency": "usd"}}}, None),
    "a decline": ("payment.failed", FAILED, ("payment_failed", "evt_1")),
    "a decline of an invoice": ("payment.failed", {"payment": FAILED["payment"] | {"invoice_id": "in_1"}}, None),
    "a decline in the app": ("payment.failed", {"payment": FAILED["payment"] | {"checkout_session_id": None}}, None),
    "a failed renewal": (
        "invoice.payment_failed",
        {"invoice": INVOICE | {"billing_reason": "subscription_cycle"}},
        ("payment_failed", "evt_1"),
    ),
    "a failed first invoice": (
        "invoice.payment_failed",
        {"invoice": INVOICE | {"billing_reason": "subscription_create"}},
        None,
    ),
    "a failed switch": (
        "invoice.payment_failed",
        {"invoice": INVOICE | {"billing_reason": "subscription_update"}},
        None,
    ),
    "a refund": (
        "payment.refunded",
        {"payment": PAID, "refund": {"id": "ref_1", "amount": MONEY}},
        ("refund", "ref_1"),
    ),
    "a trial": (
        "subscription.trial_ending",
        {"subscription": SUBSCRIPTION, "trial_end": "t"},
        ("trial_ending", "sub_1:t"),
    ),
    "a renewal": (
        "subscription.renewal_upcoming",
        {"subscription": SUBSCRIPTION},
        ("renewal_upcoming", "sub_1:2026-05-01T00:00:00Z"),
    ),
    "a cancel": (
        "subscription.cancel_scheduled",
        {"subscription": SUBSCRIPTION, "ends_at": "t"},
        ("cancel_scheduled", "evt_1"),
    ),
    "an end": ("product.ended", {"product": PRODUCT, "reason": "unpaid"}, ("plan_ended", "own_1")),
    "the end of a pack": ("product.ended", {"product": PRODUCT | {"type": "one_time"}, "reason": "refunded"}, None),
    "a switch": ("product.ended", {"product": PRODUCT, "reason": "switched"}, None),
    "an add-on that ends with its plan": ("product.ended", {"product": PRODUCT, "reason": "base_ended"}, None),
    "units": (
        "item.expiring_soon",
        {"item_id": "credits", "quantity": 1, "expires_at": "t"},
        ("units_expiring", "evt_1"),
    ),
    "a dispute": (
        "dispute.opened",
        {"payment": PAID, "dispute": {"id": "dp_1", "amount": MONEY}},
        ("dispute", "dp_1:opened"),
    ),
    "a lost dispute": (
        "dispute.closed",
        {"payment": PAID, "dispute": {"id": "dp_1", "amount": MONEY}, "result": "lost"},
        ("dispute", "dp_1:lost"),
    ),
    "an incident": ("incident.opened", {"kind": "wrong_mode", "facts": {}}, ("incident", "evt_1")),
    "a payout": ("payout.failed", {"payout": {"id": "po_1", "amount": MONEY}}, ("payout_failed", "evt_1")),
}


@pytest.mark.parametrize("what", RULES)
def test_which_event_becomes_which_letter(what: str) -> None:
    event_type, facts, expected = RULES[what]
    written = LETTERS[event_type]("evt_1", facts)
    assert (None if written is None else (written.kind, written.fact)) == expected


def test_every_rule_is_tried_above() -> None:
    assert {event_type for event_type, _, _ in RULES.values()} == LETTERS.keys()


@pytest.mark.parametrize(
    ("policy", "param"),
    [
        ({"off": ["everything"]}, "emails.off[0]"),
        ({"sender": "A\r\nBcc: x@x.example"}, "emails.sender"),
        ({"sender": "nobody"}, "emails.sender"),
        ({"operator": "Ops <o@x.example>"}, "emails.operator"),
        ({"locale": "xx_XX"}, "emails.locale"),
        ({"locale": "en_US.UTF-8"}, "emails.locale"),
        ({"time_zone": "../../etc/passwd"}, "emails.time_zone"),
        ({"unknown": 1}, "emails"),
    ],
)
def test_a_policy_that_could_not_be_followed_is_refused(shop: Shop, policy: dict[str, Any], param: str) -> None:
    with shop.app.work("test") as work:
        refused = environments.change(work, {"emails": policy})
    assert isinstance(refused, Refusal), refused
    assert refused.param == param
