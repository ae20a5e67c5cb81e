"""Putting catalogs in force, on both databases."""

import threading
from typing import Any

import msgspec
import pytest
import sqlalchemy as sa

from paywright.catalog import queries
from paywright.catalog.actions import pin_inline
from paywright.catalog.model import Catalog, Item, Product
from paywright.catalog.tables import catalog_versions, product_versions
from paywright.catalog.views import wire
from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.outbox.tables import commands, events
from paywright.storage.work import Work
from tests.catalog.conftest import ENVIRONMENT, Apply, must, must_refuse
from tests.catalog.documents import changed, full


def current(app: App, environment_id: str = ENVIRONMENT) -> Catalog:
    with app.database.read() as connection:
        return queries.current(connection, environment_id)


def count(app: App, table: sa.Table) -> int:
    with app.database.read() as connection:
        return int(connection.execute(sa.select(sa.func.count()).select_from(table)).scalar_one())


def test_an_environment_without_a_catalog_has_the_empty_one(app: App) -> None:
    assert current(app) == Catalog()


def test_C1_the_same_catalog_again_changes_nothing(app: App, put: Apply) -> None:
    first = must(put(full()))
    rows = count(app, catalog_versions), count(app, events)
    second = must(put(full()))
    assert (first.catalog.version, first.changed) == (1, True)
    assert (second.catalog.version, second.changed, second.changes) == (1, False, [])
    assert (count(app, catalog_versions), count(app, events)) == rows


def test_C1_other_spellings_of_the_same_catalog_change_nothing(put: Apply) -> None:
    must(put(full()))
    spelled = changed("products.pro.prices.monthly.amounts", {"jpy": "3000", "usd": 1999})
    spelled["products"]["pro"]["prices"]["monthly"]["interval"] = "months"
    assert must(put(spelled)).changed is False


def test_C2_the_catalog_is_read_back_in_its_normal_form(app: App, put: Apply) -> None:
    applied = must(put(full())).catalog
    assert wire(applied) == wire(current(app))
    assert wire(applied)["version"] == 1
    assert wire(applied)["products"]["pro"]["included_items"]["seats"] == {
        "quantity": 3,
        "repeat": "never",
        "expires": "when_repeated",
    }


def test_C5_a_refused_catalog_leaves_the_old_one_in_force(app: App, put: Apply) -> None:
    must(put(full()))
    before, rows = current(app), count(app, events)
    refusal = must_refuse(
        put(changed("products.starter", {"product_line": "plan", "include_by_default": True})), "invalid_catalog"
    )
    assert [each["code"] for each in refusal.facts["problems"]] == ["two_defaults_in_line"]
    assert (current(app), count(app, events)) == (before, rows)


def test_C6_a_changed_product_is_a_new_version_and_the_old_one_stays(app: App, put: Apply) -> None:
    old = must(put(full())).catalog.product_versions
    new = must(put(changed("products.pro.included_items.credits.quantity", 300))).catalog.product_versions
    assert {product_id for product_id in new if new[product_id] != old[product_id]} == {"pro"}
    with app.database.read() as connection:
        versions = queries.product_versions_of(connection, ENVIRONMENT, [old["pro"], new["pro"]])
    quantities = {each: version.product.included_items["credits"].quantity for each, version in versions.items()}
    assert quantities == {old["pro"]: 100, new["pro"]: 300}
    assert {version.product_id for version in versions.values()} == {"pro"}


def test_a_product_that_is_as_it_once_was_is_its_old_version_again(app: App, put: Apply) -> None:
    first = must(put(full())).catalog.product_versions
    must(put(changed("products.pro.display_name", "Professional")))
    kept = count(app, product_versions)
    assert must(put(full())).catalog.product_versions == first
    assert count(app, product_versions) == kept


def test_C7_a_product_that_is_gone_is_kept_as_it_was_sold(app: App, put: Apply) -> None:
    sold = must(put(full())).catalog.product_versions["pack"]
    assert "pack" not in must(put(changed("products.pack", ...))).catalog.products
    with app.database.read() as connection:
        version = queries.product_version(connection, ENVIRONMENT, sold)
        assert queries.product_version(connection, ENVIRONMENT, "pv_of_nothing") is None
    assert version is not None
    assert version.product.stackable


def test_an_archived_item_keeps_its_name_and_type(app: App, put: Apply) -> None:
    must(put({"items": {"gems": {"display_name": "Gems", "customer_type": "team"}}}))
    must(put({}))
    must(put({"items": {"coins": {}}}))
    catalog = current(app)
    assert catalog.items == {"coins": Item("coins")}
    assert catalog.archived_items == {"gems": Item("Gems", "team")}
    assert catalog.item("gems") == Item("Gems", "team")
    assert must(put({"items": {"gems": {}}})).catalog.archived_items == {"coins": Item("coins")}


def test_the_version_to_replace_must_be_the_current_one(app: App, put: Apply) -> None:
    must(put(full()))
    for document, expected in (
        ({**full(), "version": 0}, None),
        ({"version": 2}, None),
        (full(), 5),
        ({"version": 1}, 0),
    ):
        assert must_refuse(put(document, expected_version=expected), "catalog_conflict").facts == {"version": 1}
    assert must(put({**full(), "version": 1})).changed is False
    assert must(put({**changed("products.pack", ...), "version": 1}, expected_version=1)).catalog.version == 2
    assert must(put(full())).catalog.version == 3
    must_refuse(put({"version": "3"}), "invalid_request")


def in_use(*used: tuple[str, str]) -> Any:
    return lambda _work, kind, each: (kind, each) in used


