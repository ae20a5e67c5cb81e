"""Ids and secrets, drawn from a seed: the same seed and the same calls give the same ids, also after a restart."""

import hashlib
import secrets

ALPHABET = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"

PREFIX = {
    "account": "acct",
    "balance_transaction": "txn",
    "billing_portal.configuration": "bpc",
    "billing_portal.session": "bps",
    "charge": "ch",
    "checkout.session": "cs_test",
    "coupon": "co",
    "credit_note": "cn",
    "customer": "cus",
    "customer_balance_transaction": "cbtxn",
    "discount": "di",
    "dispute": "du",
    "event": "evt",
    "invoice": "in",
    "invoice_payment": "inpay",
    "invoiceitem": "ii",
    "item": "li",
    "line_item": "il",
    "mandate": "mandate",
    "payment_intent": "pi",
    "payment_method": "pm",
    "payout": "po",
    "price": "price",
    "product": "prod",
    "promotion_code": "promo",
    "radar.early_fraud_warning": "issfr",
    "refund": "re",
    "request": "req",
    "setup_attempt": "setatt",
    "setup_intent": "seti",
    "subscription": "sub",
    "subscription_item": "si",
    "subscription_schedule": "sub_sched",
    "tax_rate": "txr",
    "test_helpers.test_clock": "clock",
    "transfer": "tr",
    "webhook_endpoint": "we",
}


class Ids:
    """`drawn` is kept with the account, so that ids go on where they stopped."""

    def __init__(self, seed: str, drawn: int = 0) -> None:
        self.seed = seed
        self.drawn = drawn

    def new(self, kind: str, length: int = 24) -> str:
        """An id for this kind of object: its prefix, an underscore, random letters."""
        return f"{PREFIX[kind]}_{self.letters(length)}"

    def letters(self, length: int) -> str:
        self.drawn += 1
        number = int.from_bytes(hashlib.blake2b(f"{self.seed}/{self.drawn}".encode(), digest_size=64).digest(), "big")
        drawn = ""
        while len(drawn) < length:
            number, digit = divmod(number, len(ALPHABET))
            drawn += ALPHABET[digit]
        return drawn

    def client_secret(self, id: str) -> str:
        return f"{id}_secret_{self.letters(25)}"


def random_seed() -> str:
    return secrets.token_hex(16)
