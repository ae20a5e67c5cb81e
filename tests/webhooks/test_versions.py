"""
Five release trains, one story, the same facts.

The goldens are made by `write_goldens.py`: acacia, basil and endive fit the classes of the SDK of their time, clover and dahlia are made by the
documented changes.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import pytest

from paywright.checkout.mirror import checkout_facts
from paywright.customers.mirror import card_of
from paywright.invoices.mirror import invoice_facts
from paywright.payments import mirror as payments
from paywright.stripe.versions import normal
from paywright.subscriptions.mirror import subscription_facts
from paywright.webhooks.mirror import arrival
from tests.contract.conformance import missing_keys
from tests.contract.sdk_schemas import problems
from tests.webhooks.golden_story import EVENTS, EXPANDED
from tests.webhooks.golden_trains import VERSIONS

GOLDENS = Path(__file__).parent / "goldens"
Found = dict[str, Any]


@cache
def golden(train: str) -> Found:
    return dict(json.loads((GOLDENS / f"{train}.json").read_text(encoding="utf-8")))


def from_the_future() -> Found:
    """Whatever comes after endive: more keys everywhere, values nobody has heard of, a version that sorts behind all."""
    later = json.loads(json.dumps(golden("endive")).replace('"2026-10-28.endive"', '"2031-01-01.zinnia"'))

    def grow(value: Any) -> None:
        for each in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
            grow(each)
        if isinstance(value, dict) and "object" in value:
            value["holograms"] = {"object": "hologram", "discount": {"object": "discount", "colour": "ultraviolet"}}

    grow(later)
    later["fetched"]["checkout_session"]["ui_mode"] = "telepathic"
    return dict(later)


def told(train: str) -> Found:
    return from_the_future() if train == "a later one" else golden(train)


TRAINS = [*VERSIONS, "a later one"]


def facts_of(name: str, found: Found) -> Any:
    """What our rooms read of an object, after the normaliser; each room's own mirror, nothing of it repeated here."""
    found = normal(found)
    match found["object"]:
        case "checkout.session":
            return checkout_facts(found)
        case "payment_intent":
            return payments.intent_facts(found)
        case "charge":
            return payments.charge_facts(found)
        case "refund":
            return payments.refund_facts(found)
        case "dispute":
            return payments.dispute_facts(found)
        case "subscription":
            return subscription_facts(found)
        case "invoice":
            paid_through = [each["payment"] for each in payments.paid_through(found)] if name in EXPANDED else []
            if "id" not in found:  # An invoice to come.
                return found["parent"]["subscription_details"]["subscription"]
            return invoice_facts(found), paid_through, payments.invoice_facts(found) if name in EXPANDED else None
        case "customer":
            return card_of(found["invoice_settings"]["default_payment_method"]), found["email"], found["metadata"]
        case "invoiceitem":
            return found["amount"], found["customer"], found["pricing"] and found["pricing"]["unit_amount_decimal"]
    raise AssertionError(found["object"])


@pytest.mark.parametrize("train", TRAINS)
@pytest.mark.parametrize("name", EXPANDED)
def test_an_object_of_any_version_has_the_same_facts(name: str, train: str) -> None:
    assert facts_of(name, told(train)["fetched"][name]) == facts_of(name, golden("endive")["fetched"][name])


def arrival_of(event: Found) -> Any:
    """A refund names its customer since dahlia only; before, the fetch tells."""
    arrived = arrival(json.dumps(event).encode())
    assert arrived is not None
    return msgspec.structs.replace(arrived, stripe_customer_id=None) if event["type"] == "refund.created" else arrived


@pytest.mark.parametrize("train", TRAINS)
@pytest.mark.parametrize("event_type", EVENTS)
def test_an_event_of_any_version_leads_to_the_same_object_and_the_same_facts(event_type: str, train: str) -> None:
    [event] = [each for each in told(train)["events"] if each["type"] == event_type]
    [pinned] = [each for each in golden("endive")["events"] if each["type"] == event_type]
    assert arrival_of(event) == arrival_of(pinned)
    assert facts_of(event_type, event["data"]["object"]) == facts_of(event_type, pinned["data"]["object"])


def test_the_facts_are_those_of_the_story() -> None:
    """Else all of them could be equally empty."""
    fetched = golden("acacia")["fetched"]
    renewal, paid_through, _ = facts_of("renewal_invoice", fetched["renewal_invoice"])
    assert (renewal.total, renewal.amount_paid, renewal.status) == (3000, 3000, "paid")
    assert [line.quantity for line in renewal.lines] == [2]
    assert renewal.period_end - renewal.period_start == 28 * 86_400_000
    assert renewal.subscription_id == fetched["subscription"]["id"]
    assert [each["payment_intent"] for each in paid_through] == [fetched["renewal_payment"]["id"]]
    switch, _, _ = facts_of("switch_invoice", fetched["switch_invoice"])
    assert sorted(line.is_proration for line in switch.lines) == [True, True]
    subscription = facts_of("subscription", fetched["subscription"])
    assert subscription.ends_at == subscription.current_period_end
    assert subscription.current_period_start == renewal.period_start
    payment = facts_of("payment", fetched["payment"])
    assert (payment.amount, payment.amount_received, payment.status) == (5000, 5000, "paid")
    assert facts_of("refund", fetched["refund"]).amount == 1200
    assert facts_of("dispute", fetched["dispute"]).status == "needs_response"
    assert facts_of("checkout_session", fetched["checkout_session"]).amount_total == 5000


