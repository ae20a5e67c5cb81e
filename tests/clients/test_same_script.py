"""One script, four surfaces: in process and over HTTP, sync and async. All of them must tell the same story."""

import asyncio
import inspect
import runpy
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from paywright import AsyncPaywright, Paywright
from paywright.client import AsyncClient, Client, errors
from tests.harness.house import CATALOG, SECRET, House

Of = Callable[[Any], Any]
"""Awaits where there is something to await."""


async def story(pay: Any, of: Of) -> list[object]:
    """What happened, without what is different each time."""
    user = pay.user("anne/é")
    chapters = (sell, spend, hold, own, look, refuse)
    return [each for chapter in chapters for each in await chapter(pay, user, of)]


async def sell(pay: Any, user: Any, of: Of) -> list[object]:
    page = "https://a.example"
    url = await of(user.create_checkout_url("pack", success_url=f"{page}/{{CHECKOUT_SESSION_ID}}", cancel_url=page))
    session = await of(pay.get_checkout_session(url.rpartition("/")[2]))
    return [
        (session.status, session.payment_status, session.customer),
        (await of(pay.sync_checkout_session(session.id))).status,
        [(each.product_id, each.quantity, each.source) for each in await of(user.list_products())],
        (await of(user.owns("pack")), await of(user.owns("pro"))),
    ]


async def spend(pay: Any, user: Any, of: Of) -> list[object]:
    credits = await of(user.get_item("credits"))
    return [
        (credits.id, credits.display_name, credits.quantity, credits.non_negative_quantity, credits.held),
        await of(credits.try_decrease_quantity(30, idempotency_key="haiku-1")),
        await of(credits.try_decrease_quantity(30, idempotency_key="haiku-1")),
        (await of(credits.refresh())).quantity,
        await of(credits.try_decrease_quantity(1_000)),
        await of(credits.increase_quantity(5, expires_at=datetime(2099, 1, 1, tzinfo=UTC), note="a gift")),
        [(each.quantity, each.expires_at.year) for each in credits.expiring],
        await of(credits.decrease_quantity(80, allow_negative=True)),
        (credits.quantity, credits.non_negative_quantity),
        [(each.kind, each.delta, each.note) for each in await of(credits.list_entries(limit=3))],
    ]


async def hold(pay: Any, user: Any, of: Of) -> list[object]:
    team = pay.team("crew")
    seats = await of(team.get_item("seats"))
    await of(seats.increase_quantity(50))
    held = await of(seats.hold(20, expires_in_s=60))
    told: list[object] = [(held.quantity, held.status, seats.quantity, seats.held)]
    told += [await of(held.capture(7)), (held.captured, held.status, seats.quantity, seats.held)]
    elsewhere = await of(seats.hold(3))
    told += [(await of(pay.capture_hold(elsewhere.id))).captured]
    other = await of(seats.hold(5))
    told += [await of(other.release()), other.status, seats.quantity]
    spent = await of(pay.decrease_quantities([(team, "seats", 4), (team.customer, "seats", 1)], note="both"))
    grants = await of(seats.list_grants())
    return [*told, [each.quantity for each in spent], [(each.quantity, each.remaining) for each in grants]]


async def own(pay: Any, user: Any, of: Of) -> list[object]:
    granted = await of(user.grant_product("pro", reason="a friend"))
    return [
        (granted.type, granted.subscription.status, granted.granted_at.tzinfo),
        (await of(user.cancel_subscription("pro"))).ends_at == granted.subscription.current_period_end,
        (await of(user.resume_subscription("pro"))).ends_at,
        (await of(user.revoke_product(granted.id))).product_id,
        [(each.id, each.quantity) for each in await of(user.list_items())],
        (await of(user.get_state())).customer,
    ]


async def look(pay: Any, user: Any, of: Of) -> list[object]:
    return [
        [each.id for each in await of(pay.list_products())],
        (await of(pay.get_environment())).provider,
        [each.type for each in await of(pay.list_events(customer=user.customer, limit=2))],
        (await of(pay.update_environment(block_new_purchases=True))).block_new_purchases,
        len(await of(pay.list_keys())),
        (await of(pay.put_catalog(CATALOG))).changed,
        [each.quantity for each in await of(pay.team("crew").list_items())],
        (await of(pay.create_customer_token([user], ttl_s=60))).expires_at.tzinfo,
        (await of(pay.list_payments())).data,
    ]


async def refuse(pay: Any, user: Any, of: Of) -> list[object]:
    told: list[object] = []
    credits = await of(user.get_item("credits"))
    page = "https://a.example"
    for refused in (
        lambda: user.get_item("nope"),
        lambda: credits.decrease_quantity(1_000),
        lambda: user.create_checkout_url("pack", success_url=page, cancel_url=page),
        lambda: user.grant_product("pro", quantity=0),
        lambda: pay.decrease_quantities([(user, "credits", 1), (pay.user("bob"), "credits", 5)]),
        lambda: credits.hold(1_000),
        lambda: pay.custom("c").list_payments(),
        lambda: pay.get_payment("pay_nope"),
    ):
        try:
            await of(refused())
        except errors.PaywrightError as error:
            told.append((type(error).__name__, error.code, error.status, error.facts, error.param))
    return told


