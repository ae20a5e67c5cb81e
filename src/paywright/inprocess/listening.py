"""Streams of a `Paywright`, straight from the dispatcher: no socket, no token, and everything a secret key may see."""

import asyncio
import threading
from collections.abc import AsyncGenerator, Generator, Sequence

from paywright.api.call import Call
from paywright.api.errors import refused
from paywright.client.errors import of_answer
from paywright.client.transport import Frame, Frames, ListeningOver
from paywright.kernel.refusals import Refusal
from paywright.realtime.dispatcher import Dispatcher
from paywright.realtime.model import Credential
from paywright.realtime.streams import Stream, Wake


def listen(call: Call, seen: int | None) -> Generator[Frame, None, None]:
    """In the caller's own thread, which waits between the events."""
    told = threading.Event()
    dispatcher, stream = _opened(call, seen, lambda _: told.set())
    frames = Frames()
    try:
        while True:
            told.wait()
            told.clear()
            yield from frames.feed(_taken(dispatcher, stream))
    finally:
        dispatcher.leave(stream)


async def listen_async(call: Call, seen: int | None) -> AsyncGenerator[Frame, None]:
    loop, told = asyncio.get_running_loop(), asyncio.Event()

    def wake(_: Sequence[Stream]) -> None:
        if not loop.is_closed():
            loop.call_soon_threadsafe(told.set)

    dispatcher, stream = _opened(call, seen, wake)
    frames = Frames()
    try:
        while True:
            await told.wait()
            told.clear()
            for frame in frames.feed(_taken(dispatcher, stream)):
                yield frame
    finally:
        dispatcher.leave(stream)


def _opened(call: Call, seen: int | None, wake: Wake) -> tuple[Dispatcher, Stream]:
    dispatcher = call.app.resource(Dispatcher)
    mine = Credential("process", call.environment.id, call.caller.actor)
    stream = dispatcher.open(call.environment, call.owner, mine, sees_all=True, seen=seen, wake=wake)
    if isinstance(stream, Refusal):
        answer = refused(stream, call.request.request_id)
        raise of_answer(answer.status, answer.body)
    return dispatcher, stream


def _taken(dispatcher: Dispatcher, stream: Stream) -> bytes:
    frames = stream.take()
    if not frames and stream.ended:
        raise ListeningOver
    if not frames and stream.is_behind:
        dispatcher.behind(stream)
    return frames
