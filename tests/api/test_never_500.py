"""Whatever is sent, the answer is one of ours: no request makes the server break."""

import logging
from collections.abc import Iterator
from typing import Any
from urllib.parse import quote

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from paywright.api.route import Route
from paywright.api.routes import ROUTES
from tests.harness.house import House

ASKED = [
    route
    for route in ROUTES
    if route.path.startswith("/v1/") and route.endpoint is not None and route.media_type != "text/event-stream"
]
IDS = [
    "u_1",
    "credits",
    "pro",
    "pack",
    "user",
    "team",
    "custom",
    "guest",
    "test",
    "nope",
    "a/b",
    "..",
    "é🦊",
    "%",
    "x" * 300,
    "own_",
    "-",
    " ",
]
NUMBERS = [0, 1, -1, 2, 2**31, 2**53 - 1, 2**53, 2**63, 2**64, -(2**63) - 1, 10**30, 1.5, 1e308, True, False]
TEXTS = ["", "usd", "jpy", "period_end", "now", "31d", "1 month", "https://a.example", "javascript:x", "2026-01-01T00:00:00Z",
         "9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "secret", "read", "é", "\x7f", "\u2028", "a" * 2_000]  # fmt: skip

scalars = st.one_of(st.none(), st.sampled_from(NUMBERS), st.sampled_from([*TEXTS, *IDS]), st.text(max_size=20))
NAMES = [
    "type",
    "id",
    "products",
    "items",
    "prices",
    "amounts",
    "usd",
    "interval",
    "included_items",
    "quantity",
    "repeat",
    "product_id",
    "metadata",
]
values = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=3),
        st.dictionaries(st.one_of(st.sampled_from([*NAMES, *IDS]), st.text(max_size=8)), inner, max_size=4),
    ),
    max_leaves=12,
)


def fields_of(shape: Any) -> list[str]:
    return list(shape.__struct_fields__) if isinstance(shape, type) and issubclass(shape, msgspec.Struct) else NAMES


@st.composite
def requests(draw: st.DrawFn) -> tuple[Route, str, dict[str, str], bytes]:
    route: Route = draw(st.sampled_from(ASKED))
    path = route.path
    while "{" in path:
        before, _, rest = path.partition("{")
        part = draw(st.one_of(st.sampled_from(IDS), st.text(min_size=1, max_size=12)))
        path = f"{before}{quote(part, safe='').replace('.', '%2E')}{rest.partition('}')[2]}"
    named = draw(
        st.dictionaries(
            st.sampled_from([*fields_of(route.query), "limit", "cursor", "as_of"]),
            st.sampled_from([*TEXTS, *IDS, "5", "-1"]),
            max_size=2,
        )
    )
    body = b""
    if route.method in ("POST", "PUT", "PATCH"):
        chosen = draw(st.dictionaries(st.sampled_from(fields_of(route.body)), values, max_size=5))
        body = msgspec.json.encode(chosen if draw(st.booleans()) else draw(values))
    return route, path, named, body


@pytest.fixture(scope="module")
def without_access_log() -> Iterator[None]:
    """Three hundred lines nobody reads."""
    access_log = logging.getLogger("paywright.access")
    access_log.disabled = True
    yield
    access_log.disabled = False


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("without_access_log")
@settings(max_examples=300)
@given(asked=requests())
def test_no_request_breaks_the_server(shared_house: House, asked: tuple[Route, str, dict[str, str], bytes]) -> None:
    route, path, named, body = asked
    answer = shared_house.ask(route.method, path, params=named, content=body)
    # The environment's provider is `instant`: what needs Stripe has nobody to ask, and says so.
    assert answer.status_code < 500 or answer.json()["error"]["code"] in ("stripe_refused", "not_implemented"), (
        route.method,
        path,
        named,
        body,
        answer.text,
    )
