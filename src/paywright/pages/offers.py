"""What the purchase page offers, by the same rules as any checkout. Nothing is decided here: the refusal is the rules' own."""

from collections.abc import Sequence

import msgspec
from sqlalchemy.engine import Connection

from paywright.catalog import queries as catalog_queries
from paywright.catalog.model import Catalog, Price, Product
from paywright.catalog.parse import parse_inline
from paywright.checkout import actions, rules
from paywright.checkout.model import StartCheckout
from paywright.checkout.purchase_urls import PurchaseUrl
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import QUANTITY_MAX, Customer
from paywright.kernel.money import AMOUNT_MAX
from paywright.kernel.refusals import Refusal
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import AskedLine, ResolvedLine
from paywright.ownership.rules import in_the_way
from paywright.pages import wording
from paywright.subscriptions.queries import trials_used


class Choice(msgspec.Struct, frozen=True):
    """One price of the product, in the chosen currency. `trial`: what it begins with for this customer."""

    price_id: str
    amount: int
    text: str
    trial: str | None


class Offer(msgspec.Struct, frozen=True):
    """`quantity_max` 1: it can be owned once. `replaces`: what ends when this begins. `refusal`: why it can't be had."""

    name: str
    includes: list[str]
    currencies: list[str]
    currency: str
    choices: list[Choice]
    quantity_max: int
    replaces: list[str]
    refusal: Refusal | None


def first_offer(
    app: App, environment: Environment, customer: Customer, line: AskedLine, *, with_secret_key: bool
) -> StartCheckout:
    """The first thing the page would offer: its first usable price, in the environment's currency or else the price's first."""
    product = line.product
    if product is None:
        with app.database.read() as connection:
            product = catalog_queries.current(connection, environment.id).products.get(line.product_id or "")
    currency = environment.default_currency
    price_id = None if product is None else product.first_price_id(with_secret_key=with_secret_key)
    if product is not None and price_id is not None and currency not in product.prices[price_id].amounts:
        currency = next(iter(product.prices[price_id].amounts))
    return asked(customer, line, currency, with_secret_key=with_secret_key, place="")


def asked(customer: Customer, line: AskedLine, currency: str, *, with_secret_key: bool, place: str) -> StartCheckout:
    """A checkout begun on the page at `place`, to which the buyer comes back."""
    return StartCheckout(
        customer=customer,
        lines=(line,),
        success_url=f"{place}?paid=1",
        cancel_url=f"{place}?canceled=1",
        with_secret_key=with_secret_key,
        currency=currency,
        urls_are_ours=True,
    )


def line_of(
    app: App, environment: Environment, page: PurchaseUrl, price_id: str | None, quantity: int
) -> AskedLine | Refusal:
    """What is asked for when this is chosen. The catalog may have changed since the address was made."""
    product: Product | Refusal | None = None
    if page.product_id is None:
        with app.database.read() as connection:
            catalog = catalog_queries.current(connection, environment.id)
        product = parse_inline(page.inline_product, catalog, mode=environment.mode)
    if isinstance(product, Refusal):
        return product
    return AskedLine(product_id=page.product_id, price_id=price_id, product=product, quantity=quantity)


def offer(app: App, environment: Environment, page: PurchaseUrl, currency: str | None) -> Offer | Refusal:
    """The page as it stands now; a refusal when there is nothing to show at all."""
    line = line_of(app, environment, page, None, 1)
    if isinstance(line, Refusal):
        return line
    with app.database.read() as connection:
        catalog = catalog_queries.current(connection, environment.id)
    product = line.product or catalog.products.get(page.product_id or "")
    if product is None or (product.server_only and not page.with_secret_key):
        return Refusal("product_not_found", {"product_id": page.product_id})
    usable = {
        price_id: price for price_id, price in product.prices.items() if page.with_secret_key or not price.server_only
    }
    currencies = sorted({each for price in usable.values() for each in price.amounts})
    chosen = currency if currency in currencies else None
    if chosen is None:
        chosen = environment.default_currency if environment.default_currency in currencies else None
    chosen = chosen or next(iter(currencies), environment.default_currency)
    sold = {price_id: price for price_id, price in usable.items() if chosen in price.amounts}
    first = next(iter(sold), None)
    with app.database.read() as connection:
        lines = {price_id: _resolved(page, catalog, product, price_id, price) for price_id, price in sold.items()}
        choices = [_choice(connection, environment, page, chosen, each) for each in lines.values()]
        replaces = [] if first is None else _replaces(connection, environment, page, lines[first], app)
    wish = msgspec.structs.replace(line, price_id=first)
    refusal = actions.foresee(
        app, environment, asked(page.customer, wish, chosen, with_secret_key=page.with_secret_key, place="")
    )
    return Offer(
        name=product.display_name,
        includes=wording.included(product, catalog),
        currencies=currencies,
        currency=chosen,
        choices=choices,
        quantity_max=quantity_max(product, [choice.amount for choice in choices]),
        replaces=replaces,
        refusal=refusal,
    )


def quantity_max(product: Product, amounts: Sequence[int]) -> int:
    """As many as any of these prices and the included items allow; 1 for what can be owned once."""
    if not product.stackable:
        return 1
    by_amount = min((AMOUNT_MAX // amount for amount in amounts if amount), default=QUANTITY_MAX)
    by_units = min((QUANTITY_MAX // each.quantity for each in product.included_items.values()), default=QUANTITY_MAX)
    return max(1, min(by_amount, by_units))


def _resolved(page: PurchaseUrl, catalog: Catalog, product: Product, price_id: str, price: Price) -> ResolvedLine:
    version = catalog.product_versions.get(page.product_id or "", "")
    return ResolvedLine(page.product_id, version, product, price_id, price, 1)


def _choice(
    connection: Connection, environment: Environment, page: PurchaseUrl, currency: str, line: ResolvedLine
) -> Choice:
    assert line.price is not None
    assert line.price_id is not None
    trial = None
    if environment.is_at_stripe:  # `instant` knows no trials.
        used = trials_used(connection, environment.id, page.customer.key, rules.places([line]))
        trial = rules.trial_of([line], used)
    text = wording.priced(line.price, currency)
    told = None if trial is None else f"{wording.span(trial)} free, then {text}"
    return Choice(line.price_id, line.price.amounts[currency], text, told)


def _replaces(
    connection: Connection, environment: Environment, page: PurchaseUrl, line: ResolvedLine, app: App
) -> list[str]:
    now = app.now(environment.id)
    live = ownership_queries.live(connection, environment.id, page.customer, now)
    held = [each for each in live if each.source != "default"]
    return [each.product.display_name for each in in_the_way(held, line)]
