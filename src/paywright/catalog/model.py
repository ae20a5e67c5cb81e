"""
The catalog's nouns, in the wire shape of `GET /v1/catalog`: everything filled in, amounts as minor units, periods in their normal form.

Order counts where people see it: products, prices and included items keep the order they were written in, because the first price is the one that is
bought when none is named.
"""

from typing import Any, Literal

import msgspec

from paywright.kernel.periods import Period, parse_period

OwnerType = Literal["user", "team", "custom"]
"""Who may own a product. A guest buys `user` products."""

OWNER_TYPES = ("user", "team", "custom")

Expires = Literal["never", "when_purchase_expires", "when_repeated"]
EXPIRES = ("never", "when_purchase_expires", "when_repeated")


class Item(msgspec.Struct, frozen=True):
    display_name: str
    customer_type: OwnerType = "user"


class ProductLine(msgspec.Struct, frozen=True):
    display_name: str
    customer_type: OwnerType = "user"


class Price(msgspec.Struct, frozen=True):
    """`amounts` are minor units by currency, at least one. No `interval`: paid once. `stripe_price_id` only when an existing one is adopted."""

    amounts: dict[str, int]
    interval: str | None = None
    trial: str | None = None
    server_only: bool = False
    stripe_price_id: str | None = None

    @property
    def is_recurring(self) -> bool:
        return self.interval is not None

    @property
    def period(self) -> Period | None:
        return None if self.interval is None else parse_period(self.interval)

    @property
    def is_paid(self) -> bool:
        """Every currency costs something."""
        return all(amount > 0 for amount in self.amounts.values())


class IncludedItem(msgspec.Struct, frozen=True):
    """`repeat` is `"never"` or a period."""

    quantity: int
    repeat: str = "never"
    expires: Expires = "when_repeated"

    @property
    def period(self) -> Period | None:
        """None: given once."""
        return None if self.repeat == "never" else parse_period(self.repeat)


class Metadata(msgspec.Struct, frozen=True):
    """JSON objects of the app. `server` never leaves towards a browser."""

    client: dict[str, Any] = {}
    client_read_only: dict[str, Any] = {}
    server: dict[str, Any] = {}


class Product(msgspec.Struct, frozen=True):
    """What is sold, and what a purchase pins. Its id is the key it stands under; an inline product has none."""

    display_name: str
    customer_type: OwnerType = "user"
    product_line: str | None = None
    add_on_to: list[str] = []
    ends_with_base: bool = True
    include_by_default: bool = False
    server_only: bool = False
    stackable: bool = False
    trial: str | None = None
    prices: dict[str, Price] = {}
    included_items: dict[str, IncludedItem] = {}
    metadata: Metadata = Metadata()

    @property
    def is_add_on(self) -> bool:
        return bool(self.add_on_to)

    def first_price_id(self, *, with_secret_key: bool) -> str | None:
        """The first price in catalog order that the caller may use; None when there is none."""
        return next(
            (price_id for price_id, price in self.prices.items() if with_secret_key or not price.server_only), None
        )

    def trial_of(self, price: Price) -> Period | None:
        """The trial that comes with a price: its own, else the product's; None for one-time and free prices."""
        written = price.trial or self.trial
        if written is None or not price.is_recurring or not price.is_paid:
            return None
        return parse_period(written)


class Catalog(msgspec.Struct, frozen=True):
    """
    Everything that is on sale in one environment. Version 0 is the empty catalog of an environment that never had one.

    `archived_items` are gone from the catalog; their balances stay readable and usable. `defaults_version` rises whenever a product
    included by default changes, comes or goes; `default_since` tells when each of them was first applied (business time).
    """

    version: int = 0
    items: dict[str, Item] = {}
    product_lines: dict[str, ProductLine] = {}
    products: dict[str, Product] = {}
    archived_items: dict[str, Item] = {}
    defaults_version: int = 0
    default_since: dict[str, int] = {}
    product_versions: dict[str, str] = {}

    def item(self, item_id: str) -> Item | None:
        """Archived ones too: what a customer holds of them stays usable."""
        return self.items.get(item_id) or self.archived_items.get(item_id)

    def defaults(self, customer_type: str) -> dict[str, Product]:
        """Products every customer of this type owns without buying, in catalog order."""
        return {
            product_id: product
            for product_id, product in self.products.items()
            if product.include_by_default and product.customer_type == customer_type
        }


class ProductVersion(msgspec.Struct, frozen=True):
    """A product as it was sold. `id` is a hash of the product, so the same product is the same version. `product_id` is None for an inline one."""

    id: str
    product_id: str | None
    product: Product


class Problem(msgspec.Struct, frozen=True):
    """One thing wrong with a catalog, or (from `lint`) worth a look. `path` is like `products.pro.prices.monthly`."""

    code: str
    path: str
    message: str


class Change(msgspec.Struct, frozen=True):
    """One difference between two catalogs. `before` and `after` are wire values of the field; both None for whole things and secrets."""

    action: Literal["added", "changed", "removed", "reordered"]
    path: str
    before: Any = None
    after: Any = None
