"""Owners who pay at Stripe get what their plan includes today, and go on paying what they bought."""

from tests.flows.catalog import PRO_USD
from tests.flows.shop import Shop
from tests.harness.waiting import until


def test_a_paying_owner_is_migrated_and_renews_at_the_old_price(shop: Shop) -> None:
    shop.account.set(payouts="manual")
    shop.buy("u_1", "pro")
    user = shop.client.user("u_1")
    (sold,) = user.list_products()
    catalog = shop.client.get_catalog()
    pro = catalog["products"]["pro"]
    pro["included_items"] = {"credits": {"quantity": 80, "repeat": "1 month"}, "seats": {"quantity": 2}}
    pro["prices"]["monthly"]["amounts"]["usd"] = 2500
    shop.client.put_catalog(catalog)
    seen = shop.client.migrate_owners("pro", from_version=sold.product_version)
    assert (seen.owners, seen.to_migrate) == (1, 1)
    started = shop.client.migrate_owners("pro", from_version=sold.product_version, dry_run=False)
    assert started.id is not None
    migration_id = started.id
    until(lambda: shop.client.get_owner_migration("pro", migration_id).status == "completed", "the worker to be done")
    shop.settle()
    assert (shop.credits("u_1"), shop.credits("u_1", "seats")) == (50, 2)

    shop.client.advance_clock("32d")
    shop.settle()
    (kept,) = user.list_products()
    assert (kept.id, kept.price_id, shop.credits("u_1"), shop.credits("u_1", "seats")) == (sold.id, "monthly", 80, 2)
    paid = [each.amount.amount for each in shop.client.list_payments() if each.status == "paid"]
    assert paid == [PRO_USD, PRO_USD]
    assert shop.event_types().count("product.migrated") == 1

    shop.client.user("u_1").switch_subscription("pro", "team")
    shop.settle()
    assert (shop.owned("u_1"), shop.credits("u_1"), shop.credits("u_1", "seats")) == ({"team": 1}, 500, 0)
