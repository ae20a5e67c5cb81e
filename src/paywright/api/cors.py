"""
Which pages of other origins may read our answers: `allowed_origins` of the environment (any in test, none in live), never with credentials.

A preflight names no credentials, so it is answered for all environments of this server together; the answer itself goes by the caller's own.
"""

import threading
import time

from paywright.engine.app import App
from paywright.environments import queries
from paywright.environments.model import Environment

METHODS = "GET, POST, PUT, PATCH, DELETE"
REQUEST_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
EXPOSED_HEADERS = "Request-Id, Idempotent-Replayed, Retry-After"
PREFLIGHT_LIFE_S = 600
_READ_AGAIN_S = 2.0


class Origins:
    """The environments of this server, read again every two seconds at most. Thread-safe."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._environments: list[Environment] = []

    def allowed_somewhere(self, origin: str) -> bool:
        with self._lock:
            if time.monotonic() - self._read_at > _READ_AGAIN_S:
                with self._app.database.read() as connection:
                    self._environments = queries.every_environment(connection)
                self._read_at = time.monotonic()
            return any(allowed(environment, origin) for environment in self._environments)

    def close(self) -> None:
        """Nothing to end: it lives and goes with its App."""


def allowed(environment: Environment, origin: str) -> bool:
    origins = environment.origins_allowed()
    return origins is None or origin in origins


def of_answer(app: App, environment: Environment | None, origin: str) -> dict[str, str]:
    """Without a caller we know, the environments of this server decide together: the page may read why it was refused."""
    may_read = app.resource(Origins).allowed_somewhere(origin) if environment is None else allowed(environment, origin)
    if not may_read:
        return {"Vary": "Origin"}
    return {"Access-Control-Allow-Origin": origin, "Access-Control-Expose-Headers": EXPOSED_HEADERS, "Vary": "Origin"}


def of_caller(app: App, environment_id: str | None, origin: str) -> dict[str, str]:
    """The same by the environment's id."""
    return of_answer(app, None if environment_id is None else app.environment(environment_id), origin)


def preflight_headers(origin: str) -> dict[str, str]:
    return {
        "Access-Control-Allow-Origin": origin,
        "Access-Control-Allow-Methods": METHODS,
        "Access-Control-Allow-Headers": REQUEST_HEADERS,
        "Access-Control-Max-Age": str(PREFLIGHT_LIFE_S),
        "Vary": "Origin",
    }
