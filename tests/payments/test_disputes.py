"""What disputes do to what the money bought, on both databases. Cases are named as in rules.md."""

import itertools

import pytest

from paywright.kernel.model import Customer
from paywright.kernel.periods import DAY_MS
from paywright.ledger import actions as ledger
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.ownership import freezing, moving
from paywright.ownership import queries as ownership_queries
from tests.payments.counter import USER, Counter


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
