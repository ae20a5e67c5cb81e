"""
May this be bought or granted? The order of checks of rules.md 4.1, from step 1 to step 13; the first failure wins, and several lines are checked line
by line at each step. Steps 2 (whose customer) and 3 (metadata, URLs) belong to the door and to `checkout`.
"""

from collections.abc import Callable, Sequence

import msgspec

from paywright.catalog.model import Catalog, Product
from paywright.environments.model import Environment
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.money import AMOUNT_MAX, minimum_charge
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.ownership.model import AskedLine, OwnedProduct, Purpose, ResolvedLine

LINES_MAX = 20

VersionOf = Callable[[Product], str]


class Wish(msgspec.Struct, frozen=True):
    """Everything the checks look at. `owned` are the customer's live products, defaults left out; `currency` None: the environment's."""

    environment: Environment
    catalog: Catalog
    customer: Customer
    with_secret_key: bool
    purpose: Purpose
    lines: tuple[AskedLine, ...]
    owned: tuple[OwnedProduct, ...]
    inline_version: VersionOf
    currency: str | None = None

    @property
    def charged_in(self) -> str:
        return self.currency or self.environment.default_currency


def resolve(wish: Wish) -> tuple[ResolvedLine, ...] | Refusal:
    """The lines with product and price, or the first refusal of steps 1 to 13."""
    refusal = _malformed(wish) or _blocked(wish)
    if refusal is not None:
        return refusal
    products: list[Product] = []
    for line in wish.lines:
        found = _product(wish, line)
        if isinstance(found, Refusal):
            return found
        products.append(found)
    for line, product in zip(wish.lines, products, strict=True):
        refusal = _not_for_this_customer(wish, line, product)
        if refusal is not None:
            return refusal
    resolved: list[ResolvedLine] = []
    for line, product in zip(wish.lines, products, strict=True):
        priced = _priced(wish, line, product)
        if isinstance(priced, Refusal):
            return priced
        resolved.append(priced)
    for check in (_wrong_quantity, _wrong_amount, _lines_conflict):
        refusal = check(wish, resolved)
        if refusal is not None:
            return refusal
    return conflict_with_owned(wish.owned, resolved, wish.catalog, wish.customer) or tuple(resolved)


def conflict_with_owned(
    owned: Sequence[OwnedProduct], lines: Sequence[ResolvedLine], catalog: Catalog, customer: Customer
) -> Refusal | None:
    """Steps 11 to 13: what the customer has already. Repeated under the customer's lock when a purchase is fulfilled."""
    for line in lines:
        if line.product_id is not None and not line.product.stackable and _owns(owned, line.product_id):
            return Refusal("already_owned", {"product_id": line.product_id})
    bought = {line.product_id for line in lines}
    defaults = catalog.defaults(customer.type)
    for line in lines:
        bases = line.product.add_on_to
        if bases and not any(base in bought or base in defaults or _owns(owned, base) for base in bases):
            return Refusal("base_required", {"bases": list(bases)})
    for line in lines:
        refusal = _line_held(owned, line)
        if refusal is not None:
            return refusal
    return None


def in_the_way(owned: Sequence[OwnedProduct], line: ResolvedLine) -> list[OwnedProduct]:
    """What the customer holds of the line's product line, apart from the product itself and its own bases and add-ons."""
    if line.product_id is None or line.product.product_line is None:
        return []
    return [
        held
        for held in owned
        if held.product_line == line.product.product_line
        and held.product_id != line.product_id
        and held.product_id not in line.product.add_on_to
        and line.product_id not in held.product.add_on_to
    ]


def _line_held(owned: Sequence[OwnedProduct], line: ResolvedLine) -> Refusal | None:
    """Step 13, rules.md 4.2: subscriptions without Stripe give way, a one-time purchase does not, Stripe's are switched."""
    held = in_the_way(owned, line)
    if any(not other.is_subscription for other in held):
        return Refusal("line_taken", {"product_line": line.product.product_line})
    backed = next((other for other in held if other.is_stripe_backed), None)
    if backed is not None and (line.is_recurring or line.price is None):
        return Refusal("switch_required", {"from_product_id": backed.product_id})
    return None


def _owns(owned: Sequence[OwnedProduct], product_id: str) -> bool:
    return any(held.product_id == product_id for held in owned)


def _malformed(wish: Wish) -> Refusal | None:
    if not 1 <= len(wish.lines) <= LINES_MAX:
        return invalid_request("line_items", f"Give 1 to {LINES_MAX} line items.")
    for line in wish.lines:
        if (line.product_id is None) == (line.product is None):
            return invalid_request("product_id", "Give exactly one of `product_id` and `product`.")
        if not 1 <= line.quantity <= QUANTITY_MAX:
            return invalid_request("quantity", "`quantity` is an integer from 1 to 2^53-1.")
    if any(line.product is not None for line in wish.lines) and not wish.with_secret_key:
        return Refusal("secret_key_required")
    return None


