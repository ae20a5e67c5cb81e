"""Ids made by us: a kind prefix and 26 characters that sort by time (48 bits of milliseconds, then 80 random bits)."""

import os
import threading
import time

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_SHIFTS = range(120, -1, -10)
_lock = threading.Lock()
_last = 0


def new_id(prefix: str) -> str:
    """`own_01jq…`: unique without asking anyone; later ids sort after earlier ones, within this process even inside one millisecond."""
    global _last
    random_bits = int.from_bytes(os.urandom(10), "big")
    with _lock:
        number = max((time.time_ns() // 1_000_000) << 80 | random_bits, _last + 1 + (random_bits >> 16))
        _last = number
    return _written(prefix, number)


def id_at(prefix: str, wall: int) -> str:
    """Sorts before every id made at that millisecond or later, and after all earlier ones. Nobody's id."""
    return _written(prefix, wall << 80)


def _written(prefix: str, number: int) -> str:
    return prefix + "_" + "".join([_PAIRS[number >> shift & 1023] for shift in _SHIFTS])


def wall_ms() -> int:
    """The machine's clock. Business time is `work.now`; this is for signatures, tokens, claims and retries."""
    return time.time_ns() // 1_000_000
