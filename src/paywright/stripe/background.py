"""
Calls that nobody waits for: the inbox, the jobs of the worker, reconcile.

They say so, and then they keep to the environment's pace, give Stripe more time to answer, and leave a busy Stripe alone at once instead of asking
again. A buyer's call does none of this, and never waits for those that do.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_is_background: ContextVar[bool] = ContextVar("paywright_is_background", default=False)


@contextmanager
def background() -> Iterator[None]:
    """Every call to Stripe in the block, on this thread, is a background call."""
    token = _is_background.set(True)
    try:
        yield
    finally:
        _is_background.reset(token)


def is_background() -> bool:
    return _is_background.get()
