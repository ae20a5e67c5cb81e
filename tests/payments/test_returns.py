"""What refunds and disputes do to what the money bought, on both databases. Cases are named as in rules.md."""

import itertools
from collections.abc import Iterator

import pytest
import sqlalchemy as sa

from paywright.kernel.model import Customer
from paywright.kernel.periods import DAY_MS
from paywright.ledger import actions as ledger
from paywright.ledger.verify import verify
from paywright.outbox.actions import lock_customers
from paywright.outbox.tables import commands as asked
from paywright.ownership import actions as ownership
from paywright.ownership import freezing, moving
from paywright.ownership import queries as ownership_queries
from tests.payments.counter import USER, Counter


@pytest.fixture
def counter(database_url: str) -> Iterator[Counter]:
    made = Counter(database_url)
    yield made
    assert list(verify(made.app, "test")) == []
    made.close()


# Refunds


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


# Disputes


def test_P7_a_disputed_pack_is_set_aside_and_lost(counter: Counter) -> None:
    owned = counter.buy("pack")
    counter.pay()
    counter.spend(80)
    counter.dispute("needs_response")
    assert (counter.bought(), counter.balance()) == ({"pack": False}, (0, 20))
    assert (counter.payment().disputed, counter.payment().refundable) == (True, 0)
    counter.dispute("lost")
    assert (counter.ended(owned), counter.balance()) == ("dispute_lost", (-80, 0))
    assert (counter.money(), counter.payment().disputed) == (("paid", 0), True)
    assert counter.told()[-4:] == ["product.frozen", "dispute.opened", "product.ended", "dispute.closed"]
    assert [each["result"] for each in counter.facts("dispute.closed")] == ["lost"]


def test_P8_a_won_dispute_sets_free(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.spend(80)
    counter.dispute("needs_response")
    counter.dispute("won")
    assert (counter.bought(), counter.balance(), counter.payment().disputed) == ({"pack": True}, (20, 0), False)
    assert counter.told()[-4:] == ["product.frozen", "dispute.opened", "product.unfrozen", "dispute.closed"]
    (frozen,), (thawed,) = counter.facts("product.frozen"), counter.facts("product.unfrozen")
    assert (frozen["payment_id"], frozen["product"]["access"], frozen["product"]["frozen"]) == (
        counter.payment().id,
        False,
        True,
    )
    assert (thawed["reason"], thawed["product"]["access"], thawed["product"]["frozen"]) == ("dispute_won", True, False)


@pytest.mark.parametrize(
    "statuses",
    [
        ["warning_needs_response", "warning_under_review", "warning_closed"],
        ["prevented"],
    ],
    ids=["inquiry", "prevented"],
)
def test_an_inquiry_does_nothing(counter: Counter, statuses: list[str]) -> None:
    counter.buy("pack")
    counter.pay()
    before = counter.told()
    for status in statuses:
        counter.dispute(status)
        assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))
        assert (counter.payment().disputed, counter.payment().refundable) == (False, 1000)
    assert counter.told() == before


def test_an_inquiry_that_becomes_a_dispute_freezes(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.dispute("warning_needs_response")
    counter.dispute("needs_response")
    assert (counter.bought(), counter.balance()) == ({"pack": False}, (0, 100))


def test_closed_before_created_ends_as_in_order(counter: Counter) -> None:
    owned = counter.buy("pack")
    counter.pay()
    counter.spend(80)
    counter.dispute("lost")
    counter.dispute("needs_response")
    assert (counter.ended(owned), counter.balance()) == ("dispute_lost", (-80, 0))
    assert [kind for kind in counter.told() if kind.startswith("dispute.")] == ["dispute.opened", "dispute.closed"]


def test_a_dispute_heard_before_the_purchase_freezes_it(counter: Counter) -> None:
    counter.dispute("needs_response")
    counter.buy("pack")
    assert (counter.bought(), counter.balance()) == ({"pack": False}, (0, 100))
    counter.dispute("won")
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))


