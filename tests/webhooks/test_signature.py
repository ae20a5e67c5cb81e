"""The signature, against the SDK's own signer and verifier in both directions. Rules §10 of Stripe events."""

import hashlib
import hmac

import pytest
from stripe import SignatureVerificationError, WebhookSignature

from paywright.webhooks.rules import TOLERANCE_S, signature_fault

NOW = 1_790_000_000
BODY = '{"id": "evt_1", "amount": "19,99 €"}'.encode()
NOT_UTF8 = b"\xff\xfe{}"


def v1(body: bytes, secret: str, stamp: int = NOW) -> str:
    return hmac.new(secret.encode(), f"{stamp}.".encode() + body, hashlib.sha256).hexdigest()


GENUINE = f"t={NOW},v1={v1(BODY, 'whsec_a')}"

CASES = {
    "genuine": (GENUINE, BODY, None),
    "missing": (None, BODY, "missing"),
    "empty": ("", BODY, "missing"),
    "no stamp": (f"v1={v1(BODY, 'whsec_a')}", BODY, "malformed"),
    "no signature": (f"t={NOW}", BODY, "malformed"),
    "only another scheme": (f"t={NOW},v0={v1(BODY, 'whsec_a')}", BODY, "malformed"),
    "stamp is no number": (f"t=soon,v1={v1(BODY, 'whsec_a')}", BODY, "malformed"),
    "stamp in other digits": (f"t=١٧٩,v1={v1(BODY, 'whsec_a')}", BODY, "malformed"),
    "negative stamp": (f"t=-5,v1={v1(BODY, 'whsec_a', -5)}", BODY, "malformed"),
    "endless header": (GENUINE + ",v0=" + "a" * 5000, BODY, "malformed"),
    "wrong secret": (f"t={NOW},v1={v1(BODY, 'whsec_b')}", BODY, "wrong"),
    "wrong signature": (f"t={NOW},v1={'0' * 64}", BODY, "wrong"),
    "signature not ASCII": (f"t={NOW},v1=ü{v1(BODY, 'whsec_a')[1:]}", BODY, "wrong"),
    "signature cut off": (GENUINE[:-1], BODY, "wrong"),
    "stamp of another delivery": (f"t={NOW - 1},v1={v1(BODY, 'whsec_a')}", BODY, "wrong"),
    "body changed by one byte": (GENUINE, BODY + b" ", "wrong"),
    "body not UTF-8, unsigned": (GENUINE, NOT_UTF8, "wrong"),
    "body not UTF-8, signed": (f"t={NOW},v1={v1(NOT_UTF8, 'whsec_a')}", NOT_UTF8, None),
    "several signatures": (f"t={NOW},v1={'0' * 64},v1={v1(BODY, 'whsec_a')}", BODY, None),
    "beside another scheme": (f"t={NOW},v0={'0' * 64},v1={v1(BODY, 'whsec_a')}", BODY, None),
    "just in time": (f"t={NOW - TOLERANCE_S},v1={v1(BODY, 'whsec_a', NOW - TOLERANCE_S)}", BODY, None),
    "stale": (f"t={NOW - TOLERANCE_S - 1},v1={v1(BODY, 'whsec_a', NOW - TOLERANCE_S - 1)}", BODY, "stale"),
    "just ahead": (f"t={NOW + TOLERANCE_S},v1={v1(BODY, 'whsec_a', NOW + TOLERANCE_S)}", BODY, None),
    "future": (f"t={NOW + TOLERANCE_S + 1},v1={v1(BODY, 'whsec_a', NOW + TOLERANCE_S + 1)}", BODY, "future"),
    "stale and wrong": (f"t={NOW - 9999},v1={'0' * 64}", BODY, "wrong"),
}


@pytest.mark.parametrize(("header", "body", "expected"), CASES.values(), ids=CASES.keys())
def test_a_signature_is_genuine_or_says_what_is_wrong(header: str | None, body: bytes, expected: str | None) -> None:
    assert signature_fault(["whsec_a"], body, header, now_s=NOW) == expected


@pytest.mark.parametrize("secrets", [["whsec_new", "whsec_old"], ["whsec_old"], ["1", "2", "3", "4", "whsec_old"]])
def test_every_secret_we_hold_is_tried(secrets: list[str]) -> None:
    assert signature_fault(secrets, BODY, f"t={NOW},v1={v1(BODY, 'whsec_old')}", now_s=NOW) is None


def test_no_secret_accepts_nothing() -> None:
    assert signature_fault([], BODY, GENUINE, now_s=NOW) == "wrong"


@pytest.mark.parametrize("body", ["{}", '{"a": "é€𝄞"}', "", "not json"])
def test_what_the_sdk_signs_is_genuine(body: str) -> None:
    header = WebhookSignature.generate_signature_header(body, "whsec_a", NOW)
    assert signature_fault(["whsec_a"], body.encode(), header, now_s=NOW) is None


@pytest.mark.parametrize(("header", "body", "expected"), CASES.values(), ids=CASES.keys())
def test_what_we_accept_the_sdk_accepts_too(header: str | None, body: bytes, expected: str | None) -> None:
    try:
        WebhookSignature.verify_header(body, header, "whsec_a", tolerance=None)
        accepted = True
    except (SignatureVerificationError, TypeError, UnicodeDecodeError):
        accepted = False
    if expected is None:
        assert accepted or b"\xff" in body
    elif expected in ("missing", "wrong"):
        assert not accepted
