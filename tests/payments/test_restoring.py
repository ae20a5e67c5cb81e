"""Money that had gone back and came again, on both databases: what hung on it is as if it had never gone, and nothing comes twice."""

import pytest

from paywright.claims import actions as claims
from paywright.kernel.model import Customer
from paywright.kernel.periods import DAY_MS
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.outbox.actions import lock_customers
from paywright.ownership import actions as ownership
from paywright.ownership.model import AskedLine, OwnedProduct
from paywright.storage.work import Work
from tests.payments.counter import USER, Counter

EVERYTHING = {"licence": True, "gear": True, "polish": True}


def outfit(counter: Counter) -> dict[str, OwnedProduct]:
    """A licence with an add-on and an add-on of that, each paid for by itself."""
    bought = {}
    for number, product_id in enumerate(EVERYTHING, start=1):
        bought[product_id] = counter.buy(product_id, session=f"chk_{number}")
        counter.pay(session=f"chk_{number}", number=number)
    return bought


def test_add_ons_come_back_with_their_base(counter: Counter) -> None:
    bought = outfit(counter)
    counter.spend(6, "tickets")
    counter.instant += DAY_MS
    counter.refund(1000)
    assert (counter.bought(), counter.balance("tickets")) == ({}, (0, 0))
    assert [counter.ended(bought[each]) for each in EVERYTHING] == ["refunded", "base_ended", "base_ended"]
    counter.instant += DAY_MS
    for _ in range(3):
        counter.refund(1000, "failed")
        assert (counter.bought(), counter.balance("tickets")) == (EVERYTHING, (1, 0))
    granted = [each["product"]["product_id"] for each in counter.facts("product.granted")]
    assert granted == [*EVERYTHING, *EVERYTHING]
    counter.instant += 7 * DAY_MS
    assert counter.balance("tickets") == (3, 0)
    counter.refund(1000, name="re_2")
    assert (counter.bought(), counter.balance("tickets")) == ({}, (0, 0))
    counter.refund(1000, "failed", name="re_2")
    assert (counter.bought(), counter.balance("tickets")) == (EVERYTHING, (3, 0))
    assert counter.facts("incident.opened") == []


def test_at_one_instant_too_nothing_comes_twice(counter: Counter) -> None:
    outfit(counter)
    for name in ("re_1", "re_2", "re_3"):
        counter.refund(1000, name=name)
        assert (counter.bought(), counter.balance("tickets"), counter.balance("seats")) == ({}, (0, 0), (0, 0))
        counter.refund(1000, "failed", name=name)
        assert (counter.bought(), counter.balance("tickets")) == (EVERYTHING, (7, 0))
        assert counter.balance("seats") == (5, 0)


def test_a_dispute_won_after_it_was_lost_brings_add_ons_back(counter: Counter) -> None:
    outfit(counter)
    counter.dispute("lost")
    assert counter.bought() == {}
    counter.dispute("won")
    assert (counter.bought(), counter.balance("tickets"), counter.balance("seats")) == (EVERYTHING, (7, 0), (5, 0))


@pytest.mark.parametrize("first", ["base", "add_on"])
@pytest.mark.parametrize("fails_first", ["base", "add_on"])
def test_an_add_on_whose_own_money_went_back_waits_for_both(counter: Counter, first: str, fails_first: str) -> None:
    outfit(counter)
    moves = {
        "base": lambda status: counter.refund(1000, status, name="re_1"),
        "add_on": lambda status: counter.refund(1000, status, name="re_2", number=2, session="chk_2"),
    }
    second, fails_second = ("add_on" if each == "base" else "base" for each in (first, fails_first))
    for each in (first, second):
        moves[each]("succeeded")
    assert (counter.bought(), counter.balance("tickets")) == ({}, (0, 0))
    moves[fails_first]("failed")
    assert counter.bought() == ({"licence": True} if fails_first == "base" else {})
    moves[fails_second]("failed")
    assert (counter.bought(), counter.balance("tickets")) == (EVERYTHING, (7, 0))
    assert counter.facts("incident.opened") == []