def test_two_disputes_and_the_last_one_thaws(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.dispute("needs_response", name="dp_1", amount=400)
    counter.dispute("needs_response", name="dp_2", amount=600)
    counter.dispute("won", name="dp_1", amount=400)
    assert (counter.bought(), counter.balance(), counter.payment().disputed) == ({"pack": False}, (0, 100), True)
    counter.dispute("won", name="dp_2", amount=600)
    assert (counter.bought(), counter.balance(), counter.payment().disputed) == ({"pack": True}, (100, 0), False)
    assert [counter.told().count(f"product.{kind}") for kind in ("frozen", "unfrozen")] == [1, 1]


def test_frozen_repeats_stand_still_and_the_latest_is_given_when_it_is_won(counter: Counter) -> None:
    counter.buy("licence")
    counter.pay()
    counter.dispute("needs_response")
    counter.instant += 22 * DAY_MS
    assert (counter.balance("tokens"), counter.balance("seats")) == ((0, 10), (0, 5))
    counter.dispute("won")
    assert (counter.balance("tokens"), counter.balance("seats")) == ((10, 0), (5, 0))
    counter.instant += 7 * DAY_MS
    assert counter.balance("tokens") == (10, 0)


def test_what_the_policy_says_while_frozen_counts_afterwards(counter: Counter) -> None:
    owned = counter.buy("pro")
    counter.pay(period_days=30)
    counter.dispute("needs_response", period_days=30)
    with counter.app.work("test") as work:
        lock_customers(work, [USER])
        present = ownership_queries.owned_product(work.connection, "test", USER, owned.id)
        assert present is not None
        ownership.set_access(work, counter.environment, present, False, "unpaid")
    counter.dispute("won", period_days=30)
    assert counter.bought() == {"pro": False}


def test_a_grace_that_ends_while_frozen_ends_nothing_else(counter: Counter) -> None:
    owned = counter.buy("pro")
    counter.pay(period_days=30)
    with counter.app.work("test") as work:
        lock_customers(work, [USER])
        present = ownership_queries.owned_product(work.connection, "test", USER, owned.id)
        assert present is not None
        ownership.set_access(work, counter.environment, present, True, "past_due", until=work.now + DAY_MS)
    counter.dispute("needs_response", period_days=30)
    counter.instant += 2 * DAY_MS
    counter.settle(USER)
    assert (counter.ended(owned), counter.bought()) == (None, {"pro": False})
    counter.dispute("won", period_days=30)
    assert counter.bought() == {"pro": False}


def test_won_after_it_was_lost_gives_back(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.spend(80)
    counter.dispute("lost")
    counter.dispute("won")
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (20, 0))


@pytest.mark.parametrize(("policy", "left"), [("all", -80), ("unspent", 0), ("none", 20)])
def test_the_environment_says_what_a_lost_dispute_takes(counter: Counter, policy: str, left: int) -> None:
    counter.set_policy(on_dispute_lost=policy)
    owned = counter.buy("pack")
    counter.pay()
    counter.spend(80)
    counter.dispute("lost")
    assert (counter.ended(owned), counter.balance()) == ("dispute_lost", (left, 0))


def test_after_a_won_dispute_it_may_be_refunded(counter: Counter) -> None:
    counter.buy("pack")
    counter.pay()
    counter.dispute("needs_response")
    counter.dispute("won")
    counter.refund(1000)
    assert (counter.money(), counter.bought(), counter.balance()) == (("refunded", 1000), {}, (0, 0))


def test_a_part_refunded_and_the_rest_lost_is_all_of_it(counter: Counter) -> None:
    counter.set_policy(on_dispute_lost="unspent")
    counter.buy("pack")
    counter.pay()
    counter.refund(400)
    counter.dispute("lost", amount=600)
    assert (counter.bought(), counter.balance()) == ({}, (0, 0))


def test_a_frozen_guest_who_attaches_stays_frozen(counter: Counter) -> None:
    guest = Customer("guest", "gst_1")
    owned = counter.buy("pack", customer=guest)
    with counter.app.work("test") as work:
        lock_customers(work, [guest, USER])
        freezing.freeze(work, counter.environment, owned, "dp_1", payment_id="pay_1")
    assert counter.balance(customer=guest) == (0, 100)
    with counter.app.work("test") as work:
        lock_customers(work, [guest, USER])
        ledger.transfer(work, guest, USER, source="claim:gst_1")
        moving.move(work, guest, USER)
        freezing.set_aside_again(work, USER)
    assert (counter.balance(customer=guest), counter.balance()) == ((0, 0), (0, 100))
    (frozen,) = [each for each in counter.owned(USER) if each.product_id == "pack"]
    with counter.app.work("test") as work:
        lock_customers(work, [USER])
        freezing.unfreeze(work, counter.environment, frozen, "dp_1", payment_id="pay_1", is_won=True)
    assert (counter.bought(), counter.balance()) == ({"pack": True}, (100, 0))


STORIES: dict[str, tuple[list[tuple[str, str, int, str]], tuple[object, ...]]] = {
    "two refunds": (
        [("refund", "re_1", 400, "pending"), ("refund", "re_1", 400, "succeeded"), ("refund", "re_2", 600, "succeeded")],
        ("refunded", 1000, {}, (0, 0)),
    ),
    "one that fails": (
        [("refund", "re_1", 1000, "succeeded"), ("refund", "re_1", 1000, "failed")],
        ("paid", 0, {"pack": True}, (100, 0)),
    ),
    "failed and again": (
        [("refund", "re_1", 1000, "succeeded"), ("refund", "re_1", 1000, "failed"), ("refund", "re_2", 1000, "succeeded")],
        ("refunded", 1000, {}, (0, 0)),
    ),
    "a dispute lost": (
        [("dispute", "dp_1", 1000, "warning_needs_response"), ("dispute", "dp_1", 1000, "needs_response"), ("dispute", "dp_1", 1000, "lost")],
        ("paid", 0, {}, (0, 0)),
    ),
    "a dispute won, then refunded": (
        [("dispute", "dp_1", 1000, "needs_response"), ("dispute", "dp_1", 1000, "won"), ("refund", "re_1", 1000, "succeeded")],
        ("refunded", 1000, {}, (0, 0)),
    ),
}  # fmt: skip


@pytest.mark.parametrize("story", STORIES)
def test_whatever_is_missed_and_whenever_it_is_granted_it_ends_the_same(counter: Counter, story: str) -> None:
    """The last news is always heard; each of the others may be missed, and the purchase may be fulfilled before, between or after them."""
    news, expected = STORIES[story]
    number = 0
    for heard in itertools.product([True, False], repeat=len(news) - 1):
        for granted_after in range(len(news) + 1):
            number += 1
            counter.customer, session = Customer("user", f"u_{number}"), f"chk_{number}"
            for place, ((what, name, amount, status), is_heard) in enumerate(zip(news, (*heard, True), strict=True)):
                if place == granted_after:
                    counter.buy("pack", session=session, customer=counter.customer)
                act = counter.refund if what == "refund" else counter.dispute
                act(
                    amount=amount,
                    status=status,
                    name=f"{name}-{number}",
                    number=number,
                    session=session,
                    is_heard=is_heard,
                )
            if granted_after == len(news):
                counter.buy("pack", session=session, customer=counter.customer)
            counter.pay(number=number, session=session)
            found = (
                *counter.money(number),
                counter.bought(counter.customer),
                counter.balance(customer=counter.customer),
            )
            assert found == expected, (story, heard, granted_after)


def commands(counter: Counter) -> list[tuple[str, str]]:
    with counter.app.database.read() as connection:
        found = sa.select(asked.c.kind, asked.c.subject).where(asked.c.kind.like("cancel%")).order_by(asked.c.id)
        return [(row.kind, row.subject) for row in connection.execute(found)]
