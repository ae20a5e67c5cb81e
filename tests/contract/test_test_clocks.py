"""Test clocks, by the official SDK."""

from typing import Any

import pytest
import stripe

from tests.contract.shop import Shop

START = 1_900_000_000


def arrived(v1: Any, id: str) -> Any:
    """Asked once more, the clock is there: what was due has been done in between."""
    return v1.test_helpers.test_clocks.retrieve(id)


def test_a_clock_advances_and_is_ready_when_asked_again(v1: Any, shop: Shop) -> None:
    made = v1.test_helpers.test_clocks.create({"frozen_time": START, "name": "year"})
    assert (made.status, made.frozen_time, made.name) == ("ready", START, "year")
    moving = v1.test_helpers.test_clocks.advance(made.id, {"frozen_time": START + 86_400})
    assert (moving.status, moving.status_details.advancing.target_frozen_time) == ("advancing", START + 86_400)
    there = arrived(v1, made.id)
    assert (there.status, there.frozen_time) == ("ready", START + 86_400)
    assert shop.events() == [
        "test_helpers.test_clock.created",
        "test_helpers.test_clock.advancing",
        "test_helpers.test_clock.ready",
    ]


def test_its_customers_live_in_its_time(v1: Any, shop: Shop) -> None:
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START}).id
    customer = v1.customers.create({"test_clock": clock})
    assert (customer.created, customer.test_clock) == (START, clock)
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 500})
    assert arrived(v1, clock).frozen_time == START + 500
    v1.customers.update(customer.id, {"name": "Ann"})
    assert shop.event_objects()[-1]["created"] == START + 500
    assert [found.id for found in v1.customers.list({"test_clock": clock}).data] == [customer.id]


@pytest.mark.parametrize("to", [START, START - 1, START + 3 * 366 * 86_400])
def test_a_clock_goes_forward_and_not_too_far(v1: Any, to: int) -> None:
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START}).id
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.test_helpers.test_clocks.advance(clock, {"frozen_time": to})
    assert refusal.value.param == "frozen_time"


def test_a_deleted_clock_takes_its_customers_along(v1: Any, shop: Shop) -> None:
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START}).id
    customer = v1.customers.create({"test_clock": clock}).id
    assert v1.test_helpers.test_clocks.delete(clock).deleted is True
    assert v1.customers.retrieve(customer).deleted is True
    assert v1.test_helpers.test_clocks.list().data == []
    assert shop.events()[-2:] == ["customer.deleted", "test_helpers.test_clock.deleted"]


def test_an_unknown_clock(v1: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.customers.create({"test_clock": "clock_nobody"})
    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "test_clock")


def test_U14_nothing_on_a_clock_changes_while_it_advances(v1: Any, shop: Shop) -> None:
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START}).id
    customer, other = v1.customers.create({"test_clock": clock}).id, v1.customers.create().id
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 500})
    with pytest.raises(stripe.APIError) as refusal:
        v1.customers.update(customer, {"name": "Ann"})
    said: Any = refusal.value.json_body
    assert (refusal.value.http_status, said["error"]["code"]) == (409, "lock_timeout")
    v1.customers.update(other, {"name": "Bo"})
    assert arrived(v1, clock).status == "ready"
    assert v1.customers.update(customer, {"name": "Ann"}).name == "Ann"


def test_U14_or_the_write_waits(v1: Any, shop: Shop) -> None:
    shop.control("PATCH", "settings", {"variant": {"U14": "b"}})
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START}).id
    customer = v1.customers.create({"test_clock": clock}).id
    v1.test_helpers.test_clocks.advance(clock, {"frozen_time": START + 500})
    v1.customers.update(customer, {"name": "Ann"})
    assert shop.event_objects()[-1]["created"] == START + 500


def test_a_clock_is_made_for_a_customer_who_is_there(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create({"name": "Ann"}).id
    clock = v1.test_helpers.test_clocks.create({"frozen_time": START, "customer": customer}).id
    assert v1.customers.retrieve(customer).test_clock == clock
    assert shop.events()[-2:] == ["customer.updated", "test_helpers.test_clock.created"]
    with pytest.raises(stripe.InvalidRequestError, match="already"):
        v1.test_helpers.test_clocks.create({"frozen_time": START, "customer": customer})


def test_a_customer_who_was_billed_keeps_the_clock(v1: Any) -> None:
    customer = v1.customers.create().id
    v1.invoices.create({"customer": customer})
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.test_helpers.test_clocks.create({"frozen_time": START, "customer": customer})
    assert (refusal.value.code, refusal.value.param) == ("sandbox_not_implemented", "customer")
