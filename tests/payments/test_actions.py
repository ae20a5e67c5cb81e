"""One payment, whichever of its objects is heard of first, and whatever order the news comes in."""

import itertools
import logging
from typing import Any

import pytest

from paywright.customers.actions import remember
from paywright.kernel.model import Customer, Money
from paywright.outbox.actions import lock_customers
from paywright.payments import actions as payments
from paywright.payments import queries
from paywright.payments.model import Failure
from paywright.stripe.model import GONE, NOT_OURS, OTHER_ENVIRONMENT, PROCESSED, STALE, WRONG_MODE, Outcome
from tests.payments.objects import (
    CREATED,
    OURS,
    charge,
    declined,
    dispute,
    intent,
    paid_with,
    refund,
    subscription_invoice,
)
from tests.payments.till import USER, Till


def test_a_paid_intent_is_one_paid_payment(till: Till) -> None:
    assert till.hear(intent()) == PROCESSED
    payment = till.payment()
    assert (payment.status, payment.amount, payment.customer) == ("paid", Money(1999, "usd"), USER)
    assert payment.checkout_session_id == "chk_1"
    assert (payment.fee, payment.net, payment.paid_at) == (88, 1911, (CREATED + 5) * 1000)
    assert till.told() == ["payment.paid"]
    with till.app.database.read() as connection:
        assert queries.payment(connection, "test", payment.id) == payment


def test_the_same_news_again_changes_and_tells_nothing(till: Till) -> None:
    till.hear(intent())
    before, told = till.payment(), till.events()
    till.hear(intent())
    assert (till.payment(), till.events()) == (before, told)


def test_P2_declined_then_paid_on_the_same_intent(till: Till) -> None:
    till.hear(declined())
    assert till.payment().status == "failed"
    till.hear(intent())
    assert (till.payment().status, till.payment().failure) == ("paid", None)
    assert till.told() == ["payment.failed", "payment.paid"]


def test_P2_events_reversed_a_slow_fetch_never_overwrites_a_newer_one(till: Till) -> None:
    slow, quick = till.fetched(declined()), till.fetched(intent())
    assert till.apply(quick) == PROCESSED
    assert till.apply(slow) == STALE
    assert till.payment().status == "paid"
    assert till.told() == ["payment.paid"]


def test_a_failure_after_paid_is_logged_as_a_stale_move(till: Till, caplog: pytest.LogCaptureFixture) -> None:
    till.hear(intent())
    with caplog.at_level(logging.INFO, logger="paywright.payments"):
        assert till.hear(declined()) == PROCESSED
    assert till.payment().status == "paid"
    assert "stale_move" in caplog.text


def test_a_decline_is_shown_without_what_a_thief_may_not_know(till: Till) -> None:
    till.hear(declined())
    payment = till.payment()
    assert payment.failure == Failure("card_declined", "The card was declined. Use another card.")
    assert "lost_card" not in str(queries.shown(payment)) + str(till.events())


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))), ids=str)
def test_any_order_of_deliveries_ends_in_the_order_of_the_fetches(till: Till, order: tuple[int, ...]) -> None:
    fetched = [till.fetched(each) for each in (intent("requires_action"), declined(), intent())]
    for place in order:
        till.apply(fetched[place])
    assert (len(till.payments()), till.payment().status) == (1, "paid")
    assert till.told().count("payment.paid") == 1


def test_a_cancelled_one_is_paid_only_on_proof_and_a_person_is_told(till: Till) -> None:
    till.hear(intent("canceled"))
    till.hear(intent("requires_action"))
    assert till.payment().status == "cancelled"
    till.hear(intent())
    assert till.payment().status == "paid"
    assert till.told() == ["payment.cancelled", "payment.paid", "incident.opened"]
    assert till.events()[-2][1]["kind"] == "paid_after_cancel"


def test_less_money_than_asked_is_not_paid(till: Till) -> None:
    till.hear(intent(amount_received=1000))
    assert (till.payment().status, till.told()) == ("pending", ["payment.pending"])
    till.hear(intent())
    assert till.payment().status == "paid"


def test_a_status_nobody_knows_is_kept_and_waits(till: Till) -> None:
    assert till.hear(intent("requires_a_miracle")) == PROCESSED
    assert till.payment().status == "pending"


def test_P1_refunds_add_up(till: Till) -> None:
    first, rest = refund("re_1", 1000), refund("re_2", 999)
    till.hear(intent())
    till.hear(intent(latest_charge=charge(amount_refunded=1000)), refunds=[first])
    payment = till.payment()
    assert (payment.status, payment.amount_refunded.amount, payment.refundable) == ("paid", 1000, 999)
    till.hear(intent(latest_charge=charge(amount_refunded=1999)), refunds=[first, rest])
    payment = till.payment()
    assert (payment.status, payment.amount_refunded.amount, payment.refundable) == ("refunded", 1999, 0)
    assert till.told() == ["payment.paid", "payment.refunded", "payment.refunded"]
    assert [told["full"] for kind, told in till.events() if kind == "payment.refunded"] == [False, True]