@pytest.mark.parametrize("order", [("licence", "pass"), ("pass", "licence")])
@pytest.mark.parametrize("comes_back", ["licence", "pass"])
def test_either_of_two_bases_brings_the_add_on_back(counter: Counter, order: tuple[str, str], comes_back: str) -> None:
    sessions = {"licence": 1, "pass": 2}
    for product_id, number in sessions.items():
        counter.buy(product_id, session=f"chk_{number}")
        counter.pay(session=f"chk_{number}", number=number)
    counter.buy("gear", session="chk_3")
    for product_id in order:
        counter.instant += 1000
        number = sessions[product_id]
        counter.refund(1000, name=f"re_{number}", number=number, session=f"chk_{number}")
    assert counter.bought() == {}
    number = sessions[comes_back]
    counter.refund(1000, "failed", name=f"re_{number}", number=number, session=f"chk_{number}")
    # Whichever went last and took it along: had this one stayed, so had the add-on.
    assert (counter.bought(), counter.balance("tickets")) == ({comes_back: True, "gear": True}, (5, 0))


def test_of_two_returns_that_ended_it_both_have_to_fail(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "now", "take_back": "unspent"})
    counter.buy("licence")
    counter.pay()
    counter.refund(1000, name="re_1")
    counter.dispute("lost")
    counter.refund(1000, "failed", name="re_1")
    assert (counter.bought(), counter.balance("seats")) == ({}, (0, 0))
    counter.dispute("won")
    assert (counter.bought(), counter.balance("seats"), counter.balance("tokens")) == (
        {"licence": True},
        (5, 0),
        (10, 0),
    )
    assert counter.facts("incident.opened") == []


def test_a_subscription_that_hung_on_it_stays_canceled_and_somebody_is_told(counter: Counter) -> None:
    counter.buy("licence")
    counter.pay()
    care = counter.buy("care", session="chk_2")
    counter.refund(1000)
    counter.refund(1000, "failed")
    assert (counter.bought(), counter.ended(care)) == ({"licence": True}, "base_ended")
    (incident,) = counter.facts("incident.opened")
    assert (incident["kind"], incident["facts"]["refused"]) == ("refund_restore_blocked", "subscription_ended")
    assert incident["facts"]["owned_product_id"] == care.id


def test_a_granted_subscription_goes_on_by_its_calendar(counter: Counter) -> None:
    counter.buy("licence")
    counter.pay()
    with counter.app.work("test") as work:
        lock_customers(work, [USER])
        care = ownership.grant(work, counter.environment, USER, AskedLine(product_id="care"))
    assert isinstance(care, OwnedProduct)
    counter.instant += 10 * DAY_MS
    counter.refund(1000)
    assert counter.balance("tickets") == (0, 0)
    counter.instant += 10 * DAY_MS
    counter.refund(1000, "failed")
    assert (counter.bought(), counter.balance("tickets")) == ({"licence": True, "care": True}, (7, 0))
    (back,) = [each for each in counter.owned(USER) if each.product_id == "care"]
    assert (back.id, back.granted_at, back.subscription) == (care.id, care.granted_at, care.subscription)


def test_a_base_bought_since_brings_back_nothing(counter: Counter) -> None:
    bought = outfit(counter)
    counter.instant += 1000
    with counter.app.work("test") as work:
        lock_customers(work, [USER])
        ownership.end(work, counter.environment, bought["licence"], "revoked")
    counter.refund(1000, name="re_2", number=2, session="chk_2")
    counter.instant += 1000
    counter.buy("licence", session="chk_9")
    counter.refund(1000, "failed", name="re_2", number=2, session="chk_2")
    assert (counter.bought(), counter.ended(bought["gear"])) == ({"licence": True}, "base_ended")
    assert counter.facts("incident.opened") == []


# Guests


def guest(counter: Counter, token: str = "A1b2C3d4E5" * 4) -> Customer:
    with counter.app.work("test") as work:
        opened = claims.open_guest(work, token)
    assert isinstance(opened, Customer), opened
    counter.customer, counter.names_customer = opened, False
    return opened


def attach(counter: Counter, token: str = "A1b2C3d4E5" * 4) -> None:
    attached = claims.attach(counter.app, counter.environment, USER, token)
    assert not isinstance(attached, Refusal), attached
    counter.customer = USER


