"""Faults on order (`POST /_sandbox/fail-next`): what a network and a busy Stripe do to an application."""

import asyncio
import re
from dataclasses import dataclass

from . import protocol
from .access import caller_of
from .account import Account
from .engine import Engine
from .errors import ApiError, Json, invalid
from .web import WebAnswer, WebRequest

KINDS = ("timeout", "refuse", "drop_response")
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


@dataclass
class Fault:
    method: str | None
    path: str | None
    times: int
    kind: str
    """One of KINDS, `status` or `slow`."""
    status: int = 0
    slow_ms: int = 0


def fault_from(wish: Json) -> Fault:
    """`{match?: {method, path}, times: 1, as: 500 | "timeout" | {"slow_ms": 300}}`; the path may hold `*`."""
    match, kind, times = wish.get("match") or {}, wish.get("as"), wish.get("times", 1)
    if not isinstance(times, int) or times < 1:
        raise invalid("times must be a whole number above 0.", param="times")
    fault = Fault(match.get("method"), match.get("path"), times, "status")
    if isinstance(kind, dict) and isinstance(kind.get("slow_ms"), int):
        fault.kind, fault.slow_ms = "slow", kind["slow_ms"]
    elif "slow_ms" in wish and isinstance(wish["slow_ms"], int):
        fault.kind, fault.slow_ms = "slow", wish["slow_ms"]
    elif kind in KINDS:
        fault.kind = kind
    elif str(kind).isdigit() and int(str(kind)) in STATUSES:
        fault.status = int(str(kind))
    else:
        raise invalid(f"as must be one of {', '.join([*map(str, STATUSES), *KINDS])} or slow_ms.", param="as")
    return fault


def fault_for(account: Account, request: WebRequest) -> Fault | None:
    """The first ordered fault that matches, used once."""
    faults: list[Fault] = account.faults
    for fault in faults:
        if fault.method not in (None, request.method):
            continue
        if fault.path is not None and not matches(fault.path, request.path):
            continue
        fault.times -= 1
        if not fault.times:
            faults.remove(fault)
        return fault
    return None


def matches(pattern: str, path: str) -> bool:
    return re.fullmatch(re.escape(pattern).replace(r"\*", ".*"), path) is not None


async def troubled(engine: Engine, fault: Fault | None, request: WebRequest) -> WebAnswer:
    """The answer as the fault lets it through. Only `drop_response` and `slow` do the work."""
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
        case "slow":
            return await slow(engine, fault, request)
    refusal = ApiError(fault.status, f"Injected by fail-next: {fault.status}.", **STATUSES[fault.status])
    return protocol.answer(engine, request, refusal)


async def slow(engine: Engine, fault: Fault, request: WebRequest) -> WebAnswer:
    """Meanwhile the idempotency key is in use, and says so to a second request with it."""
    account = caller_of(engine.store, request.headers).account
    key = protocol.reserve(engine, request)
    try:
        await asyncio.sleep(fault.slow_ms / 1000)
    finally:
        if key:
            account.idempotency.pop(key, None)
    return protocol.answer(engine, request)
