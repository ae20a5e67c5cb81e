"""
Being told to stop.

The handler only writes one byte into a pipe. Setting a `threading.Event` from a handler can deadlock: the main thread may hold the event's own lock
at that moment.
"""

import os
import select
import signal


class Told:
    """SIGINT or SIGTERM has come. Make it in the main thread."""

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, lambda *_: self._tell())

    def wait(self, timeout_s: float | None = None) -> bool:
        """True once told; False when the time is over first."""
        readable, _, _ = select.select([self._reader], [], [], timeout_s)
        return bool(readable)

    def _tell(self) -> None:
        try:
            os.write(self._writer, b"!")
        except BlockingIOError:
            return  # The pipe is full of earlier signals: told is told.
