"""The way to a sandbox, on which something else can be faster than a call that is on it already: what happened at Stripe after we looked."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx

from paywright_sandbox import Sandbox

Deed = Callable[[], object]
HOP_BY_HOP = frozenset({"host", "connection", "content-length", "content-encoding", "transfer-encoding"})


class Road:
    """Stands for the sandbox it leads to."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.url = ""
        self.secret_key = sandbox.secret_key
        self._there = httpx.Client(base_url=sandbox.url, timeout=60)
        self._overtakers: list[tuple[str, str, Deed]] = []
        self._lock = threading.Lock()

    def overtake(self, method: str, path: str, deed: Deed) -> None:
        """The deed is done when the next call of that method, to a path that begins so, is on its way; calls of the deed itself pass."""
        self._overtakers.append((method, path, deed))

    @property
    def is_quiet(self) -> bool:
        """Every deed was done."""
        return not self._overtakers

    def pass_on(self, method: str, path: str, headers: dict[str, str], body: bytes) -> httpx.Response:
        with self._lock:
            mine = next((one for one in self._overtakers if method == one[0] and path.startswith(one[1])), None)
            if mine is not None:
                self._overtakers.remove(mine)
        if mine is not None:
            mine[2]()
        return self._there.request(method, path, headers=headers, content=body)

    def close(self) -> None:
        self._there.close()


@contextmanager
def road_to(sandbox: Sandbox) -> Iterator[Road]:
    road = Road(sandbox)

    class Traveller(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        disable_nagle_algorithm = True

        def answer(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            headers = {name: text for name, text in self.headers.items() if name.lower() not in HOP_BY_HOP}
            found = road.pass_on(self.command, self.path, headers, body)
            self.send_response_only(found.status_code)
            for name, text in found.headers.items():
                if name.lower() not in HOP_BY_HOP:
                    self.send_header(name, text)
            self.send_header("Content-Length", str(len(found.content)))
            self.end_headers()
            self.wfile.write(found.content)

        do_GET = do_POST = do_DELETE = answer

        def log_message(self, format: str, *args: object) -> None:
            """Nobody reads it."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Traveller)
    server.daemon_threads = True
    road.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, name="road")
    thread.start()
    try:
        yield road
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
        road.close()
