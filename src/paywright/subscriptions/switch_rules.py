"""May this subscription become that, when, and what is Stripe asked? The order of checks of rules.md 5.2; the first failure wins. Pure."""

import hashlib
from collections.abc import Sequence
from typing import Any, Literal

import msgspec

from paywright.catalog.model import Catalog, Price, Product
from paywright.environments.model import Environment
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.money import AMOUNT_MAX
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ownership.model import OwnedProduct, ResolvedLine
from paywright.ownership.present import TURNS_PER_YEAR, yearly_cost
from paywright.stripe.metadata import id_of

Direction = Literal["up", "down"]
Happens = Literal["now", "period_end"]


class AskedSwitch(msgspec.Struct, frozen=True):
    """`from_product_id` is a product's or an owned product's; `price_id` None: the target's first recurring one; `at` overrides up and down."""

    from_product_id: str
    to_product_id: str
    price_id: str | None = None
    quantity: int = 1
    at: Happens | None = None


class SwitchWish(msgspec.Struct, frozen=True):
    """Everything the checks look at. `owned` are the customer's live products; `currency` None: not known yet, and not checked."""

    environment: Environment
    catalog: Catalog
    customer: Customer
    with_secret_key: bool
    asked: AskedSwitch
    owned: tuple[OwnedProduct, ...]
    currency: str | None = None


class Switch(msgspec.Struct, frozen=True):
    """What will be done: `owned` becomes `line`."""

    owned: OwnedProduct
    line: ResolvedLine
    direction: Direction
    happens: Happens


def decide(wish: SwitchWish) -> Switch | Refusal:
    """The switch, or the first refusal. What needs Stripe (the saved card) is checked after these."""
    refusal = _not_allowed(wish)
    if refusal is not None:
        return refusal
    target = wish.catalog.products.get(wish.asked.to_product_id)
    if target is None or (target.server_only and not wish.with_secret_key):
        return Refusal("product_not_found", {"product_id": wish.asked.to_product_id})
    owned = _from(wish)
    if isinstance(owned, Refusal):
        return owned
    refusal = _same(wish, owned, target) or _wrong_target(wish, owned, target)
    if refusal is not None:
        return refusal
    line = _priced(wish, target)
    if isinstance(line, Refusal):
        return line
    refusal = _wrong_quantity(wish, line) or _wrong_provider(wish, owned) or _in_the_way(wish, owned, line)
    if refusal is not None:
        return refusal
    direction = direction_of(owned, line, wish.currency or wish.environment.default_currency)
    return Switch(owned, line, direction, wish.asked.at or ("now" if direction == "up" else "period_end"))


def _not_allowed(wish: SwitchWish) -> Refusal | None:
    if wish.asked.at is not None and not wish.with_secret_key:
        return Refusal("secret_key_required")
    if not 1 <= wish.asked.quantity <= QUANTITY_MAX:
        return invalid_request("quantity", "`quantity` is an integer from 1 to 2^53-1.")
    return Refusal("purchases_blocked") if wish.environment.block_new_purchases else None


def _from(wish: SwitchWish) -> OwnedProduct | Refusal:
    """The subscription by that name, the newest of several."""
    name = wish.asked.from_product_id
    named = [each for each in wish.owned if name in (each.id, each.product_id)]
    if not named:
        defaults = wish.catalog.defaults(wish.customer.type)
        return Refusal("not_a_subscription" if name in defaults else "not_owned")
    return next((each for each in named if each.is_subscription), None) or Refusal("not_a_subscription")


def _same(wish: SwitchWish, owned: OwnedProduct, target: Product) -> Refusal | None:
    price_id = wish.asked.price_id or _first_recurring(wish, target)
    wanted = (wish.asked.to_product_id, price_id, wish.asked.quantity)
    return Refusal("same_product") if wanted == (owned.product_id, owned.price_id, owned.quantity) else None


def _wrong_target(wish: SwitchWish, owned: OwnedProduct, target: Product) -> Refusal | None:
    """Within one product only its terms change, so it may be an add-on or of no line."""
    actual = "user" if wish.customer.type == "guest" else wish.customer.type
    if target.customer_type != actual:
        return Refusal("customer_type_mismatch", {"expected": target.customer_type, "actual": wish.customer.type})
    if wish.asked.to_product_id == owned.product_id:
        return None
    if target.product_line is None or target.product_line != owned.product_line:
        return Refusal("not_same_line")
    if target.include_by_default:
        return Refusal("product_is_default", {"product_id": wish.asked.to_product_id})
    return Refusal("add_on_target") if target.is_add_on else None


