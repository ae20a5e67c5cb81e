"""`user.stream()`: the same iterator over HTTP and in process, for threads and for event loops; and the doors that cannot stream."""

import asyncio
import threading
from io import BytesIO
from typing import Any

import pytest
from fastapi import FastAPI

from paywright.api.listening import Listening, listening_socket
from paywright.api.server import build
from paywright.client import AsyncClient, AuthenticationFailed, Client
from paywright.client.streams import CustomerUpdate, update_of
from paywright.client.transport import Frame, Frames
from paywright.inprocess import AsyncPaywright, Paywright
from paywright.integrations.fastapi import install
from paywright.integrations.wsgi import WsgiApi
from paywright.kernel.model import Customer
from paywright.realtime.dispatcher import Dispatcher
from tests.harness.house import CATALOG, SECRET, House
from tests.harness.waiting import until
from tests.realtime.listening import Listener

USER = Customer("user", "u_1")


def quantities(updates: list[CustomerUpdate]) -> list[tuple[str, int, int]]:
    return [(each.event, each.version, each.state.items[0].quantity) for each in updates]


def test_a_client_follows_a_customer(house: House) -> None:
    with Client(house.url, token=house.token(USER)) as pay, Client(house.url, house.secret_key) as server:
        with pay.user("u_1").stream() as updates:
            told = [next(updates)]
            server.user("u_1").get_item("credits").increase_quantity(5)
            told.append(next(updates))
            server.user("u_1").get_item("credits").decrease_quantity(2)
            told.append(next(updates))
        assert quantities(told) == [("snapshot", 0, 0), ("change", 1, 5), ("change", 2, 3)]
        assert (told[2].previous, told[2].changes) == (1, ["items.credits"])
        with pay.user("u_1").stream(after_version=1) as updates:
            assert quantities([next(updates)]) == [("change", 2, 3)]
    until(lambda: house.app.resource(Dispatcher).open_streams == 0, "the streams to be left")


def test_an_async_client_follows_a_customer(house: House) -> None:
    async def follow() -> list[CustomerUpdate]:
        told = []
        async with AsyncClient(house.url, house.secret_key) as pay, pay.user("u_1").stream() as updates:
            async for update in updates:
                told.append(update)
                if len(told) == 3:
                    break
                await (await pay.user("u_1").get_item("credits")).increase_quantity(5)
        return told

    assert quantities(asyncio.run(follow())) == [("snapshot", 0, 0), ("change", 1, 5), ("change", 2, 10)]


def in_process(database_url: str) -> dict[str, Any]:
    return {"database_url": database_url, "catalog": CATALOG, "secret": SECRET, "provider": "instant"}


def test_the_engine_in_process_is_followed_without_a_server(database_url: str) -> None:
    with Paywright(**in_process(database_url)) as pay:
        with pay.user("u_1").stream() as updates:
            told = [next(updates)]
            pay.user("u_1").get_item("credits").increase_quantity(5)
            told.append(next(updates))
        assert quantities(told) == [("snapshot", 0, 0), ("change", 1, 5)]
        assert pay.app.resource(Dispatcher).open_streams == 0


def test_a_loop_over_updates_ends_when_the_engine_is_closed(database_url: str) -> None:
    pay = Paywright(**in_process(database_url))
    told: list[str] = []
    follower = threading.Thread(target=lambda: told.extend(update.event for update in pay.user("u_1").stream()))
    follower.start()
    until(lambda: pay.app.resource(Dispatcher).open_streams, "the stream to be open")
    pay.close()
    follower.join(60)
    assert not follower.is_alive()
    assert told in ([], ["snapshot"])


def test_the_engine_in_process_is_followed_by_an_event_loop(database_url: str) -> None:
    async def follow() -> list[CustomerUpdate]:
        async with AsyncPaywright(**in_process(database_url)) as pay, pay.user("u_1").stream() as updates:
            told = [await anext(updates)]
            await (await pay.user("u_1").get_item("credits")).increase_quantity(5)
            return [*told, await anext(updates)]

    assert quantities(asyncio.run(follow())) == [("snapshot", 0, 0), ("change", 1, 5)]


def test_a_client_comes_back_after_a_restart_and_is_told_what_it_missed(house: House) -> None:
    port = house.server.listener.getsockname()[1]
    with Client(house.url, house.secret_key) as pay, pay.user("u_1").stream() as updates:
        assert next(updates).event == "snapshot"
        house.server.stop()
        with Listening(build(house.app), listener=listening_socket("127.0.0.1", port)):
            pay.user("u_1").get_item("credits").increase_quantity(5)
            assert quantities([next(updates)]) == [("change", 1, 5)]


def test_a_revoked_token_ends_the_loop_with_the_reason(house: House) -> None:
    token = house.token(USER)
    with Client(house.url, token=token) as pay, pay.user("u_1").stream() as updates:
        next(updates)
        house.post("/v1/customer-tokens/revoke", {"token": token})
        with pytest.raises(AuthenticationFailed):
            next(updates)


def test_frames_are_read_however_they_are_cut() -> None:
    text = b": hello\n\nevent: snapshot\nid: 1\ndata: {}\n\n:\n\nevent: change\nid: 2\ndata: [1]\n\nevent: ch"
    for size in (1, 2, 7, len(text)):
        frames = Frames()
        found = [frame for start in range(0, len(text), size) for frame in frames.feed(text[start : start + size])]
        assert found == [Frame("snapshot", b"{}"), Frame("change", b"[1]")]


def test_an_event_of_a_newer_server_is_passed_over() -> None:
    assert update_of(Frame("rumour", b"{}")) is None


def test_the_stream_works_mounted_in_a_fastapi_app(house: House) -> None:
    shop = FastAPI()
    pay = Paywright(database_url=house.app.settings.database_url, secret=SECRET, provider="instant")
    install(shop, pay, customer_of=lambda _: "u_1", worker=False)
    with (
        Listening(shop) as server,
        Listener(f"{server.url}/paywright/v1/customers/user/u_1/stream", house.secret_key) as told,
    ):
        assert told.next().event == "snapshot"
        pay.user("u_1").get_item("credits").increase_quantity(5)
        assert told.next().id == 1
        pay.close()
        assert told.ended() == []


def test_a_door_that_answers_in_a_thread_says_where_to_stream(house: House) -> None:
    started: list[tuple[str, list[tuple[str, str]]]] = []
    environ = {
        "REQUEST_METHOD": "GET",
        "PATH_INFO": "/v1/customers/user/u_1/stream",
        "HTTP_AUTHORIZATION": f"Bearer {house.secret_key}",
        "wsgi.input": BytesIO(),
    }
    (body,) = WsgiApi(house.app)(environ, lambda status, headers: started.append((status, headers)))
    assert started[0][0] == "501 Not Implemented"
    assert b'"cannot_stream"' in body
    assert b"paywright serve" in body
