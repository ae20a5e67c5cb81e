"""What each template is tried with, and what `paywright emails preview` shows: every name a template may use stands here, present and absent."""

from typing import Any

from paywright.emails.model import Kind

Facts = dict[str, Any]

_LINES = [{"name": "Pro <Café & Söhne> ✨", "quantity": 1}, {"name": "100 credits", "quantity": 3}]
_NAMED = {"product": "Pro <Café & Söhne> ✨", "account_url": "https://shop.example/account/sample"}
_BARE: Facts = {"account_url": None}


def _usd(amount: int) -> Facts:
    return {"amount": amount, "currency": "usd"}


_RECEIPT: Facts = {
    "amount": _usd(4999),
    "paid_at": "2026-03-01T12:00:00Z",
    "payment_id": "pay_sample",
    "lines": _LINES,
    "invoice_number": "A1B2-0007",
    "invoice_url": "https://invoice.example/i/sample",
    "receipt_url": "https://pay.example/receipts/sample",
    "account_url": "https://shop.example/account/sample",
}
_FAILED: Facts = {
    "amount": _usd(1999),
    "lines": _LINES[:1],
    "failure": "The card has too little on it.",
    "next_attempt_at": "2026-03-04T12:00:00Z",
    "pay_url": "https://invoice.example/i/sample",
    "account_url": "https://shop.example/account/sample",
}
_REFUND: Facts = {
    "amount": _usd(1999),
    "full": True,
    "payment_amount": _usd(1999),
    "payment_id": "pay_sample",
    "lines": _LINES[:1],
    "account_url": "https://shop.example/account/sample",
}
_INCIDENT: Facts = {
    "incident": "duplicate_purchase",
    "about": "Somebody paid twice for the same thing.",
    "facts": [["checkout session id", "chk_sample"], ["refused", "already_owned"]],
    "customer": "user:u_1",
    "environment": "live",
}
_DISPUTE: Facts = {
    "amount": _usd(1999),
    "payment_id": "pay_sample",
    "dispute_id": "dp_sample",
    "customer": "user:u_1",
    "environment": "live",
}

SAMPLES: dict[Kind, list[Facts]] = {
    "receipt": [
        _RECEIPT,
        _RECEIPT | _BARE | {"lines": [], "invoice_number": None, "invoice_url": None, "receipt_url": None},
    ],
    "payment_failed": [
        _FAILED,
        _FAILED | _BARE | {"lines": [], "failure": None, "next_attempt_at": None, "pay_url": None},
        _FAILED | {"pay_url": None},
    ],
    "refund": [_REFUND, _REFUND | _BARE | {"full": False, "amount": {"amount": 500, "currency": "jpy"}, "lines": []}],
    "trial_ending": [
        {"trial_end": "2026-03-04T12:00:00Z", **_NAMED},
        {"trial_end": "2026-03-04T12:00:00Z", **_NAMED, **_BARE},
    ],
    "renewal_upcoming": [
        {"renews_at": "2026-04-01T12:00:00Z", "amount": _usd(1999), **_NAMED},
        {"renews_at": "2026-04-01T12:00:00Z", "amount": None, **_NAMED, **_BARE},
    ],
    "cancel_scheduled": [
        {"ends_at": "2026-04-01T12:00:00Z", **_NAMED},
        {"ends_at": "2026-04-01T12:00:00Z", **_NAMED, **_BARE},
    ],
    "plan_ended": [
        {"ended_at": "2026-04-01T12:00:00Z", "reason": "unpaid", **_NAMED},
        {"ended_at": "2026-04-01T12:00:00Z", "reason": "canceled", **_NAMED, **_BARE},
    ],
    "units_expiring": [
        {
            "item": "Credits",
            "quantity": 1250,
            "expires_at": "2026-04-01T12:00:00Z",
            "account_url": _NAMED["account_url"],
        },
        {"item": "Credits", "quantity": 1, "expires_at": "2026-04-01T12:00:00Z", **_BARE},
    ],
    "sign_in_code": [{"code": "042137", "minutes": 10}],
    "dispute": [
        _DISPUTE | {"result": "opened"},
        _DISPUTE | {"result": "won"},
        _DISPUTE | {"result": "lost", "customer": None},
    ],
    "incident": [_INCIDENT, _INCIDENT | {"facts": [], "customer": None}],
    "payout_failed": [
        {"payout_id": "po_sample", "amount": _usd(120000), "failure": "The account is closed.", "environment": "live"},
        {"payout_id": "po_sample", "amount": _usd(120000), "failure": None, "environment": "live"},
    ],
}
