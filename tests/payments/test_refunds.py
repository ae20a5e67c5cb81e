"""Refunds we ask for, against the sandbox through the official SDK, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest

from paywright.kernel.refusals import Refusal
from paywright.ledger.verify import verify
from paywright.payments import payouts, refunding
from paywright.payments.model import AskedRefund, Payment, Refund
from paywright.storage.idempotency import idempotency_key
from paywright.stripe.gateway import StripeUnknown
from paywright_sandbox import Sandbox
from tests.harness.together import at_once
from tests.payments.desk import Desk

HOUR_MS = 3_600_000


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


@pytest.fixture
def desk(database_url: str, sandbox: Sandbox) -> Iterator[Desk]:
    made = Desk(database_url, sandbox)
    yield made
    assert list(verify(made.app, "test")) == []
    made.close()


def test_P1_in_parts_until_nothing_is_left(desk: Desk) -> None:
    payment = desk.sell("pack", quantity=5)
    assert desk.refunded(payment, 2000).status == "succeeded"
    assert (desk.money(payment), desk.bought(), desk.balance()) == (("paid", 2000), {"pack": True}, (500, 0))
    last = desk.refunded(payment, 3000)
    assert (last.end, last.take_back) == ("now", "unspent")
    assert (desk.money(payment), desk.bought(), desk.balance()) == (("refunded", 5000), {}, (0, 0))
    assert desk.refund(payment, 1) == Refusal("refund_too_large", {"refundable": 0})
    assert desk.at_stripe() == [(2000, "succeeded"), (3000, "succeeded")]
    told = [
        (each["refund"]["amount"]["amount"], each["full"], each["taken_back"])
        for each in desk.facts("payment.refunded")
    ]
    assert [(amount, full) for amount, full, _ in told] == [(2000, False), (3000, True)]
    assert [each["quantity"] for each in told[1][2]] == [500]


def test_a_part_may_say_what_it_does(desk: Desk) -> None:
    payment = desk.sell("pack")
    made = desk.refunded(payment, 250, take_back="unspent", reason="one was broken")
    assert (made.end, made.take_back, made.reason) == ("none", "unspent", "one was broken")
    assert (desk.bought(), desk.balance()) == ({"pack": True}, (75, 0))
    desk.refunded(payment, 250, take_back="unspent", end="now", reason="duplicate")
    assert (desk.money(payment), desk.bought(), desk.balance()) == (("paid", 500), {}, (50, 0))
    reasons = [each["reason"] for each in desk.app.gateway(desk.environment).pages("/v1/refunds")]
    assert reasons == ["duplicate", None]


def test_P4_two_at_once_never_return_more_than_was_paid(desk: Desk) -> None:
    payment = desk.sell("pack", quantity=5)
    found = at_once([lambda: desk.refund(payment, 3000)] * 2)
    refused = [each for each in found if isinstance(each, Refusal)]
    assert (len(found), [each.code for each in refused]) == (2, ["refund_too_large"])
    assert refused[0].facts == {"refundable": 2000}
    assert (desk.money(payment), desk.at_stripe()) == (("paid", 3000), [(3000, "succeeded")])


def test_eight_at_once_add_up(desk: Desk) -> None:
    payment = desk.sell("pack")
    found = at_once([lambda: desk.refund(payment, 200)] * 8)
    assert sum(isinstance(each, Refund) for each in found) == 5
    assert (desk.money(payment), desk.bought()) == (("refunded", 1000), {})


@pytest.mark.parametrize("end", ["period_end"])
def test_P6_a_pack_has_no_period(desk: Desk, end: Any) -> None:
    payment = desk.sell("pack")
    assert desk.refund(payment, end=end) == Refusal("no_period")
    assert (desk.rows(payment), desk.at_stripe()) == ([], [])


def test_there_is_no_such_payment(desk: Desk) -> None:
    assert refunding.refund(desk.app, desk.environment, AskedRefund("pay_none")) == Refusal("payment_not_found")


def test_a_lost_answer_is_met_again_and_makes_no_second_refund(desk: Desk) -> None:
    payment = desk.sell("pack")
    desk.fail_next("POST", "/v1/refunds", "drop_response")
    with pytest.raises(StripeUnknown):
        desk.refund(payment, 400)
    (recorded,) = desk.rows(payment)
    assert (recorded.status, desk.now(payment).refundable) == ("requested", 600)
    assert desk.refund(payment, 601) == Refusal("refund_too_large", {"refundable": 600})
    desk.age(recorded, HOUR_MS)
    assert refunding.recover(desk.app, desk.environment, attempted_before=recorded.requested_at or 0) == 1
    assert [each.status for each in desk.rows(payment)] == ["succeeded"]
    assert (desk.money(payment), desk.at_stripe()) == (("paid", 400), [(400, "succeeded")])
    assert refunding.recover(desk.app, desk.environment, attempted_before=2**60) == 0


@pytest.mark.parametrize("was_made", [True, False], ids=["made", "not-made"])
def test_after_a_day_we_look_before_we_ask_again(desk: Desk, was_made: bool) -> None:
    payment = desk.sell("pack")
    desk.fail_next("POST", "/v1/refunds", "drop_response" if was_made else "refuse")
    with pytest.raises(StripeUnknown):
        desk.refund(payment, 400)
    (recorded,) = desk.rows(payment)
    desk.age(recorded, 24 * HOUR_MS)
    refunding.recover(desk.app, desk.environment, attempted_before=recorded.requested_at or 0)
    (after,) = desk.rows(payment)
    assert (after.status, after.generation) == ("succeeded", 1 if was_made else 2)
    assert desk.at_stripe() == [(400, "succeeded")]


def test_one_that_stripe_refuses_when_nobody_waits_any_more_is_told(desk: Desk) -> None:
    payment = desk.sell("pack")
    desk.fail_next("POST", "/v1/refunds", "refuse")
    with pytest.raises(StripeUnknown):
        desk.refund(payment, 400)
    desk.post("/v1/refunds", {"payment_intent": payment.stripe_payment_intent_id})
    refunding.recover(desk.app, desk.environment, attempted_before=2**60)
    assert (desk.money(payment), desk.at_stripe()) == (("refunded", 1000), [(1000, "succeeded")])
    (told,) = desk.facts("payment.refund_failed")
    assert (told["refund"]["amount"]["amount"], told["refund"]["status"], told["taken_back"]) == (400, "failed", [])


def test_a_server_error_that_stripe_keeps_is_looked_behind(desk: Desk) -> None:
    payment = desk.sell("pack")
    desk.fail_next("POST", "/v1/refunds", 500, times=1)
    with pytest.raises(StripeUnknown):
        desk.refund(payment, 400)
    refunding.recover(desk.app, desk.environment, attempted_before=2**60)
    assert [(each.status, each.generation) for each in desk.rows(payment)] == [("succeeded", 2)]
    assert desk.at_stripe() == [(400, "succeeded")]


def test_an_event_may_overtake_the_answer(desk: Desk) -> None:
    payment = desk.sell("pack")
    desk.fail_next("POST", "/v1/refunds", "drop_response")
    with pytest.raises(StripeUnknown):
        desk.refund(payment, 400, end="now")
    desk.hear(payment)
    (recorded,) = desk.rows(payment)
    assert (recorded.status, desk.bought()) == ("succeeded", {})
    assert (desk.money(payment), desk.now(payment).refundable) == (("paid", 400), 600)


def test_a_key_goes_on_with_the_same_refund(desk: Desk) -> None:
    payment = desk.sell("pack")
    key = idempotency_key("secret", "k", method="POST", path="/", body=b"{}")
    desk.fail_next("POST", "/v1/refunds", "drop_response")
    with pytest.raises(StripeUnknown):
        desk.refund(payment, 400, key=key)
    again = desk.refunded(payment, 400, key=key)
    once_more = desk.refunded(payment, 400, key=key)
    assert (again.id, again.status) == (once_more.id, "succeeded")
    assert desk.at_stripe() == [(400, "succeeded")]


def test_a_refund_made_in_the_dashboard_is_the_same(desk: Desk) -> None:
    payment = desk.sell("pack")
    desk.post("/v1/refunds", {"payment_intent": payment.stripe_payment_intent_id, "reason": "duplicate"})
    # Not heard of yet: Stripe refuses, and then we know.
    assert desk.refund(payment) == Refusal("refund_too_large", {"refundable": 0})
    assert (desk.money(payment), desk.bought(), desk.balance()) == (("refunded", 1000), {}, (0, 0))
    assert [(each.status, each.reason) for each in desk.rows(payment)] == [
        ("refused", None),
        ("succeeded", "duplicate"),
    ]
    assert [each["refund"]["reason"] for each in desk.facts("payment.refunded")] == ["duplicate"]


def test_P10_yen_in_the_dashboard(desk: Desk) -> None:
    catalog = {"products": {"yen": {"prices": {"once": {"amounts": {"jpy": 500}}}}}}
    desk.apply(catalog)
    desk.sell_in("jpy")
    payment = desk.sell("yen")
    desk.post("/v1/refunds", {"payment_intent": payment.stripe_payment_intent_id})
    desk.hear(payment)
    assert (desk.money(payment), desk.now(payment).amount.currency, desk.bought()) == (("refunded", 500), "jpy", {})


def test_a_pending_refund_waits(desk: Desk) -> None:
    payment = desk.sell("pack", "4000000000007726")
    made = desk.refunded(payment)
    assert (made.status, desk.money(payment), desk.now(payment).refundable) == ("pending", ("paid", 0), 0)
    assert desk.bought() == {"pack": True}
    assert desk.refund(payment, 1) == Refusal("refund_too_large", {"refundable": 0})
    desk.control(f"refunds/{made.stripe_refund_id}/settle", {"outcome": "succeed"})
    desk.hear(payment)
    assert (desk.money(payment), desk.bought(), desk.balance()) == (("refunded", 1000), {}, (0, 0))


def test_a_refund_that_fails_after_it_succeeded_gives_all_of_it_back(desk: Desk) -> None:
    payment = desk.sell("licence", "4000000000005126")
    made = desk.refunded(payment)
    assert (made.status, desk.bought(), desk.balance("seats")) == ("succeeded", {}, (0, 0))
    desk.control(f"refunds/{made.stripe_refund_id}/settle", {"outcome": "fail"})
    desk.hear(payment)
    assert (desk.money(payment), desk.now(payment).refundable) == (("paid", 0), 1000)
    assert (desk.bought(), desk.balance("seats"), desk.balance("tokens")) == ({"licence": True}, (5, 0), (10, 0))
    (told,) = desk.facts("payment.refund_failed")
    assert (told["refund"]["status"], told["refund"]["failure_reason"]) == ("failed", "expired_or_canceled_card")


def test_a_subscription_whose_payment_is_returned_ends_here_and_at_stripe(desk: Desk) -> None:
    payment = desk.sell("pro")
    assert payment.subscription_id is not None
    assert payment.period_end is not None
    desk.refunded(payment)
    assert (desk.money(payment), desk.bought(), desk.balance()) == (("refunded", 1000), {}, (0, 0))
    desk.work_off()
    assert desk.get(f"/v1/subscriptions/{payment.subscription_id}")["status"] == "canceled"
    desk.sync(payment.subscription_id)
    assert desk.bought() == {}


def test_a_subscription_may_end_with_its_period(desk: Desk) -> None:
    payment = desk.sell("pro")
    desk.refunded(payment, end="period_end", take_back="none")
    desk.work_off()
    assert desk.seen("pro")["subscription"]["cancel_at_period_end"]
    assert (desk.bought(), desk.balance()) == ({"pro": True}, (50, 0))


def test_fees_are_stripes(desk: Desk) -> None:
    payment = desk.sell("pack")
    assert (payment.fee, payment.net) == (59, 941)


# Disputes at the sandbox


def test_P7_a_disputing_card(desk: Desk) -> None:
    payment = desk.sell("pack", "4000000000000259")
    desk.advance("1m")
    desk.hear(payment)
    (found,) = desk.app.gateway(desk.environment).pages("/v1/disputes")
    assert (found["status"], desk.bought(), desk.balance()) == ("needs_response", {"pack": False}, (0, 100))
    assert desk.refund(payment, 1) == Refusal("refund_too_large", {"refundable": 0})
    desk.control(f"disputes/{found['id']}/resolve", {"outcome": "lost"})
    desk.hear(payment)
    assert (desk.bought(), desk.balance(), desk.now(payment).disputed) == ({}, (0, 0), True)


def test_P8_won_and_refunded_then(desk: Desk) -> None:
    payment = desk.sell("pack")
    found = disputed(desk, payment)
    desk.control(f"disputes/{found}/resolve", {"outcome": "won"})
    desk.hear(payment)
    assert (desk.bought(), desk.balance(), desk.now(payment).disputed) == ({"pack": True}, (100, 0), False)
    desk.refunded(payment)
    assert (desk.money(payment), desk.bought()) == (("refunded", 1000), {})


def test_a_lost_subscription_ends_at_stripe_too(desk: Desk) -> None:
    payment = desk.sell("pro")
    found = disputed(desk, payment)
    assert desk.bought() == {"pro": False}
    desk.control(f"disputes/{found}/resolve", {"outcome": "lost"})
    desk.hear(payment)
    desk.work_off()
    assert (desk.bought(), desk.balance()) == ({}, (0, 0))
    assert desk.get(f"/v1/subscriptions/{payment.subscription_id}")["status"] == "canceled"


def test_an_early_fraud_warning_is_told_once(desk: Desk) -> None:
    payment = desk.sell("pack", "4000000000005423")
    desk.advance("1m")
    for _ in range(2):
        desk.hear(payment)
    (incident,) = desk.facts("incident.opened")
    assert (incident["kind"], incident["facts"]["payment_id"]) == ("early_fraud_warning", payment.id)
    assert incident["facts"]["refundable"] == 1000
    assert desk.now(payment).fraud_warning == incident["facts"]["fraud_type"]


# Payouts


def test_a_payout_is_told_once_each_way(desk: Desk) -> None:
    desk.sell("pack")
    desk.advance("5d")
    (made,) = desk.app.gateway(desk.environment).pages("/v1/payouts")
    for _ in range(2):
        payouts.sync(desk.app, desk.environment, made["id"])
    desk.control(f"payouts/{made['id']}/fail", {})
    for _ in range(2):
        payouts.sync(desk.app, desk.environment, made["id"])
    (paid,), (failed,) = desk.facts("payout.paid"), desk.facts("payout.failed")
    assert (paid["payout"]["amount"], paid["payout"]["failure"]) == ({"amount": 941, "currency": "usd"}, None)
    assert failed["payout"]["failure"]["code"] == "account_closed"
    with desk.app.database.read() as connection:
        (row,) = payouts.page(connection, "test")
    assert payouts.shown(row) == failed["payout"]


def disputed(desk: Desk, payment: Payment) -> str:
    made = desk.control("disputes", {"payment_intent": payment.stripe_payment_intent_id})
    desk.hear(payment)
    return str(made["id"])
