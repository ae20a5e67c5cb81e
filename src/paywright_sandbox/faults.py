"""Faults on order (`POST /_sandbox/fail-next`): what a network and a busy Stripe do to an application."""

import asyncio
import random
import re
from dataclasses import dataclass
from typing import Any

from . import protocol
from .access import caller_of
from .account import Account
from .engine import Engine
from .errors import ApiError, Json, invalid, unknown_parameter
from .web import WebAnswer, WebRequest

KINDS = ("timeout", "refuse", "drop_response", "timeout_response")
KNOWN = ("as", "match", "times", "share", "seed", "slow_ms")
STATUSES: dict[int, Json] = {
    400: {"type": "invalid_request_error"},
    401: {"type": "invalid_request_error"},
    402: {"type": "card_error", "code": "card_declined"},
    403: {"type": "invalid_request_error"},
    404: {"type": "invalid_request_error", "code": "resource_missing"},
    409: {"type": "invalid_request_error", "code": "lock_timeout", "should_retry": True},
    429: {"type": "invalid_request_error", "code": "rate_limit", "should_retry": False},
    500: {"type": "api_error", "should_retry": False},
    502: {"type": "api_error", "should_retry": False},
    503: {"type": "api_error", "should_retry": True},
}
TIMEOUT_S = 120.0


@dataclass(frozen=True)
class Trouble:
    kind: str
    """One of KINDS, `status` or `slow`."""
    status: int = 0
    slow_ms: int = 0


@dataclass
class Fault:
    """An order. `times` None: it stands until cleared; with a `share` it strikes that share of the requests it matches, drawn by seed."""

    method: str | None
    path: str | None
    times: int | None
    troubles: list[Trouble]
    share: float
    random: random.Random

    def strikes(self) -> Trouble | None:
        """Draws the same number each time, so that the same seed and the same requests suffer the same."""
        luck, which = self.random.random(), self.random.random()
        return self.troubles[int(which * len(self.troubles))] if luck < self.share else None


def fault_from(wish: Json) -> Fault:
    """
    `{match?: {method, path}, times: 1, as: 500 | "timeout" | {"slow_ms": 300} | [429, "drop_response"], share?: 0.1, seed?: 7}`.

    The path may hold `*`. With a `share`, `times` counts what was struck and is without end unless given.
    """
    for name in wish:
        if name not in KNOWN:
            raise unknown_parameter(name)
    match, share, seed = wish.get("match") or {}, wish.get("share", 1), wish.get("seed", 0)
    times = wish.get("times", None if "share" in wish else 1)
    if not isinstance(match, dict) or not all(isinstance(match.get(name, ""), str) for name in ("method", "path")):
        raise invalid("match is {method, path}, both text.", param="match")
    if times is not None and (not is_whole(times) or times < 1):
        raise invalid("times must be a whole number above 0.", param="times")
    if not isinstance(share, int | float) or isinstance(share, bool) or not 0 <= share <= 1:
        raise invalid("share must be 0 to 1.", param="share")
    if not is_whole(seed):
        raise invalid("seed must be a whole number.", param="seed")
    kinds = wish.get("as") if isinstance(wish.get("as"), list) else [wish.get("as")]
    troubles = [trouble_from(kind, wish) for kind in kinds or [None]]
    return Fault(match.get("method"), match.get("path"), times, troubles, float(share), random.Random(seed))


def trouble_from(kind: Any, wish: Json) -> Trouble:
    slow_ms = kind.get("slow_ms") if isinstance(kind, dict) else wish.get("slow_ms") if kind is None else None
    if isinstance(slow_ms, int) and is_whole(slow_ms) and slow_ms >= 0:
        return Trouble("slow", slow_ms=slow_ms)
    if isinstance(kind, str) and kind in KINDS:
        return Trouble(kind)
    if str(kind) in map(str, STATUSES):
        return Trouble("status", int(str(kind)))
    raise invalid(f"as must be one of {', '.join([*map(str, STATUSES), *KINDS])} or slow_ms.", param="as")


def is_whole(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def fault_for(account: Account, request: WebRequest) -> Trouble | None:
    """What the first ordered fault that matches and strikes does to this request."""
    faults: list[Fault] = account.faults
    for fault in list(faults):
        if fault.method not in (None, request.method):
            continue
        if fault.path is not None and not matches(fault.path, request.path):
            continue
        trouble = fault.strikes()
        if trouble is None:
            continue
        if fault.times is not None:
            fault.times -= 1
            if not fault.times:
                faults.remove(fault)
        return trouble
    return None


def matches(pattern: str, path: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path) is not None


async def troubled(engine: Engine, fault: Trouble | None, request: WebRequest) -> WebAnswer:
    """The answer as the fault lets it through. Only `drop_response`, `timeout_response` and `slow` do the work."""
    if fault is None:
        return protocol.answer(engine, request)
    match fault.kind:
        case "refuse":
            return WebAnswer(cut=True)
        case "timeout":
            await asyncio.sleep(TIMEOUT_S)
            return WebAnswer(cut=True)
        case "drop_response":
            protocol.answer(engine, request)
            return WebAnswer(cut=True)
        case "timeout_response":
            protocol.answer(engine, request)
            await asyncio.sleep(TIMEOUT_S)
            return WebAnswer(cut=True)
        case "slow":
            return await slow(engine, fault, request)
    refusal = ApiError(fault.status, f"Injected by fail-next: {fault.status}.", **STATUSES[fault.status])
    return protocol.answer(engine, request, refusal)


async def slow(engine: Engine, fault: Trouble, request: WebRequest) -> WebAnswer:
    """Meanwhile the idempotency key is in use, and says so to a second request with it."""
    account = caller_of(engine.store, request.headers).account
    key = protocol.reserve(engine, request)
    try:
        await asyncio.sleep(fault.slow_ms / 1000)
    finally:
        if key:
            account.idempotency.pop(key, None)
    return protocol.answer(engine, request)
