"""The HTTP API as a WSGI application, for Flask and for any framework that can call one."""

from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any
from urllib.parse import quote, urlsplit

from paywright.engine.app import App
from paywright.integrations.background import Background
from paywright.integrations.door import Asked, Door

Environ = dict[str, Any]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]


class WsgiApi:
    """
    The whole API, below whatever it is mounted at (`SCRIPT_NAME`). With a `background` the process does the background work too.

    Ids with a slash in them need a server that tells the path as it was sent (gunicorn, uWSGI, Werkzeug do; `wsgiref` does not).
    """

    def __init__(self, app: App, background: Background | None = None) -> None:
        self._door = Door(app)
        self._background = background

    def __call__(self, environ: Environ, start_response: Any) -> Iterable[bytes]:
        if self._background is not None:
            self._background.ensure()
        answer = self._door.answer(_asked(environ))
        headers = [*answer.headers.items(), ("Content-Length", str(len(answer.body)))]
        start_response(f"{answer.status} {HTTPStatus(answer.status).phrase}", headers)
        return [answer.body]


def mounted(api: Wsgi, prefix: str, rest: Wsgi) -> Wsgi:
    """`api` answers below the prefix, `rest` everything else."""

    def routed(environ: Environ, start_response: Any) -> Iterable[bytes]:
        path = environ.get("PATH_INFO", "")
        if path != prefix and not path.startswith(f"{prefix}/"):
            return rest(environ, start_response)
        inner = {**environ, "SCRIPT_NAME": environ.get("SCRIPT_NAME", "") + prefix, "PATH_INFO": path[len(prefix) :]}
        return api(inner, start_response)

    return routed


def checked_prefix(prefix: str) -> str:
    """A path to mount at: begins with a slash, ends without one, and needs no encoding."""
    cut = prefix.rstrip("/")
    assert cut.startswith("/") and quote(cut) == cut, f"{prefix!r} is no prefix such as '/paywright'"
    return cut


def path_as_sent(prefix: str, path: str, target: str | None) -> str:
    """
    What follows `prefix` in `target`, the request line as it was sent, so that `%2F` in an id stays in it; else `path`. All percent-encoded.
    """
    if target is not None:
        sent = target.partition("?")[0]
        sent = urlsplit(sent).path if "://" in sent else sent
        if sent.startswith(prefix):
            return sent[len(prefix) :]
    return path


def _asked(environ: Environ) -> Asked:
    # WSGI's strings are bytes read as Latin-1.
    prefix, path = (quote(environ.get(name, "").encode("latin-1")) for name in ("SCRIPT_NAME", "PATH_INFO"))
    return Asked(
        method=environ["REQUEST_METHOD"],
        path=path_as_sent(prefix, path, environ.get("RAW_URI") or environ.get("REQUEST_URI")),
        query_string=environ.get("QUERY_STRING", ""),
        header=lambda name: environ.get(f"HTTP_{name.upper().replace('-', '_')}"),
        read_body=lambda limit: _read(environ, limit),
        address=environ.get("REMOTE_ADDR", ""),
    )


def _read(environ: Environ, limit: int) -> bytes:
    """At most one byte more than the limit. Without a length there is no body, unless the server knows where the input ends."""
    announced = environ.get("CONTENT_LENGTH") or ""
    missing = int(announced) if announced.isdigit() else 0
    if not announced and environ.get("wsgi.input_terminated"):
        missing = limit + 1
    missing, chunks = min(missing, limit + 1), []
    while missing and (chunk := environ["wsgi.input"].read(missing)):
        chunks.append(chunk)
        missing -= len(chunk)
    return b"".join(chunks)
