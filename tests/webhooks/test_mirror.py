"""From a delivery's bytes to the object at Stripe that it is about, in old shapes and new."""

import inspect
import json
from typing import Any

import pytest
import stripe.params._webhook_endpoint_create_params

from paywright.webhooks.mirror import arrival
from paywright.webhooks.model import Root
from paywright.webhooks.rules import ASKED_EVENTS, EVENT_TYPES, NOT_ASKED
from tests.webhooks.deliveries import event


def root_of(event_type: str, stripe_object: dict[str, Any], **fields: Any) -> str | None:
    found = arrival(json.dumps(event(event_type, stripe_object, **fields)).encode())
    assert found is not None
    return None if found.root is None else str(found.root)


ROOTS: dict[str, tuple[str, dict[str, Any], str | None]] = {
    "session": ("checkout.session.completed", {"id": "cs_1", "object": "checkout.session"}, "checkout_session cs_1"),
    "intent": ("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent"}, "payment_intent pi_1"),
    "charge of an intent": (
        "charge.updated",
        {"id": "ch_1", "object": "charge", "payment_intent": "pi_1"},
        "payment_intent pi_1",
    ),
    "charge of its own": (
        "charge.succeeded",
        {"id": "py_1", "object": "charge", "payment_intent": None},
        "charge py_1",
    ),
    "expanded intent": (
        "charge.updated",
        {"id": "ch_1", "object": "charge", "payment_intent": {"id": "pi_1"}},
        "payment_intent pi_1",
    ),
    "refund": (
        "refund.created",
        {"id": "re_1", "object": "refund", "payment_intent": "pi_1", "charge": "ch_1"},
        "payment_intent pi_1",
    ),
    "refund of a charge": ("refund.failed", {"id": "pyr_1", "object": "refund", "charge": "ch_1"}, "charge ch_1"),
    "refund by its older name": (
        "charge.refund.updated",
        {"id": "re_1", "object": "refund", "charge": "ch_1"},
        "charge ch_1",
    ),
    "dispute": (
        "charge.dispute.created",
        {"id": "du_1", "object": "dispute", "payment_intent": "pi_1"},
        "payment_intent pi_1",
    ),
    "dispute of a charge": (
        "charge.dispute.closed",
        {"id": "dp_1", "object": "dispute", "charge": "ch_1"},
        "charge ch_1",
    ),
    "fraud warning": (
        "radar.early_fraud_warning.created",
        {"id": "issfr_1", "object": "radar.early_fraud_warning", "charge": "ch_1"},
        "charge ch_1",
    ),
    "invoice": ("invoice.paid", {"id": "in_1", "object": "invoice"}, "invoice in_1"),
    "invoice payment": (
        "invoice_payment.paid",
        {"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1"},
        "invoice in_1",
    ),
    "credit note": ("credit_note.created", {"id": "cn_1", "object": "credit_note", "invoice": "in_1"}, "invoice in_1"),
    "upcoming invoice": (
        "invoice.upcoming",
        {
            "object": "invoice",
            "parent": {"type": "subscription_details", "subscription_details": {"subscription": "sub_1"}},
        },
        "subscription sub_1",
    ),
    "upcoming invoice before basil": (
        "invoice.upcoming",
        {"object": "invoice", "subscription": "sub_1"},
        "subscription sub_1",
    ),
    "upcoming invoice of nothing": ("invoice.upcoming", {"object": "invoice", "parent": None}, None),
    "subscription": ("customer.subscription.deleted", {"id": "sub_1", "object": "subscription"}, "subscription sub_1"),
    "schedule": ("subscription_schedule.updated", {"id": "sub_sched_1", "subscription": "sub_1"}, "subscription sub_1"),
    "released schedule": (
        "subscription_schedule.released",
        {"id": "sub_sched_1", "subscription": None, "released_subscription": "sub_1"},
        "subscription sub_1",
    ),
    "schedule not begun": ("subscription_schedule.created", {"id": "sub_sched_1", "subscription": None}, None),
    "customer": ("customer.deleted", {"id": "cus_1", "object": "customer"}, "customer cus_1"),
    "setup intent": (
        "setup_intent.succeeded",
        {"id": "seti_1", "object": "setup_intent", "customer": "cus_1"},
        "customer cus_1",
    ),
    "setup intent of nobody": (
        "setup_intent.succeeded",
        {"id": "seti_1", "object": "setup_intent", "customer": None},
        None,
    ),
    "unknown type": ("issuing_card.created", {"id": "ic_1", "object": "issuing.card"}, None),
    "id of a wrong kind": ("invoice.paid", {"id": 12, "object": "invoice"}, None),
    "id without end": ("invoice.paid", {"id": "in_" + "x" * 300, "object": "invoice"}, None),
}