def _first_recurring(wish: SwitchWish, target: Product) -> str | None:
    return next(
        (
            price_id
            for price_id, price in target.prices.items()
            if price.is_recurring and (wish.with_secret_key or not price.server_only)
        ),
        None,
    )


def _priced(wish: SwitchWish, target: Product) -> ResolvedLine | Refusal:
    product_id, price_id = wish.asked.to_product_id, wish.asked.price_id
    if price_id is None:
        price_id = _first_recurring(wish, target)
        price = None if price_id is None else target.prices[price_id]
    else:
        price = target.prices.get(price_id)
        if price is None or (price.server_only and not wish.with_secret_key):
            return Refusal("price_not_found", {"product_id": product_id, "price_id": price_id})
    if price is None or not price.is_recurring:
        return Refusal("no_recurring_price", {"product_id": product_id})
    if wish.currency is not None and wish.currency not in price.amounts:
        return Refusal("currency_not_available", {"available": sorted(price.amounts)})
    version_id = wish.catalog.product_versions[product_id]
    return ResolvedLine(product_id, version_id, target, price_id, price, wish.asked.quantity)


def _wrong_quantity(wish: SwitchWish, line: ResolvedLine) -> Refusal | None:
    if line.quantity != 1 and not line.product.stackable:
        return Refusal("not_stackable", {"product_id": line.product_id})
    if any(each.quantity * line.quantity > QUANTITY_MAX for each in line.product.included_items.values()):
        return Refusal("quantity_too_large", {"product_id": line.product_id})
    assert line.price is not None
    if wish.currency is not None and line.price.amounts[wish.currency] * line.quantity > AMOUNT_MAX:
        return Refusal("amount_too_large", {"maximum": AMOUNT_MAX, "currency": wish.currency})
    return None


def _wrong_provider(wish: SwitchWish, owned: OwnedProduct) -> Refusal | None:
    if owned.is_stripe_backed and not wish.environment.is_at_stripe:
        return Refusal("provider_mismatch")
    if not owned.is_stripe_backed and wish.environment.is_at_stripe:
        return Refusal("checkout_required")
    return None


def _in_the_way(wish: SwitchWish, owned: OwnedProduct, line: ResolvedLine) -> Refusal | None:
    """Attached guest purchases may be owned beside the one that holds the place."""
    others = [each for each in wish.owned if each.id != owned.id and each.product_id is not None]
    if not line.product.stackable and any(each.product_id == line.product_id for each in others):
        return Refusal("already_owned", {"product_id": line.product_id})
    return None


def direction_of(owned: OwnedProduct, line: ResolvedLine, currency: str) -> Direction:
    """Between products the cost per year decides, within one more units or a longer interval; dearer or equal is up."""
    assert owned.price_id is not None
    assert line.price is not None
    before = owned.product.prices[owned.price_id]
    if line.product_id == owned.product_id:
        if line.quantity != owned.quantity:
            return "up" if line.quantity > owned.quantity else "down"
        lengths = _length(line.price), _length(before)
        if lengths[0] != lengths[1]:
            return "up" if lengths[0] > lengths[1] else "down"
    costs = yearly_cost(line.price, currency, line.quantity), yearly_cost(before, currency, owned.quantity)
    return "up" if costs[0] >= costs[1] else "down"


def _length(price: Price) -> float:
    period = price.period
    assert period is not None, "only recurring prices are compared"
    return period.count / TURNS_PER_YEAR[period.unit]


def units_changed(owned: OwnedProduct, line: ResolvedLine) -> dict[str, int]:
    """Included units a turn, after less before, item by item; zeros are left out. Owners keep the units they bought within one product."""
    product = owned.product if line.product_id == owned.product_id else line.product
    after = {item_id: each.quantity * line.quantity for item_id, each in product.included_items.items()}
    before = {item_id: each.quantity * owned.quantity for item_id, each in owned.product.included_items.items()}
    changes = {item_id: after.get(item_id, 0) - before.get(item_id, 0) for item_id in {**before, **after}}
    return {item_id: change for item_id, change in changes.items() if change}


# What Stripe is told, from its own subscription object.