def test_P3_a_refund_heard_before_the_payment_ends_as_in_order(till: Till) -> None:
    till.hear(intent(latest_charge=charge(amount_refunded=1999)), refunds=[refund()])
    payment = till.payment()
    assert (payment.status, payment.amount_refunded.amount, payment.paid_at is not None) == ("refunded", 1999, True)
    assert till.told() == ["payment.paid", "payment.refunded"]


def test_a_refund_under_way_is_held_and_not_yet_returned(till: Till) -> None:
    till.hear(intent(), refunds=[refund(amount=1500, status="pending")])
    payment = till.payment()
    assert (payment.status, payment.amount_refunded.amount, payment.amount_refunding) == ("paid", 0, 1500)
    assert payment.refundable == 499


def test_a_refund_that_fails_after_it_succeeded_restores_the_payment(till: Till) -> None:
    till.hear(intent(), refunds=[refund()])
    till.hear(intent(), refunds=[refund(status="failed", failure_reason="expired_or_canceled_card")])
    payment = till.payment()
    assert (payment.status, payment.amount_refunded.amount) == ("paid", 0)
    assert till.told() == ["payment.paid", "payment.refunded", "payment.refund_failed"]


def test_P10_yen_refunded_elsewhere(till: Till) -> None:
    yen: dict[str, Any] = {"currency": "jpy", "amount": 500, "amount_received": 500}
    till.hear(intent(**yen), refunds=[refund(amount=500, currency="jpy")])
    assert queries.shown(till.payment())["amount_refunded"] == {"amount": 500, "currency": "jpy"}


def test_a_dispute_marks_the_payment_and_winning_clears_it(till: Till) -> None:
    till.hear(intent(), disputes=[dispute("needs_response")])
    assert (till.payment().disputed, till.payment().refundable) == (True, 0)
    till.hear(intent(), disputes=[dispute("won")])
    assert (till.payment().disputed, till.payment().refundable) == (False, 1999)
    assert till.told() == ["payment.paid", "dispute.opened", "dispute.closed"]
    assert till.events()[-2][1]["result"] == "won"


def test_an_inquiry_does_nothing_until_it_is_a_dispute(till: Till) -> None:
    till.hear(intent(), disputes=[dispute("warning_needs_response")])
    assert (till.payment().disputed, till.told()) == (False, ["payment.paid"])
    till.hear(intent(), disputes=[dispute("needs_response")])
    assert (till.payment().disputed, till.told()) == (True, ["payment.paid", "dispute.opened"])


def test_closed_heard_before_created_stays_lost(till: Till) -> None:
    till.hear(intent(), disputes=[dispute("lost")])
    till.hear(intent(), disputes=[dispute("needs_response")])
    assert (till.payment().disputed, till.told()[-2:]) == (True, ["dispute.opened", "dispute.closed"])


def test_a_charge_without_an_intent_is_a_payment_of_its_own(till: Till) -> None:
    lone = charge(id="py_1", payment_intent=None, metadata=OURS)
    till.hear(lone, "charge py_1")
    assert (till.payment().status, till.payment().stripe_charge_id) == ("paid", "py_1")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"livemode": True}, WRONG_MODE),
        ({"metadata": {"paywright_environment": "another"}}, OTHER_ENVIRONMENT),
        ({"metadata": {}, "customer": None}, NOT_OURS),
        ({"metadata": {}}, NOT_OURS),
        ({"metadata": {"paywright_environment": "test"}}, Outcome("unresolved", "unresolved", "cus_1")),
    ],
    ids=["wrong mode", "another environment", "a stranger's", "an unknown customer's", "ours, of nobody we know"],
)
def test_what_is_not_this_environments_changes_nothing(till: Till, fields: dict[str, Any], expected: Outcome) -> None:
    assert till.hear(intent(**fields)) == expected
    assert (till.payments(), till.events()) == ([], [])


def test_what_is_gone_at_stripe_is_ignored(till: Till) -> None:
    assert till.apply(till.fetched(None)) == GONE


def test_the_mapping_names_the_customer_where_metadata_does_not(till: Till) -> None:
    with till.app.work("test") as work:
        remember(work, Customer("team", "t_1"), "cus_1")
    assert till.hear(intent(metadata={})) == PROCESSED
    assert till.payment().customer == Customer("team", "t_1")


