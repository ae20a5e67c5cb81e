"""
Counters of this process in Prometheus' text format, version 0.0.4.

Labels are route patterns, never paths, so their number is fixed and no customer shows in them.
"""

import threading
from collections import defaultdict
from collections.abc import Iterator

BUCKETS_S = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)


class Metrics:
    """Thread-safe."""

    def __init__(self, _app: object) -> None:
        self._lock = threading.Lock()
        self._requests: dict[tuple[str, str, int], int] = defaultdict(int)
        self._buckets = [0] * (len(BUCKETS_S) + 1)
        self._seconds = 0.0

    def count(self, method: str, route: str, status: int, seconds: float) -> None:
        with self._lock:
            self._requests[method, route, status] += 1
            self._buckets[next((place for place, limit in enumerate(BUCKETS_S) if seconds <= limit), -1)] += 1
            self._seconds += seconds

    def close(self) -> None:
        """Nothing to end: it lives and goes with its App."""

    def text(self, gauges: dict[str, int]) -> str:
        """`gauges`: further numbers by their full name, read from the database by whoever asks."""
        with self._lock:
            return "\n".join(self._lines(gauges)) + "\n"

    def _lines(self, gauges: dict[str, int]) -> Iterator[str]:
        yield "# HELP paywright_http_requests_total Requests answered."
        yield "# TYPE paywright_http_requests_total counter"
        for (method, route, status), number in sorted(self._requests.items()):
            yield f'paywright_http_requests_total{{method="{method}",route="{route}",status="{status}"}} {number}'
        yield "# HELP paywright_http_request_seconds Time from the request to its answer."
        yield "# TYPE paywright_http_request_seconds histogram"
        total = 0
        for limit, number in zip(BUCKETS_S, self._buckets, strict=False):
            total += number
            yield f'paywright_http_request_seconds_bucket{{le="{limit}"}} {total}'
        total += self._buckets[-1]
        yield f'paywright_http_request_seconds_bucket{{le="+Inf"}} {total}'
        yield f"paywright_http_request_seconds_sum {self._seconds:.6f}"
        yield f"paywright_http_request_seconds_count {total}"
        for name, value in sorted(gauges.items()):
            yield f"# TYPE {name.partition('{')[0]} gauge"
            yield f"{name} {value}"
