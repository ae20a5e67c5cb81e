"""
A client that costs little, because it shares the processors with what it measures: plain sockets, one request after another on each of many kept
connections, all made before the clock starts.
"""

import re
import select
import socket
import time
from collections.abc import Sequence

import msgspec

_LENGTH = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


class Posted(msgspec.Struct):
    """Answers with status 200, and others; `refusal` is the first of those."""

    accepted: int = 0
    refused: int = 0
    seconds: float = 0.0
    refusal: str = ""

    @property
    def rate(self) -> float:
        """Answers per second, whatever they said."""
        return (self.accepted + self.refused) / self.seconds


def posted(place: str, requests: Sequence[bytes], *, connections: int, seconds: float) -> Posted:
    """As many requests as go in the time; each connection sends its next one when the answer is there."""
    host, _, port = place.removeprefix("http://").partition("/")[0].partition(":")
    found, waiting = Posted(), iter(requests)
    ready = select.epoll()
    open_ones: dict[int, socket.socket] = {}
    for _ in range(min(connections, len(requests))):
        connection = socket.create_connection((host, int(port)))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        open_ones[connection.fileno()] = connection
        ready.register(connection, select.EPOLLIN)
    started = time.perf_counter()
    heard = dict.fromkeys(open_ones, b"")
    busy = set(open_ones)
    for each in open_ones.values():
        each.sendall(next(waiting))
    while busy:
        for number, _ in ready.poll():
            received = open_ones[number].recv(65_536)
            assert received, "the server closed a connection"
            heard[number] += received
            if not _is_whole(heard[number]):
                continue
            _count(found, heard[number])
            heard[number] = b""
            following = next(waiting, None) if time.perf_counter() - started < seconds else None
            if following is None:
                busy.discard(number)
            else:
                open_ones[number].sendall(following)
    found.seconds = time.perf_counter() - started
    ready.close()
    for each in open_ones.values():
        each.close()
    return found


def _is_whole(answer: bytes) -> bool:
    head, separator, body = answer.partition(b"\r\n\r\n")
    if not separator:
        return False
    length = _LENGTH.search(head)
    return body.endswith(b"0\r\n\r\n") if length is None else len(body) >= int(length[1])


def _count(found: Posted, answer: bytes) -> None:
    if answer.startswith(b"HTTP/1.1 200"):
        found.accepted += 1
    else:
        found.refused += 1
        found.refusal = found.refusal or answer[:400].decode("utf-8", "replace")