class AtStripe(msgspec.Struct, frozen=True):
    """A subscription as it was just fetched, as far as a switch depends on it. Instants are seconds, Stripe's own."""

    found: dict[str, Any]
    payment_method_id: str | None
    """What the switch would be charged to: the subscription's card, else the customer's."""

    @property
    def currency(self) -> str:
        return str(self.found["currency"])

    @property
    def is_trialing(self) -> bool:
        return bool(self.found["status"] == "trialing")

    @property
    def items(self) -> list[dict[str, Any]]:
        listed: list[dict[str, Any]] = self.found["items"]["data"]
        return listed

    @property
    def period_end(self) -> int:
        return max(int(item["current_period_end"]) for item in self.items)

    @property
    def schedule_id(self) -> str | None:
        return id_of(self.found.get("schedule"))

    @property
    def is_to_end(self) -> bool:
        return bool(self.found.get("cancel_at_period_end")) or self.found.get("cancel_at") is not None


def items_after(
    at_stripe: AtStripe, stripe_price_id: str, quantity: int, *, replaces: str, dropped: Sequence[str]
) -> list[dict[str, Any]]:
    """
    `items` of an update: the item at price `replaces` changes, those at `dropped` prices (add-ons that lose their base) go.

    The item's id, or a second item would be added; the quantity, or it would become 1.
    """
    changes: list[dict[str, Any]] = []
    for item in at_stripe.items:
        if item["price"]["id"] == replaces:
            changes.append({"id": item["id"], "price": stripe_price_id, "quantity": quantity})
        elif item["price"]["id"] in dropped:
            changes.append({"id": item["id"], "deleted": True})
    return changes


def has_items(subscription: dict[str, Any], asked: Sequence[dict[str, Any]]) -> bool:
    """Whether an update of items was made."""
    present = {item["id"]: (id_of(item["price"]), item.get("quantity")) for item in subscription["items"]["data"]}
    return all(
        item["id"] not in present
        if item.get("deleted")
        else present.get(item["id"]) == (item["price"], item["quantity"])
        for item in asked
    )


def phase_items(items: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Items of a phase or a subscription, as a phase of a schedule takes them."""
    return [{"price": id_of(item["price"]), "quantity": item.get("quantity") or 1} for item in items]


def items_of_next_phase(
    at_stripe: AtStripe, stripe_price_id: str, quantity: int, *, replaces: str, dropped: Sequence[str]
) -> list[dict[str, Any]]:
    kept = [item for item in at_stripe.items if item["price"]["id"] not in dropped]
    return [
        {"price": stripe_price_id, "quantity": quantity} if item["price"] == replaces else item
        for item in phase_items(kept)
    ]


def phases(schedule: dict[str, Any], items: list[dict[str, Any]], interval: dict[str, Any]) -> dict[str, Any]:
    """The body of `POST /v1/subscription_schedules/{id}`: what runs goes on to its end, then one period of `items`, then the schedule lets go."""
    running = schedule["phases"][0]
    discounts = [_discount(each) for each in running.get("discounts") or []]
    first = {
        "start_date": running["start_date"],
        "end_date": running["end_date"],
        "items": phase_items(running["items"]),
        "proration_behavior": "none",
    }
    if running.get("trial_end"):
        first["trial_end"] = running["trial_end"]
    then = {"items": items, "duration": interval, "proration_behavior": "none"}
    both = [{**phase, "discounts": discounts} if discounts else phase for phase in (first, then)]
    return {"end_behavior": "release", "phases": both}


def _discount(found: dict[str, Any]) -> dict[str, Any]:
    names = ("discount", "promotion_code", "coupon")
    return next({name: id_of(found[name])} for name in names if found.get(name))


def fingerprint(at_stripe: AtStripe | None, owned: OwnedProduct, version_id: str, price: Price | None) -> str:
    """Equal as long as a quote still says what would happen."""
    known: list[Any] = [
        version_id,
        None if price is None else sorted(price.amounts.items()),
        owned.id,
        owned.version_id,
    ]
    if at_stripe is None:
        change = owned.pending_change
        known += [owned.price_id, owned.quantity, owned.ends_at, None if change is None else change.at]
    else:
        found = at_stripe.found
        known += [found[name] for name in ("status", "cancel_at", "cancel_at_period_end", "trial_end", "discounts")]
        known += [[item["id"], item["price"]["id"], item.get("quantity")] for item in at_stripe.items]
        known += [at_stripe.period_end, at_stripe.schedule_id]
    return hashlib.sha256(msgspec.json.encode(known)).hexdigest()
