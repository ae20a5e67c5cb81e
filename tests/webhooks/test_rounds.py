"""What is claimed together is fetched once and applied together; one object's trouble stays its own. Against the sandbox, on both databases."""

import msgspec
import pytest
import sqlalchemy as sa
from sqlalchemy import event

from paywright.payments import actions as payments
from paywright.storage.work import Work
from paywright.stripe.fetches import may_apply, next_fetch, once
from paywright.stripe.model import GONE, PROCESSED, STALE, Fetched, Outcome
from paywright.stripe.rounds import Round, once_in_round
from paywright.stripe.tables import stripe_objects
from paywright.webhooks import actions, claims, nouns, rounds
from paywright.webhooks.claims import Claim
from paywright.webhooks.model import Root
from paywright.webhooks.rounds import FETCHES_AT_ONCE, Brought, belonging_together
from tests.webhooks.mill import Mill


def subscribed(mill: Mill) -> dict[str, str]:
    """A subscription paid by a saved card: the path of each object its events are about."""
    made = mill.subscribe()
    [intent] = mill.account.every("/v1/payment_intents")
    return {
        "customer": f"/v1/customers/{made['customer']}",
        "subscription": f"/v1/subscriptions/{made['id']}",
        "invoice": f"/v1/invoices/{made['latest_invoice']}",
        "payment": f"/v1/payment_intents/{intent['id']}",
    }


def test_all_events_of_a_purchase_fetch_each_of_its_objects_once(mill: Mill) -> None:
    paths = subscribed(mill)
    mill.deliver(mill.happened())
    assert mill.work() == 4
    assert {name: mill.fetches(path) for name, path in paths.items()} == dict.fromkeys(paths, 1)
    assert {row.status for row in mill.inbox().values()} <= {"processed", "ignored"}
    assert [payment.status for payment in mill.payments()] == ["paid"]


