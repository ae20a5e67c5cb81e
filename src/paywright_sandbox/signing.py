"""The `Stripe-Signature` header: HMAC-SHA256 over the stamp, a dot and the raw body."""

import hashlib
import hmac

TOLERANCE_S = 300


def signature_header(body: bytes, secrets: list[str], stamp: int) -> str:
    """One `v1` per secret: two while a secret is being rolled."""
    return ",".join([f"t={stamp}", *(f"v1={digest(body, secret, stamp)}" for secret in secrets)])


def digest(body: bytes, secret: str, stamp: int) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


def verifies(body: bytes, header: str, secret: str, now: int, tolerance_s: int = TOLERANCE_S) -> bool:
    """Whether any `v1` of the header is this secret's, with a stamp no further from `now` than the tolerance, either way."""
    pairs = [part.strip().partition("=")[::2] for part in header.split(",")]
    stamps = [value for name, value in pairs if name == "t" and value.isascii() and value.isdigit()]
    if len(stamps) != 1 or abs(now - int(stamps[0])) > tolerance_s:
        return False
    expected = digest(body, secret, int(stamps[0])).encode()
    return any(hmac.compare_digest(expected, value.encode()) for name, value in pairs if name == "v1")
