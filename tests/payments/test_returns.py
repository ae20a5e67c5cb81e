"""What refunds do to what the money bought, on both databases. Cases are named as in rules.md."""

import pytest
import sqlalchemy as sa

from paywright.kernel.periods import DAY_MS
from paywright.outbox.actions import lock_customers
from paywright.outbox.tables import commands as asked
from paywright.ownership import actions as ownership
from tests.payments.counter import USER, Counter


def test_P1_two_refunds_add_up_to_all_of_it(counter: Counter) -> None:
    counter.amount = 5000
    counter.buy("pack")
    counter.pay()
    counter.refund(2000, name="re_1")
    assert counter.money() == ("paid", 2000)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))
    counter.refund(3000, name="re_2")
    assert counter.money() == ("refunded", 5000)
    assert (counter.bought(), counter.balance()) == ({}, (0, 0))
    assert [each["full"] for each in counter.facts("payment.refunded")] == [False, True]
    assert counter.facts("payment.refunded")[1]["taken_back"][0]["quantity"] == 100


def test_a_full_refund_takes_back_first_and_ends_then(counter: Counter) -> None:
    owned = counter.buy("pack")
    counter.pay()
    counter.spend(60)
    counter.refund(1000)
    assert (counter.ended(owned), counter.balance()) == ("refunded", (0, 0))
    assert counter.told()[-2:] == ["product.ended", "payment.refunded"]
    (told,) = counter.facts("product.ended")
    assert (told["reason"], told["product"]["product_id"]) == ("refunded", "pack")


def test_hearing_it_again_takes_nothing_twice(counter: Counter) -> None:
    counter.buy("pack", session="chk_1")
    counter.buy("pack", session="chk_2")
    counter.pay()
    for _ in range(3):
        counter.refund(1000)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))
    assert len(counter.facts("payment.refunded")) == 1


def test_P3_a_refund_heard_before_the_purchase_ends_as_in_order(counter: Counter) -> None:
    counter.refund(1000)
    assert counter.money() == ("refunded", 1000)
    counter.instant += 60_000  # Clocks differ, and deliveries are late.
    owned = counter.buy("pack")
    assert (counter.ended(owned), counter.bought(), counter.balance()) == ("refunded", {}, (0, 0))
    counter.pay()
    assert (counter.money(), counter.balance()) == (("refunded", 1000), (0, 0))


def test_P3_a_part_refunded_before_the_purchase_takes_nothing_by_default(counter: Counter) -> None:
    counter.refund(400)
    counter.buy("pack")
    assert (counter.money(), counter.bought(), counter.balance()) == (("paid", 400), {"pack": True}, (100, 0))


def test_P5_seats_and_product_go(counter: Counter) -> None:
    counter.buy("licence")
    counter.pay()
    assert (counter.balance("seats"), counter.balance("tokens")) == ((5, 0), (10, 0))
    counter.refund(1000)
    assert (counter.bought(), counter.balance("seats"), counter.balance("tokens")) == ({}, (0, 0), (0, 0))
    assert [each.product_id for each in counter.owned(USER)] == ["free"]


def test_add_ons_go_with_their_base(counter: Counter) -> None:
    counter.buy("licence")
    extra = counter.buy("extra", session="chk_2")
    counter.pay()
    counter.refund(1000)
    assert (counter.bought(), counter.ended(extra)) == ({}, "base_ended")


def test_the_environment_says_what_a_dashboard_refund_does(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "none", "take_back": "all"})
    counter.buy("pack")
    counter.pay()
    counter.spend(60)
    counter.refund(1000)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (-60, 0))


def test_a_refund_under_way_takes_nothing_until_it_has_succeeded(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.refund(1000, "pending")
    assert (counter.money(), counter.payment().refundable) == (("paid", 0), 0)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))
    counter.refund(1000)
    assert (counter.money(), counter.bought(), counter.balance()) == (("refunded", 1000), {}, (0, 0))


def test_a_refund_under_way_that_fails_changes_nothing(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.refund(1000, "pending")
    counter.refund(1000, "failed")
    assert (counter.money(), counter.payment().refundable) == (("paid", 0), 1000)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))
    assert [each["refund"]["status"] for each in counter.facts("payment.refund_failed")] == ["failed"]


def test_a_refund_that_fails_later_gives_back_what_it_took(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.spend(60)
    counter.refund(1000)
    assert counter.balance() == (0, 0)
    counter.refund(1000, "failed")
    assert (counter.money(), counter.payment().refundable) == (("paid", 0), 1000)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (40, 0))
    assert counter.told()[-3:] == ["payment.refunded", "product.granted", "payment.refund_failed"]


