"""
What is sent to whom. Pure.

A stream begins with a `snapshot`, which is `GET C`, and goes on with one `change` per commit. Each carries the customer's `version` as its id, so a
reader that comes back with `Last-Event-ID` is told only what it missed, as long as that is known and not too much.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from paywright.realtime.model import Change

CHANGES_MAX = 100
"""More commits than this at once, since the last look or the last visit, are told as one snapshot."""

HEARTBEAT = b":\n\n"
RESUMED = b": nothing has changed\n\n"


def last_event_id(sent: str | None) -> int | None:
    """The version a reader has seen; None for no such header, and for one that was not ours."""
    return int(sent) if sent is not None and sent.isascii() and sent.isdecimal() and len(sent) <= 18 else None


def missed(seen: int | None, version: int, changes: Sequence[Change]) -> list[Change] | None:
    """
    What a reader who has seen a version was not told, oldest first; None: tell everything.

    `changes` are the newest known ones, oldest first. A version from the future was another database's.
    """
    if seen is None or seen > version:
        return None
    later = [change for change in changes if seen < change.version <= version]
    if len(later) > CHANGES_MAX or not is_whole(seen, version, later):
        return None
    return later


def is_whole(seen: int, version: int, changes: Sequence[Change]) -> bool:
    """Whether the changes lead from one version to the other without a gap."""
    for change in changes:
        if change.previous != seen:
            return False
        seen = change.version
    return seen == version


def snapshot(state: dict[str, Any]) -> bytes:
    return frame("snapshot", state["version"], msgspec.json.encode(state))


def change_frames(changes: Sequence[Change], state: dict[str, Any]) -> bytes:
    """
    One `change` each. `state` is `GET C` as it was read after the last of them: what a commit between two reads left is known to nobody any more.
    """
    shown = msgspec.Raw(msgspec.json.encode(state))
    frames = []
    for change in changes:
        told = {"version": change.version, "previous": change.previous, "changes": change.changes, "state": shown}
        frames.append(frame("change", change.version, msgspec.json.encode(told)))
    return b"".join(frames)


def frame(event: str, number: int, text: bytes) -> bytes:
    """JSON from msgspec has no line breaks, so it is one `data` line. Source: https://html.spec.whatwg.org/multipage/server-sent-events.html."""
    assert b"\n" not in text
    return b"event: %s\nid: %d\ndata: %s\n\n" % (event.encode(), number, text)