def test_all_events_of_a_purchase_are_one_work_of_effects(mill: Mill) -> None:
    subscribed(mill)
    mill.deliver(mill.happened())
    commits: list[object] = []
    written: set[tuple[str, int]] = set()
    engine = mill.app.database.engine
    event.listen(engine, "commit", commits.append)

    def executed(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        verb, *words = statement.split(maxsplit=3)
        if verb in ("INSERT", "UPDATE"):
            written.add((words[1] if verb == "INSERT" else words[0], len(commits)))

    event.listen(engine, "after_cursor_execute", executed)
    mill.work()
    places = {name: place for name, place in written if name in ("payments", "invoices", "subscriptions", "events")}
    assert len(places) == 4
    assert {place for name, place in written if name in places} == {places["events"]}


def test_one_object_in_trouble_keeps_none_of_the_others_from_being_processed(mill: Mill) -> None:
    paths = subscribed(mill)
    mill.account.fail_next(400, method="GET", path=paths["customer"], times=1)
    mill.deliver(mill.happened())
    assert mill.work() == 4
    failed = {row.root for row in mill.inbox().values() if row.status == "failed"}
    assert failed == {f"customer {paths['customer'].rpartition('/')[2]}"}
    assert [payment.status for payment in mill.payments()] == ["paid"]


def test_what_fails_together_is_tried_alone(mill: Mill) -> None:
    paths = subscribed(mill)
    mill.deliver(mill.happened())
    customer = paths["customer"].rpartition("/")[2]
    spoilt = [
        Brought(claim, nouns.fetch(mill.app, mill.environment, claim.root, claim.types)) for claim in claimed(mill)
    ]
    for place, each in enumerate(spoilt):
        if each.claim.root == Root("customer", customer):
            broken = Fetched(each.fetched.root, each.fetched.number, {"id": customer, "object": "customer"})
            spoilt[place] = Brought(each.claim, broken)
    assert rounds._apply_or_settle(mill.app, mill.environment, spoilt) == 0
    assert mill.states() <= {
        ("processed", None),
        ("processed", "stale_fetch"),
        ("ignored", "unknown_type"),
        ("ignored", "not_asked"),
    }
    assert {row.attempts for row in mill.inbox().values() if row.status == "processed"} == {1}
    assert [payment.status for payment in mill.payments()] == ["paid"]
    assert {mill.fetches(path) for path in paths.values()} >= {2}


def claimed(mill: Mill) -> list[Claim]:
    with mill.app.work("test") as work:
        return claims.claim_due(work, mill.wall(), roots_max=32)


def test_what_was_asked_for_besides_is_asked_for_again_when_a_newer_fetch_came_first(mill: Mill) -> None:
    intent_id = mill.pay(payment_method="pm_card_createIssuerFraudRecord")
    mill.account.advance("1m")
    mill.deliver(mill.happened("payment_intent.created", "radar.early_fraud_warning.created"))
    [claim] = claimed(mill)
    early = Brought(claim, nouns.fetch(mill.app, mill.environment, claim.root, claim.types))
    assert payments.sync(mill.app, mill.environment, intent_id) == PROCESSED
    rounds.apply(mill.app, mill.environment, [early])
    assert mill.states() == {("pending", None)}
    assert [payment.fraud_warning for payment in mill.payments()] == [None]
    assert mill.work() == 1
    assert mill.states() == {("processed", None)}
    assert [payment.fraud_warning for payment in mill.payments()] == ["made_with_stolen_card"]


def test_a_stripe_in_trouble_for_one_rests_the_lane_and_what_was_brought_is_applied(mill: Mill) -> None:
    intents = [mill.pay(), mill.pay()]
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.account.fail_next(500, method="GET", path=f"/v1/payment_intents/{intents[0]}", times=1)
    assert mill.work() == 1
    assert {(row.status, row.attempts) for row in mill.inbox().values()} == {("processed", 1), ("pending", 0)}
    assert mill.work() == 0
    mill.wall.advance(1)
    assert mill.work() == 1
    assert sorted(payment.stripe_payment_intent_id or "" for payment in mill.payments()) == sorted(intents)


def test_a_stripe_in_trouble_is_asked_by_those_who_had_begun_and_nobody_else(mill: Mill) -> None:
    intents = [mill.pay() for _ in range(FETCHES_AT_ONCE + 3)]
    mill.deliver(mill.happened("payment_intent.succeeded"))
    mill.account.fail_next(500, method="GET", path="/v1/payment_intents/*", times=len(intents))
    assert mill.work() == 0
    assert sum(mill.fetches(f"/v1/payment_intents/{intent}") for intent in intents) == FETCHES_AT_ONCE
    assert {(row.status, row.attempts) for row in mill.inbox().values()} == {("pending", 0)}


def test_a_claim_takes_what_is_due_of_one_stripe_customer_before_what_is_of_the_next(mill: Mill) -> None:
    of_whom = ["cus_a", "cus_b"]
    for number in range(6):
        thing = {"id": f"cus_{number}", "object": "thing", "customer": of_whom[number % 2]}
        mill.deliver([{"id": f"evt_{number}", "object": "event", "type": "payment_intent.succeeded", "livemode": False,
                       "data": {"object": {**thing, "object": "payment_intent"}}}])  # fmt: skip
        mill.wall.advance(1)
    with mill.app.work("test") as work:
        first = claims.claim_due(work, mill.wall(), roots_max=3)
        second = claims.claim_due(work, mill.wall(), roots_max=3)
    assert [claim.root.id for claim in first] == ["cus_0", "cus_2", "cus_4"]
    assert [claim.root.id for claim in second] == ["cus_1", "cus_3", "cus_5"]
    assert {claim.number for claim in first} == {1}


@pytest.mark.parametrize(("per_s", "roots"), [(None, 32), (0.2, 8), (5.0, 8), (20.0, 20), (500.0, 32)])
def test_where_calls_are_paced_a_round_is_small_but_never_smaller_than_a_purchase(
    mill: Mill, per_s: float | None, roots: int
) -> None:
    mill.app.settings = msgspec.structs.replace(mill.app.settings, background_calls_per_s=per_s)
    assert actions.roots_at_once(mill.app, mill.environment) == roots


def brought(root: str, customer: str | None, *related: str) -> Brought:
    noun, _, stripe_id = root.partition(" ")
    claim = Claim("test", "clm", Root(noun, stripe_id), frozenset(), False, 1)  # type: ignore[arg-type]
    found = {"id": stripe_id, "object": noun, "customer": customer}
    return Brought(claim, Fetched(root, 1, found, related=tuple(Fetched(each, 1, {}) for each in related)))


def test_what_shares_an_object_or_a_stripe_customer_belongs_together() -> None:
    by_customer = [brought("invoice in_1", "cus_1"), brought("customer cus_1", None)]
    through_another = [brought("charge ch_1", None), brought("checkout_session cs_1", "cus_2", "payment_intent pi_1")]
    joining = brought("payment_intent pi_1", None, "charge ch_1")
    alone = brought("payout po_1", None)
    mixed = [by_customer[0], through_another[0], alone, through_another[1], by_customer[1], joining]
    assert belonging_together(mixed) == [[alone], by_customer, [*through_another, joining]]
    assert belonging_together([]) == []


def test_in_a_round_the_same_is_made_once_and_what_it_raises_is_everybodys() -> None:
    made: list[str] = []

    def make() -> int:
        made.append("made")
        return len(made)

    def refuse() -> int:
        made.append("refused")
        raise LookupError

    assert [once_in_round("a", make), once_in_round("a", make)] == [1, 2]
    with Round({"payment_intent pi_1": 7}).taking_part():
        assert [once_in_round("a", make), once_in_round("a", make), once_in_round("b", make)] == [3, 3, 4]
        assert once_in_round(("number", "payment_intent pi_1"), make) == 7
        for _ in range(2):
            try:
                once_in_round("c", refuse)
            except LookupError:
                continue
            raise AssertionError("it was to be refused")
    assert made == ["made"] * 4 + ["refused"]
    assert once_in_round("a", make) == 6


def test_a_work_applies_what_it_has_applied_again_only_for_more(mill: Mill) -> None:
    applied: list[Fetched] = []

    @once
    def apply(work: Work, fetched: Fetched) -> Outcome:
        if not may_apply(work, fetched.root, fetched.number):
            return STALE
        applied.append(fetched)
        return PROCESSED if fetched.found else GONE

    bare = Fetched("payment_intent pi_1", 2, {"id": "pi_1"})
    with_refunds = Fetched("payment_intent pi_1", 2, {"id": "pi_1"}, {"refunds": []})
    older = Fetched("payment_intent pi_1", 1, {"id": "pi_1"})
    gone = Fetched("invoice in_1", 1, None)
    with mill.app.work("test") as work:
        for root in (bare.root, bare.root, gone.root):
            next_fetch(work, root)
        outcomes = [apply(work, each) for each in (bare, bare, with_refunds, bare, older, gone, gone)]
    assert outcomes == [PROCESSED, PROCESSED, PROCESSED, PROCESSED, STALE, GONE, GONE]
    assert applied == [bare, with_refunds, gone, gone]
    with mill.app.work("test") as work:
        assert not may_apply(work, bare.root, 2)
        numbers = sa.select(stripe_objects.c.root, stripe_objects.c.applied_number).order_by(stripe_objects.c.root)
        assert [tuple(row) for row in work.execute(numbers)] == [(gone.root, 1), (bare.root, 2)]
