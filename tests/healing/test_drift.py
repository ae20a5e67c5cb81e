"""Somebody edits at Stripe what our catalog pushed there: it is marked, shown by field, and told again. The catalog stays the truth."""

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from paywright.catalog import actions as catalog
from paywright.catalog import drift
from paywright.catalog import queries as catalog_queries
from paywright.catalog.push import push
from paywright.catalog.tables import stripe_prices, stripe_products
from paywright.catalog.writing import document_of
from paywright.cli import main
from paywright.stripe.model import GONE, NOT_OURS, PROCESSED, Outcome
from paywright.webhooks import nouns
from paywright.webhooks.model import Root
from tests.harness.shop import SECRET
from tests.healing.till import HealingShop


def hear(till: HealingShop, noun: drift.Noun, stripe_id: str) -> Outcome:
    """As an event about it would."""
    root = Root(noun, stripe_id)
    fetched = nouns.fetch(till.app, till.environment, root, frozenset())
    with till.app.work("test") as work:
        return nouns.apply(work, root, fetched)


def marks(till: HealingShop) -> dict[str, list[tuple[Any, Any, Any]]]:
    with till.app.database.read() as connection:
        found = drift.marked(connection, "test")
    return {each.name: [(line["field"], line["ours"], line["stripe"]) for line in each.lines] for each in found}


def product_of(till: HealingShop, product_id: str) -> str:
    return str(till.row(stripe_products, stripe_products.c.product_id == product_id)["stripe_product_id"])


def test_an_archived_price_is_marked_told_once_and_sold_again_by_a_push(till: HealingShop) -> None:
    push(till.app, "test")
    stripe_id = till.stripe_price("pro")
    assert hear(till, "price", stripe_id) == PROCESSED
    assert (marks(till), till.incidents()) == ({}, [])
    till.post(f"/v1/prices/{stripe_id}", {"active": False})
    for _ in range(2):
        assert hear(till, "price", stripe_id) == PROCESSED
        assert marks(till) == {"pro.monthly": [("active", True, False)]}
    [incident] = till.incidents()
    assert incident == {
        "kind": "drift",
        "facts": {
            "noun": "price",
            "name": "pro.monthly",
            "stripe_id": stripe_id,
            "lines": [{"field": "active", "ours": True, "stripe": False}],
        },
    }
    assert push(till.app, "test").prices == 1
    assert (till.get(f"/v1/prices/{stripe_id}")["active"], marks(till)) == (True, {})
    hear(till, "price", stripe_id)
    assert (marks(till), len(till.incidents())) == ({}, 1)


def test_a_new_name_is_marked_without_waking_anybody_and_goes_by_itself(lite_till: HealingShop) -> None:
    till = lite_till
    push(till.app, "test")
    stripe_id = product_of(till, "pro")
    till.post(f"/v1/products/{stripe_id}", {"name": "Gold", "metadata": {"paywright_product": ""}})
    hear(till, "product", stripe_id)
    assert marks(till) == {"pro": [("name", "pro", "Gold"), ("metadata.paywright_product", "pro", None)]}
    till.post(f"/v1/products/{stripe_id}", {"name": "pro", "metadata": {"paywright_product": "pro"}})
    hear(till, "product", stripe_id)
    assert (marks(till), till.incidents()) == ({}, [])
    till.post(f"/v1/products/{stripe_id}", {"active": False})
    hear(till, "product", stripe_id)
    assert [each["facts"]["name"] for each in till.incidents()] == ["pro"]


def test_what_we_change_there_ourselves_is_no_drift(lite_till: HealingShop) -> None:
    till = lite_till
    push(till.app, "test")
    with till.app.work("test") as work:
        document = document_of(catalog_queries.current(work.connection, "test"))
        del document["products"]["pro"]
        catalog.apply(work, document, is_in_use=lambda *_: False)
    for _ in range(2):  # Before Stripe is told, and afterwards.
        is_it = (stripe_prices.c.product_id == "pro") & (stripe_prices.c.price_id == "monthly")
        price = till.row(stripe_prices, is_it)
        hear(till, "product", product_of(till, "pro"))
        hear(till, "price", price["stripe_price_id"])
        assert marks(till) == {}
        push(till.app, "test")
    assert till.incidents() == []


def test_products_of_others_are_not_ours(lite_till: HealingShop) -> None:
    other = lite_till.post("/v1/products", {"name": "Somebody else's"})
    assert hear(lite_till, "product", other["id"]) == NOT_OURS
    assert hear(lite_till, "product", "prod_unheard_of") == GONE


