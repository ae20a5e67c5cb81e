"""Several calls at one moment, on threads of their own."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TypeVar

Outcome = TypeVar("Outcome")


def at_once(calls: Sequence[Callable[[], Outcome]]) -> list[Outcome]:
    """The outcomes, in the order of the calls. What one of them raises is raised here, when all have ended."""
    start = threading.Barrier(len(calls))

    def run(call: Callable[[], Outcome]) -> Outcome:
        start.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        begun = [threads.submit(run, call) for call in calls]
    return [each.result() for each in begun]
