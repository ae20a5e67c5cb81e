"""A client of the stream that tests hold in their hands: raw server-sent events, one by one, with a patience."""

import json
import queue
import socket
import threading
from types import TracebackType
from typing import Any, NamedTuple, Self

import httpx

PATIENCE_S = 40.0
OVER = None


class Told(NamedTuple):
    event: str
    id: int
    body: dict[str, Any]


class Listener:
    """`with Listener(url, token) as stream: stream.next()`. Comments are counted in `comments`; `ended()` waits for the server to close."""

    def __init__(self, url: str, credential: str, *, headers: dict[str, str] | None = None) -> None:
        self._http = httpx.Client(timeout=httpx.Timeout(PATIENCE_S, read=None))
        self._open = self._http.stream("GET", url, headers={"Authorization": f"Bearer {credential}", **(headers or {})})
        self._told: queue.Queue[Told | None] = queue.Queue()
        self.comments = 0
        self.answer: httpx.Response
        self._thread = threading.Thread(target=self._read, daemon=True)

    def next(self) -> Told:
        told = self._told.get(timeout=PATIENCE_S)
        assert told is not OVER, "the stream ended"
        return told

    def until_version(self, version: int) -> list[Told]:
        """Everything up to the event with that id."""
        found = [self.next()]
        while found[-1].id < version:
            found.append(self.next())
        return found

    def ended(self) -> list[Told]:
        """What was still told before the server closed it."""
        rest = []
        while (told := self._told.get(timeout=PATIENCE_S)) is not OVER:
            rest.append(told)
        return rest

    def is_silent(self) -> bool:
        return self._told.empty()

    def _read(self) -> None:
        fields: dict[str, str] = {}
        try:
            for line in self.answer.iter_lines():
                if line.startswith(":"):
                    self.comments += 1
                elif line:
                    name, _, value = line.partition(": ")
                    fields[name] = value
                elif fields:
                    self._told.put(Told(fields["event"], int(fields["id"]), json.loads(fields["data"])))
                    fields = {}
        except (httpx.HTTPError, httpx.StreamError):
            self.comments += 0  # We hung up ourselves, or the server died.
        finally:
            self._told.put(OVER)

    def __enter__(self) -> Self:
        self.answer = self._open.__enter__()
        if self.answer.status_code == 200:
            self._thread.start()
        else:
            self.answer.read()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        # Closing alone would wait for the thread that reads.
        connected = self.answer.extensions["network_stream"].get_extra_info("socket")
        if self._thread.is_alive() and connected.fileno() != -1:
            connected.shutdown(socket.SHUT_RDWR)
            self._thread.join(PATIENCE_S)
        self._http.close()
