"""
A delivery's bytes → what it says about itself.

A typed partial decode: only the few fields that lead to the root object are read, whatever version the endpoint renders. Decided by the keys present,
never by `api_version`, nor by an id's prefix.
"""

from collections.abc import Callable
from typing import Any

import msgspec

from paywright.webhooks.model import Arrival, Noun, Root
from paywright.webhooks.rules import EVENT_TYPES

ID_CHARACTERS_MAX = 255


class _Object(msgspec.Struct):
    """`data.object`. Anything may stand in a field: what is no id is passed over."""

    id: Any = None
    object: Any = None
    payment_intent: Any = None
    charge: Any = None
    invoice: Any = None
    subscription: Any = None
    released_subscription: Any = None
    customer: Any = None
    parent: Any = None


class _Data(msgspec.Struct):
    object: _Object | None = None
    previous_attributes: Any = None


class _Delivery(msgspec.Struct):
    id: Any = None
    object: Any = None
    type: Any = None
    livemode: Any = None
    account: Any = None
    context: Any = None
    data: _Data | None = None
    related_object: _Object | None = None


class _Bare(msgspec.Struct):
    """A delivery whose insides are not shaped as an object's: still an event, about nothing we know."""

    id: Any = None
    object: Any = None
    type: Any = None
    livemode: Any = None
    account: Any = None
    context: Any = None


_decoder = msgspec.json.Decoder(_Delivery)
_bare_decoder = msgspec.json.Decoder(_Bare)


def arrival(raw_body: bytes) -> Arrival | None:
    """None when these bytes are no Stripe event: not JSON, not an object, or without an id and a type."""
    delivery = _decoded(raw_body)
    if delivery is None or delivery.object not in ("event", "v2.core.event"):
        return None
    event_id, event_type = _id(delivery.id), _id(delivery.type)
    if event_id is None or event_type is None:
        return None
    is_thin = delivery.object == "v2.core.event"
    event_type = event_type.removeprefix("v1.") if is_thin else event_type
    subject = (delivery.related_object if is_thin else delivery.data and delivery.data.object) or _Object()
    previous = delivery.data.previous_attributes if delivery.data else None
    account = _context(delivery.context) if is_thin else _id(delivery.account)
    return Arrival(
        id=event_id,
        type=event_type,
        livemode=delivery.livemode is True,
        account=account,
        root=_thin_root(event_type, subject) if is_thin else _root(event_type, subject, previous, account),
        stripe_customer_id=_customer(subject, previous),
    )


def _decoded(raw_body: bytes) -> _Delivery | None:
    try:
        return _decoder.decode(raw_body)
    except msgspec.ValidationError:
        pass
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    try:
        bare = _bare_decoder.decode(raw_body)
    except (msgspec.ValidationError, RecursionError):  # JSON, but not an object, or nested beyond reason.
        return None
    return _Delivery(**msgspec.structs.asdict(bare))


def _context(context: Any) -> str | None:
    """The account at the end of a thin event's context, which may begin with an organisation: `org_…/acct_…`."""
    named = _id(context)
    return None if named is None else named.rpartition("/")[2] or None


def _root(event_type: str, subject: _Object, previous: Any, account: str | None) -> Root | None:
    acts = EVENT_TYPES.get(event_type)
    if acts is None:
        return None
    if event_type == "account.application.deauthorized":
        return None if account is None else Root("account", account)  # The object is our application, not the account.
    if acts.noun in ("charge", "refund", "dispute"):
        return _payment(subject, acts.noun)
    if acts.noun == "customer":
        named = _id(subject.id) if event_type.startswith("customer.") else _customer(subject, previous)
    elif acts.noun in _ROOT_IDS:
        named = _ROOT_IDS[acts.noun](event_type, subject)
    else:
        named = _id(subject.id)
    return None if named is None else Root(acts.noun, named)


def _payment(subject: _Object, noun: Noun) -> Root | None:
    """The intent for everything about a charge, refund, dispute or fraud warning; the charge where there is none."""
    intent = _id(subject.payment_intent)
    if intent is not None:
        return Root("payment_intent", intent)
    charge = _id(subject.id) if subject.object == "charge" else _id(subject.charge)
    return None if charge is None else Root("charge", charge)


def _invoice(event_type: str, subject: _Object) -> str | None:
    return _id(subject.id) if event_type.startswith("invoice.") else _id(subject.invoice)


def _subscription(event_type: str, subject: _Object) -> str | None:
    """Of a subscription, of its schedule, or of an upcoming invoice, which has no id (its shape before basil had `subscription`)."""
    if event_type.startswith("customer.subscription."):
        return _id(subject.id)
    parent = subject.parent if isinstance(subject.parent, dict) else {}
    details = parent.get("subscription_details")
    within = _id(details.get("subscription")) if isinstance(details, dict) else None
    return within or _id(subject.subscription) or _id(subject.released_subscription)


_ROOT_IDS: dict[str, Callable[[str, _Object], str | None]] = {"invoice": _invoice, "subscription": _subscription}


# Types of thin events whose object is not the root by its type's own row: the beginning of the type, and what the object is.
_THIN_PARTS: tuple[tuple[str, Noun], ...] = (
    ("setup_intent.", "setup_intent"),
    ("payment_method.", "payment_method"),
    ("subscription_schedule.", "subscription_schedule"),
    ("credit_note.", "credit_note"),
    ("invoice_payment.", "invoice_payment"),
    ("radar.early_fraud_warning.", "early_fraud_warning"),
    ("charge.refund.", "refund"),
)


def _thin_root(event_type: str, subject: _Object) -> Root | None:
    """A thin event names its object and nothing else; what a part belongs to is looked up when it is fetched."""
    acts, named = EVENT_TYPES.get(event_type), _id(subject.id)
    if acts is None or named is None or event_type == "invoice.upcoming":
        return None
    part = next((noun for beginning, noun in _THIN_PARTS if event_type.startswith(beginning)), None)
    return Root(part or acts.noun, named)


def _customer(subject: _Object, previous: Any) -> str | None:
    """A detached payment method has no customer any more; whose it was is among the previous attributes."""
    if subject.object == "customer":
        return _id(subject.id)
    before = previous.get("customer") if isinstance(previous, dict) else None
    return _id(subject.customer) or _id(before)


def _id(named: Any) -> str | None:
    """An id, or that of an expanded object; None for anything else. Ids are opaque and at most 255 characters."""
    if isinstance(named, dict):
        named = named.get("id")
    return named if isinstance(named, str) and 1 <= len(named) <= ID_CHARACTERS_MAX and "\x00" not in named else None