@pytest.mark.parametrize("take_back", ["unspent", "all", "none"])
def test_what_a_guest_was_refunded_comes_to_the_account(counter: Counter, take_back: str) -> None:
    counter.set_policy(on_refund={"end": "now", "take_back": take_back})
    buyer = guest(counter)
    counter.buy("licence", customer=buyer)
    counter.buy("gear", customer=buyer, session="chk_2")
    counter.buy("pack", customer=buyer, index=1)
    counter.pay()
    with counter.app.work("test") as work:
        lock_customers(work, [buyer])
        spend_as(work, buyer)
    counter.refund(1000)
    attach(counter)
    for _ in range(2):
        counter.refund(1000, "failed")
        assert counter.bought() == {"licence": True, "gear": True, "pack": True}
        held = {item_id: counter.balance(item_id) for item_id in ("credits", "seats", "tokens", "tickets")}
        assert held == {"credits": (40, 0), "seats": (4, 0), "tokens": (10, 0), "tickets": (5, 0)}
        assert counter.bought(buyer) == {}
        assert [counter.balance(item_id, buyer) for item_id in held] == [(0, 0)] * 4
    counter.instant += 7 * DAY_MS
    assert counter.balance("tokens") == (10, 0)
    counter.set_policy(on_refund={"end": "now", "take_back": "unspent"})
    counter.refund(1000, name="re_2")
    assert counter.bought() == {}
    assert [counter.balance(item_id) for item_id in held] == [(0, 0)] * 4
    counter.refund(1000, "failed", name="re_2")
    assert {item_id: counter.balance(item_id) for item_id in held} == held


def spend_as(work: Work, buyer: Customer) -> None:
    for item_id, units in (("credits", 60), ("seats", 1)):
        spent = ledger.decrease(work, buyer, item_id, units, source=None)
        assert not isinstance(spent, Refusal), spent


def test_nothing_the_account_owns_stands_in_the_way(counter: Counter) -> None:
    """It was paid for, and would have been moved beside what the account has, had it not been refunded."""
    buyer = guest(counter)
    counter.buy("licence", customer=buyer)
    counter.pay()
    counter.refund(1000)
    counter.buy("licence", session="chk_8")
    attach(counter)
    counter.refund(1000, "failed")
    assert [each.product_id for each in counter.owned(USER) if each.source != "default"] == ["licence", "licence"]
    assert (counter.balance("seats"), counter.facts("incident.opened")) == ((10, 0), [])


def test_refunded_after_it_was_attached_it_comes_back_to_the_account_too(counter: Counter) -> None:
    buyer = guest(counter)
    counter.buy("licence", customer=buyer)
    counter.pay()
    attach(counter)
    counter.refund(1000)
    assert (counter.bought(), counter.balance("seats")) == ({}, (0, 0))
    counter.refund(1000, "failed")
    assert (counter.bought(), counter.balance("seats"), counter.balance("tokens")) == (
        {"licence": True},
        (5, 0),
        (10, 0),
    )


@pytest.mark.parametrize("spent", [80, 100, 0])
def test_P7_what_a_guest_had_spent_is_owed_by_the_account(counter: Counter, spent: int) -> None:
    """As it would be, had the account bought it: 80 of 100 spent, the dispute lost."""
    buyer = guest(counter)
    counter.buy("pack", customer=buyer)
    counter.pay()
    if spent:
        with counter.app.work("test") as work:
            lock_customers(work, [buyer])
            ledger.decrease(work, buyer, "credits", spent, source=None)
    attach(counter)
    counter.dispute("needs_response")
    assert counter.balance() == (0, 100 - spent)
    for _ in range(2):
        counter.dispute("lost")
        assert (counter.bought(), counter.balance(), counter.balance(customer=buyer)) == ({}, (-spent, 0), (0, 0))
    for _ in range(2):
        counter.dispute("won")
        assert (counter.bought(), counter.balance()) == ({"pack": True}, (100 - spent, 0))


def test_what_a_guest_had_spent_is_owed_once_whichever_refund_stands(counter: Counter) -> None:
    counter.set_policy(on_refund={"end": "none", "take_back": "all"})
    buyer = guest(counter)
    counter.buy("pack", customer=buyer)
    counter.pay()
    with counter.app.work("test") as work:
        lock_customers(work, [buyer])
        ledger.decrease(work, buyer, "credits", 60, source=None)
    attach(counter)
    for name in ("re_1", "re_2"):
        counter.refund(1000, name=name)
        assert counter.balance() == (-60, 0)
        counter.refund(1000, "failed", name=name)
        assert counter.balance() == (40, 0)
    counter.refund(1000, name="re_3")
    assert counter.balance() == (-60, 0)
