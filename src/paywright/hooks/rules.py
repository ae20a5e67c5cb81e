"""
Who hears what, when a failed delivery comes again, and which addresses are no place to send to. Pure.

Source of the signature: https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md; the schedule is rules.md 11.
"""

import re
from urllib.parse import urlsplit

from paywright.kernel.model import Mode
from paywright.kernel.refusals import Refusal, invalid_request

RETRY_AFTER_MS = (
    5_000, 60_000, 300_000, 1_800_000, 7_200_000, 28_800_000, 86_400_000, 86_400_000,
)  # fmt: skip
"""Eight retries over some two and a half days, always with the same id."""

HOLDS_UP_MS = 15 * 60_000
"""A delivery that still fails after this long no longer holds up that customer's later events."""

DISABLED_AFTER_MS = 5 * 86_400_000
"""A hook that has done nothing but fail for this long is switched off, and somebody is told."""

EVENTS_MAX = 100
_EVENT_NAME = re.compile(r"\*|[a-z_]+\.(?:\*|[a-z_]+)")


def hears(wanted: tuple[str, ...], event_type: str) -> bool:
    family = event_type.partition(".")[0] + ".*"
    return any(name in ("*", family, event_type) for name in wanted)


def next_try_at(attempts: int, now: int) -> int | None:
    """When the next try is due after so many; None when none is left."""
    return now + RETRY_AFTER_MS[attempts - 1] if attempts <= len(RETRY_AFTER_MS) else None


def bad_hook(url: str, events: tuple[str, ...], mode: Mode) -> Refusal | None:
    """https in live; in test http as well. No user name in it: it would be logged by proxies."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return invalid_request("url", "`url` is an absolute http or https URL.")
    schemes = ("https",) if mode == "live" else ("http", "https")
    if parts.scheme not in schemes or not host or len(url) > 2_000 or any(c <= " " for c in url):
        return invalid_request("url", f"`url` is an absolute {' or '.join(schemes)} URL.")
    if parts.username is not None or parts.password is not None:
        return invalid_request("url", "`url` holds no user name or password.")
    if not 1 <= len(events) <= EVENTS_MAX or not all(_EVENT_NAME.fullmatch(name) for name in events):
        return invalid_request("events", "`events` is a list of event names, `payment.*` for a family, or `*` for all.")
    return None
