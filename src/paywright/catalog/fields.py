"""
Readers of single fields: each takes a table of the document, gives back the normal form, and reports what is wrong instead of raising. Pure.

A reader that found a problem returns the default, so that reading goes on and all problems come at once.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from paywright.catalog.model import OWNER_TYPES, Metadata, OwnerType
from paywright.catalog.report import Report
from paywright.kernel.model import QUANTITY_MAX
from paywright.kernel.money import AMOUNT_MAX, CURRENCIES, decimals, minor_units
from paywright.kernel.periods import parse_period

Table = Mapping[str, Any]

METADATA_BYTES_MAX = 16 * 1024
DISPLAY_NAME_MAX = 250
"""Stripe cuts a product's name off at 250 characters."""

INTERVAL_MAX = {"day": 1095, "week": 156, "month": 36, "year": 3}
"""Three years, as Stripe counts them."""

TRIAL_MAX = {"day": 730, "week": 104, "month": 23, "year": 1}
"""730 days: two years or 24 months can be 731."""

REPEAT_MAX = {"day": 36_500, "week": 5_200, "month": 1_200, "year": 100}

_ID = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_-]{0,62}")
_RESERVED_IDS = frozenset({"__proto__", "constructor", "prototype"})
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]")


def known_fields(report: Report, table: Table, path: str, known: frozenset[str]) -> None:
    for name in table:
        if name not in known:
            report.add(
                "unknown_field", joined(path, name), f"`{name}` is not a field here. Known: {', '.join(sorted(known))}."
            )


def joined(path: str, name: object) -> str:
    return f"{path}.{name}" if path else str(name)


def table(report: Report, parent: Table, name: str, path: str) -> Table:
    """An object of objects or of fields; left out or null it is empty."""
    value = parent.get(name)
    if value is None:
        return {}
    if not isinstance(value, Mapping):
        report.malformed(joined(path, name), f"`{name}` must be an object.")
        return {}
    return value


def as_table(report: Report, value: Any, path: str) -> Table:
    if isinstance(value, Mapping):
        return value
    report.malformed(path, f"`{path}` must be an object.")
    return {}


def check_id(report: Report, written: object, path: str) -> None:
    if (
        not isinstance(written, str)
        or not _ID.fullmatch(written)
        or written.startswith("own_")
        or written in _RESERVED_IDS
    ):
        report.add(
            "bad_id",
            path,
            "An id is 1 to 63 letters, digits, `_` or `-`; not starting with `-` or `own_`, and no word JavaScript reserves.",
        )


def display_name(report: Report, parent: Table, path: str, default: str) -> str:
    value = parent.get("display_name")
    if value is None:
        return default
    if not isinstance(value, str) or not 1 <= len(value) <= DISPLAY_NAME_MAX or _UNPRINTABLE.search(value):
        report.malformed(
            joined(path, "display_name"), f"A display name is 1 to {DISPLAY_NAME_MAX} printable characters."
        )
        return default
    return value


def customer_type(report: Report, parent: Table, path: str) -> OwnerType:
    value = parent.get("customer_type")
    if value is None:
        return "user"
    if value not in OWNER_TYPES:
        report.malformed(
            joined(path, "customer_type"), "A customer type is user, team or custom; a guest buys what is for users."
        )
        return "user"
    return value  # type: ignore[no-any-return]


def text_or_none(report: Report, parent: Table, name: str, path: str) -> str | None:
    value = parent.get(name)
    if value is None:
        return None
    if not isinstance(value, str) or not value:
        report.malformed(joined(path, name), f"`{name}` must be text.")
        return None
    return value


def flag(report: Report, parent: Table, name: str, path: str, *, default: bool = False) -> bool:
    value = parent.get(name, default)
    if not isinstance(value, bool):
        report.malformed(joined(path, name), f"`{name}` must be true or false.")
        return default
    return value


def ids(report: Report, parent: Table, name: str, path: str) -> list[str]:
    """A list of ids in the order written, each once."""
    value = parent.get(name)
    if value is None:
        return []
    if isinstance(value, str) or not isinstance(value, Sequence) or not all(isinstance(each, str) for each in value):
        report.malformed(joined(path, name), f"`{name}` must be a list of ids.")
        return []
    return list(dict.fromkeys(value))


def period(report: Report, parent: Table, name: str, path: str, longest: Mapping[str, int]) -> str | None:
    """The normal form, `"1 month"`; None when left out. `longest` is the largest count per unit."""
    value = parent.get(name)
    if value is None:
        return None
    parsed = parse_period(value) if isinstance(value, str) else None
    if parsed is None:
        report.add(
            "bad_period",
            joined(path, name),
            'A period is a count of at least 1 and day, week, month or year, like "1 month".',
        )
        return None
    if parsed.count > longest[parsed.unit]:
        report.add("bad_period", joined(path, name), f"At most {longest[parsed.unit]} {parsed.unit}s here.")
        return None
    return str(parsed)


def amounts(report: Report, parent: Table, path: str) -> dict[str, int]:
    """Minor units by currency, in the order written."""
    written = table(report, parent, "amounts", path)
    if not written:
        report.add(
            "no_amount", path, 'A price needs an amount in at least one currency: {"amounts": {"usd": "19.99"}}.'
        )
    read = {}
    for currency, value in written.items():
        where = joined(joined(path, "amounts"), currency)
        if currency not in CURRENCIES:
            report.add(
                "unsupported_currency", where, f"Currencies are lower-case codes: {', '.join(sorted(CURRENCIES))}."
            )
            continue
        amount = _amount(value, currency)
        if amount is None or not 0 <= amount <= AMOUNT_MAX:
            report.add("bad_amount", where, _amount_advice(value, currency))
            continue
        read[currency] = amount
    return read


def _amount(value: Any, currency: str) -> int | None:
    if isinstance(value, bool):
        return None
    if isinstance(value, int):
        return value
    return minor_units(value, currency) if isinstance(value, str) and len(value) <= 20 else None


def _amount_advice(value: Any, currency: str) -> str:
    if isinstance(value, float):
        return f'Write a decimal amount as text, like "{value}", or as an integer in minor units.'
    places = decimals(currency)
    return f"Text is major units with at most {places} decimals in {currency}, an integer is minor units; 0 to {AMOUNT_MAX} minor units."


def quantity(report: Report, parent: Table, path: str) -> int:
    value = parent.get("quantity")
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= QUANTITY_MAX:
        report.add("bad_quantity", joined(path, "quantity"), "An included quantity is an integer from 1 to 2^53−1.")
        return 1
    return value


def metadata(report: Report, parent: Table, path: str) -> Metadata:
    path = joined(path, "metadata")
    written = table(report, parent, "metadata", path.rpartition(".")[0])
    known_fields(report, written, path, frozenset(("client", "client_read_only", "server")))
    return Metadata(*(_json_object(report, written, name, path) for name in ("client", "client_read_only", "server")))


def _json_object(report: Report, parent: Table, name: str, path: str) -> dict[str, Any]:
    """Keys sorted, so that two spellings of one object are one product version."""
    written = table(report, parent, name, path)
    try:
        encoded = msgspec.json.encode(written, order="sorted")
    except (TypeError, UnicodeEncodeError, RecursionError):
        report.malformed(joined(path, name), "Metadata holds JSON values only.")
        return {}
    if len(encoded) > METADATA_BYTES_MAX:
        report.malformed(joined(path, name), f"Metadata is at most {METADATA_BYTES_MAX} bytes of JSON per object.")
        return {}
    normal: dict[str, Any] = msgspec.json.decode(encoded)
    return normal