@pytest.mark.parametrize(("event_type", "stripe_object", "expected"), ROOTS.values(), ids=ROOTS.keys())
def test_an_event_leads_to_its_root(event_type: str, stripe_object: dict[str, Any], expected: str | None) -> None:
    assert root_of(event_type, stripe_object) == expected


def test_a_detached_card_still_has_its_owner() -> None:
    gone = event("payment_method.detached", {"id": "pm_1", "object": "payment_method", "customer": None})
    gone["data"]["previous_attributes"] = {"customer": "cus_1"}
    found = arrival(json.dumps(gone).encode())
    assert found is not None
    assert (found.root, found.stripe_customer_id) == (Root("customer", "cus_1"), "cus_1")


def test_a_thin_event_is_about_its_related_object() -> None:
    thin = {
        "id": "evt_thin",
        "object": "v2.core.event",
        "type": "v1.invoice.paid",
        "livemode": False,
        "created": "2026-10-28T12:00:00Z",
        "context": None,
        "related_object": {"id": "in_1", "type": "invoice", "url": "/v1/invoices/in_1"},
    }
    found = arrival(json.dumps(thin).encode())
    assert found is not None
    assert (found.type, found.root) == ("invoice.paid", Root("invoice", "in_1"))


NO_EVENTS = {
    "empty": b"",
    "not JSON": b"<xml/>",
    "not UTF-8": b'{"id": "\xff\xfe", "object": "event", "type": "invoice.paid"}',
    "a list": b"[]",
    "a string": b'"event"',
    "another object": b'{"id": "in_1", "object": "invoice"}',
    "without an id": b'{"object": "event", "type": "invoice.paid"}',
    "without a type": b'{"id": "evt_1", "object": "event"}',
    "id is a number": b'{"id": 1, "object": "event", "type": "invoice.paid"}',
    "nested without end": b'{"id": "evt_1", "object": "event", "type": "a", "data": '
    + b"[" * 100_000
    + b"]" * 100_000
    + b"}",
}


@pytest.mark.parametrize("body", NO_EVENTS.values(), ids=NO_EVENTS.keys())
def test_what_is_no_event_is_known_as_such(body: bytes) -> None:
    assert arrival(body) is None


@pytest.mark.parametrize(
    "inside", ["null", "1", '"text"', "[]", '{"object": 5}', '{"object": "x", "previous_attributes": 3}']
)
def test_an_event_with_odd_insides_is_still_an_event(inside: str) -> None:
    body = f'{{"id": "evt_1", "object": "event", "type": "invoice.paid", "livemode": false, "data": {inside}}}'
    found = arrival(body.encode())
    assert found is not None
    assert (found.id, found.root) == ("evt_1", None)


def test_every_type_has_a_reason_and_one_place() -> None:
    assert [event_type for event_type, acts in EVENT_TYPES.items() if len(acts.why) < 10] == []
    assert NOT_ASKED.isdisjoint(EVENT_TYPES)


@pytest.mark.parametrize(
    "event_type",
    "checkout.session.completed invoice.paid customer.subscription.deleted refund.failed charge.dispute.funds_reinstated "
    "customer.subscription.pending_update_expired subscription_schedule.expiring account.application.deauthorized".split(),
)
def test_an_endpoint_asks_for_what_matters(event_type: str) -> None:
    assert event_type in ASKED_EVENTS


@pytest.mark.parametrize(
    "event_type", ["invoice.created", "invoice.updated", "charge.succeeded", "payment_intent.created"]
)
def test_an_endpoint_does_not_ask_for_echoes_and_what_delays_collection(event_type: str) -> None:
    assert event_type in EVENT_TYPES
    assert event_type not in ASKED_EVENTS


def test_the_sdk_knows_every_type_we_ask_for() -> None:
    listed = inspect.getsource(stripe.params._webhook_endpoint_create_params)
    assert [event_type for event_type in ASKED_EVENTS if f'"{event_type}"' not in listed] == []
