"""The inbox at work: claimed by root, fetched, applied and marked together. Against the sandbox, on both databases."""

import random
import threading
from typing import Any

import pytest

from paywright.customers import queries as customer_queries
from paywright.customers.actions import remember
from paywright.environments.tables import environments
from paywright.kernel.model import Customer
from paywright.storage.work import RolledBack
from paywright.webhooks import actions, claims, lanes, nouns, rounds
from paywright.webhooks.rules import RETRY_AFTER_S
from tests.flows.sandbox import Account
from tests.webhooks.deliveries import Wall, event
from tests.webhooks.mill import OURS, Mill


def test_a_payment_arrives(mill: Mill) -> None:
    intent = mill.pay()
    mill.deliver(mill.happened())
    assert mill.work() > 0
    [payment] = mill.payments()
    assert (payment.stripe_payment_intent_id, payment.status, payment.amount.amount) == (intent, "paid", 1999)
    assert mill.told_types() == ["payment.paid"]
    assert mill.states() == {("processed", None)}
    assert actions.settled(mill.app, "test")


def test_all_events_of_one_object_are_one_fetch(mill: Mill) -> None:
    intent = mill.pay()
    mill.deliver(mill.happened("payment_intent.created", "charge.succeeded", "payment_intent.succeeded"))
    assert mill.work() == 1
    assert mill.fetches(f"/v1/payment_intents/{intent}") == 1
    assert {row.attempts for row in mill.inbox().values()} == {1}


def test_what_arrives_after_the_fetch_began_causes_another_one(mill: Mill) -> None:
    intent = mill.pay()
    happened = mill.happened("charge.succeeded", "payment_intent.succeeded")
    mill.deliver(happened[:1])
    with mill.app.work("test") as work:
        [claim] = claims.claim_due(work, mill.wall(), roots_max=1)
    fetched = nouns.fetch(mill.app, mill.environment, claim.root, claim.types)
    mill.deliver(happened[1:])
    rounds.apply(mill.app, mill.environment, [rounds.Brought(claim, fetched)])
    assert sorted(row.status for row in mill.inbox().values()) == ["pending", "processed"]
    assert mill.work() == 1
    assert mill.fetches(f"/v1/payment_intents/{intent}") == 2


@pytest.mark.parametrize("seed", range(6))
def test_shuffled_and_repeated_deliveries_end_as_in_order(mill: Mill, seed: int) -> None:
    paid = mill.pay(5000)
    mill.post("/v1/refunds", payment_intent=paid, amount=2000)
    mill.post("/v1/refunds", payment_intent=paid, amount=3000)
    chance = random.Random(seed)
    happened = mill.happened() * 2
    chance.shuffle(happened)
    for place in range(0, len(happened), 3):
        mill.deliver(happened[place : place + 3])
        mill.work()
    [payment] = mill.payments()
    assert (payment.status, payment.amount_refunded.amount) == ("refunded", 5000)
    assert sorted(mill.told_types()) == ["payment.paid", "payment.refunded", "payment.refunded"]


def test_a_claim_of_a_dead_worker_is_given_up_when_it_is_old(mill: Mill) -> None:
    mill.pay()
    mill.deliver(mill.happened("payment_intent.succeeded"))
    with mill.app.work("test") as work:
        assert len(claims.claim_due(work, mill.wall(), roots_max=1)) == 1
    assert mill.only().status == "pending"  # As the API shows it; nobody else may have it.
    assert mill.work() == 0
    mill.wall.advance(mill.app.settings.claim_timeout_s + 1)
    assert mill.work() == 1
    assert (mill.only().status, mill.only().attempts) == ("processed", 2)


def test_rows_that_were_given_up_are_theirs_for_longer_who_claim_them_next(mill: Mill) -> None:
    """Or a machine that needs a little more than a claim's life would begin anew for ever."""
    mill.pay()
    mill.deliver(mill.happened("payment_intent.succeeded"))
    life_ms = 1_000
    for times in (1, 2, 4, 8, 16, 16):
        with mill.app.work("test") as work:
            assert len(claims.claim_due(work, mill.wall(), roots_max=1)) == 1
        mill.wall.advance(times - 0.5)
        for freed in (0, 1):
            with mill.app.work("test") as work:
                assert claims.give_up_old(work, life_ms=life_ms, now=mill.wall()) == freed, times
            mill.wall.advance(0.5)
    assert mill.work() == 1
    assert mill.only().status == "processed"


