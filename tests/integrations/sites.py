"""The same small app in three frameworks, each behind a server of its own. `X-User` says who asks."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Annotated, Any, cast

import django
import fastapi
import flask
import msgspec
from django.conf import settings
from django.core.servers.basehttp import ThreadedWSGIServer, WSGIRequestHandler
from django.core.wsgi import get_wsgi_application
from django.db import connections
from sqlalchemy import make_url
from werkzeug.serving import make_server

from paywright import Paywright
from paywright.api.listening import Listening
from paywright.client.customer import User
from paywright.client.surface import Surface
from paywright.integrations import django as in_django
from paywright.integrations import fastapi as in_fastapi
from paywright.integrations import flask as in_flask

PREFIX = "/pay"
POST = {"title": "T", "content": "c"}
HEADER = "X-User"


class Site(msgspec.Struct):
    framework: str
    url: str
    pay: Paywright
    secret_key: str
    publishable_key: str

    @property
    def api(self) -> str:
        return f"{self.url}{PREFIX}"


def fastapi_app(pay: Any) -> fastapi.FastAPI:
    app = fastapi.FastAPI()
    in_fastapi.install(app, pay, customer_of=lambda request: request.headers.get(HEADER), prefix=PREFIX)

    @app.get("/essay", dependencies=[fastapi.Depends(in_fastapi.require_product("pro", "team"))])
    def essay() -> dict[str, str]:
        return POST

    @app.get("/post")
    def post(user: Annotated[User, fastapi.Depends(in_fastapi.customer)]) -> dict[str, Any]:
        return user.gate(POST, content="pro")

    @app.post("/haiku")
    def haiku(user: Annotated[User, fastapi.Depends(in_fastapi.require_item("credits", 2))]) -> dict[str, int]:
        return {"left": user.get_item("credits").decrease_quantity(2)}

    @app.post("/spend/{quantity}")
    def spend(quantity: int, user: Annotated[User, fastapi.Depends(in_fastapi.customer)]) -> dict[str, int]:
        return {"left": user.get_item("credits").decrease_quantity(quantity)}

    @app.get("/typo", dependencies=[fastapi.Depends(in_fastapi.require_product("prp"))])
    def typo() -> dict[str, str]:
        return POST

    return app


def flask_app(pay: Surface) -> flask.Flask:
    app = flask.Flask(__name__)
    in_flask.install(app, pay, customer_of=lambda request: request.headers.get(HEADER), prefix=PREFIX)

    @app.get("/essay")
    @in_flask.require_product("pro", "team")
    def essay() -> Any:
        return POST

    @app.get("/post")
    def post() -> Any:
        return in_flask.customer().gate(POST, content="pro")

    @app.post("/haiku")
    @in_flask.require_item("credits", 2)
    def haiku() -> Any:
        return {"left": in_flask.customer().get_item("credits").decrease_quantity(2)}

    @app.post("/spend/<int:quantity>")
    def spend(quantity: int) -> Any:
        return {"left": in_flask.customer().get_item("credits").decrease_quantity(quantity)}

    @app.get("/typo")
    @in_flask.require_product("prp")
    def typo() -> Any:
        return POST

    return app


def configure_django() -> None:
    """Once a process; `at_database` says where it keeps its rows."""
    if not settings.configured:
        settings.configure(
            SECRET_KEY="of tests only",
            ALLOWED_HOSTS=["*"],
            ROOT_URLCONF="tests.integrations.django_site",
            MIDDLEWARE=["django.middleware.csrf.CsrfViewMiddleware"],
            DATABASES={"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}},
            LOGGING_CONFIG=None,
        )
        django.setup()


def at_database(database_url: str) -> None:
    """Django's connection, to the database Paywright runs on."""
    url = make_url(database_url)
    given: dict[str, Any] = {"ENGINE": "django.db.backends.sqlite3", "OPTIONS": {"transaction_mode": "IMMEDIATE"}}
    if url.get_backend_name() == "postgresql":
        given = {"ENGINE": "django.db.backends.postgresql", "USER": url.username, "PASSWORD": url.password or ""}
        given |= {"HOST": url.host or url.query.get("host", ""), "PORT": url.port or url.query.get("port", "")}
    connections.close_all()
    blank = {**connections.settings["default"], "OPTIONS": {}}
    connections.settings["default"] = {**blank, "NAME": url.database, **given}
    if hasattr(connections._connections, "default"):  # type: ignore[attr-defined]
        del connections["default"]


def use_in_django(**given: Any) -> None:
    configure_django()
    settings.PAYWRIGHT = given
    in_django.installed.cache_clear()


@contextmanager
def served_fastapi(pay: Paywright) -> Iterator[str]:
    with Listening(cast(Any, fastapi_app(pay))) as server:
        yield server.url


@contextmanager
def served_flask(pay: Paywright) -> Iterator[str]:
    server = make_server("127.0.0.1", 0, flask_app(pay), threaded=True)
    with in_thread(server.serve_forever, server.shutdown):
        yield f"http://127.0.0.1:{server.server_port}"
    server.server_close()


@contextmanager
def served_django(pay: Paywright) -> Iterator[str]:
    use_in_django(pay=pay, customer_of=lambda request: request.headers.get(HEADER))
    server = ThreadedWSGIServer(("127.0.0.1", 0), Quiet, ipv6=False)
    server.daemon_threads = True
    server.set_app(get_wsgi_application())
    with in_thread(server.serve_forever, server.shutdown):
        yield f"http://127.0.0.1:{server.server_port}"
    server.server_close()


class Quiet(WSGIRequestHandler):
    def log_message(self, *_: object) -> None:
        return


@contextmanager
def in_thread(run: Callable[[], None], stop: Callable[[], None]) -> Iterator[None]:
    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        stop()
        thread.join(10)


SERVED: Mapping[str, Any] = {"fastapi": served_fastapi, "flask": served_flask, "django": served_django}
