"""
Who reads streams in `bench/streams.py`: raw sockets and one thread, which notes when bytes came and looks into them afterwards.

A client that parses while it is measured takes the processor from the server it measures; there is one of those in the browser of each reader, and a
thousand of them here would share two processors with everything else.
"""

import re
import select
import socket
import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from paywright.access.model import TOKEN_SCOPES
from paywright.access.tokens import sign
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer

AT_ONCE = 100
PATIENCE_S = 120.0
_FRAME = re.compile(rb"\nid: (\d+)\ndata: .*\n\n")


class Seat:
    """One open stream: its socket, and what came when."""

    __slots__ = ("came", "customer", "socket")

    def __init__(self, customer: str, connected: socket.socket) -> None:
        self.customer, self.socket = customer, connected
        self.came: list[tuple[float, bytes]] = []


class Audience:
    """`with Audience(url, secret) as audience`: everybody who entered is read until the end of the block."""

    def __init__(self, url: str, secret: str) -> None:
        place = urlsplit(url)
        self._host, self._port, self._secret = place.hostname or "", place.port or 0, secret
        self._poll = select.epoll()
        self._seats: dict[int, Seat] = {}
        self._heard = threading.Condition()
        self._events = 0
        self._last_at = 0.0
        self._is_over = False
        self._thread = threading.Thread(target=self._listen, daemon=True)

    def enter(self, streams: int, customer_of: Callable[[int], int]) -> None:
        """Everybody in, and everybody has their snapshot."""
        before = self._events
        for number in range(streams):
            self._sit(Customer("user", f"u_{customer_of(number)}"))
            if number % AT_ONCE == 0:  # A listening socket keeps only so many waiting.
                self._wait(before + number - AT_ONCE)
        self._wait(before + streams)

    def told_after(self, change: Callable[[], float], wanted: int) -> float:
        """Milliseconds from the instant `change` returns until so many were told."""
        before = self._events
        changed_at = change()
        self._wait(before + wanted)
        return (self._last_at - changed_at) * 1000

    def arrivals(self) -> dict[tuple[str, int], float]:
        """When the last byte of each customer's version had come."""
        found: dict[tuple[str, int], float] = {}
        for seat in self._seats.values():
            pieces, end = list(seat.came), 0
            ends = [(end := end + len(piece), at) for at, piece in pieces]
            place = 0
            for frame in _FRAME.finditer(b"".join(piece for _, piece in pieces)):
                while ends[place][0] < frame.end():
                    place += 1
                found.setdefault((seat.customer, int(frame[1])), ends[place][1])
        return found

    def _sit(self, customer: Customer) -> None:
        wall = wall_ms()
        token = sign(self._secret, "test", [customer], TOKEN_SCOPES, issued_at=wall, expires_at=wall + 3_600_000)
        connected = socket.create_connection((self._host, self._port))
        asked = f"GET /v1/customers/user/{customer.id}/stream HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer {token}\r\n\r\n"
        connected.sendall(asked.encode())
        connected.setblocking(False)
        self._seats[connected.fileno()] = Seat(customer.id, connected)
        self._poll.register(connected.fileno(), select.EPOLLIN)

    def _wait(self, events: int) -> None:
        with self._heard:
            assert self._heard.wait_for(lambda: self._events >= events, PATIENCE_S), f"{self._events} of {events} came"

    def _listen(self) -> None:
        while not self._is_over:
            ready = self._poll.poll(0.2)
            now = time.monotonic()
            heard = 0
            for number, _ in ready:
                seat = self._seats[number]
                piece = seat.socket.recv(262_144)
                assert piece, "the server hung up"
                seat.came.append((now, piece))
                heard += piece.count(b"\nid: ")
            if heard:
                with self._heard:
                    self._events, self._last_at = self._events + heard, now
                    self._heard.notify_all()

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._is_over = True
        self._thread.join()
        for seat in self._seats.values():
            seat.socket.close()
        self._poll.close()
