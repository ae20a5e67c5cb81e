"""uvicorn under our ASGI application: a socket bound first, so that port 0 is known, and a server that tells when it is ready."""

import asyncio
import gc
import socket
import threading
from types import TracebackType
from typing import Any, Protocol, Self, runtime_checkable

import uvicorn

from paywright.api.asgi import Asgi

GRACE_S = 5
"""How long requests under way may take after the server was asked to stop."""

START_S = 30.0


def listening_socket(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # With the protocol named, asyncio turns Nagle off; without, every answer waits 40 ms for an acknowledgement.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    listener.bind((host, port))
    return listener


def url_of(listener: socket.socket, host: str) -> str:
    """Where the server can be reached from this machine; every interface is reached at the loopback one too."""
    shown = {"0.0.0.0": "127.0.0.1", "::": "[::1]"}.get(host, f"[{host}]" if ":" in host else host)
    return f"http://{shown}:{listener.getsockname()[1]}"


def configured(application: Asgi) -> uvicorn.Config:
    served: Any = application
    return uvicorn.Config(
        served,
        http="httptools",
        access_log=False,
        log_config=None,
        server_header=False,
        timeout_graceful_shutdown=GRACE_S,
    )


@runtime_checkable
class Stoppable(Protocol):
    """An application with streams to end before the server can stop."""

    def stopping(self) -> None: ...


def keep_what_is_there() -> None:
    """
    In a process that only serves: what is loaded by now stays for as long as the process, so the garbage collector need not look at it again.

    With a few hundred requests under way, their objects outlive the usual seven hundred allocations, and looking through everything
    after each few thousand of them took a third of the server's time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 10, 10)


class AnnouncingServer(uvicorn.Server):
    """Sets `ready` once it accepts connections, which uvicorn itself only logs."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.ready = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self.ready.set()


def allow_many_connections() -> None:
    """Many systems let a process open 1,024 files unless it asks for more, and every stream is one."""
    try:
        import resource
    except ImportError:  # Windows counts otherwise.
        return
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))


class Listening:
    """A server in a thread of its own: `with Listening(application) as server: server.url`."""

    def __init__(
        self, application: Asgi, *, host: str = "127.0.0.1", port: int = 0, listener: socket.socket | None = None
    ) -> None:
        self.listener = listener or listening_socket(host, port)
        self.url = url_of(self.listener, host)
        self._application: object = application
        self._server = AnnouncingServer(configured(application))
        self._thread = threading.Thread(target=self._run, name="paywright-http", daemon=True)

    def start(self) -> Self:
        self._thread.start()
        if not self._server.ready.wait(START_S):
            raise TimeoutError("the HTTP server did not start")
        return self

    def stop(self) -> None:
        self._server.should_exit = True
        if isinstance(self._application, Stoppable):
            self._application.stopping()
        self._thread.join(GRACE_S + START_S)
        self.listener.close()

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=self._server.config.get_loop_factory()) as runner:
            runner.run(self._server.serve(sockets=[self.listener]))

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()
