"""Ids made by us: a kind prefix and 26 characters that sort by time (48 bits of milliseconds, then 80 random bits)."""

import os
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """`own_01jq…`: unique without asking anyone; later ids sort after earlier ones, within this process even inside one millisecond."""
    global _last
    random_bits = int.from_bytes(os.urandom(10), "big")
    with _lock:
        number = max((time.time_ns() // 1_000_000) << 80 | random_bits, _last + 1 + (random_bits >> 16))
        _last = number
    letters = []
    for _ in range(26):
        letters.append(_ALPHABET[number & 31])
        number >>= 5
    return f"{prefix}_{''.join(reversed(letters))}"


def wall_ms() -> int:
    """The machine's clock. Business time is `work.now`; this is for signatures, tokens, claims and retries."""
    return time.time_ns() // 1_000_000