@pytest.mark.parametrize(
    ("kind", "each", "path"),
    [("item", "coins", "items.coins"), ("product", "bag", "products.bag")],
)
def test_what_customers_hold_keeps_its_customer_type(app: App, put: Apply, kind: str, each: str, path: str) -> None:
    before: dict[str, Any] = {"items": {"coins": {}}, "products": {"bag": {}}}
    after = {"items": {"coins": {"customer_type": "team"}}, "products": {"bag": {"customer_type": "team"}}}
    must(put(before))
    refusal = must_refuse(put(after, is_in_use=in_use((kind, each))), "invalid_catalog")
    assert [(problem["code"], problem["path"]) for problem in refusal.facts["problems"]] == [
        ("customer_type_fixed", path)
    ]
    assert must(put(after)).catalog.version == 2


def test_an_id_that_comes_back_keeps_its_customer_type_too(put: Apply) -> None:
    must(put({"items": {"coins": {}}}))
    must(put({}))
    other = {"items": {"coins": {"customer_type": "team"}}}
    must_refuse(put(other, is_in_use=in_use(("item", "coins"))), "invalid_catalog")
    assert must(put(other)).catalog.items["coins"].customer_type == "team"


def test_an_apply_is_an_event_without_values(app: App, put: Apply) -> None:
    must(put(full()))
    must(put(changed("products.pro.metadata.server", {"cost_centre": "B8"})))
    with app.database.read() as connection:
        rows = connection.execute(sa.select(events.c.type, events.c.data).order_by(events.c.id)).all()
    assert [row.type for row in rows] == ["catalog.applied", "catalog.applied"]
    assert msgspec.json.decode(rows[1].data) == {
        "version": 2,
        "changes": [{"action": "changed", "path": "products.pro.metadata.server"}],
    }


def test_only_an_environment_at_stripe_asks_for_a_push(app: App, put: Apply) -> None:
    must(put(full()))
    assert count(app, commands) == 0
    with app.work("sold") as work:
        environments.create(work, mode="test", provider="stripe")
    must(put(full(), environment_id="sold"))
    with app.database.read() as connection:
        asked = connection.execute(sa.select(commands.c.environment_id, commands.c.kind)).all()
    assert [tuple(row) for row in asked] == [("sold", "catalog.push")]


def test_defaults_have_a_version_and_a_beginning(app: App, put: Apply) -> None:
    first = must(put(full())).catalog
    assert (first.defaults_version, set(first.default_since)) == (1, {"free"})
    other = must(put(changed("products.pro.display_name", "Professional"))).catalog
    assert (other.defaults_version, other.default_since) == (1, first.default_since)
    richer = must(put(changed("products.free.included_items.credits.quantity", 6))).catalog
    assert (richer.defaults_version, richer.default_since) == (2, first.default_since)
    gone = must(put(changed("products.free", ...))).catalog
    assert (gone.defaults_version, gone.default_since) == (3, {})


def test_environments_have_catalogs_of_their_own(app: App, put: Apply) -> None:
    with app.work("other") as work:
        environments.create(work, mode="live", provider="stripe")
    must(put(full()))
    assert current(app, "other") == Catalog()
    must(put({"items": {"coins": {}}}, environment_id="other"))
    assert (current(app).version, set(current(app, "other").items)) == (1, {"coins"})


def test_the_head_says_who_put_the_catalog_in_force(app: App, put: Apply) -> None:
    with app.database.read() as connection:
        assert queries.head(connection, ENVIRONMENT) == queries.Head()
        assert queries.last_from_file(connection, ENVIRONMENT) is None
    must(put(full(), origin="file"))
    with app.database.read() as connection:
        from_file = queries.head(connection, ENVIRONMENT)
    must(put({}, origin="dashboard", actor="operator"))
    with app.database.read() as connection:
        head = queries.head(connection, ENVIRONMENT)
        assert queries.last_from_file(connection, ENVIRONMENT) == from_file.catalog_hash
    assert (from_file.version, from_file.origin) == (1, "file")
    assert (head.version, head.origin) == (2, "dashboard")
    assert head.catalog_hash != from_file.catalog_hash


class Undone(Exception):
    pass


def test_a_catalog_that_was_rolled_back_is_never_remembered(app: App, put: Apply) -> None:
    must(put({"items": {"coins": {}}}))

    def apply_and_undo() -> None:
        from paywright.catalog.actions import apply

        with app.work(ENVIRONMENT) as work:
            must(apply(work, {"items": {"ghost": {}}}, is_in_use=in_use()))
            assert set(queries.current(work.connection, ENVIRONMENT).items) == {"ghost"}
            raise Undone

    with pytest.raises(Undone):
        apply_and_undo()
    assert set(current(app).items) == {"coins"}
    assert must(put({"items": {"gems": {}}})).catalog.version == 2
    assert set(current(app).items) == {"gems"}


def test_applies_at_once_take_turns(app: App, put: Apply) -> None:
    outcomes: list[Any] = []

    def run(name: str) -> None:
        outcomes.append(put({"items": {name: {}}}, expected_version=0))

    threads = [threading.Thread(target=run, args=(f"item{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    versions = sorted(getattr(each, "code", "applied") for each in outcomes)
    assert versions == ["applied", "catalog_conflict", "catalog_conflict", "catalog_conflict"]
    assert current(app).version == 1


def test_an_inline_product_is_pinned_once(app: App) -> None:
    product = Product(display_name="Five")

    def pin(work: Work) -> str:
        return pin_inline(work, product).id

    with app.work(ENVIRONMENT) as work:
        first = pin(work)
    with app.work(ENVIRONMENT) as work:
        assert pin(work) == first
    with app.database.read() as connection:
        version = queries.product_version(connection, ENVIRONMENT, first)
    assert version is not None
    assert (version.product_id, version.product) == (None, product)