def test_who_comes_back_too_late_changes_nothing(mill: Mill) -> None:
    mill.pay()
    mill.deliver(mill.happened("payment_intent.succeeded"))
    with mill.app.work("test") as work:
        [late] = claims.claim_due(work, mill.wall(), roots_max=1)
    fetched = nouns.fetch(mill.app, mill.environment, late.root, late.types)
    mill.wall.advance(mill.app.settings.claim_timeout_s + 1)
    with mill.app.work("test") as work:
        claims.give_up_old(work, life_ms=300_000, now=mill.wall())
        [newer] = claims.claim_due(work, mill.wall(), roots_max=1)
    rounds.apply(mill.app, mill.environment, [rounds.Brought(late, fetched)])
    assert (mill.payments(), mill.only().status) == ([], "pending")
    again = nouns.fetch(mill.app, mill.environment, newer.root, newer.types)
    rounds.apply(mill.app, mill.environment, [rounds.Brought(newer, again)])
    assert (len(mill.payments()), mill.only().status) == (1, "processed")


def test_effects_and_done_commit_together_or_not_at_all(mill: Mill) -> None:
    mill.pay()
    mill.deliver(mill.happened("payment_intent.succeeded"))
    with mill.app.work("test") as work:
        [claim] = claims.claim_due(work, mill.wall(), roots_max=1)
    fetched = nouns.fetch(mill.app, mill.environment, claim.root, claim.types)
    with mill.app.work("test") as work:  # Cut off after everything was written, before the commit.
        outcome = nouns.apply(work, claim.root, fetched)
        claims.mark(work, [claim], outcome, mill.wall())
        raise RolledBack
    assert (mill.payments(), mill.told(), mill.only().status) == ([], [], "pending")
    mill.wall.advance(mill.app.settings.claim_timeout_s + 1)
    assert mill.work() == 1
    assert (mill.told_types(), mill.only().status) == (["payment.paid"], "processed")


def test_workers_at_once_take_each_root_once(mill: Mill) -> None:
    intents = [mill.pay() for _ in range(6)]
    mill.deliver(mill.happened())
    start = threading.Barrier(4)

    def work() -> None:
        start.wait()
        for _ in range(20):
            mill.work()

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert mill.states() == {("processed", None)}
    assert mill.told_types() == ["payment.paid"] * 6
    assert [mill.fetches(f"/v1/payment_intents/{intent}") for intent in intents] == [1] * 6


def test_a_failed_try_is_due_again_by_the_schedule_and_then_a_dead_letter(mill: Mill) -> None:
    intent = mill.pay()
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.account.fail_next(400, method="GET", path=f"/v1/payment_intents/{intent}", times=len(RETRY_AFTER_S) + 1)
    for attempt, seconds in enumerate(RETRY_AFTER_S, start=1):
        assert mill.work() == 1
        row = mill.only()
        assert (row.status, row.reason, row.attempts) == ("failed", None, attempt)
        assert row.last_error is not None
        assert row.last_error.startswith("StripeRefused: ")
        assert actions.settled(mill.app, "test")
        mill.wall.advance(seconds * 0.89)
        assert mill.work() == 0
        mill.wall.advance(seconds * 0.22)
    assert mill.work() == 1
    assert (mill.only().status, mill.only().reason, mill.only().next_attempt_at) == ("failed", "dead_letter", None)
    mill.wall.advance(7 * 86_400)
    assert mill.work() == 0
    with mill.app.work("test") as work:
        assert actions.replay_many(work, mill.wall(), failed=True) == [mill.only().id]
    assert mill.work() == 1
    assert (mill.only().status, mill.only().attempts, mill.only().last_error) == ("processed", 1, None)


