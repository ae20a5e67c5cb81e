"""
The real server on a filled database, and beside its routes one that does nothing: `GET /v1/nothing`, identified and counted like any other.

`server.py URL`; says `{"url", "key"}` when it is ready, ends with its standard input.
"""

import json
import sys
from typing import Any

from paywright import app as doors
from paywright.access.actions import create_key
from paywright.access.model import CreatedKey
from paywright.api import hot
from paywright.api.asgi import Receive, Scope, Send, header, send_answer
from paywright.api.call import Answer
from paywright.api.listening import Listening, keep_what_is_there
from paywright.api.server import build
from paywright.catalog.actions import apply
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings

NOTHING = "/v1/nothing"


class WithNothing(hot.Hot):
    async def takes(self, scope: Scope, receive: Receive, send: Send) -> bool:
        if scope["path"] != NOTHING:
            return await super().takes(scope, receive, send)
        scope["paywright.route"] = NOTHING
        authorization = header(scope, b"authorization")
        caller = self._credentials.recall(authorization) or await self._identified(authorization, scope)
        assert not isinstance(caller, Refusal), caller
        await send_answer(
            send, Answer(200, {"id": "credits", "display_name": "Credits", "quantity": 1, "held": 0, "expiring": []})
        )
        return True


def main() -> None:
    app = doors.open_app(
        Settings(database_url=sys.argv[1], secret="a secret of this measurement only"), provider="instant"
    )
    catalog: dict[str, Any] = {"items": {"credits": {"display_name": "Credits"}}}
    with app.work("test") as work:
        apply(work, catalog, is_in_use=doors.is_in_use)
        key = create_key(work, "secret")
    assert isinstance(key, CreatedKey)
    front: Any = build(app)
    front._hot = WithNothing(app)
    keep_what_is_there()
    with Listening(front) as server:
        sys.stdout.write(json.dumps({"url": server.url, "key": key.plain}) + "\n")
        sys.stdout.flush()
        sys.stdin.read()
    app.close()


main()
