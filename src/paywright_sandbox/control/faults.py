"""Trouble on order, and what was asked."""

import json

from ..account import Account
from ..errors import Json
from ..faults import fault_from
from ..web import WebRequest
from .door import control


@control("POST /_sandbox/fail-next")
async def fail_next(request: WebRequest, account: Account) -> Json:
    """`{match?: {method, path}, times: 1, as}`; orders queue up, `{clear: true}` drops them."""
    if request.json.get("clear"):
        account.faults.clear()
    else:
        account.faults.append(fault_from(request.json))
    return {"waiting": len(account.faults)}


@control("GET /_sandbox/requests")
async def requests(request: WebRequest, account: Account) -> Json:
    """Newest first: the last thousand. `answer` is null where it was longer than 16 kB."""
    return {"data": [{**asked, "answer": json.loads(asked["answer"])} for asked in reversed(account.requests)]}
