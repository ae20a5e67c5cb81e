"""A Stripe account that somebody filled without us: everything in it is mapped, mappable, or not and why; and what is mapped is owned."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import stripe

from paywright.catalog import queries as catalog_queries
from paywright.healing import adoption
from paywright.healing.adopted import Found
from paywright.healing.adoption import Wish
from paywright.healing.named import NamesUnreadable, read_names
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ownership import queries as ownership_queries
from paywright_sandbox import Sandbox
from tests.harness.shop import Shop
from tests.healing.till import HealingShop
from tests.subscriptions.terms import code, done

CATALOG: dict[str, Any] = {"items": {}, "product_lines": {}, "products": {}}
MONTH: Any = {"interval": "month"}


class Account:
    """Filled with the plain SDK, as any application would."""

    def __init__(self, shop: HealingShop, url: str) -> None:
        self.v1 = stripe.StripeClient(
            shop.key, base_addresses={"api": url, "connect": url, "files": url, "meter_events": url}
        ).v1
        pro = self.v1.products.create({"name": "Pro"}).id
        self.monthly = self.v1.prices.create(
            {"product": pro, "currency": "usd", "unit_amount": 1900, "recurring": MONTH}
        ).id
        self.yearly = self.v1.prices.create(
            {"product": pro, "currency": "usd", "unit_amount": 19000, "recurring": {"interval": "year"}}
        ).id
        tiers: Any = [{"up_to": 10, "unit_amount": 100}, {"up_to": "inf", "unit_amount": 50}]
        seats = self.v1.products.create({"name": "Seats"}).id
        self.tiered = self.v1.prices.create(
            {"product": seats, "currency": "usd", "recurring": MONTH, "billing_scheme": "tiered", "tiers_mode": "graduated",
             "tiers": tiers}
        ).id  # fmt: skip
        self.empty = self.v1.products.create({"name": "Nothing"}).id

    def customer(self, **more: Any) -> str:
        wish: Any = {"email": "x@example.com", **more}
        made = self.v1.customers.create(wish).id
        method = self.v1.payment_methods.attach("pm_card_visa", {"customer": made}).id
        self.v1.customers.update(made, {"invoice_settings": {"default_payment_method": method}})
        return made

    def subscribe(self, customer: str, price: str) -> str:
        return self.v1.subscriptions.create({"customer": customer, "items": [{"price": price}]}).id


@pytest.fixture
def shop(database_url: str, sandbox: Sandbox) -> Iterator[HealingShop]:
    made = HealingShop(database_url, sandbox, CATALOG)
    yield made
    made.close()


def run(shop: HealingShop, **wish: Any) -> tuple[dict[str, Found], adoption.Counts]:
    found: list[Found] = []
    counts = done(
        adoption.bring_in(
            shop.app, shop.environment, Wish(**wish), is_in_use=lambda *_: False, tell=lambda each: found.append(each)
        )
    )
    return {each.id: each for each in found}, counts


def owned(shop: HealingShop, customer: Customer) -> list[tuple[str | None, str | None]]:
    with shop.app.database.read() as connection:
        live = ownership_queries.live(connection, "test", customer, shop.app.now("test"))
    return [(each.product_id, each.price_id) for each in live]


def test_an_account_is_told_then_mapped_then_owned_and_again_changes_nothing(
    shop: HealingShop, sandbox: Sandbox
) -> None:
    account = Account(shop, sandbox.url)
    ann = account.customer(metadata={"paywright_customer": "user:ann"})
    bob, unknown = account.customer(), account.customer()
    cid, dan = account.customer(metadata={"user_id": "cid"}), account.customer(metadata={"user_id": "dan"})
    twin = account.customer(metadata={"user_id": "cid"})
    of_ann, of_bob = account.subscribe(ann, account.monthly), account.subscribe(bob, account.yearly)
    of_unknown, tiered = account.subscribe(unknown, account.monthly), account.subscribe(dan, account.tiered)
    ended = account.subscribe(dan, account.monthly)
    account.v1.subscriptions.cancel(ended)
    wish = {"names": {bob: Customer("user", "bob")}, "metadata_key": "user_id"}

    told, counts = run(shop, **wish)
    assert {told[each].state for each in (account.monthly, account.yearly, ann, bob, of_ann, of_bob)} == {"mappable"}
    assert (told[ann].ours, told[bob].ours) == ("user:ann", "user:bob")
    assert told[of_ann].ours == "user:ann pro.monthly"
    refused = {each: told[each].why for each in told if told[each].state == "not"}
    assert refused[account.tiered] == "Seats: Tiered prices and amounts the customer chooses have no counterpart here."
    assert refused[account.empty] == "It has no active price."
    assert "--customers" in (refused[unknown] or "")
    assert refused[of_unknown] == f"Its customer {unknown} is nobody we know."
    assert (
        refused[tiered] == f"{account.tiered} is not for sale here: put it into the catalog by its `stripe_price_id`."
    )
    assert refused[ended] == "It has ended."
    # Newest first: the younger of two who claim one name is met first.
    assert told[cid].why == f"user:cid is the Stripe Customer {twin} already."
    assert counts["subscription"] == {"mappable": 2, "not": 3}
    with shop.app.database.read() as connection:
        assert catalog_queries.current(connection, "test").products == {}

    applied, _ = run(shop, apply=True, **wish)
    assert {applied[each].state for each in (account.monthly, ann, bob, of_ann, of_bob)} == {"mapped"}
    assert owned(shop, Customer("user", "ann")) == [("pro", "monthly")]
    assert owned(shop, Customer("user", "bob")) == [("pro", "yearly")]
    before = shop.events(Customer("user", "ann")), shop.events(Customer("user", "bob"))
    again, _ = run(shop, apply=True, **wish)
    assert {each.id: each.state for each in again.values()} == {each.id: each.state for each in applied.values()}
    assert (shop.events(Customer("user", "ann")), shop.events(Customer("user", "bob"))) == before
    assert shop.reconcile(fix=True)[0].status == "finished"
    # What somebody pays for who is nobody here stays in the report until it is said who that is.
    assert {(line.noun, line.field, line.stripe) for line in shop.reconcile()[1]} <= {
        (noun, "customer", nobody)
        for noun in ("invoice", "subscription", "payment_intent")
        for nobody in (unknown, dan)
    }


def test_a_second_subscription_in_a_line_is_left_to_a_person(shop: HealingShop, sandbox: Sandbox) -> None:
    account = Account(shop, sandbox.url)
    ann = account.customer(metadata={"paywright_customer": "user:ann"})
    price = {"amounts": {"usd": 1900}, "interval": "1 month"}
    shop.apply(
        {
            "product_lines": {"plan": {}},
            "products": {
                "pro": {"product_line": "plan", "prices": {"monthly": {**price, "stripe_price_id": account.monthly}}},
            },
        }
    )
    first, second = account.subscribe(ann, account.monthly), account.subscribe(ann, account.monthly)
    applied, _ = run(shop, apply=True)
    states = {each: applied[each].state for each in (first, second)}
    assert sorted(states.values()) == ["mapped", "not"]
    left = next(each for each, state in states.items() if state == "not")
    assert applied[left].why == "user:ann has another subscription of the line plan already."
    shop.sync(left)  # As its next event would.
    assert {account.v1.subscriptions.retrieve(each).status for each in states} == {"active"}
    assert account.v1.refunds.list().data == []


def test_where_there_is_no_stripe_nothing_is_brought_in(sqlite_url: str) -> None:
    shop = Shop(sqlite_url, CATALOG)
    refused = adoption.bring_in(shop.app, shop.environment, Wish(), is_in_use=lambda *_: False, tell=lambda _: None)
    assert isinstance(refused, Refusal)
    assert code(refused) == "not_at_stripe"
    shop.close()


def test_names_come_from_csv_and_json(tmp_path: Path) -> None:
    table, document = tmp_path / "names.csv", tmp_path / "names.json"
    table.write_text("stripe_customer_id,customer\ncus_1,user:u_1\n\ncus_2, team:t:2\ncus_3,u:3\n", encoding="utf-8")
    document.write_text('{"cus_1": "u_1", "cus_2": "team:t:2", "cus_3": "u:3"}', encoding="utf-8")
    expected = {"cus_1": Customer("user", "u_1"), "cus_2": Customer("team", "t:2"), "cus_3": Customer("user", "u:3")}
    assert read_names(table) == read_names(document) == expected


@pytest.mark.parametrize(
    ("name", "text", "why"),
    [
        ("a.csv", "cus_1,user:u_1\ncus_1,user:u_2\n", "line 2: cus_1 has two names"),
        ("a.csv", "cus_1,user:u_1\ncus_2,user:u_1\n", "line 2: user:u_1 is two Stripe Customers, cus_1 and cus_2"),
        ("a.csv", "cus_1\n", "line 1: two columns are wanted"),
        ("a.csv", "cus_1,user:\n", "line 1: A customer id is 1 to 255 printable characters"),
        ("a.json", "[1]", "not an object of texts"),
        ("a.json", "{", "a.json"),
    ],
)
def test_a_list_of_names_that_says_two_things_is_refused(tmp_path: Path, name: str, text: str, why: str) -> None:
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(NamesUnreadable, match=why):
        read_names(path)
