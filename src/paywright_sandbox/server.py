"""`with Sandbox() as sandbox: sandbox.url` – the sandbox in a thread of this process, on a port of its own."""

import asyncio
import socket
import threading
from types import TracebackType
from typing import Self

import uvicorn

from .app import SandboxApp
from .engine import Check, Engine
from .store import Store

START_S = 30.0


def listening_socket(host: str, port: int) -> socket.socket:
    """Bound before the server starts, so that port 0 is known at once."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle off; without, every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    return (
        f"http://[{host}]:{listener.getsockname()[1]}" if ":" in host else f"http://{host}:{listener.getsockname()[1]}"
    )


class AnnouncingServer(uvicorn.Server):
    """Tells when it is ready, which uvicorn itself only logs; leaves signals alone unless asked to take them."""

    def __init__(self, config: uvicorn.Config, ready: threading.Event) -> None:
        super().__init__(config)
        self.ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def configured(engine: Engine) -> uvicorn.Config:
    return uvicorn.Config(
        SandboxApp(engine),
        log_level="warning",
        access_log=False,
        lifespan="on",
        timeout_graceful_shutdown=2,
        # Longer than a busy client pauses: a connection closed while a request is on its way looks like a network fault.
        timeout_keep_alive=75,
        server_header=False,
        date_header=True,
    )


class Sandbox:
    def __init__(
        self,
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        path: str | None = None,
        seed: int | str | None = None,
        check: Check | None = None,
    ) -> None:
        """`path` keeps everything in one SQLite file; `check` sees every answer and event (engine.py)."""
        self.store = Store(path, None if seed is None else str(seed))
        self.engine = Engine(self.store, check)
        self.listener = listening_socket(host, port)
        self.url = self.engine.origin = url_of(self.listener, host)
        self.ready = threading.Event()
        self.server = AnnouncingServer(configured(self.engine), self.ready)
        self.thread = threading.Thread(target=self.run, name="paywright-sandbox", daemon=True)

    @property
    def secret_key(self) -> str:
        return self.store.default.secret_key

    @property
    def publishable_key(self) -> str:
        return self.store.default.publishable_key

    def run(self) -> None:
        asyncio.run(self.server.serve(sockets=[self.listener]))

    def start(self) -> Self:
        self.thread.start()
        if not self.ready.wait(START_S):
            raise TimeoutError("the sandbox did not start")
        return self

    def stop(self) -> None:
        self.server.should_exit = True
        self.thread.join(START_S)
        self.listener.close()
        self.store.close()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
