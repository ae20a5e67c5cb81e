"""`GET C/stream` over HTTP: what is told, to whom, and when it ends."""

import asyncio
import threading
import time
from typing import Any

import httpx
import jwt
import msgspec
import pytest

from paywright.access import app_jwt
from paywright.access.actions import revoke_customers_tokens, revoke_key
from paywright.kernel.model import Customer
from paywright.ledger.actions import grant
from paywright.outbox.actions import lock_customers
from paywright.realtime.dispatcher import Dispatcher
from paywright.realtime.rules import CHANGES_MAX
from tests.harness.house import CATALOG, House
from tests.harness.waiting import until
from tests.realtime.listening import Listener

USER = Customer("user", "u_1")
OTHER = Customer("user", "u_2")
STATE = "/v1/customers/user/u_1"


def stream(house: House, key: str, customer: str = "user/u_1", **headers: str) -> Listener:
    return Listener(f"{house.url}/v1/customers/{customer}/stream", key, headers=headers)


def spend(house: House, quantity: int = 1, customer: str = "user/u_1") -> None:
    assert house.post(f"/v1/customers/{customer}/items/credits/decrease", {"quantity": quantity}).status_code == 200


def test_a_stream_is_a_snapshot_then_one_change_per_commit(house: House) -> None:
    token = house.token(USER)
    with stream(house, token) as told:
        assert told.answer.headers["content-type"].startswith("text/event-stream")
        assert told.answer.headers["cache-control"] == "no-store, no-transform"
        assert told.answer.headers["x-accel-buffering"] == "no"
        first = told.next()
        assert (first.event, first.id) == ("snapshot", 0)
        assert first.body == house.get(STATE, key=token).json()
        house.post(f"{STATE}/products", {"product_id": "pack"})
        spend(house, 30)
        changes = told.until_version(2)
    assert [(each.event, each.id, each.body["previous"]) for each in changes] == [("change", 1, 0), ("change", 2, 1)]
    assert changes[0].body["changes"] == ["products", "items.credits"]
    assert changes[1].body["changes"] == ["items.credits"]
    assert changes[1].body["state"] == house.get(STATE, key=token).json()
    assert changes[1].body["state"]["items"][0]["quantity"] == 70


def test_every_commit_is_told_however_quickly_they_follow(house: House) -> None:
    house.post(f"{STATE}/items/credits/increase", {"quantity": 1000})
    with stream(house, house.token(USER)) as told:
        told.next()
        threads = [threading.Thread(target=spend, args=(house,)) for _ in range(12)]
        for each in threads:
            each.start()
        for each in threads:
            each.join()
        version = house.get(STATE).json()["version"]
        changes = told.until_version(version)
    assert [each.id for each in changes] == list(range(2, version + 1))
    assert all(each.body["previous"] == each.id - 1 for each in changes)
    assert changes[-1].body["state"]["items"][0]["quantity"] == 988


def test_last_event_id_is_told_only_what_came_later(house: House) -> None:
    for _ in range(4):
        house.post(f"{STATE}/items/credits/increase", {"quantity": 5})
    token = house.token(USER)
    with stream(house, token, **{"Last-Event-ID": "2"}) as told:
        assert [(each.event, each.id) for each in told.until_version(4)] == [("change", 3), ("change", 4)]
    with stream(house, token, **{"Last-Event-ID": "4"}) as told:
        until(lambda: told.comments, "the first byte")
        assert told.is_silent()
        spend(house)
        assert told.next().id == 5


@pytest.mark.parametrize("seen", ["99", "-1", "1.5", "abc", "9" * 40, ""])
def test_an_id_that_is_not_known_is_answered_with_a_snapshot(house: House, seen: str) -> None:
    house.post(f"{STATE}/items/credits/increase", {"quantity": 5})
    with stream(house, house.token(USER), **{"Last-Event-ID": seen}) as told:
        first = told.next()
        assert (first.event, first.id) == ("snapshot", 1)


def test_an_id_too_long_ago_is_answered_with_a_snapshot(house: House) -> None:
    for _ in range(CHANGES_MAX + 2):
        with house.app.work("test") as work:
            lock_customers(work, [USER])
            grant(work, USER, "credits", 1, source=None)
    token = house.token(USER)
    with stream(house, token, **{"Last-Event-ID": "1"}) as told:
        assert (told.next().event, told.answer.status_code) == ("snapshot", 200)
    with stream(house, token, **{"Last-Event-ID": "2"}) as told:
        assert [each.id for each in told.until_version(CHANGES_MAX + 2)] == list(range(3, CHANGES_MAX + 3))


