"""Routes that never meet the router: the webhook door, and reading, increasing and decreasing an item."""

from paywright.api.asgi import Receive, Scope, Send
from paywright.engine.app import App


class Hot:
    def __init__(self, app: App) -> None:
        self._app = app

    async def takes(self, scope: Scope, receive: Receive, send: Send) -> bool:
        """True when the request was one of these and is answered."""
        return False
