"""Tells the sandbox, while it moves its clock, whether everything it sent has been acted on. `dev` mounts it; it says yes or no and nothing else."""

from typing import TYPE_CHECKING, Any

import anyio.to_thread

from paywright import worker
from paywright.api.asgi import Asgi, send_answer
from paywright.api.call import Answer

if TYPE_CHECKING:
    from paywright.engine.app import App
    from paywright.environments.model import Environment


def settled(app: "App", environment: "Environment") -> Asgi:
    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        waiting = await anyio.to_thread.run_sync(worker.waiting, app, environment)
        await send_answer(send, Answer(409 if waiting else 200, {"settled": not waiting}))

    return answer