def test_units_lost_by_the_end_come_back_too(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "now", "take_back": "none"})
    counter.buy("licence")
    counter.pay()
    counter.spend(2, "seats")
    counter.refund(1000)
    assert (counter.balance("seats"), counter.balance("tokens")) == ((0, 0), (0, 0))
    counter.instant += 8 * DAY_MS
    counter.refund(1000, "failed")
    assert counter.bought() == {"licence": True}
    assert (counter.balance("seats"), counter.balance("tokens")) == ((3, 0), (10, 0))
    counter.instant += 7 * DAY_MS
    assert counter.balance("tokens") == (10, 0)
    counter.refund(1000, name="re_2")
    assert (counter.bought(), counter.balance("seats"), counter.balance("tokens")) == ({}, (0, 0), (0, 0))


@pytest.mark.parametrize(
    ("bought_meanwhile", "refused"), [("licence", "already_owned"), ("pro", "switch_required")], ids=["same", "line"]
)
def test_a_product_whose_place_is_taken_stays_ended(counter: Counter, bought_meanwhile: str, refused: str) -> None:
    owned = counter.buy("licence")
    counter.pay()
    counter.refund(1000)
    counter.buy(bought_meanwhile, session="chk_2")
    counter.refund(1000, "failed")
    assert (counter.money(), counter.ended(owned)) == (("paid", 0), "refunded")
    assert counter.bought() == {bought_meanwhile: True}
    (incident,) = counter.facts("incident.opened")
    assert incident["kind"] == "refund_restore_blocked"
    assert (incident["facts"]["owned_product_id"], incident["facts"]["refused"]) in (
        (owned.id, refused),
        (owned.id, "line_taken"),
    )


def test_of_a_product_that_has_ended_only_units_are_taken(counter: Counter) -> None:
    owned = counter.buy("pack")
    counter.pay()
    with counter.app.work("test") as work:
        lock_customers(work, [USER])
        ownership.end(work, counter.environment, owned, "revoked")
    assert counter.balance() == (100, 0)
    counter.refund(1000)
    assert (counter.ended(owned), counter.balance()) == ("revoked", (0, 0))
    counter.refund(1000, "failed")
    assert (counter.ended(owned), counter.balance()) == ("revoked", (100, 0))


def test_after_a_failed_refund_a_partial_one_counts_from_the_whole(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "none", "take_back": "unspent"})
    counter.buy("pack")
    counter.pay()
    counter.refund(1000)
    counter.refund(1000, "failed")
    assert counter.balance() == (100, 0)
    counter.refund(1000, name="re_2")
    assert counter.balance() == (0, 0)


# Refunds of a subscription


def test_a_renewal_that_is_refunded_takes_what_its_period_gave(counter: Counter) -> None:
    owned = counter.buy("pro")
    counter.pay(period_days=30)
    counter.spend(20)
    counter.refund(1000, period_days=30)
    assert (counter.ended(owned), counter.balance()) == ("refunded", (0, 0))
    assert (counter.payment().subscription_id, counter.payment().invoice_id) == ("sub_1", "in_1")
    assert commands(counter) == [("cancel_subscription", "sub_1")]


def test_what_another_period_gave_stays(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "none", "take_back": "all"})
    counter.buy("pro")
    counter.pay(period_days=30)
    counter.instant += 32 * DAY_MS
    assert counter.balance() == (50, 0)
    counter.refund(1000, period_days=30)
    assert counter.balance() == (50, 0)


def test_a_subscription_ends_at_the_end_of_its_period_by_a_command(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "period_end", "take_back": "none"})
    counter.buy("pro")
    counter.pay(period_days=30)
    counter.refund(1000, period_days=30)
    assert (counter.bought(), counter.balance()) == ({"pro": True}, (50, 0))
    assert commands(counter) == [("cancel_subscription_at_period_end", "refund:re_1 sub_1")]


def test_P3_a_subscription_whose_payment_went_back_before_it_began(counter: Counter) -> None:
    counter.refund(1000, period_days=30)
    owned = counter.buy("pro")
    assert (counter.ended(owned), counter.balance()) == ("refunded", (0, 0))


def test_a_canceled_subscription_is_not_restored_by_a_failed_refund(counter: Counter) -> None:
    owned = counter.buy("pro")
    counter.pay(period_days=30)
    counter.refund(1000, period_days=30)
    counter.refund(1000, "failed", period_days=30)
    assert (counter.money(), counter.ended(owned)) == (("paid", 0), "refunded")
    (incident,) = counter.facts("incident.opened")
    assert (incident["kind"], incident["facts"]["refused"]) == ("refund_restore_blocked", "subscription_ended")


def commands(counter: Counter) -> list[tuple[str, str]]:
    with counter.app.database.read() as connection:
        found = sa.select(asked.c.kind, asked.c.subject).where(asked.c.kind.like("cancel%")).order_by(asked.c.id)
        return [(row.kind, row.subject) for row in connection.execute(found)]
