"""The background work of a process that is not ours: begun when it is first needed, ended with the process."""

import atexit
import os
import threading
from typing import TYPE_CHECKING

from paywright.engine.app import App

if TYPE_CHECKING:
    from paywright.worker import Worker


class Background:
    """
    One per App: `app.resource(Background)`. `ensure` starts the worker in this process, once. Not when it is made: servers that fork would leave
    the threads behind in the parent.

    Any number of processes may run it; what is to be done is rows.
    """

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._worker: Worker | None = None
        self._process: int | None = None

    @property
    def is_running(self) -> bool:
        return self._process == os.getpid()

    def ensure(self) -> None:
        if self.is_running:
            return
        with self._lock:
            if self._process == os.getpid():
                return
            from paywright.worker import Worker

            self._worker = Worker(self._app).start()
            self._process = os.getpid()
            atexit.register(self.close)

    def close(self) -> None:
        """Returns once nothing is under way any more. Twice is once."""
        with self._lock:
            worker, self._worker = self._worker, None
            if worker is not None and self._process == os.getpid():
                worker.stop()
            self._process = None
            atexit.unregister(self.close)
