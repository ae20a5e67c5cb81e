"""How often one address may be wrong: a bucket per address, in this process. Right credentials cost nothing."""

import threading
from collections.abc import Callable

FAILURES_AT_ONCE = 20
FAILURES_PER_S = 1.0
_ADDRESSES_MAX = 10_000


class FailureLimiter:
    """Twenty wrong credentials at once, then one a second."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._buckets: dict[str, tuple[float, float]] = {}
        self._lock = threading.Lock()

    def is_exhausted(self, address: str | None) -> bool:
        if address is None or address not in self._buckets:
            return False
        return self._left(address) < 1.0

    def count(self, address: str | None) -> None:
        if address is None:
            return
        with self._lock:
            if len(self._buckets) >= _ADDRESSES_MAX:
                self._forget_the_full()
            self._buckets[address] = (max(0.0, self._left(address) - 1.0), self._monotonic())

    def _left(self, address: str) -> float:
        left, counted_at = self._buckets.get(address, (float(FAILURES_AT_ONCE), self._monotonic()))
        return min(float(FAILURES_AT_ONCE), left + (self._monotonic() - counted_at) * FAILURES_PER_S)

    def _forget_the_full(self) -> None:
        """Addresses that have been quiet long enough; if all are busy, the fullest half."""
        by_fullness = sorted(self._buckets, key=self._left, reverse=True)
        for address in by_fullness[: len(by_fullness) // 2]:
            del self._buckets[address]