def test_a_renewals_intent_is_known_by_its_invoice(till: Till) -> None:
    entry = {**paid_with("pi_1"), "invoice": subscription_invoice()}
    till.hear(intent(metadata={}, customer=None), invoice_payments=[entry])
    payment = till.payment()
    assert (payment.customer, payment.invoice_id, payment.checkout_session_id) == (USER, "in_1", None)


def test_the_first_invoices_intent_belongs_to_the_checkout(till: Till) -> None:
    entry = {**paid_with("pi_1"), "invoice": subscription_invoice(billing_reason="subscription_create")}
    till.hear(intent(metadata={}, customer=None), invoice_payments=[entry])
    assert till.payment().checkout_session_id == "chk_1"


def test_a_row_we_hold_keeps_its_customer(till: Till) -> None:
    till.hear(declined())
    assert till.hear(intent(metadata={}, customer=None)) == PROCESSED
    assert (till.payment().customer, till.payment().status) == (USER, "paid")


def test_a_guests_payment_is_whose_the_checkout_says(till: Till) -> None:
    guest = Customer("guest", "g_1")
    keys = {name: value for name, value in OURS.items() if name != "paywright_customer"}
    fetched = till.fetched(intent(metadata=keys, customer=None))
    with till.app.work("test") as work:
        assert payments.apply(work, fetched, customer=guest) == PROCESSED
    assert till.payment().customer == guest


def test_nothing_to_pay_is_a_paid_payment_of_nothing_once(till: Till) -> None:
    def record() -> str:
        with till.app.work("test") as work:
            lock_customers(work, [USER])
            return payments.record_nothing_to_pay(
                work, USER, stripe_checkout_session_id="cs_1", checkout_session_id="chk_1", currency="usd"
            ).id

    assert record() == record()
    assert (till.payment().status, till.payment().amount) == ("paid", Money(0, "usd"))
    assert till.told() == ["payment.paid"]


def from_invoice(till: Till, **fields: Any) -> None:
    with till.app.work("test") as work:
        lock_customers(work, [USER])
        payments.record_from_invoice(work, USER, subscription_invoice(**fields))


NO_PAYMENTS = {"object": "list", "has_more": False, "data": []}


def test_an_invoice_paid_out_of_band_is_the_payment(till: Till) -> None:
    from_invoice(till, payments=NO_PAYMENTS)
    assert (till.payment().status, till.payment().amount, till.payment().invoice_id) == (
        "paid",
        Money(1999, "usd"),
        "in_1",
    )


def test_a_trials_first_invoice_is_the_payment_its_checkout_recorded(till: Till) -> None:
    with till.app.work("test") as work:
        lock_customers(work, [USER])
        payments.record_nothing_to_pay(
            work, USER, stripe_checkout_session_id="cs_1", checkout_session_id="chk_1", currency="usd"
        )
    from_invoice(till, payments=NO_PAYMENTS, amount_due=0, amount_paid=0, billing_reason="subscription_create")
    assert till.payment().checkout_session_id == "chk_1"


def test_the_trials_invoice_first_and_its_checkout_after_is_one_payment_too(till: Till) -> None:
    from_invoice(till, payments=NO_PAYMENTS, amount_due=0, amount_paid=0, billing_reason="subscription_create")
    with till.app.work("test") as work:
        lock_customers(work, [USER])
        payments.record_nothing_to_pay(
            work, USER, stripe_checkout_session_id="cs_1", checkout_session_id="chk_1", currency="usd"
        )
    assert len(till.payments()) == 1


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"status": "open", "attempted": False, "payments": NO_PAYMENTS},
        {"status": "draft", "attempted": False, "payments": NO_PAYMENTS},
        {"status": "void", "payments": NO_PAYMENTS},
    ],
    ids=["paid through an intent", "open", "draft", "void"],
)
def test_P9_an_invoice_without_money_of_its_own_is_no_payment(till: Till, fields: dict[str, Any]) -> None:
    from_invoice(till, **fields)
    assert till.payments() == []


def test_payments_are_listed_newest_first_page_by_page(till: Till) -> None:
    for number in range(5):
        till.hear(intent(id=f"pi_{number}", created=CREATED + number), f"payment_intent pi_{number}")
    with till.app.database.read() as connection:
        first = queries.page(connection, "test", customer=USER, limit=3)
        last = first[2]
        rest = queries.page(connection, "test", customer=USER, limit=3, after=(last.created_at, last.id))
        others = queries.page(connection, "test", customer=Customer("user", "u_2"))
        paid = queries.page(connection, "test", status="paid", limit=10)
    found = [payment.stripe_payment_intent_id for payment in [*first[:3], *rest]]
    assert found == ["pi_4", "pi_3", "pi_2", "pi_1", "pi_0"]
    assert (len(first), others, len(paid)) == (4, [], 5)
