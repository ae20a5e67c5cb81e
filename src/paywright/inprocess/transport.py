"""
Calls that stay in the process: the route's own endpoint, as a secret key with all scopes, without a socket.

An outage is `Unavailable`, as over HTTP; a bug of ours is raised as what it is.
"""

import asyncio
from collections.abc import AsyncGenerator, Generator
from contextlib import aclosing
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlencode

import msgspec

from paywright.access.model import SCOPES, Caller
from paywright.api import dispatch
from paywright.api.call import Answer, Call, Request
from paywright.api.errors import OUTAGES, encoded, raised, refused
from paywright.api.matching import match
from paywright.api.route import Route
from paywright.app import CatalogRefused, apply_catalog_file, is_in_use, open_app
from paywright.catalog.actions import apply
from paywright.cli.dev_data import as_dev_is
from paywright.client.errors import PaywrightError, of_answer
from paywright.client.transport import Frame, query_text
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.inprocess.hearing import Hearing
from paywright.inprocess.listening import listen, listen_async
from paywright.kernel.ids import new_id
from paywright.kernel.model import Provider
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import load_settings

Shown = TypeVar("Shown")

ACTOR = "process"
"""Who a ledger entry says it was, when the app itself did it."""


def started(catalog: str | dict[str, Any] | None, provider: Provider, given: dict[str, Any]) -> App:
    """An App on the settings, with the catalog in force. In live a catalog is applied by hand only."""
    settings = as_dev_is(load_settings(**given))
    app = open_app(settings, provider=provider)
    try:
        if isinstance(catalog, dict):
            _apply(app, settings.environment, catalog)
        else:
            apply_catalog_file(app, settings.environment, Path.cwd(), None if catalog is None else Path(catalog))
    except BaseException:
        app.close()
        raise
    return app


def _apply(app: App, environment_id: str, document: dict[str, Any]) -> None:
    environment = app.environment(environment_id)
    assert environment is not None, environment_id
    if environment.livemode:
        return
    with app.work(environment_id) as work:
        applied = apply(work, document, is_in_use=is_in_use, origin="file")
    if isinstance(applied, Refusal):
        raise CatalogRefused(f"{applied.message} {applied.facts}")


class Asked(msgspec.Struct, frozen=True):
    """A call on its way to its endpoint."""

    route: Route
    parts: dict[str, str]
    request: Request


class InProcess:
    """Thread-safe, as the App is."""

    def __init__(self, app: App) -> None:
        self._app = app
        environment_id = app.settings.environment
        # A secret key's caller, so that its idempotency keys are those of the app's other processes over HTTP.
        self._caller = Caller("secret", environment_id, frozenset(SCOPES), frozenset(), "secret", ACTOR)

    def call(
        self,
        method: str,
        path: str,
        shows: type[Shown],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
    ) -> Shown:
        asked = asked_for(method, path, query, body, idempotency_key)
        try:
            outcome = dispatch.perform(
                self._app, asked.route, asked.request, asked.parts, self._environment(), self._caller
            )
        except tuple(OUTAGES) as error:
            raise outage(error, asked) from error
        return answered(outcome, asked, shows)

    def listen(self, path: str, seen: int | None) -> Generator[Frame, None, None]:
        yield from listen(self.allowed(path), seen)

    def allowed(self, path: str) -> Call:
        """A call that may stream; raises what the route refuses."""
        asked = asked_for("GET", path, None, None, None)
        call = self.parsed(asked)
        if isinstance(call, Refusal):
            answer = refused(call, asked.request.request_id)
            raise of_answer(answer.status, answer.body)
        return call

    def parsed(self, asked: Asked) -> Call | Refusal:
        """As far as the endpoint itself, for those that are awaited."""
        return dispatch.prepared(self._app, asked.route, asked.request, asked.parts, self._environment(), self._caller)

    def close(self) -> None:
        self._app.resource(Hearing).close()  # While the App is whole: what is heard last may need all of it.
        self._app.close()

    def _environment(self) -> Environment:
        self._app.resource(Hearing).ensure()
        environment = self._app.environment(self._caller.environment_id)
        assert environment is not None, self._caller.environment_id
        return environment


class AsyncInProcess:
    """The same from an event loop. Increases and decreases wait for their batch; the rest waits for a thread."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._inner = InProcess(app)

    async def call(
        self,
        method: str,
        path: str,
        shows: type[Shown],
        *,
        query: dict[str, Any] | None = None,
        body: Any = None,
        idempotency_key: str | None = None,
    ) -> Shown:
        asked = asked_for(method, path, query, body, idempotency_key)
        if asked.route.awaited is None:
            return await asyncio.to_thread(
                self._inner.call, method, path, shows, query=query, body=body, idempotency_key=idempotency_key
            )
        try:
            call = await asyncio.to_thread(self._inner.parsed, asked)
            outcome = call if isinstance(call, Refusal) else await asked.route.awaited(call)
        except tuple(OUTAGES) as error:
            raise outage(error, asked) from error
        return answered(outcome, asked, shows)

    async def listen(self, path: str, seen: int | None) -> AsyncGenerator[Frame, None]:
        call = await asyncio.to_thread(self._inner.allowed, path)
        async with aclosing(listen_async(call, seen)) as frames:
            async for frame in frames:
                yield frame

    async def close(self) -> None:
        await asyncio.to_thread(self._inner.close)


def asked_for(method: str, path: str, query: dict[str, Any] | None, body: Any, idempotency_key: str | None) -> Asked:
    found = match(method, path)
    assert found is not None, f"{method} {path} is no route"
    route, parts = found
    request = Request(
        method=method,
        path=path,
        request_id=new_id("req"),
        query_string=urlencode(query_text(query)),
        body=b"" if body is None else msgspec.json.encode(body),
        idempotency_key=idempotency_key,
    )
    return Asked(route, parts, request)


def answered(outcome: Answer | Refusal, asked: Asked, shows: type[Shown]) -> Shown:
    answer = refused(outcome, asked.request.request_id) if isinstance(outcome, Refusal) else outcome
    if answer.status >= 400:
        raise of_answer(answer.status, msgspec.json.decode(encoded(answer.body)))
    return msgspec.json.decode(encoded(answer.body), type=shows)


def outage(error: Exception, asked: Asked) -> PaywrightError:
    answer = raised(error, asked.request.request_id)
    return of_answer(answer.status, answer.body)
