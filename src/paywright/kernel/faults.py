"""
Numbered points for crash tests.

`storage` and the Stripe gateway call `point` around every statement, commit, call and reply. With
`PAYWRIGHT_CRASH_AT=n` in the environment the process kills itself (SIGKILL, no clean-up) at the nth point it reaches;
with `PAYWRIGHT_CRASH_TRACE=file` it writes down each point instead. A fork, which has no environment of its own, is told by `arm`. Domain code
knows nothing of this.

Reads are not counted. They leave nothing behind, so to die before one is to die after the point before it; and the worker's idle
looking around would make the numbers different in every run.
"""

import os
import signal
import threading
from collections.abc import Callable

_crash_at = int(os.environ.get("PAYWRIGHT_CRASH_AT", "0"))
_trace = os.environ.get("PAYWRIGHT_CRASH_TRACE")
_armed = bool(_crash_at or _trace)
_READS = tuple(f"statement {word}" for word in ("SELECT", "BEGIN", "PRAGMA", "SET ", "SHOW", "WITH RECURSIVE"))
_lock = threading.Lock()
_reached = 0
_watch: Callable[[int, str], None] | None = None


def is_armed() -> bool:
    """Asked by a database when it is opened: only then are its statements numbered."""
    return _armed


def arm(crash_at: int = 0, watch: Callable[[int, str], None] | None = None) -> None:
    """From here on points are counted, from 1. `watch` is called at each, before the process dies of it; the process stands still meanwhile."""
    global _armed, _crash_at, _watch, _reached
    with _lock:
        _armed, _crash_at, _watch, _reached = True, crash_at, watch, 0


def disarmed_until_ready() -> None:
    """Starting up is not part of a purchase: the server calls this when it is ready, and counting begins at zero."""
    global _reached
    with _lock:
        _reached = 0


def point(name: str) -> None:
    """One numbered point. Costs one comparison when no crash test is on."""
    if not _armed or name.startswith(_READS):
        return
    global _reached
    with _lock:
        _reached += 1
        if _trace:
            with open(_trace, "a", encoding="utf-8") as file:
                file.write(f"{_reached} {name}\n")
        if _watch is not None:
            _watch(_reached, name)
        if _reached == _crash_at:
            os.kill(os.getpid(), signal.SIGKILL)
