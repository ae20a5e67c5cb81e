"""
One connection per caller, kept open, the next request as soon as the answer is there. `http_client.py URL KEY nothing|decrease|read|orm`.

It counts answers and looks at their first line only, to leave the processor to the server.
"""

import asyncio
import os
import sys
from typing import Any
from urllib.parse import urlsplit

import uvloop
from protocol import customer, serve_async

URL, KEY, KIND = sys.argv[1:4]
ADDRESS = urlsplit(URL)
FREE: list["Connection"] = []


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self.transport: Any = None
        self.answered: asyncio.Future[None] | None = None
        self._seen = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, received: bytes) -> None:
        self._seen += received
        head, separator, body = self._seen.partition(b"\r\n\r\n")
        if not separator:
            return
        place = head.lower().find(b"content-length: ") + 16
        length = int(head[place : place + 8].split(b"\r", 1)[0])
        if len(body) < length or self.answered is None:
            return
        assert head.startswith(b"HTTP/1.1 200"), self._seen
        self._seen = b""
        self.answered.set_result(None)


def request(is_hot: bool) -> bytes:
    head = f"Host: {ADDRESS.netloc}\r\nAuthorization: Bearer {KEY}\r\n"
    item = f"/v1/customers/user/u_{customer(is_hot)}/items/credits"
    if KIND == "nothing":
        return f"GET /v1/nothing HTTP/1.1\r\n{head}\r\n".encode()
    if KIND == "read":
        return f"GET {item} HTTP/1.1\r\n{head}\r\n".encode()
    body = '{"quantity":1}'
    head += (
        f"Idempotency-Key: {os.urandom(12).hex()}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"
    )
    return f"POST {item}/decrease HTTP/1.1\r\n{head}\r\n{body}".encode()


async def prepare(callers: int) -> None:
    # Servers close what was idle for long.
    FREE[:] = [connection for connection in FREE if not connection.transport.is_closing()]
    loop = asyncio.get_running_loop()
    while len(FREE) < callers:
        _, connection = await loop.create_connection(Connection, ADDRESS.hostname, ADDRESS.port)
        FREE.append(connection)


async def call(is_hot: bool) -> None:
    connection = FREE.pop()
    connection.answered = asyncio.get_running_loop().create_future()
    connection.transport.write(request(is_hot))
    await connection.answered
    FREE.append(connection)


uvloop.run(serve_async(call, prepare))
