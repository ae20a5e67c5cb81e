"""Requests and answers as plain values, and the tables of pages and control routes (`/v1/` has its own: routing.py)."""

import json
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import cached_property
from http.cookies import SimpleCookie
from typing import TYPE_CHECKING, Any

from . import form
from .errors import Json, invalid
from .routing import Branch, variables

if TYPE_CHECKING:
    from .account import Account
    from .engine import Engine


@dataclass
class WebRequest:
    method: str
    path: str
    query_text: str
    headers: dict[str, str]
    """Names in lower case."""
    body: bytes
    engine: "Engine"
    arguments: dict[str, str] = field(default_factory=dict)
    """The variables of the route's path."""

    @cached_property
    def query(self) -> Json:
        return form.parse_query(self.query_text)

    @cached_property
    def form(self) -> Json:
        return form.parse(self.headers.get("content-type", ""), self.body)

    @cached_property
    def cookies(self) -> dict[str, str]:
        return {name: morsel.value for name, morsel in SimpleCookie(self.headers.get("cookie", "")).items()}

    @cached_property
    def json(self) -> Json:
        """The JSON object in the body; an empty body is an empty object."""
        try:
            found = json.loads(self.body or b"{}")
        except ValueError as error:
            raise invalid("The body must be JSON.") from error
        if not isinstance(found, dict):
            raise invalid("The body must be a JSON object.")
        return found

    @property
    def origin(self) -> str:
        """`http://host:port` as the client wrote it."""
        return f"http://{self.headers.get('host', 'localhost')}"

    def account_of(self, id: str) -> "Account | None":
        """The account that holds this object; ids never repeat, so a page needs no key."""
        return next((account for account in self.engine.store.accounts.values() if id in account.kind_of), None)


INDENTED_MAX = 10_000


@dataclass
class WebAnswer:
    status: int = 200
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)
    cut: bool = False
    """The connection is cut and nothing is sent."""


def json_answer(content: Any, status: int = 200, headers: dict[str, str] | None = None) -> WebAnswer:
    """Long ones on one line: the library indents ten times slower than it writes."""
    short = json.dumps(content, ensure_ascii=False)
    text = json.dumps(content, indent=2, ensure_ascii=False) if len(short) < INDENTED_MAX else short
    return WebAnswer(status, text.encode(), {"Content-Type": "application/json", **(headers or {})})


def html_answer(text: str, status: int = 200, headers: dict[str, str] | None = None) -> WebAnswer:
    return WebAnswer(status, text.encode(), {"Content-Type": "text/html; charset=utf-8", **(headers or {})})


def redirect(url: str) -> WebAnswer:
    return WebAnswer(303, b"", {"Location": url})


Act = Callable[[WebRequest], Awaitable[WebAnswer]]
ACTS: dict[str, Act] = {}
TREE = Branch()


def page(key: str) -> Callable[[Act], Act]:
    """Registers the decorated async function for `GET /c/pay/{session}`."""
    assert key not in ACTS, key

    def register(act: Act) -> Act:
        ACTS[key] = act
        TREE.add(key)
        return act

    return register


def find(method: str, path: str) -> tuple[Act, dict[str, str]] | None:
    found = TREE.find(method, path.removeprefix("/").split("/"))
    if not found:
        return None
    key, values = found
    return ACTS[key], dict(zip(variables(key), values, strict=True))
