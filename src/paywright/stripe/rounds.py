"""
Fetches made together: each object has one number and is asked for once, however many lead to it.

A purchase is told by a dozen events about six objects which name each other: its session leads to the subscription, the invoice and the payment, and
each of those has events of its own. A round begins when the rows it is for are claimed and that is committed. All its numbers are taken and all its
calls made after that, so whatever it brings is news for every one of them.
"""

import threading
from collections.abc import Callable, Hashable, Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, TypeVar

Made = TypeVar("Made")


class Round:
    """Of one environment. Thread-safe. `numbers` are fetch numbers that are taken and committed already, by root."""

    def __init__(self, numbers: Mapping[str, int] | None = None) -> None:
        self._lock = threading.Lock()
        self._made: dict[Hashable, Future[Any]] = {}
        for root, number in (numbers or {}).items():
            known: Future[int] = Future()
            known.set_result(number)
            self._made["number", root] = known

    @contextmanager
    def taking_part(self) -> Iterator[None]:
        """What this thread fetches in the block belongs to the round."""
        token = _present.set(self)
        try:
            yield
        finally:
            _present.reset(token)

    def once(self, what: Hashable, make: Callable[[], Made]) -> Made:
        """What the first who asks makes, for all; what he raises, too."""
        with self._lock:
            made = self._made.get(what)
            is_first = made is None
            if made is None:
                made = self._made[what] = Future()
        if is_first:
            try:
                made.set_result(make())
            except BaseException as error:  # noqa: BLE001 — handed on to everybody who waits for it, the first one too.
                made.set_exception(error)
        return made.result()  # type: ignore[no-any-return]


_present: ContextVar[Round | None] = ContextVar("paywright_round", default=None)


def once_in_round(what: Hashable, make: Callable[[], Made]) -> Made:
    """Outside a round everybody makes it himself."""
    present = _present.get()
    return make() if present is None else present.once(what, make)
