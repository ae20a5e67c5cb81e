"""The door all control routes go through: who asks, JSON out."""

from collections.abc import Awaitable, Callable
from functools import wraps
from typing import Any

from ..access import caller_of
from ..account import Account
from ..web import Act, WebAnswer, WebRequest, json_answer, page

ControlAct = Callable[[WebRequest, Account], Awaitable[Any]]


def control(key: str) -> Callable[[ControlAct], ControlAct]:
    """Registers `POST /_sandbox/…`; the function answers JSON and takes the account of the key that asks."""

    def register(act: ControlAct) -> ControlAct:
        page(key)(answering(act))
        return act

    return register


def answering(act: ControlAct) -> Act:
    @wraps(act)
    async def answer(request: WebRequest) -> WebAnswer:
        account = caller_of(request.engine.store, request.headers).account
        content = await act(request, account)
        return json_answer(content, headers=account.clock.headers())

    return answer