@pytest.mark.parametrize(
    ("trouble", "times", "reason"),
    [(500, 2, "unknown"), (401, 2, "key_refused"), (403, 2, "key_refused"), (429, 2, "busy")],
)
def test_a_stripe_in_trouble_rests_the_lane_and_costs_no_attempt(
    mill: Mill, trouble: int, times: int, reason: str
) -> None:
    first, second = mill.pay(), mill.pay()
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.account.fail_next(trouble, method="GET", path="/v1/payment_intents/*", times=times)
    assert mill.work() == 0
    assert {(row.status, row.attempts) for row in mill.inbox().values()} == {("pending", 0)}
    with mill.app.database.read() as connection:
        rests_until = lanes.rests_until(connection, "test")
    assert rests_until is not None
    assert mill.wall() < rests_until <= mill.wall() + 1_000
    assert mill.work() == 0
    assert not actions.settled(mill.app, "test")
    mill.wall.advance(1)
    assert mill.work() == 2
    assert {payment.stripe_payment_intent_id for payment in mill.payments()} == {first, second}
    with mill.app.database.read() as connection:
        assert lanes.rests_until(connection, "test") is None


def test_a_lane_rests_longer_each_time(mill: Mill) -> None:
    pauses = []
    for _ in range(9):
        with mill.app.work("test") as work:
            pauses.append(lanes.pause(work, "unknown", 0, spread=0.0))
    assert pauses == [1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000, 60_000]


def test_an_environment_without_a_key_waits(database_url: str, stripe_account: Account, wall: Wall) -> None:
    mill = Mill(database_url, stripe_account, wall)
    mill.pay()
    happened = mill.happened("payment_intent.succeeded")
    with mill.app.work("test") as work:
        work.execute(environments.update().values(stripe_secret_key=None))
    mill.deliver(happened)
    assert mill.work() == 0
    assert (mill.only().status, mill.only().attempts) == ("pending", 0)
    mill.close()


NOBODYS = {"paywright_environment": "test"}


def test_an_unresolved_one_waits_for_its_customer_without_retries(mill: Mill) -> None:
    customer = str(mill.post("/v1/customers", email="x@example.com")["id"])
    mill.pay(metadata=NOBODYS, customer=customer)
    mill.deliver(mill.happened("payment_intent.succeeded", "charge.succeeded"))
    assert mill.work() == 1
    assert mill.states() == {("failed", "unresolved")}
    assert [kind for kind, _ in mill.told()] == ["incident.opened"]
    assert mill.told()[0][1]["kind"] == "unresolved_event"
    mill.wall.advance(30 * 86_400)
    assert mill.work() == 0
    with mill.app.work("test") as work:
        remember(work, Customer("user", "u_7"), customer)
    assert mill.work() == 1
    assert mill.states() == {("processed", None)}
    assert [payment.customer for payment in mill.payments()] == [Customer("user", "u_7")]
    assert mill.told_types() == ["incident.opened", "payment.paid"]


def test_a_replayed_unresolved_one_opens_no_second_incident(mill: Mill) -> None:
    mill.pay(metadata=NOBODYS)
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.work()
    with mill.app.work("test") as work:
        assert actions.replay(work, mill.only().id, mill.wall())
    assert mill.work() == 1
    assert (mill.states(), mill.told_types()) == ({("failed", "unresolved")}, ["incident.opened"])


def test_what_was_not_ours_wakes_when_its_customer_becomes_ours(mill: Mill) -> None:
    customer = str(mill.post("/v1/customers", email="x@example.com")["id"])
    mill.pay(metadata={}, customer=customer)
    mill.deliver(mill.happened("payment_intent.succeeded"))
    assert mill.work() == 1
    assert mill.states() == {("ignored", "not_ours")}
    mill.pay(metadata=OURS, customer=customer)
    mill.deliver(mill.happened("payment_intent.succeeded")[1:])
    mill.work()
    mill.work()
    assert mill.states() == {("processed", None)}
    assert {payment.customer for payment in mill.payments()} == {Customer("user", "u_1")}
    assert len(mill.payments()) == 2


def test_a_checkout_that_maps_a_customer_wakes_what_was_not_ours(mill: Mill) -> None:
    customer = str(mill.post("/v1/customers", email="x@example.com")["id"])
    mill.pay(metadata={}, customer=customer)
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.work()
    with mill.app.work("test") as work:
        remember(work, Customer("user", "u_7"), customer)
        remember(work, Customer("user", "u_8"), "cus_somebody_else")
    assert mill.states() == {("pending", None)}
    mill.work()
    assert [payment.customer for payment in mill.payments()] == [Customer("user", "u_7")]


def test_what_belongs_to_another_environment_of_ours_is_ignored(mill: Mill) -> None:
    mill.pay(metadata={"paywright_environment": "elsewhere", "paywright_customer": "user:u_1"})
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.work()
    assert (mill.states(), mill.payments()) == ({("ignored", "other_environment")}, [])


