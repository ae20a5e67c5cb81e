"""What differs between two catalogs, as a list of changes in reading order. Pure."""

from collections.abc import Iterator, Mapping
from typing import Any

import msgspec

from paywright.catalog.model import Catalog, Change
from paywright.catalog.views import wire

_OPAQUE = frozenset(("client", "client_read_only", "server"))
"""Metadata is compared as a whole."""


def diff(before: Catalog, after: Catalog) -> list[Change]:
    """Empty exactly when the two are equal, order included. Values under `metadata.server` are left out: changes travel further than they may."""
    old, new = wire(before), wire(after)
    return [
        change
        for section in ("items", "product_lines", "products")
        for change in _differences(section, old[section], new[section])
    ]


def _differences(path: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Change]:
    for name in [*old, *(name for name in new if name not in old)]:
        where = f"{path}.{name}"
        if name not in new:
            yield Change("removed", where)
        elif name not in old:
            yield Change("added", where)
        elif isinstance(old[name], Mapping) and isinstance(new[name], Mapping) and name not in _OPAQUE:
            yield from _differences(where, old[name], new[name])
        elif old[name] != new[name]:
            secret = where.endswith(".metadata.server")
            yield Change("changed", where) if secret else Change("changed", where, old[name], new[name])
    if _order_counts(path) and _shared_order(old, new) != _shared_order(new, old):
        yield Change("reordered", path, list(old), list(new))


def _order_counts(path: str) -> bool:
    return path.rpartition(".")[2] in ("items", "product_lines", "products", "prices", "included_items")


def _shared_order(these: Mapping[str, Any], others: Mapping[str, Any]) -> list[str]:
    return [name for name in these if name in others]


def summary(change: Change) -> str:
    """One line for people: `~ products.pro.prices.monthly.amounts.usd: 1999 → 2499`."""
    sign = {"added": "+", "removed": "-", "changed": "~", "reordered": "↕"}[change.action]
    if change.action != "changed" or (change.before is None and change.after is None):
        return f"{sign} {change.path}"
    return f"{sign} {change.path}: {_shown(change.before)} → {_shown(change.after)}"


def _shown(value: Any) -> str:
    return "none" if value is None else msgspec.json.encode(value).decode()
