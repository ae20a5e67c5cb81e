"""Events, commands and delivery, on both databases: rules.md 11."""

import threading
from collections.abc import Callable, Iterator

import pytest
import sqlalchemy as sa

from paywright.kernel.ids import id_at, new_id
from paywright.kernel.model import Customer
from paywright.outbox import commands as command_rows
from paywright.outbox import delivery
from paywright.outbox.actions import command, lock_customers, open_incident, record, take_sequence
from paywright.outbox.tables import commands, customers, events, outbox_progress
from paywright.storage.work import Work
from tests.harness.shop import Shop

USER = Customer("user", "u_1")
OTHER = Customer("user", "u_2")


@pytest.fixture
def shop(database_url: str) -> Iterator[Shop]:
    made = Shop(database_url, {"products": {}})
    yield made
    made.close()


def tell(shop: Shop, *kinds: str, customer: Customer = USER) -> None:
    with shop.app.work("test") as work:
        lock_customers(work, [customer])
        for kind in kinds:
            record(work, kind, {}, customer=customer)


def undone(shop: Shop, act: Callable[[Work], object]) -> None:
    """Does it and raises before the commit."""

    def act_and_fail() -> None:
        with shop.app.work("test") as work:
            act(work)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act_and_fail()


def version(shop: Shop, customer: Customer = USER) -> int:
    with shop.app.database.read() as connection:
        return int(
            connection.execute(sa.select(customers.c.version).where(customers.c.customer == customer.key)).scalar_one()
        )


def test_sequences_have_no_gaps_and_the_state_change_comes_last(shop: Shop) -> None:
    tell(shop, "product.granted", "subscription.started")
    tell(shop, "product.ended")
    expected = [
        "product.granted",
        "subscription.started",
        "customer.state_changed",
        "product.ended",
        "customer.state_changed",
    ]
    assert shop.events(USER) == list(enumerate(expected, start=1))
    assert version(shop) == 2


def test_a_work_that_is_undone_tells_nothing_and_leaves_no_gap(shop: Shop) -> None:
    undone(shop, lambda work: (lock_customers(work, [USER]), record(work, "product.granted", {}, customer=USER)))
    assert shop.events(USER) == []
    tell(shop, "product.granted")
    assert [sequence for sequence, _ in shop.events(USER)] == [1, 2]


def test_locking_alone_changes_no_version(shop: Shop) -> None:
    with shop.app.work("test") as work:
        lock_customers(work, [USER, OTHER])
    assert (version(shop), version(shop, OTHER)) == (0, 0)
    assert shop.events(USER) == []


def test_a_change_without_the_lock_is_our_own_bug(shop: Shop) -> None:
    with pytest.raises(AssertionError, match="lock the customer"), shop.app.work("test") as work:
        take_sequence(work, USER, "items")