@pytest.mark.parametrize(
    "event_type",
    "payment_intent.succeeded charge.updated refund.created charge.dispute.closed invoice.paid customer.subscription.updated "
    "checkout.session.completed customer.updated".split(),
)
def test_an_object_that_is_gone_is_ignored(mill: Mill, event_type: str) -> None:
    gone = {"id": "xx_gone", "object": event_type.rpartition(".")[0], "charge": "ch_gone"}
    mill.deliver([event(event_type, gone)])
    assert mill.work() == 1
    assert mill.states() == {("ignored", "object_gone")}


def thin(event_type: str, part: str, noun: str) -> dict[str, Any]:
    return {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": f"v1.{event_type}",
        "livemode": False,
        "related_object": {"id": part, "type": noun, "url": f"/v1/{noun}s/{part}"},
    }


@pytest.mark.parametrize("noun", ["refund", "charge"])
def test_a_thin_event_about_a_part_leads_to_the_payment(mill: Mill, noun: str) -> None:
    intent = mill.pay()
    if noun == "refund":
        part = str(mill.post("/v1/refunds", payment_intent=intent)["id"])
    else:
        part = str(mill.account.every("/v1/charges")[0]["id"])
    event_type = {"refund": "refund.created", "charge": "charge.updated"}[noun]
    mill.deliver([thin(event_type, part, noun)])
    assert mill.work() == 1
    [payment] = mill.payments()
    assert payment.status == {"refund": "refunded"}.get(noun, "paid")


@pytest.mark.parametrize("is_gone", [False, True], ids=["there", "gone"])
def test_a_thin_event_about_a_card_leads_to_its_customer(mill: Mill, is_gone: bool) -> None:
    customer = str(mill.post("/v1/customers", metadata=OURS)["id"])
    method = str(mill.post("/v1/payment_methods/pm_card_visa/attach", customer=customer)["id"])
    mill.post(f"/v1/customers/{customer}", invoice_settings={"default_payment_method": method})
    if is_gone:
        mill.post(f"/v1/payment_methods/{method}/detach")
    mill.deliver([thin("payment_method.attached", method, "payment_method")])
    assert mill.work() == 1
    assert mill.states() == ({("ignored", "object_gone")} if is_gone else {("processed", None)})
    assert mill.told_types() == ([] if is_gone else ["payment_method.updated"])


def test_what_stripe_no_longer_knows_is_taken_from_the_event_that_says_it_is_deleted(mill: Mill) -> None:
    customer = str(mill.post("/v1/customers", metadata=OURS)["id"])
    mill.deliver(mill.happened("customer.created"))
    mill.work()
    mill.account.fail_next(404, method="GET", path=f"/v1/customers/{customer}", times=2)
    mill.deliver([event("customer.deleted", {"id": customer, "object": "customer"}, event_id="evt_gone")])
    assert mill.work() == 1
    assert mill.inbox()["evt_gone"].status == "processed"
    with mill.app.database.read() as connection:
        assert customer_queries.stripe_customer_id(connection, "test", Customer("user", "u_1")) is None


@pytest.mark.parametrize("days", [90, 7])
def test_payloads_are_kept_for_as_long_as_the_setting_says(mill: Mill, days: int) -> None:
    mill.deliver([event("issuing_card.created", {"id": "ic_1"})])
    mill.wall.advance(days * 86_400 - 1)
    for seconds, forgotten in ((0, 0), (2, 1), (0, 0)):
        mill.wall.advance(seconds)
        with mill.app.work("test") as work:
            assert actions.forget_old_payloads(work, mill.wall(), days=days) == forgotten
    assert mill.only().reason == "unknown_type"


def test_a_thin_event_that_is_not_ours_yet_wakes_with_the_mapping(mill: Mill) -> None:
    customer = str(mill.post("/v1/customers")["id"])
    intent = mill.pay(customer=customer, metadata={})
    mill.deliver([thin("payment_intent.succeeded", intent, "payment_intent")])
    mill.work()
    assert mill.states() == {("ignored", "not_ours")}
    with mill.app.work("test") as work:
        remember(work, Customer("user", "u_1"), customer)
    assert mill.work() == 1
    assert mill.states() == {("processed", None)}