def test_a_refused_call_tells_nothing(house: House) -> None:
    """E1."""
    with stream(house, house.token(USER)) as told:
        told.next()
        assert house.post(f"{STATE}/items/credits/decrease", {"quantity": 1}).status_code == 402
        house.post(f"{STATE}/items/credits/increase", {"quantity": 1})
        assert told.next().id == 1


def test_nothing_is_told_before_its_commit(house: House) -> None:
    with stream(house, house.token(USER)) as told:
        told.next()
        with house.app.work("test") as work:
            lock_customers(work, [USER])
            grant(work, USER, "credits", 7, source=None)
            house.app.resource(Dispatcher).hear("test", None)
            with stream(house, house.secret_key) as later:
                assert later.next().body["items"][0]["quantity"] == 0
            assert told.is_silent()
        assert told.next().body["state"]["items"][0]["quantity"] == 7


def test_a_stream_shows_what_its_caller_may_read(house: House) -> None:
    house.post(f"{STATE}/products", {"product_id": "secret"})
    house.post(f"{STATE}/products", {"product_id": "pack"})
    with stream(house, house.token(USER)) as told, stream(house, house.secret_key) as all_told:
        mine, all_of_it = told.next().body, all_told.next().body
        assert [each["product_id"] for each in mine["products"]] == ["pack"]
        assert [each["product_id"] for each in all_of_it["products"]] == ["pack", "secret"]
        spend(house)
        mine, all_of_it = told.next().body["state"], all_told.next().body["state"]
    assert "server" not in mine["products"][0]["metadata"]
    assert all_of_it["products"][0]["metadata"]["server"] == {"cost_centre": "A7"}


def test_a_customer_is_told_of_nobody_else(house: House) -> None:
    with stream(house, house.token(USER)) as told, stream(house, house.token(OTHER), "user/u_2") as others:
        assert (told.next().event, others.next().event) == ("snapshot", "snapshot")
        house.post("/v1/customers/user/u_2/items/credits/increase", {"quantity": 5})
        assert others.next().body["state"]["customer"]["id"] == "u_2"
        house.post(f"{STATE}/items/credits/increase", {"quantity": 1})
        assert told.next().body["state"]["items"][0]["quantity"] == 1


@pytest.mark.parametrize(
    ("path", "key", "status", "code"),
    [
        ("user/u_1", None, 401, "unauthenticated"),
        ("user/u_1", "nonsense", 401, "invalid_credentials"),
        ("user/u_2", "token", 403, "not_your_customer"),
        ("team/t_1", "token", 403, "not_your_customer"),
        ("custom/c_1", "token", 403, "not_your_customer"),
        ("user/u_1", "publishable", 403, "not_your_customer"),
        ("guest/" + "x" * 40, "publishable", 404, "claim_not_found"),
        ("user/u_1?token=abc", "token", 400, "invalid_request"),
        ("alien/u_1", "token", 400, "invalid_request"),
    ],
)
def test_whoever_may_not_read_may_not_listen(house: House, path: str, key: str | None, status: int, code: str) -> None:
    """E4, and no token in a URL."""
    credential = {"token": house.token(USER), "publishable": house.publishable_key, "nonsense": "x"}.get(key or "")
    where, _, query = path.partition("?")
    answer = house.get(f"/v1/customers/{where}/stream{'?' + query if query else ''}", key=credential)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_other_origins_are_told_whether_they_may_read(house: House) -> None:
    with stream(house, house.token(USER), Origin="https://app.example.com") as told:
        assert told.answer.headers["access-control-allow-origin"] == "https://app.example.com"
    refused = house.get(f"{STATE}/stream", key=None, headers={"Origin": "https://app.example.com"})
    assert refused.headers["access-control-allow-origin"] == "https://app.example.com"
    preflight = house.ask("OPTIONS", f"{STATE}/stream", headers={"Origin": "https://app.example.com"})
    assert "Last-Event-ID" in preflight.headers["access-control-allow-headers"]


def revoke_token(house: House, token: str) -> None:
    assert house.post("/v1/customer-tokens/revoke", {"token": token}).status_code == 200


def revoke_all(house: House, _token: str) -> None:
    with house.app.work("test") as work:
        revoke_customers_tokens(work, USER)


@pytest.mark.parametrize("revoke", [revoke_token, revoke_all])
def test_a_revoked_token_closes_its_stream_and_no_other(house: House, revoke: Any) -> None:
    token, other = house.token(USER), house.token(OTHER)
    with stream(house, token) as told, stream(house, other, "user/u_2") as others:
        assert (told.next().event, others.next().event) == ("snapshot", "snapshot")
        revoke(house, token)
        assert told.ended() == []
        house.post("/v1/customers/user/u_2/items/credits/increase", {"quantity": 5})
        assert others.next().id == 1


