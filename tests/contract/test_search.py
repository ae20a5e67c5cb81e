"""Search, in Stripe's language."""

from typing import Any

import pytest
import stripe

from paywright_sandbox.errors import ApiError
from paywright_sandbox.machine.searching import read
from tests.contract.billing import APRIL_1, Desk

ANN: dict[str, Any] = {
    "email": "Ann@Example.com",
    "name": "Ann",
    "phone": None,
    "created": 100,
    "metadata": {"plan": "pro"},
}


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("email:'ann@example.com'", True),
        ('email:"ann@example.com"', True),
        ("email:'bo@example.com'", False),
        ("email~'example'", True),
        ("-email~'example'", False),
        ("metadata['plan']:'pro'", True),
        ("metadata['plan']:'free'", False),
        ("metadata['other']:null", True),
        ("phone:null", True),
        ("-phone:null", False),
        ("created>99", True),
        ("created>=101", False),
        ("created<101 AND name:'ann'", True),
        ("name:'bo' OR created<=100", True),
        ("name:'bo' AND created<=100", False),
        (r"name:'a\nn'", True),
    ],
)
def test_clauses(query: str, found: bool) -> None:
    assert read(query, "customer")(ANN) is found


@pytest.mark.parametrize(
    "query",
    [
        "",
        "email",
        "email:'a' email:'b'",
        "email:'a' AND name:'b' OR name:'c'",
        "address:'x'",
        "email~'ab'",
        "created>'x'",
        "metadata:'x'",
    ],
)
def test_what_is_not_in_the_language(query: str) -> None:
    with pytest.raises(ApiError) as refusal:
        read(query, "customer")
    assert refusal.value.param == "query"


def test_every_kind_is_found_by_the_sdk(desk: Desk) -> None:
    made = desk.subscribe(metadata={"k": "v"})
    price = made["items"].data[0].price
    v1 = desk.v1
    assert [one.id for one in v1.subscriptions.search({"query": "status:'active' AND metadata['k']:'v'"}).data] == [
        made.id
    ]
    assert [one.id for one in v1.customers.search({"query": "email:'ann@example.com'"}).data] == [made.customer]
    assert [one.id for one in v1.prices.search({"query": f"product:'{price.product}'"}).data] == [price.id]
    assert [one.id for one in v1.products.search({"query": "name~'pro'"}).data] == [price.product]
    assert [one.id for one in v1.invoices.search({"query": f"subscription:'{made.id}'"}).data] == [
        made.latest_invoice.id
    ]
    assert len(v1.payment_intents.search({"query": "amount>999"}).data) == 1
    assert len(v1.charges.search({"query": "status:'succeeded'"}).data) == 1


def test_pages(desk: Desk) -> None:
    ids = [desk.v1.customers.create({"name": "Same"}).id for _ in range(5)]
    first = desk.v1.customers.search({"query": "name:'same'", "limit": 2})
    assert ([one.id for one in first.data], first.has_more, first.next_page) == (ids[:2:-1], True, "2")
    everything = first.auto_paging_iter()
    assert [one.id for one in everything] == ids[::-1]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.v1.customers.search({"query": "name:'same'", "page": "x"})
    assert refusal.value.param == "page"


def test_search_lags_when_asked_to(desk: Desk) -> None:
    desk.settings(search_delay_s=60)
    desk.v1.customers.create({"name": "New"})
    assert desk.v1.customers.search({"query": f"created>={APRIL_1}"}).data == []
    desk.shop.advance("61s")
    assert len(desk.v1.customers.search({"query": f"created>={APRIL_1}"}).data) == 1