def test_an_adopted_price_is_for_a_person_to_mend(lite_till: HealingShop) -> None:
    till = lite_till
    product = till.post("/v1/products", {"name": "Old"})
    price = till.post("/v1/prices", {"product": product["id"], "currency": "usd", "unit_amount": 700})
    with till.app.work("test") as work:
        document = document_of(catalog_queries.current(work.connection, "test"))
        old = {"prices": {"once": {"amounts": {"usd": 700}, "stripe_price_id": price["id"]}}}
        catalog.apply(work, {**document, "products": {**document["products"], "old": old}}, is_in_use=lambda *_: False)
    assert push(till.app, "test").problems == []
    till.post(f"/v1/prices/{price['id']}", {"active": False})
    hear(till, "price", price["id"])
    assert [each.code for each in push(till.app, "test").problems] == ["stripe_price_differs"]
    _, [line] = till.reconcile(fix=True)
    assert (line.noun, line.id, line.field, line.fixed) == ("price", price["id"], "active", False)
    with till.app.database.read() as connection:
        [said] = drift.sentences(drift.marked(connection, "test"))
    assert said == f"Stripe: price old.once ({price['id']}): active is false there and true here; mend it at Stripe."
    till.post(f"/v1/prices/{price['id']}", {"active": True})
    assert push(till.app, "test").problems == []
    assert marks(till) == {}


@pytest.mark.parametrize("depth", ["light", "full"])
def test_reconcile_says_by_field_what_was_edited_and_fix_tells_stripe_again(till: HealingShop, depth: str) -> None:
    push(till.app, "test")
    price_id, product_id = till.stripe_price("pro"), product_of(till, "basic")
    till.post(f"/v1/prices/{price_id}", {"active": False})
    till.post(f"/v1/products/{product_id}", {"name": "Gold"})
    if depth == "light":  # Every hour only what is marked is looked at; the whole catalog once a day.
        assert till.reconcile(depth=depth)[1] == []
        hear(till, "price", price_id)
        hear(till, "product", product_id)
    expected = {("product", product_id, "name", "basic", "Gold"), ("price", price_id, "active", True, False)}
    for fix in (False, True):
        _, lines = till.reconcile(depth=depth, fix=fix)
        assert {(line.noun, line.id, line.field, line.ours, line.stripe) for line in lines} == expected
        assert {line.fixed for line in lines} == {fix}
    assert till.get(f"/v1/prices/{price_id}")["active"]
    assert till.get(f"/v1/products/{product_id}")["name"] == "basic"
    assert (till.reconcile(depth=depth)[1], marks(till)) == ([], {})


def test_a_price_deleted_there_is_made_anew(lite_till: HealingShop) -> None:
    till = lite_till
    push(till.app, "test")
    made = till.stripe_price("pro")
    till.corrupt(stripe_prices, stripe_prices.c.stripe_price_id == made, stripe_price_id="price_deleted")
    _, [line] = till.reconcile(fix=True)
    assert (line.id, line.field, line.fixed) == ("price_deleted", "exists", True)
    assert (till.stripe_price("pro"), marks(till)) == (made, {}), "found again by its lookup key"


def test_catalog_diff_shows_it(lite_till: HealingShop, tmp_path: Path) -> None:
    till = lite_till
    push(till.app, "test")
    stripe_id = product_of(till, "pro")
    till.post(f"/v1/products/{stripe_id}", {"name": "Gold"})
    hear(till, "product", stripe_id)
    with till.app.database.read() as connection:
        document = document_of(catalog_queries.current(connection, "test"))
    file = tmp_path / "catalog.json"
    file.write_text(json.dumps(document))
    settings = {"PAYWRIGHT_DATABASE_URL": till.app.settings.database_url, "PAYWRIGHT_SECRET": SECRET}
    for extra in ([], ["--json"]):
        answered = CliRunner().invoke(
            main, ["catalog", "diff", str(file), "--environment", "test", *extra], env=settings
        )
        assert answered.exit_code == 0, answered.output
        if extra:
            [shown] = json.loads(answered.output)["drift"]
            assert shown["lines"] == [{"field": "name", "ours": "pro", "stripe": "Gold"}]
        else:
            assert (
                f'product pro ({stripe_id}): name is "Gold" there and "pro" here; `paywright catalog apply`'
                in answered.output
            )
