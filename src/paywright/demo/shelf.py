"""What the page shows, from the public catalog and what the customer owns. Pure; all words, no markup."""

from collections.abc import Sequence
from typing import Literal

import msgspec

from paywright.client.model import CatalogPrice, CatalogProduct, IncludedItem, OwnedProduct
from paywright.demo.prices import amount_in, date, money, month_by_month, nothing, per, saved_percent

INTERVALS = ("1 month", "1 year")


class PlanCard(msgspec.Struct, frozen=True):
    """One plan of the product line at the chosen interval. `standing` says which button it gets."""

    id: str
    name: str
    blurb: str
    badge: str | None
    features: list[str]
    price: str
    per: str | None
    note: str | None
    price_id: str | None
    standing: Literal["yours", "ending", "included", "for_sale", "other_held"]
    until: str | None = None


class GoodsCard(msgspec.Struct, frozen=True):
    """Something bought once. `owned` counts how many the customer has."""

    id: str
    name: str
    blurb: str
    features: list[str]
    price: str
    price_id: str
    stackable: bool
    owned: int
    since: str | None


class OwnedRow(msgspec.Struct, frozen=True):
    """A line of "What you own". `action` is what the customer may do about it."""

    id: str
    name: str
    quantity: int
    since: str | None
    standing: str
    action: Literal["cancel", "resume"] | None


class Purse(msgspec.Struct, frozen=True):
    """How much of the item the customer can spend now; `noun` is what it is called in the middle of a sentence."""

    item_id: str
    noun: str
    quantity: int

    @property
    def one(self) -> str:
        return self.noun.removesuffix("s")


class Shelf(msgspec.Struct, frozen=True):
    plans: list[PlanCard]
    goods: list[GoodsCard]
    owned: list[OwnedRow]
    held_plan: str | None
    yearly_saving: int
    currencies: list[str]


def shelf(products: Sequence[CatalogProduct], owned: Sequence[OwnedProduct], *, currency: str, interval: str) -> Shelf:
    for_users = [product for product in products if product.customer_type == "user" and not product.add_on_to]
    in_line = [product for product in for_users if product.product_line is not None]
    held = {each.product_id: each for each in reversed(owned) if each.product_id is not None}
    held_plan = next((held[product.id] for product in in_line if is_held(held.get(product.id))), None)
    goods = [product for product in for_users if product.product_line is None and product.prices]
    plan_cards = [plan_card(product, held, held_plan, currency, interval) for product in in_line]
    goods_cards = [goods_card(product, owned, currency) for product in goods]
    return Shelf(
        plans=[card for card in plan_cards if card is not None],
        goods=[card for card in goods_cards if card is not None],
        owned=[owned_row(each) for each in owned if each.source != "default"],
        held_plan=held_plan.display_name if held_plan else None,
        yearly_saving=max((yearly_saving(product, currency) for product in in_line), default=0),
        currencies=list(
            dict.fromkeys(
                amount.currency for product in products for price in product.prices for amount in price.amounts
            )
        ),
    )


def held_interval(products: Sequence[CatalogProduct], owned: Sequence[OwnedProduct]) -> str:
    """The interval to show first: that of the plan the customer pays for, else monthly."""
    paid_by = {(each.product_id, each.price_id) for each in owned if is_held(each)}
    intervals = {
        price.interval for product in products for price in product.prices if (product.id, price.id) in paid_by
    }
    return next((interval for interval in INTERVALS if interval in intervals), INTERVALS[0])


def is_held(owned: OwnedProduct | None) -> bool:
    return owned is not None and owned.source != "default"


