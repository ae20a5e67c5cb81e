"""What only an app with an event loop can get wrong, and a purchase through Stripe's webhook below the prefix."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Annotated, Any, TypeVar, cast

import fastapi
import httpx
import pytest
from fastapi.testclient import TestClient
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.websockets import WebSocketDisconnect

from paywright import AsyncPaywright, Paywright
from paywright.api.listening import Listening
from paywright.client import Client, PaymentRequired
from paywright.client.async_customer import AsyncUser
from paywright.client.surface import Surface
from paywright.client.transport import Transport
from paywright.integrations.background import Background
from paywright.integrations.fastapi import NotInstalled, install, require_item, require_product
from paywright.kernel.model import Customer
from tests.flows import sandbox
from tests.harness.house import CATALOG, SECRET
from tests.harness.waiting import until
from tests.integrations.sites import HEADER, PREFIX, fastapi_app

Shown = TypeVar("Shown")


@pytest.fixture
def pay(sqlite_url: str) -> Iterator[Paywright]:
    with Paywright(database_url=sqlite_url, catalog=CATALOG, provider="instant", secret=SECRET) as made:
        yield made


class Watched:
    """A transport that notes on which threads it is called."""

    def __init__(self, inner: Transport) -> None:
        self.inner, self.threads = inner, set[int]()

    def call(self, method: str, path: str, shows: type[Shown], **asked: Any) -> Shown:
        self.threads.add(threading.get_ident())
        return self.inner.call(method, path, shows, **asked)

    def close(self) -> None:
        self.inner.close()


def test_neither_the_engine_nor_customer_of_runs_on_the_event_loop(pay: Paywright) -> None:
    watched = Watched(pay._transport)
    app, loops = fastapi.FastAPI(), set[int]()

    def customer_of(request: fastapi.Request) -> str | None:
        watched.threads.add(threading.get_ident())
        return request.headers.get(HEADER)

    install(app, Surface(watched), customer_of=customer_of)

    @app.get("/essay", dependencies=[fastapi.Depends(require_product("pro")), fastapi.Depends(require_item("credits"))])
    async def essay() -> str:
        loops.add(threading.get_ident())
        return "essay"

    pay.user("anne").grant_product("pro")
    with TestClient(app) as client:
        assert client.get("/essay", headers={HEADER: "anne"}).json() == "essay"
    assert len(loops) == 1
    assert len(watched.threads) >= 1
    assert not loops & watched.threads


def test_an_async_app_awaits_an_async_paywright(sqlite_url: str) -> None:
    pay = AsyncPaywright(database_url=sqlite_url, catalog=CATALOG, provider="instant", secret=SECRET)
    app = fastapi.FastAPI()

    async def customer_of(request: fastapi.Request) -> str | None:
        return request.headers.get(HEADER)

    install(app, pay, customer_of=customer_of)

    @app.post("/haiku")
    async def haiku(user: Annotated[AsyncUser, fastapi.Depends(require_item("credits"))]) -> dict[str, bool]:
        credits = await user.get_item("credits")
        return {"spent": await credits.try_decrease_quantity(1)}

    async def give() -> None:
        await (await pay.user("anne").get_item("credits")).increase_quantity(1)

    with TestClient(app) as client:
        assert client.post("/haiku").status_code == 401
        assert client.post("/haiku", headers={HEADER: "anne"}).json()["error"]["code"] == "not_entitled"
        asyncio.run(give())
        assert client.post("/haiku", headers={HEADER: "anne"}).json() == {"spent": True}
        assert client.post("/haiku", headers={HEADER: "anne"}).status_code == 402
    asyncio.run(pay.close())


def test_a_dependency_of_the_apps_own_may_say_who_it_is(pay: Paywright) -> None:
    app = fastapi.FastAPI()
    install(app, pay, customer_of=lambda request: None)

    def crew(team: str) -> Customer:
        return Customer("team", team)

    @app.get("/plan")
    def plan(owner: Annotated[Any, fastapi.Depends(require_product("board", customer_of=crew))]) -> str:
        return str(owner.id)

    catalog = pay.get_catalog()
    catalog["products"]["board"] = {"customer_type": "team"}
    pay.put_catalog(catalog)
    pay.team("red").grant_product("board")
    with TestClient(app) as client:
        assert client.get("/plan?team=red").json() == "red"
        assert client.get("/plan?team=blue").status_code == 402


def test_the_apps_own_answer_to_a_refusal_wins(pay: Paywright) -> None:
    app = fastapi_app(pay)

    @app.exception_handler(PaymentRequired)
    def kindly(_request: fastapi.Request, error: PaymentRequired) -> fastapi.Response:
        return fastapi.Response(f"<p>{error.facts['upgrade_options'][0]['display_name']} opens this.</p>", 402)

    with TestClient(app) as client:
        assert client.get("/essay", headers={HEADER: "anne"}).text == "<p>Pro opens this.</p>"


def test_every_event_loop_gets_an_api_that_works(pay: Paywright) -> None:
    key, app = pay.create_key().key, fastapi_app(pay)
    for _ in range(2):
        with TestClient(app) as client:
            path = f"{PREFIX}/v1/customers/user/anne/items/credits/increase"
            assert (
                client.post(path, json={"quantity": 1}, headers={"Authorization": f"Bearer {key}"}).status_code == 200
            )
    assert TestClient(app).get(f"{PREFIX}/readyz").json() == {"status": "ready"}
    assert pay.user("anne").get_item("credits").quantity == 2


@pytest.mark.parametrize("said_by", ["app", "server"])
def test_behind_a_proxy_the_api_is_found(pay: Paywright, said_by: str) -> None:
    app = fastapi_app(pay)
    app.root_path = "/outer" if said_by == "app" else ""
    with TestClient(app, root_path="/outer" if said_by == "server" else "") as client:
        assert client.get(f"{PREFIX}/readyz").json() == {"status": "ready"}
        assert client.get(f"/outer{PREFIX}/readyz").json() == {"status": "ready"}


def test_mounted_in_another_app_it_works_and_streams_without_a_lifespan(pay: Paywright) -> None:
    """A server tells only the outermost app when it begins and ends."""
    heard: list[str] = []
    pay.on("product.granted", name="told")(lambda event: heard.append(event.data["product"]["product_id"]))
    outer = Starlette(routes=[Mount("/shop", app=fastapi_app(pay))])
    background, key = pay.app.resource(Background), pay.create_key().key
    with Listening(cast(Any, outer)) as server:
        api = f"{server.url}/shop{PREFIX}"
        assert not background.is_running
        assert httpx.get(f"{server.url}/shop/essay", headers={HEADER: "anne"}).status_code == 402
        assert background.is_running
        headers = {"Authorization": f"Bearer {key}"}
        with httpx.stream("GET", f"{api}/v1/customers/user/anne/stream", headers=headers, timeout=30) as stream:
            lines = stream.iter_lines()
            assert next(line for line in lines if line.startswith("event:")) == "event: snapshot"
            body = {"product_id": "pro"}
            assert httpx.post(f"{api}/v1/customers/user/anne/products", json=body, headers=headers).status_code == 201
            assert next(line for line in lines if line.startswith("event:")) == "event: change"
        until(lambda: heard == ["pro"], "the worker told the listener")
        assert httpx.get(f"{server.url}/shop/essay", headers={HEADER: "anne"}).status_code == 200
    pay.close()
    assert not background.is_running


def test_a_lifespan_that_is_over_is_not_begun_by_a_late_request(pay: Paywright) -> None:
    app, background = fastapi_app(pay), pay.app.resource(Background)
    with TestClient(app):
        assert background.is_running
    TestClient(app).get(f"{PREFIX}/readyz")
    assert not background.is_running


def test_a_websocket_is_turned_away(pay: Paywright) -> None:
    with (
        TestClient(fastapi_app(pay)) as client,
        pytest.raises(WebSocketDisconnect),
        client.websocket_connect(f"{PREFIX}/v1/customers/user/anne/stream"),
    ):
        pass


def test_state_that_cannot_be_read_refuses() -> None:
    app = fastapi_app(Client("http://127.0.0.1:9", "pw_sk_test_x"))
    with TestClient(app) as client:
        answer = client.get("/essay", headers={HEADER: "anne"})
        assert (answer.status_code, answer.json()["error"]["code"]) == (503, "unavailable")
        assert answer.headers["retry-after"] == "1"
        assert client.get(f"{PREFIX}/healthz").status_code == 404


def test_an_app_without_paywright_is_told_so() -> None:
    app = fastapi.FastAPI()

    @app.get("/essay", dependencies=[fastapi.Depends(require_product("pro"))])
    def essay() -> str:
        return "essay"

    with TestClient(app) as client, pytest.raises(NotInstalled):
        client.get("/essay")


def test_a_purchase_arrives_by_the_webhook_below_the_prefix(sqlite_url: str) -> None:
    app = fastapi.FastAPI()
    server = Listening(cast(Any, app))
    with sandbox.running() as sandbox_url, sandbox.account(sandbox_url) as account:
        secret = account.webhook(
            f"{server.url}{PREFIX}/webhooks/stripe/test", settle_url=f"{server.url}{PREFIX}/healthz"
        )
        pay = Paywright(
            database_url=sqlite_url,
            catalog=CATALOG,
            provider="sandbox",
            secret=SECRET,
            stripe_secret_key=account.secret_key,
            stripe_api_base=account.url,
            stripe_webhook_secret=secret,
        )
        install(app, pay, customer_of=lambda request: request.headers.get(HEADER), prefix=PREFIX)

        @app.get("/haiku", dependencies=[fastapi.Depends(require_item("credits"))])
        def haiku() -> str:
            return "an old silent pond"

        with pay, server:
            anne = {HEADER: "anne"}
            assert httpx.get(f"{server.url}/haiku", headers=anne).status_code == 402
            session = pay.user("anne").create_checkout_session(
                [{"product_id": "pack"}], success_url="https://a.example", cancel_url="https://a.example"
            )
            assert session.stripe.checkout_session_id is not None
            account.pay(session.stripe.checkout_session_id)
            until(
                lambda: httpx.get(f"{server.url}/haiku", headers=anne).status_code == 200, "the webhook", timeout_s=30
            )
            assert pay.user("anne").get_item("credits").quantity == 100
            assert {each.status for each in pay.list_stripe_events(type="checkout.session.completed")} == {"processed"}
