"""
A process with everything imported and nothing opened. Each line on standard input is a life: it is lived by a fork, which opens the engine on a
database, does a deed, and may be killed at a numbered point of it. The line on standard output says how it ended.

A cold start takes more than a second, a fork some milliseconds. There is one thread here, so nothing is held by anybody when it forks.
"""

import importlib
import os
import sys
import traceback

import msgspec
import stripe  # noqa: F401 — the gateway would import it in every fork.

from paywright.kernel import faults
from tests.crash.deeds import DEEDS, Shopper, Till


class Life(msgspec.Struct, frozen=True):
    """`crash_at` 0: it lives. `trace` is the file that every point is written to."""

    deed: str
    till: Till
    crash_at: int = 0
    trace: str | None = None


class Death(msgspec.Struct, frozen=True):
    """`signal` 0: it ended by itself, and `error` says what went wrong, if anything did."""

    signal: int
    error: str | None


def lived(life: Life) -> None:
    """In the fork. The points are counted from here on."""
    os.environ["PAYWRIGHT_CRASH_AT"] = str(life.crash_at)
    if life.trace:
        os.environ["PAYWRIGHT_CRASH_TRACE"] = life.trace
    importlib.reload(faults)
    app = life.till.opened()
    shopper = Shopper(life.till, app)
    DEEDS[life.deed](shopper)
    app.close()


def forked(life: Life) -> Death:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        try:
            lived(life)
        except BaseException:  # noqa: BLE001 — told to whoever asked for this life.
            os.write(writing, traceback.format_exc().encode())
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        error = told.read().decode()
    _, status = os.waitpid(child, 0)
    return Death(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0, error or None)


if __name__ == "__main__":
    for line in sys.stdin.buffer:
        death = forked(msgspec.json.decode(line, type=Life))
        sys.stdout.buffer.write(msgspec.json.encode(death) + b"\n")
        sys.stdout.buffer.flush()
