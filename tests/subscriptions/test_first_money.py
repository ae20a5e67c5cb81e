"""A bank debit takes days: what is owned begins when it was paid, as Stripe tells it, and not by what was heard first. On both databases."""

from typing import Any

import pytest

from paywright.checkout import actions as checkout
from paywright.checkout.model import StartCheckout
from paywright.ledger.queries import entries
from paywright.ownership.model import AskedLine
from paywright.subscriptions.mirror import subscription_facts
from paywright.subscriptions.rules import begins_at, may_begin
from tests.subscriptions.terms import USER, done
from tests.subscriptions.test_rules import invoice, stripe_subscription
from tests.subscriptions.till import StripeShop

DEBIT = "pm_usBankAccount_success"


@pytest.mark.parametrize("heard", ["in order", "checkout after the renewal", "renewal before checkout"])
def test_the_anchor_of_repeats_is_when_the_debit_cleared_whatever_is_heard_first(till: StripeShop, heard: str) -> None:
    line = AskedLine(product_id="basic")
    urls = {"success_url": "https://app.test/ok", "cancel_url": "https://app.test/no"}
    asked = StartCheckout(customer=USER, lines=(line,), with_secret_key=True, **urls)
    session = done(checkout.start(till.app, till.environment, asked))
    till.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"payment_method": DEBIT})
    [subscription] = till.get("/v1/subscriptions")["data"]
    if heard == "in order":
        checkout.sync(till.app, till.environment, session.id)
        assert till.owned_now() == []
        till.advance("6d")
        checkout.sync(till.app, till.environment, session.id)
        till.sync(subscription["id"])
        till.advance("30d")
        till.sync(subscription["id"])
    else:
        till.advance("36d")
        if heard == "renewal before checkout":
            till.sync(subscription["id"])
        checkout.sync(till.app, till.environment, session.id)
        till.sync(subscription["id"])
    first = till.get("/v1/invoices", {"subscription": subscription["id"]})["data"][-1]
    cleared = first["status_transitions"]["paid_at"] * 1000
    assert cleared > subscription["start_date"] * 1000
    (owned,) = [each for each in till.owned(USER) if each.product_id == "basic"]
    assert (owned.granted_at, owned.repeats_from) == (cleared, cleared)
    till.advance("2d")
    with till.app.database.read() as connection:
        made = entries(connection, "test", USER, "credits", limit=10)
    given = [each.effective_at for each in reversed(made) if each.kind in ("included", "repeat")]
    assert given[0] == cleared


@pytest.mark.parametrize(
    ("latest", "paid", "begins"),
    [
        (
            invoice("paid", "subscription_cycle"),
            [5_000, 1_400],
            1_400_000,
        ),  # The first one, whichever order Stripe lists them in.
        (invoice("open", "subscription_cycle"), [1_400], 1_400_000),
        (invoice("paid", "subscription_cycle"), [5_000], 5_000_000),  # The first was void: nothing was paid before.
        (invoice("open", "subscription_cycle"), [], None),  # Two debits under way, and no money yet.
        (invoice("paid", "subscription_update"), [1_000], 1_000_000),
    ],
)
def test_the_first_money_is_found_behind_a_later_invoice(
    latest: dict[str, Any], paid: list[int], begins: int | None
) -> None:
    listed = [{**invoice("paid"), "status_transitions": {"paid_at": at}} for at in paid]
    facts = subscription_facts(stripe_subscription(latest_invoice=latest), None, listed)
    assert may_begin(facts) is (begins is not None)
    assert begins is None or begins_at(facts) == begins
