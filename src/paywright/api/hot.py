"""
Routes that never meet the router: Stripe's door, and reading, increasing and decreasing an item.

They are asynchronous from end to end: a request waits for the commit of its batch, not for a thread.
"""

import re

from paywright.api.asgi import WEBHOOK_BODY_MAX, Receive, Scope, Send, header, read_body, send_answer
from paywright.api.call import Answer
from paywright.api.errors import refused
from paywright.api.parsing import path_part
from paywright.engine.app import App
from paywright.kernel.refusals import Refusal
from paywright.webhooks.door import receive_async

WEBHOOK_ROUTE = "/webhooks/stripe/{environment}"
RECEIVED = Answer(200, b'{"received":true}')

_WEBHOOK = re.compile(r"/webhooks/stripe/([^/]+)")


class Hot:
    def __init__(self, app: App) -> None:
        self._app = app

    async def takes(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """True when the request was one of these and is answered."""
        webhook = _WEBHOOK.fullmatch(scope["path"])
        if webhook is not None and scope["method"] == "POST":
            scope["paywright.route"] = WEBHOOK_ROUTE
            await send_answer(send, await self._receive(scope, receive, webhook[1]))
            return True
        return False

    async def _receive(self, scope: Scope, receive: Receive, encoded_environment: str) -> Answer:
        """Stripe's delivery: on disk before it is answered."""
        body = await read_body(scope, receive, WEBHOOK_BODY_MAX)
        environment_id = path_part(encoded_environment)
        request_id = scope["paywright.request_id"]
        if environment_id is None or "\x00" in environment_id:
            return refused(Refusal("environment_not_found"), request_id)
        outcome = await receive_async(self._app, environment_id, body, header(scope, b"stripe-signature"))
        return refused(outcome, request_id) if isinstance(outcome, Refusal) else RECEIVED
