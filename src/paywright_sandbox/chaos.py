"""Deliveries made worse on purpose, by seed: the same seed and the same events suffer the same."""

import random
from collections.abc import Sequence
from typing import Any

from .errors import Json, invalid

SHARES = ("duplicate", "drop", "wrong_secret", "stale_stamp", "future_stamp")
COUNTS = ("shuffle_window", "drop_first")
TYPES = ("hold", "drop_types")
STAMP_SHIFT_S = 3600


def checked(wish: Json) -> Json:
    """The wish as it will be kept; refuses what means nothing."""
    for name, value in wish.items():
        if name in SHARES:
            fits = isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= 1
        elif name in (*COUNTS, "seed"):
            fits = isinstance(value, int) and not isinstance(value, bool) and value >= 0
        elif name == "delay_ms":
            fits = (
                isinstance(value, list)
                and len(value) == 2
                and all(isinstance(edge, int) and not isinstance(edge, bool) for edge in value)
                and 0 <= value[0] <= value[1]
            )
        elif name in TYPES:
            is_list = isinstance(value, list) and all(isinstance(pattern, str) for pattern in value)
            fits = is_list or (name == "hold" and isinstance(value, bool))
        else:
            raise invalid(f"Received unknown parameter: {name}", param=name, code="parameter_unknown")
        if not fits:
            raise invalid(
                f"Invalid {name}: shares are 0 to 1, counts from 0, delay_ms is [least, most], hold and drop_types lists of event types.",
                param=name,
            )
    return wish


def names(patterns: Any, type: str) -> bool:
    """True for every type, or a list of types, of which `invoice.*` means all that begin so."""
    if isinstance(patterns, bool):
        return patterns
    return any(
        type.startswith(pattern[:-1]) if pattern.endswith("*") else type == pattern for pattern in patterns or ()
    )


class Chaos:
    def __init__(self, wish: Json) -> None:
        self.wish = wish
        self.random = random.Random(wish.get("seed", 0))

    def happens(self, share: str) -> bool:
        """Draws even when the share is 0, so that switching one trouble on moves no other."""
        return self.random.random() < float(self.wish.get(share, 0))

    def picked(self, waiting: Sequence[Any]) -> int:
        """Which of the waiting deliveries goes next: the first, or any of the first `shuffle_window`."""
        window = min(self.wish.get("shuffle_window", 0), len(waiting))
        return self.random.randrange(window) if window > 1 else 0

    def delay_s(self) -> float:
        least, most = self.wish.get("delay_ms", (0, 0))
        return self.random.uniform(least, most) / 1000

    def holds(self, type: str) -> bool:
        """Whether an event of this type waits until it is released by hand."""
        return names(self.wish.get("hold"), type)

    def loses(self, type: str) -> bool:
        """Whether this event is never sent; draws either way."""
        return self.happens("drop") or names(self.wish.get("drop_types"), type)

    @property
    def window(self) -> int:
        return int(self.wish.get("shuffle_window", 0))

    @property
    def drop_first(self) -> int:
        return int(self.wish.get("drop_first", 0))

    def stamp(self, now: int) -> int:
        if self.happens("stale_stamp"):
            return now - STAMP_SHIFT_S
        if self.happens("future_stamp"):
            return now + STAMP_SHIFT_S
        return now

    def secrets(self, real: list[str]) -> list[str]:
        return ["whsec_wrong_on_purpose"] if self.happens("wrong_secret") else real