def test_a_revoked_key_closes_its_stream(house: House) -> None:
    key = house.key("secret")
    with stream(house, key) as told:
        told.next()
        made = next(each for each in house.get("/v1/keys").json()["data"] if each["last_four"] == key[-4:])
        with house.app.work("test") as work:
            revoke_key(work, made["id"])
        assert told.ended() == []


def test_a_token_whose_time_is_over_closes_its_stream(house: House) -> None:
    with stream(house, house.token(USER, ttl_s=1)) as told:
        told.next()
        assert told.ended() == []


def test_the_apps_own_jwt_opens_a_stream_and_its_end_closes_it(house: House) -> None:
    shared = "a secret of the app, and of at least thirty-two bytes"
    with house.app.work("test") as work:
        assert (
            app_jwt.configure(
                work, house.app.settings, "test", {"issuer": "https://app.test/", "shared_secret": shared}
            )
            is None
        )
    claims = {"iss": "https://app.test/", "sub": "u_1", "exp": int(time.time()) + 2}
    with stream(house, jwt.encode(claims, shared, "HS256")) as told:
        assert told.next().event == "snapshot"
        assert told.ended() == []


def test_a_server_that_stops_ends_its_streams(database_url: str) -> None:
    with House(database_url) as house:
        told = stream(house, house.token(USER))
        with told:
            told.next()
            stopping = threading.Thread(target=house.server.stop)
            stopping.start()
            assert told.ended() == []
            stopping.join(40)
            assert not stopping.is_alive()


def test_a_stream_may_be_for_a_guest_whose_token_is_in_the_path(house: House) -> None:
    claim = "claim_token_of_this_test_0123456789abcdef"
    body = {
        "customer": None,
        "line_items": [{"product_id": "pack"}],
        "success_url": "http://localhost/s",
        "cancel_url": "http://localhost/c",
        "claim_token": claim,
    }
    assert house.post("/v1/checkout-sessions", body, key=house.publishable_key).status_code == 201
    with stream(house, house.publishable_key, f"guest/{claim}") as told:
        assert told.next().body["items"][0]["quantity"] == 100
        attached = house.post(f"{STATE}/claims", {"claim_token": claim}, key=house.token(USER))
        assert attached.status_code == 200, attached.text
        assert told.ended() == []


def small(url: str, **limits: int) -> House:
    """A house whose server takes few streams."""
    house = House(url, catalog=CATALOG)
    house.app.settings = msgspec.structs.replace(house.app.settings, **limits)
    return house


def test_no_more_streams_than_a_customer_may_have(database_url: str) -> None:
    with small(database_url, streams_per_customer_max=1) as house:
        with stream(house, house.token(USER)) as told:
            told.next()
            refused = house.get(f"{STATE}/stream", key=house.token(USER))
            assert (refused.status_code, refused.json()["error"]["code"]) == (429, "too_many_streams")
            assert refused.headers["retry-after"] == "10"
            with stream(house, house.token(OTHER), "user/u_2") as others:
                assert others.next().event == "snapshot"
        until(lambda: house.app.resource(Dispatcher).open_streams == 0, "the streams to be left")
        with stream(house, house.token(USER)) as told:
            assert told.next().event == "snapshot"


def test_no_more_streams_than_a_process_takes(database_url: str) -> None:
    with small(database_url, streams_max=1) as house, stream(house, house.token(USER)) as told:
        told.next()
        refused = house.get("/v1/customers/user/u_2/stream", key=house.token(OTHER))
        assert (refused.status_code, refused.json()["error"]["code"]) == (503, "streams_full")
        assert refused.headers["retry-after"] == "10"


def test_a_stream_that_ended_is_counted_as_the_request_it_was(house: House) -> None:
    with stream(house, house.token(USER)) as told:
        told.next()
        assert "paywright_open_streams 1" in house.get("/metrics", key=None).text
    route = 'route="/v1/customers/{customer_type}/{customer_id}/stream",status="200"'
    until(lambda: route in house.get("/metrics", key=None).text, "the stream to be counted")
    assert "paywright_open_streams 0" in house.get("/metrics", key=None).text


def test_many_streams_of_one_customer_are_told_the_same_bytes(house: House) -> None:
    async def listen_all() -> list[bytes]:
        async with httpx.AsyncClient(timeout=15) as http:
            headers = {"Authorization": f"Bearer {house.token(USER)}"}
            return await asyncio.gather(*(first_bytes(http, headers) for _ in range(30)))

    async def first_bytes(http: httpx.AsyncClient, headers: dict[str, str]) -> bytes:
        async with http.stream("GET", f"{house.url}{STATE}/stream", headers=headers) as answer:
            async for piece in answer.aiter_bytes():
                return piece
        return b""

    assert len(set(asyncio.run(listen_all()))) == 1
