"""Waiting for what another process or thread does. Tests never sleep for a time that was guessed."""

import time
from collections.abc import Callable
from typing import TypeVar

Found = TypeVar("Found")


def until(condition: Callable[[], Found], what: str, *, timeout_s: float = 40) -> Found:
    """What `condition` returned as soon as it is truthy. Raises `TimeoutError`, naming `what`, when it stays falsy."""
    deadline = time.monotonic() + timeout_s
    pause_s = 0.001
    while not (found := condition()):
        if time.monotonic() > deadline:
            raise TimeoutError(f"waited {timeout_s} s for {what}")
        time.sleep(pause_s)
        pause_s = min(pause_s * 2, 0.05)
    return found
