"""Whether the server we run in is about to stop, where it is not ours: it would wait for every stream, and does not say so."""

import signal


def told_to_stop() -> bool:
    """
    uvicorn's signal handler is a method of its server, which knows. Others do not tell, and end what is open after their own patience.

    Source: `Server.capture_signals` and `Server.handle_exit` in https://github.com/encode/uvicorn/blob/master/uvicorn/server.py.
    """
    server = getattr(signal.getsignal(signal.SIGTERM), "__self__", None)
    return getattr(server, "should_exit", False) is True
