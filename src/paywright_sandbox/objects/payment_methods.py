"""The payment method: a card or a bank debit. Of the number only the last four digits and a fingerprint are kept."""

import hashlib

from ..cards import ROUTING_NUMBER, Card, Debit
from ..errors import Json


def payment_method(id: str, created: int, type: str) -> Json:
    return {
        "id": id,
        "object": "payment_method",
        "allow_redisplay": "unspecified",
        "billing_details": billing_details({}),
        "created": created,
        "customer": None,
        "customer_account": None,
        "livemode": False,
        "metadata": {},
        "type": type,
        "_set_up": False,
    }


def billing_details(wish: Json) -> Json:
    address = wish.get("address") or {}
    return {
        "address": {
            name: address.get(name) or None for name in ("city", "country", "line1", "line2", "postal_code", "state")
        },
        "email": wish.get("email") or None,
        "name": wish.get("name") or None,
        "phone": wish.get("phone") or None,
        "tax_id": wish.get("tax_id") or None,
    }


def card_details(card: Card, account_seed: str, *, exp_month: int, exp_year: int, has_cvc: bool) -> Json:
    return {
        "brand": card.brand,
        "checks": {
            "address_line1_check": None,
            "address_postal_code_check": None,
            "cvc_check": "unchecked" if has_cvc else None,
        },
        "country": card.country,
        "display_brand": "american_express" if card.brand == "amex" else card.brand,
        "exp_month": exp_month,
        "exp_year": exp_year,
        "fingerprint": fingerprint(card.number, account_seed),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.last4,
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": card.supports_authentication},
        "wallet": None,
    }


def us_bank_account_details(debit: Debit, account_seed: str, wish: Json) -> Json:
    return {
        "account_holder_type": wish.get("account_holder_type", "individual"),
        "account_type": wish.get("account_type", "checking"),
        "bank_name": "STRIPE TEST BANK",
        "financial_connections_account": None,
        "fingerprint": fingerprint(debit.number, account_seed),
        "last4": debit.last4,
        "networks": {"preferred": "ach", "supported": ["ach"]},
        "routing_number": ROUTING_NUMBER,
        "status_details": {},
    }


def sepa_debit_details(debit: Debit, account_seed: str) -> Json:
    return {
        "bank_code": debit.number[4:9],
        "branch_code": "",
        "country": debit.number[:2],
        "fingerprint": fingerprint(debit.number, account_seed),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": debit.last4,
    }


def fingerprint(number: str, account_seed: str) -> str:
    """The same number has the same fingerprint within an account, and another one elsewhere."""
    return hashlib.blake2b(f"{account_seed}/{number}".encode(), digest_size=8).hexdigest()