@pytest.mark.parametrize("train", VERSIONS)
def test_a_golden_is_of_its_version(train: str) -> None:
    """The keys by which the trains differ are there, so the test above compares different shapes."""
    story = golden(train)
    age = list(VERSIONS).index(train)
    subscription, invoice = story["fetched"]["subscription"], story["fetched"]["renewal_invoice"]
    assert story["api_version"] == VERSIONS[train]
    assert ("current_period_end" in subscription) == (age < 1)
    assert ("payments" in invoice, "parent" in invoice, "payment_intent" in invoice) == (age >= 1, age >= 1, age < 1)
    assert ("coupon" in invoice["discounts"][0], "source" in invoice["discounts"][0]) == (age < 2, age >= 2)
    assert ("quantity_decimal" in invoice["lines"]["data"][0]) == (age >= 3)
    assert story["fetched"]["checkout_session"]["ui_mode"] == ("hosted_page" if age >= 3 else "hosted")


def test_what_is_of_the_pinned_version_comes_back_equal() -> None:
    story = golden("endive")
    for found in [*story["fetched"].values(), *story["events"]]:
        assert normal(found) == found
        shown = found["data"]["object"] if found["object"] == "event" else found
        assert [each for each in problems(shown) if "invoice.id" not in each] == []
        assert list(missing_keys(shown, shown["object"])) == []


@pytest.mark.parametrize("train", ["acacia", "basil", "clover", "dahlia"])
def test_what_is_lifted_is_lifted_once(train: str) -> None:
    for found in golden(train)["fetched"].values():
        assert normal(normal(found)) == normal(found)


LIFTED: dict[str, tuple[Found, Found]] = {
    "a promotion code names its coupon": (
        {"object": "promotion_code", "coupon": {"id": "co_1", "object": "coupon"}},
        {"object": "promotion_code", "promotion": {"type": "coupon", "coupon": "co_1"}},
    ),
    "a credit note has a list of refunds": (
        {"object": "credit_note", "refund": "re_1"},
        {"object": "credit_note", "refunds": [{"refund": "re_1", "amount_refunded": None}]},
    ),
    "a session's address was collected": (
        {"object": "checkout.session", "shipping_details": {"name": "Ada"}, "ui_mode": "custom"},
        {
            "object": "checkout.session",
            "collected_information": {"shipping_details": {"name": "Ada"}},
            "ui_mode": "elements",
        },
    ),
    "a subscription's one discount is a list": (
        {"object": "subscription", "discount": {"object": "discount", "coupon": "co_1"}, "discounts": []},
        {
            "object": "subscription",
            "discounts": [{"object": "discount", "source": {"type": "coupon", "coupon": "co_1"}}],
        },
    ),
    "an invoice of a quote": (
        {"object": "invoice", "subscription": None, "quote": "qt_1"},
        {
            "object": "invoice",
            "parent": {"type": "quote_details", "quote_details": {"quote": "qt_1"}, "subscription_details": None},
        },
    ),
    "a payment no longer names its invoice": (
        {"object": "charge", "invoice": "in_1"},
        {"object": "charge"},
    ),
    "an item made by hand for a subscription": (
        {"object": "invoiceitem", "price": None, "subscription": "sub_1", "subscription_item": None, "quantity": 2},
        {
            "object": "invoiceitem",
            "pricing": None,
            "parent": {
                "type": "subscription_details",
                "subscription_details": {"subscription": "sub_1", "subscription_item": None},
            },
            "quantity": 2,
            "quantity_decimal": "2",
        },
    ),
}


@pytest.mark.parametrize(("older", "pinned"), LIFTED.values(), ids=LIFTED.keys())
def test_what_moved_is_found_where_it_is_now(older: Found, pinned: Found) -> None:
    assert normal(older) == pinned


@pytest.mark.parametrize(
    ("invoice", "status"),
    [
        ({"status": "paid", "paid_out_of_band": True}, "canceled"),
        ({"status": "paid", "paid_out_of_band": False}, "paid"),
        ({"status": "open", "paid_out_of_band": False}, "open"),
        ({"status": "void", "paid_out_of_band": False}, "canceled"),
    ],
    ids=lambda each: str(each),
)
def test_an_old_invoice_was_paid_with_its_intent_or_not(invoice: Found, status: str) -> None:
    lifted = normal({"object": "invoice", "id": "in_1", "payment_intent": "pi_1", **invoice})
    assert [each["status"] for each in lifted["payments"]["data"]] == [status]


def test_taxes_and_a_charge_without_an_intent_move_too() -> None:
    tax = {"amount": 19, "inclusive": True, "tax_rate": "txr_1", "taxability_reason": None, "taxable_amount": 100}
    old = {"object": "invoice", "charge": "ch_1", "payment_intent": None, "status": "paid", "total_tax_amounts": [tax]}
    lifted = normal(old)
    assert [each["payment"] for each in lifted["payments"]["data"]] == [{"type": "charge", "charge": "ch_1"}]
    assert [(each["amount"], each["tax_behavior"], each["tax_rate_details"]) for each in lifted["total_taxes"]] == [
        (19, "inclusive", {"tax_rate": "txr_1"})
    ]


@pytest.mark.parametrize("value", [None, 1, "text", [], {}, {"object": None}, {"object": 5}, {"object": "hologram"}])
def test_anything_else_passes_through(value: Any) -> None:
    assert normal(value) == value
    assert msgspec.json.encode(normal([value])) == msgspec.json.encode([value])