def _blocked(wish: Wish) -> Refusal | None:
    if wish.purpose == "checkout" and wish.environment.block_new_purchases:
        return Refusal("purchases_blocked")
    return None


def _product(wish: Wish, line: AskedLine) -> Product | Refusal:
    """Step 5. A server-only product does not exist for those without a secret key."""
    if line.product is not None:
        return line.product
    assert line.product_id is not None
    product = wish.catalog.products.get(line.product_id)
    if product is None or (product.server_only and not wish.with_secret_key):
        return Refusal("product_not_found", {"product_id": line.product_id})
    return product


def _not_for_this_customer(wish: Wish, line: AskedLine, product: Product) -> Refusal | None:
    """Step 6. A guest buys `user` products."""
    actual = "user" if wish.customer.type == "guest" else wish.customer.type
    if product.customer_type != actual:
        return Refusal("customer_type_mismatch", {"expected": product.customer_type, "actual": wish.customer.type})
    if product.include_by_default:
        return Refusal("product_is_default", {"product_id": line.product_id})
    return None


def _priced(wish: Wish, line: AskedLine, product: Product) -> ResolvedLine | Refusal:
    """Step 7: the named price, or the first in catalog order that the caller may use."""
    price_id = line.price_id
    price = None
    if price_id is not None:
        price = product.prices.get(price_id)
        if price is None or (price.server_only and not wish.with_secret_key):
            return Refusal("price_not_found", {"product_id": line.product_id, "price_id": price_id})
    else:
        price_id = product.first_price_id(with_secret_key=wish.with_secret_key)
        price = None if price_id is None else product.prices[price_id]
        if price is None and wish.purpose == "checkout":
            return Refusal("not_for_sale", {"product_id": line.product_id})
    if line.product_id is None:
        version_id = wish.inline_version(product)
    else:
        version_id = wish.catalog.product_versions[line.product_id]
    return ResolvedLine(line.product_id, version_id, product, price_id, price, line.quantity)


def _wrong_quantity(wish: Wish, lines: Sequence[ResolvedLine]) -> Refusal | None:
    """Step 8."""
    for line in lines:
        if wish.customer.type == "guest" and line.is_recurring:
            return Refusal("guest_one_time_only")
        if line.quantity != 1 and not line.product.stackable:
            return Refusal("not_stackable", {"product_id": line.product_id})
    return None


def _wrong_amount(wish: Wish, lines: Sequence[ResolvedLine]) -> Refusal | None:
    """Step 9: units within range, one currency for all, a total Stripe takes."""
    for line in lines:
        for included in line.product.included_items.values():
            if included.quantity * line.quantity > QUANTITY_MAX:
                return Refusal("quantity_too_large", {"product_id": line.product_id})
    if wish.purpose == "grant":
        return None
    total = 0
    for line in lines:
        assert line.price is not None, "a line without a price was refused before"
        if wish.charged_in not in line.price.amounts:
            return Refusal("currency_not_available", {"available": sorted(line.price.amounts)})
        total += line.price.amounts[wish.charged_in] * line.quantity
    if 0 < total < minimum_charge(wish.charged_in):
        return Refusal("amount_too_small", {"minimum": minimum_charge(wish.charged_in), "currency": wish.charged_in})
    if total > AMOUNT_MAX:
        return Refusal("amount_too_large", {"maximum": AMOUNT_MAX, "currency": wish.charged_in})
    return None


def _lines_conflict(_wish: Wish, lines: Sequence[ResolvedLine]) -> Refusal | None:
    """Step 10: no product twice, no two of one product line, one interval for all that recurs."""
    named = [line.product_id for line in lines if line.product_id is not None]
    if len(set(named)) != len(named):
        return Refusal("duplicate_line_item")
    taken: dict[str, ResolvedLine] = {}
    for line in lines:
        product_line = line.product.product_line
        if product_line is None or line.product_id is None:
            continue
        other = taken.setdefault(product_line, line)
        if other is not line and not _belong_together(other, line):
            return Refusal("line_conflict", {"product_line": product_line})
    intervals = {line.price.interval for line in lines if line.price is not None and line.price.is_recurring}
    return Refusal("mixed_intervals", {"intervals": sorted(map(str, intervals))}) if len(intervals) > 1 else None


def _belong_together(one: ResolvedLine, other: ResolvedLine) -> bool:
    """An add-on and its own base."""
    return one.product_id in other.product.add_on_to or other.product_id in one.product.add_on_to
