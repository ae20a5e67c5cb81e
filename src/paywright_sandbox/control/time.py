"""The account clock."""

import re

from ..account import Account
from ..errors import Json, invalid
from ..web import WebRequest
from .door import control

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
DURATION = re.compile(r"([0-9]{1,9})([smhdw])")
LATEST = 221_845_392_000
"""The year 9000: calendars end not long after."""


@control("GET /_sandbox/clock")
async def read(request: WebRequest, account: Account) -> Json:
    return shown(account)


@control("POST /_sandbox/clock/advance")
async def advance(request: WebRequest, account: Account) -> Json:
    """`{by: "31d"}` (s m h d w, or seconds as a number) or `{to: unix}`; `wait` defaults to true."""
    await request.engine.advance(
        account, target(request.json, account.clock.now()), wait=bool(request.json.get("wait", True))
    )
    return shown(account)


@control("POST /_sandbox/clock/freeze")
async def freeze(request: WebRequest, account: Account) -> Json:
    """
    Stops the clock where it stands, or at `{at: unix}` ahead, where nothing has happened yet at any instant; `{frozen: false}` lets it run on from
    there.
    """
    now = account.clock.now()
    if request.json.get("frozen", True) is False:
        account.clock.frozen_at = None
        account.clock.set(now)
    else:
        at = request.json.get("at", now)
        earliest = now if account.has_begun else 0
        if not isinstance(at, int) or isinstance(at, bool) or not earliest <= at <= LATEST:
            raise invalid("The clock moves forward only, and not beyond the year 9000.", param="at")
        if at > now:
            await request.engine.advance(account, at, wait=False)
        account.clock.frozen_at, account.clock.offset = at, 0
    request.engine.store.save_account(account)
    return shown(account)


def target(wish: Json, now: int) -> int:
    by, to = wish.get("by"), wish.get("to")
    if (by is None) == (to is None):
        raise invalid("Give either by or to.", param="by")
    match = DURATION.fullmatch(by) if isinstance(by, str) else None
    if isinstance(to, int) and not isinstance(to, bool):
        reached = to
    elif isinstance(by, int) and not isinstance(by, bool) and by >= 0:
        reached = now + by
    elif match:
        reached = now + int(match[1]) * UNITS_S[match[2]]
    else:
        raise invalid("by is a number of seconds or text such as 90s, 15m, 1h, 31d, 2w; to is a Unix time.", param="by")
    if reached > LATEST:
        raise invalid("The clock does not go beyond the year 9000.", param="by" if to is None else "to")
    return reached


def shown(account: Account) -> Json:
    return {
        "now": account.clock.now(),
        "frozen": account.clock.frozen_at is not None,
        "offset": account.clock.offset,
        "next_due": [
            {"when": due.when, "kind": due.kind, "object": due.object_id, "clock": due.clock}
            for due in sorted(account.due.values())[:20]
        ],
    }
