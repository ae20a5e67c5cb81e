"""A small HTTP/1.1 client on asyncio: posts webhooks, polls settle addresses. Connections are kept for a moment, redirects never followed."""

import asyncio
import ssl
import time
from dataclasses import dataclass
from urllib.parse import urlsplit

KEPT_S = 2.0
HEAD_MAX = 65_536
BODY_MAX = 1_048_576


class Unreachable(OSError):
    """No complete HTTP answer: refused, cut or not HTTP."""


@dataclass
class Answer:
    status: int
    body: bytes


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter
    used_at: float


class Outgoing:
    def __init__(self) -> None:
        self.idle: dict[tuple[str, str, int], list[Connection]] = {}

    async def send(
        self, method: str, url: str, headers: dict[str, str], body: bytes = b"", *, timeout_s: float = 10.0
    ) -> Answer:
        """Raises Unreachable, or TimeoutError."""
        try:
            place, message = written(method, url, headers, body)
        except ValueError as error:
            raise Unreachable(f"{url} cannot be asked: {error}") from error
        async with asyncio.timeout(timeout_s):
            return await self.exchange(place, message)

    async def exchange(self, place: tuple[str, str, int], message: bytes) -> Answer:
        connection = self.take_idle(place) or await self.connect(place)
        finished = False
        try:
            connection.writer.write(message)
            await connection.writer.drain()
            answer, keeps_open = await read_answer(connection.reader)
            finished = keeps_open
        except (OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError) as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        finally:
            if finished:
                connection.used_at = time.monotonic()
                self.idle.setdefault(place, []).append(connection)
            else:
                connection.writer.close()
        return answer

    def take_idle(self, place: tuple[str, str, int]) -> Connection | None:
        kept = self.idle.get(place, [])
        while kept:
            connection = kept.pop()
            if time.monotonic() - connection.used_at < KEPT_S and not connection.reader.at_eof():
                return connection
            connection.writer.close()
        return None

    async def connect(self, place: tuple[str, str, int]) -> Connection:
        scheme, host, port = place
        try:
            context = ssl.create_default_context() if scheme == "https" else None
            reader, writer = await asyncio.open_connection(host, port, ssl=context, limit=HEAD_MAX)
        except OSError as error:
            raise Unreachable(f"{type(error).__name__}: {error}") from error
        return Connection(reader, writer, time.monotonic())

    def close(self) -> None:
        for kept in self.idle.values():
            for connection in kept:
                connection.writer.close()
        self.idle.clear()


def written(method: str, url: str, headers: dict[str, str], body: bytes) -> tuple[tuple[str, str, int], bytes]:
    """Where to connect, and the bytes of the request. Raises ValueError for an address that cannot be one."""
    parts = urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    lines = [
        f"{method} {target} HTTP/1.1",
        f"Host: {parts.netloc.rpartition('@')[2]}",
        f"Content-Length: {len(body)}",
        *(f"{name}: {value}" for name, value in headers.items()),
    ]
    return (parts.scheme, host, port), ("\r\n".join(lines) + "\r\n\r\n").encode("ascii") + body


async def read_answer(reader: asyncio.StreamReader) -> tuple[Answer, bool]:
    """The answer, and whether the connection can be used again."""
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
    version, status = head[0].split(" ")[:2]
    headers = {name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in head[1:])}
    keeps_open = version == "HTTP/1.1" and headers.get("connection", "").lower() != "close"
    if int(status) in (204, 304):
        return Answer(int(status), b""), keeps_open
    if "chunked" in headers.get("transfer-encoding", "").lower():
        return Answer(int(status), await read_chunks(reader)), keeps_open
    if "content-length" in headers:
        length = int(headers["content-length"])
        if length > BODY_MAX:
            raise ValueError(f"the answer is longer than {BODY_MAX} bytes")
        return Answer(int(status), await reader.readexactly(length)), keeps_open
    return Answer(int(status), await reader.read(BODY_MAX)), False


async def read_chunks(reader: asyncio.StreamReader) -> bytes:
    body = b""
    while size := int((await reader.readline()).split(b";")[0], 16):
        if len(body) + size > BODY_MAX:
            raise ValueError(f"the answer is longer than {BODY_MAX} bytes")
        body += await reader.readexactly(size)
        await reader.readexactly(2)
    while (await reader.readline()).strip():
        continue
    return body
