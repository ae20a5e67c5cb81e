"""Claim tokens and sign-in codes. Pure."""

import hashlib
import re
from collections.abc import Sequence

from paywright.claims.model import ClaimState
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import OwnedProduct

CODE_LIFE_MS = 10 * 60_000
CODE_TRIES_MAX = 5
CODES_PER_HOUR_MAX = 5
DIFFERENT_CHARACTERS_MIN = 10

_TOKEN = re.compile(r"[A-Za-z0-9_-]{32,128}")


def weak_token(token: str) -> Refusal | None:
    """The app's own token: 32 to 128 of `A-Z a-z 0-9 _ -` with at least ten different ones."""
    if _TOKEN.fullmatch(token) and len(set(token)) >= DIFFERENT_CHARACTERS_MIN:
        return None
    return Refusal("weak_claim_token")


def token_hash(token: str) -> bytes:
    """What is stored. A token of 256 random bits needs no salt."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()


def state_of(owned: Sequence[OwnedProduct], now: int) -> ClaimState:
    """`owned` with ended ones. Something live: active. Everything gone: refunded. Nothing at all: pending."""
    if any(each.is_live(now) for each in owned):
        return "active"
    return "refunded" if owned else "pending"