def plan_card(
    product: CatalogProduct,
    held: dict[str, OwnedProduct],
    held_plan: OwnedProduct | None,
    currency: str,
    interval: str,
) -> PlanCard | None:
    """None when the plan is not sold at this interval in this currency."""
    sold = priced(product, currency, interval)
    if sold is None and not product.include_by_default:
        return None
    own = held.get(product.id)
    price, amount = sold or (None, None)
    return PlanCard(
        id=product.id,
        name=product.display_name,
        blurb=client_text(product, "blurb") or "",
        badge=client_text(product, "badge"),
        features=features(product),
        price=nothing(currency) if amount is None else money(amount, currency),
        per=per(price) if price else None,
        note=None if price is None or amount is None else note(price, amount, currency),
        price_id=price.id if price else None,
        standing=standing(product, own, held_plan),
        until=ends_on(own) if own else None,
    )


def standing(
    product: CatalogProduct, own: OwnedProduct | None, held_plan: OwnedProduct | None
) -> Literal["yours", "ending", "included", "for_sale", "other_held"]:
    if own is not None and is_held(own):
        return "ending" if ends_on(own) else "yours"
    if product.include_by_default:
        return "included" if held_plan else "yours"
    return "other_held" if held_plan else "for_sale"


def priced(product: CatalogProduct, currency: str, interval: str | None) -> tuple[CatalogPrice, int] | None:
    """The first price with this interval that can be paid in this currency, and that amount."""
    for price in product.prices:
        amount = amount_in(price, currency)
        if amount is not None and price.interval == interval:
            return price, amount
    return None


def note(price: CatalogPrice, amount: int, currency: str) -> str:
    a_month = month_by_month(price, amount, currency)
    return f"{a_month} a month, billed yearly" if a_month else "Billed monthly"


def yearly_saving(product: CatalogProduct, currency: str) -> int:
    monthly, yearly = (priced(product, currency, interval) for interval in INTERVALS)
    return saved_percent(yearly[1], monthly[1]) if monthly and yearly else 0


def goods_card(product: CatalogProduct, owned: Sequence[OwnedProduct], currency: str) -> GoodsCard | None:
    sold = priced(product, currency, None)
    if sold is None:
        return None
    mine = [each for each in owned if each.product_id == product.id]
    first = next((each.granted_at for each in reversed(mine) if each.granted_at), None)
    return GoodsCard(
        id=product.id,
        name=product.display_name,
        blurb=client_text(product, "blurb") or "",
        features=features(product),
        price=money(sold[1], currency),
        price_id=sold[0].id,
        stackable=product.stackable,
        owned=sum(each.quantity for each in mine),
        since=date(first) if first else None,
    )


def features(product: CatalogProduct) -> list[str]:
    told = product.metadata.get("client", {}).get("features", [])
    return [*map(included_text, product.included_items), *(str(each) for each in told)]


def included_text(included: IncludedItem) -> str:
    amount = f"{included.quantity:,} {included.item_id}"
    return amount if included.repeat == "never" else f"{amount} every {included.repeat.removeprefix('1 ')}"


def client_text(product: CatalogProduct, name: str) -> str | None:
    text = product.metadata.get("client", {}).get(name)
    return str(text) if text else None


def owned_row(owned: OwnedProduct) -> OwnedRow:
    ending, subscription = ends_on(owned), owned.subscription
    if ending:
        words = f"Ends on {ending}"
    elif subscription is None:
        words = "Yours for good"
    elif subscription.status == "past_due":
        words = "The last payment failed; it will be tried again"
    elif subscription.current_period_end is not None:
        words = f"Renews on {date(subscription.current_period_end)}"
    else:
        words = "Renews by itself"
    return OwnedRow(
        id=owned.id,
        name=owned.display_name,
        quantity=owned.quantity,
        since=date(owned.granted_at) if owned.granted_at else None,
        standing=words,
        action=None if subscription is None else "resume" if ending else "cancel",
    )


def ends_on(owned: OwnedProduct) -> str | None:
    if owned.ends_at is not None:
        return date(owned.ends_at)
    subscription = owned.subscription
    if subscription is not None and subscription.cancel_at_period_end and subscription.current_period_end is not None:
        return date(subscription.current_period_end)
    return None