async def awaited(outcome: Any) -> Any:
    return await outcome if inspect.isawaitable(outcome) else outcome


def told_by(pay: Any) -> list[object]:
    return asyncio.run(story(pay, awaited))


def in_process(url: str) -> list[object]:
    with Paywright(database_url=url, catalog=CATALOG, provider="instant", secret=SECRET) as pay:
        pay.create_key()
        pay.create_key("publishable")
        return told_by(pay)


def in_process_awaited(url: str) -> list[object]:
    async def run() -> list[object]:
        async with AsyncPaywright(database_url=url, catalog=CATALOG, provider="instant", secret=SECRET) as pay:
            await pay.create_key()
            await pay.create_key("publishable")
            return await story(pay, awaited)

    return asyncio.run(run())


def over_http(url: str) -> list[object]:
    with House(url) as house, Client(house.url, house.secret_key) as pay:
        return told_by(pay)


def over_http_awaited(url: str) -> list[object]:
    async def run(house: House) -> list[object]:
        async with AsyncClient(house.url, house.secret_key) as pay:
            return await story(pay, awaited)

    with House(url) as house:
        return asyncio.run(run(house))


def test_what_nobody_captured_goes_back_at_the_end_of_the_block(sqlite_url: str) -> None:
    with House(sqlite_url) as house, Client(house.url, house.secret_key) as pay:
        credits = pay.user("anne").get_item("credits")
        credits.increase_quantity(30)
        with credits.hold(20) as held:
            assert (held.status, credits.quantity, credits.held) == ("open", 10, 20)
            assert held.capture(5) == 5
        assert (held.status, held.captured, credits.quantity, credits.held) == ("captured", 5, 25, 0)
        with pytest.raises(ZeroDivisionError), credits.hold(20) as lost:
            raise ZeroDivisionError
        assert (lost.status, credits.quantity, credits.held) == ("released", 25, 0)

        async def awaited_too() -> None:
            async with AsyncClient(house.url, house.secret_key) as far:
                there = await far.user("anne").get_item("credits")
                async with await there.hold(20) as kept:
                    assert await kept.capture() == 20
                async with await there.hold(5):
                    pass
                assert (there.quantity, there.held) == (5, 0)

        asyncio.run(awaited_too())


@pytest.mark.parametrize("surface", [in_process_awaited, over_http, over_http_awaited])
def test_all_surfaces_tell_the_same_story(
    fresh_database: Callable[[], str], surface: Callable[[str], list[object]]
) -> None:
    expected = in_process(fresh_database())
    assert surface(fresh_database()) == expected
    codes = [each[1] for each in expected[-8:] if isinstance(each, tuple)]
    assert codes == [
        "item_not_found",
        "insufficient_quantity",
        "purchases_blocked",
        "invalid_request",
        "insufficient_quantity",
        "insufficient_quantity",
        "customer_type_mismatch",
        "payment_not_found",
    ]


def test_the_async_surface_is_made_from_the_sync_one() -> None:
    script = runpy.run_path(str(Path(__file__).parents[2] / "scripts" / "make_async_surface.py"))
    for source in script["SOURCES"]:
        written = (script["CLIENT"] / f"async_{source}").read_text(encoding="utf-8")
        assert script["same"](written, script["made"](source)), f"run scripts/make_async_surface.py for {source}"


def test_a_token_takes_the_place_of_a_key(sqlite_url: str) -> None:
    with House(sqlite_url) as house, Client(house.url, house.secret_key) as pay:
        token = pay.create_customer_token([pay.user("anne")], ttl_s=60).token
        with Client(house.url, token=token) as browser:
            assert browser.user("anne").get_item("credits").quantity == 0
            with pytest.raises(errors.PermissionDenied) as denied:
                browser.user("bob").get_item("credits")
        assert denied.value.code == "not_your_customer"
        assert denied.value.request_id is not None
    with pytest.raises(TypeError):
        Client("http://127.0.0.1:1")


def test_a_server_that_is_away_is_unavailable() -> None:
    with Client("http://127.0.0.1:9", "pw_sk_test_x") as pay, pytest.raises(errors.Unavailable):
        pay.list_products()


def test_what_answers_in_other_words_is_still_an_error_of_ours() -> None:
    assert errors.of_answer(502, "<html>Bad gateway</html>").code == "unavailable"
    assert isinstance(errors.of_answer(404, {"error": {"code": "item_not_found"}}), errors.NotFound)
