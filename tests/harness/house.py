"""A whole Paywright over real HTTP, on a database of its own: the provider is `instant`, so nothing else has to run."""

from types import TracebackType
from typing import Any, Self

import httpx
import msgspec

from paywright import app as doors
from paywright.access.actions import create_customer_token, create_key
from paywright.access.model import CreatedKey
from paywright.api.listening import Listening, listening_socket, url_of
from paywright.api.matching import match
from paywright.api.server import build
from paywright.catalog.actions import Applied, apply
from paywright.kernel.model import Customer, Provider
from paywright.kernel.refusals import REFUSALS
from paywright.kernel.settings import Settings

SECRET = "a secret of tests only, long enough"

CATALOG: dict[str, Any] = {
    "items": {"credits": {"display_name": "Credits"}, "seats": {"customer_type": "team"}},
    "product_lines": {"plan": {"display_name": "Plan"}},
    "products": {
        "pro": {
            "display_name": "Pro",
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": "19.99", "jpy": 3000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}},
        },
        "team": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 4900}, "interval": "1 month"}},
        },
        "pack": {
            "display_name": "100 credits",
            "stackable": True,
            "prices": {
                "once": {"amounts": {"usd": "10.00"}},
                "hidden": {"amounts": {"usd": "5.00"}, "server_only": True},
            },
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
            "metadata": {"client": {"badge": "gold"}, "server": {"cost_centre": "A7"}},
        },
        "secret": {"server_only": True, "prices": {"once": {"amounts": {"usd": "1.00"}}}},
        "gift": {"display_name": "A gift without a price"},
    },
}


class House:
    """`get`, `post` … send with the secret key; `key=` sends another credential, `key=None` none."""

    def __init__(
        self, database_url: str, *, catalog: dict[str, Any] | None = None, provider: Provider = "instant"
    ) -> None:
        listener = listening_socket("127.0.0.1", 0)
        settings = Settings(database_url=database_url, secret=SECRET).reached_at(url_of(listener, "127.0.0.1"))
        self.app = doors.open_app(settings, provider=provider)
        with self.app.work("test") as work:
            applied = apply(work, CATALOG if catalog is None else catalog, is_in_use=doors.is_in_use)
            assert isinstance(applied, Applied), applied
        self.secret_key = self.key("secret")
        self.publishable_key = self.key("publishable")
        self.server = Listening(build(self.app), listener=listener)
        self.http = httpx.Client(timeout=30)

    def key(self, kind: str, environment_id: str = "test", **options: Any) -> str:
        with self.app.work(environment_id) as work:
            made = create_key(work, kind, **options)  # type: ignore[arg-type]
        assert isinstance(made, CreatedKey), made
        return made.plain

    def token(self, *customers: Customer, ttl_s: int = 3600, **options: Any) -> str:
        with self.app.work("test") as work:
            token = create_customer_token(work, self.app.settings, customers, ttl_s=ttl_s, **options)
        assert isinstance(token, str), token
        return token

    def ask(self, method: str, path: str, *, key: str | None = "", **options: Any) -> httpx.Response:
        headers = dict(options.pop("headers", {}))
        if key is not None:
            headers["Authorization"] = f"Bearer {key or self.secret_key}"
        answer = self.http.request(method, f"{self.server.url}{path}", headers=headers, **options)
        promised(method, path, answer)
        return answer

    def get(self, path: str, **options: Any) -> httpx.Response:
        return self.ask("GET", path, **options)

    def post(self, path: str, body: Any = None, **options: Any) -> httpx.Response:
        return self.ask("POST", path, **({} if body is None else {"json": body}), **options)

    @property
    def url(self) -> str:
        return self.server.url

    def __enter__(self) -> Self:
        self.server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.http.close()
        self.server.stop()
        self.app.close()


def promised(method: str, path: str, answer: httpx.Response) -> None:
    """Every answer is what the route table says it is, and every error has the one shape."""
    if answer.status_code >= 400 and method != "HEAD":
        error = answer.json()["error"]
        assert set(error) <= {"code", "message", "param", "facts", "request_id"}, error
        assert REFUSALS[error["code"]][0] == answer.status_code, error
        is_replayed = "idempotent-replayed" in answer.headers  # Then it names the first request.
        assert is_replayed or error["request_id"] == answer.headers["request-id"]
        return
    found = match(method, path.partition("?")[0])
    if found is not None and answer.headers.get("content-type") == "application/json":
        msgspec.json.decode(answer.content, type=found[0].shows)