def test_many_at_once_number_one_customers_events_without_gaps(shop: Shop) -> None:
    threads = [threading.Thread(target=tell, args=(shop, "product.granted")) for _ in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [sequence for sequence, _ in shop.events(USER)] == list(range(1, 25))
    assert version(shop) == 12


def test_events_of_no_customer_have_no_sequence(shop: Shop) -> None:
    with shop.app.work("test") as work:
        open_incident(work, "wrong_mode", {"why": "a test"})
    with shop.app.database.read() as connection:
        row = connection.execute(sa.select(events).where(events.c.type == "incident.opened")).one()
    assert (row.customer, row.sequence) == (None, None)


def delivered(shop: Shop) -> list[tuple[str | None, int, int, list[str]]]:
    found = []
    with shop.app.work("test") as work:
        for told in delivery.take_undelivered(work):
            key = None if told.customer is None else told.customer.key
            found.append((key, told.after, told.until, [event.type for event in told.events]))
            delivery.mark_delivered(work, told)
    return found


def test_each_customers_events_are_delivered_in_order_and_then_no_more(shop: Shop) -> None:
    delivered(shop)
    tell(shop, "product.granted")
    tell(shop, "product.granted", customer=OTHER)
    tell(shop, "product.ended")
    assert delivered(shop) == [
        ("user:u_1", 0, 4, ["product.granted", "customer.state_changed", "product.ended", "customer.state_changed"]),
        ("user:u_2", 0, 2, ["product.granted", "customer.state_changed"]),
    ]
    assert delivered(shop) == []
    tell(shop, "product.granted")
    assert delivered(shop) == [("user:u_1", 4, 6, ["product.granted", "customer.state_changed"])]


def test_a_delivery_that_is_cut_off_is_told_again(shop: Shop) -> None:
    delivered(shop)
    tell(shop, "product.granted")
    undone(shop, lambda work: [delivery.mark_delivered(work, told) for told in delivery.take_undelivered(work)])
    assert len(delivered(shop)) == 1


def test_what_is_told_in_parts_has_no_gap_between_them(shop: Shop) -> None:
    for _ in range(4):
        tell(shop, "product.granted")
    parts = []
    while True:
        with shop.app.work("test") as work:
            told = [one for one in delivery.take_undelivered(work, events_max=3) if one.customer is not None]
            for one in told:
                delivery.mark_delivered(work, one)
                parts.append((one.after, one.until, [event.sequence for event in one.events]))
        if not told:
            break
    assert parts == [(0, 3, [1, 2, 3]), (3, 6, [4, 5, 6]), (6, 8, [7, 8])]


def test_two_workers_share_the_customers_and_none_is_told_twice(shop: Shop) -> None:
    everybody = [Customer("user", f"u_{number}") for number in range(40)]
    delivered(shop)
    for customer in everybody:
        tell(shop, "product.granted", customer=customer)
    heard: list[tuple[str | None, int, int]] = []

    def work_on() -> None:
        while found := [each[:3] for each in delivered_few(shop)]:
            heard.extend(found)

    threads = [threading.Thread(target=work_on) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    heard += [each[:3] for each in delivered(shop)]
    assert sorted(heard) == sorted((customer.key, 0, 2) for customer in everybody)


def delivered_few(shop: Shop) -> list[tuple[str | None, int, int]]:
    with shop.app.work("test") as work:
        taken = delivery.take_undelivered(work, customers_max=5)
        for told in taken:
            delivery.mark_delivered(work, told)
        return [(told.customer.key if told.customer else None, told.after, told.until) for told in taken]


def test_a_customer_whom_another_worker_tells_does_not_keep_the_others_waiting(shop: Shop) -> None:
    delivered(shop)
    tell(shop, "product.granted")
    if shop.app.database.dialect == "sqlite":
        return  # One writer: a second worker waits for the first, whomever it tells.
    with shop.app.work("test") as first:
        (mine,) = delivery.take_undelivered(first)
        tell(shop, "product.granted", customer=OTHER)
        tell(shop, "product.ended")  # Nor does telling keep the customer's own changes waiting.
        assert [found[0] for found in delivered(shop)] == [OTHER.key]
        delivery.mark_delivered(first, mine)
    assert delivered(shop) == [("user:u_1", 2, 4, ["product.ended", "customer.state_changed"])]


def test_an_event_committed_long_after_it_was_recorded_is_told_all_the_same(shop: Shop) -> None:
    delivered(shop)
    tell(shop, "product.granted")
    with shop.app.work("test") as work:
        work.execute(outbox_progress.update().values(tail_id=new_id("evt")))
    assert delivered(shop) == []
    with shop.app.work("test") as work:
        (late,) = delivery.take_late(work)
        delivery.mark_delivered(work, late)
    assert (late.customer, late.after, late.until) == (USER, 0, 2)
    tell(shop, "product.ended")
    with shop.app.work("test") as work:
        assert delivery.take_late(work) == []
    assert delivered(shop) == [("user:u_1", 2, 4, ["product.ended", "customer.state_changed"])]


def test_what_was_recorded_while_nobody_listened_is_never_told(shop: Shop) -> None:
    tell(shop, "product.granted")
    with shop.app.work("test") as work:
        open_incident(work, "wrong_mode", {"why": "a test"})
        assert delivery.pass_over(work) == 1
    with shop.app.work("test") as work:
        assert delivery.take_late(work) == []
    assert delivered(shop) == []
    tell(shop, "product.ended")
    assert delivered(shop) == [("user:u_1", 2, 4, ["product.ended", "customer.state_changed"])]


def test_passing_over_reaches_customers_who_are_told_first_afterwards(shop: Shop) -> None:
    tell(shop, "product.granted", customer=OTHER)
    tell(shop, "product.granted")
    with shop.app.work("test") as work:
        delivery.pass_over(work)
    tell(shop, "product.ended", customer=OTHER)
    assert delivered(shop) == [("user:u_2", 2, 4, ["product.ended", "customer.state_changed"])]


def test_the_tail_follows_what_was_told_and_stops_at_what_was_not(shop: Shop) -> None:
    def tail() -> str:
        with shop.app.database.read() as connection:
            return connection.execute(sa.select(outbox_progress.c.tail_id)).scalar() or ""

    delivered(shop)
    long_ago = tail()
    tell(shop, "product.granted")
    with shop.app.work("test") as work:
        old = id_at("evt", 1_000_000)
        work.execute(events.update().where(events.c.sequence == 1).values(id=old))
        work.execute(outbox_progress.update().values(tail_id=""))
    undone(shop, delivery.take_undelivered)
    with shop.app.work("test") as work:
        delivery.take_undelivered(work)
    assert "" < tail() < old, "it stops before the first event that nobody was told"
    assert [found[0] for found in delivered(shop)] == [USER.key]
    assert delivered(shop) == []
    assert tail() >= long_ago, "and goes on once it is told"


def ask(shop: Shop, subject: str = "sub_1") -> None:
    with shop.app.work("test") as work:
        command(work, "cancel_subscription", subject, {"subscription_id": subject})


def take(shop: Shop) -> list[command_rows.Command]:
    with shop.app.work("test") as work:
        return command_rows.claim_due(work, lease_ms=120_000)


def test_a_command_is_taken_once_and_done_for_ever(shop: Shop) -> None:
    ask(shop)
    ask(shop)
    (taken,) = take(shop)
    assert (taken.kind, taken.subject, taken.arguments, taken.attempts) == (
        "cancel_subscription",
        "sub_1",
        {"subscription_id": "sub_1"},
        1,
    )
    assert take(shop) == []
    with shop.app.work("test") as work:
        command_rows.finish(work, [taken])
    ask(shop)
    assert take(shop) == []


def test_a_failed_command_comes_again_and_a_dead_workers_lease_runs_out(shop: Shop) -> None:
    ask(shop)
    (taken,) = take(shop)
    with shop.app.work("test") as work:
        command_rows.postpone(work, taken, "Stripe was away")
    with shop.app.work("test") as work:
        row = work.execute(sa.select(commands)).one()
        assert (row.status, row.last_error) == ("pending", "Stripe was away")
        work.execute(commands.update().values(next_attempt_at=0))
    (again,) = take(shop)
    assert again.attempts == 2
