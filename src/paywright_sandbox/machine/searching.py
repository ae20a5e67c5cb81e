"""
Stripe's search language: `status:'active' AND metadata['k']:'v' AND created>1700000000`.

Clauses are joined by AND or by OR, never both; `-` before a clause negates it; `:` equals (text without regard to case), `~` holds (three
letters at least), `< > <= >=` compare numbers; `null` asks for absence.
"""

import re
from collections.abc import Callable
from typing import Any

from ..errors import Json, invalid

CLAUSE = re.compile(
    r"""\s*(?P<minus>-)?(?P<field>[a-z_.]+)(\[(?P<q>['"])(?P<key>(?:(?!(?P=q)).)*)(?P=q)\])?\s*(?P<operator><=|>=|[:~<>])\s*"""
    r"""(?:(?P<quote>['"])(?P<text>(?:\\.|(?!(?P=quote)).)*)(?P=quote)|(?P<bare>[\w.+-]+))"""
)
JOIN = re.compile(r"\s+(AND|OR|and|or)\s+|\s*$")
SUBSTRING_MIN = 3

FIELDS: dict[str, frozenset[str]] = {
    kind: frozenset(names.split())
    for kind, names in {
        "customer": "created email metadata name phone",
        "product": "active description metadata name shippable url",
        "price": "active currency lookup_key metadata product type",
        "payment_intent": "amount created currency customer metadata status",
        "charge": "amount billing_details.address.postal_code created currency customer disputed metadata refunded status",
        "subscription": "canceled_at created metadata status",
        "invoice": "created currency customer last_finalization_error_code last_finalization_error_type metadata number "
        "receipt_number status subscription total",
    }.items()
}

Test = Callable[[Json], bool]


def read(query: str, kind: str) -> Test:
    """The query as a predicate; refuses what is not in the language, and fields that cannot be searched."""
    clauses: list[Test] = []
    joins: set[str] = set()
    position = 0
    while position < len(query):
        found = CLAUSE.match(query, position)
        if not found:
            raise invalid(f"We were unable to parse your search query at: {query[position:][:40]}", param="query")
        clauses.append(clause(found, kind))
        join = JOIN.match(query, found.end())
        if not join:
            raise invalid(f"Clauses are joined by AND or OR: {query[found.end() :][:40]}", param="query")
        if join[1]:
            joins.add(join[1].upper())
        position = join.end()
    if not clauses or len(joins) > 1:
        raise invalid("A query needs clauses joined by AND only, or by OR only.", param="query")
    decide = any if joins == {"OR"} else all
    return lambda thing: decide(test(thing) for test in clauses)


def clause(found: re.Match[str], kind: str) -> Test:
    field, key, operator = found["field"], found["key"], found["operator"]
    if field not in FIELDS[kind] or (key is not None) != (field == "metadata"):
        raise invalid(f"Field `{field}` is an unsupported search field for resource `{kind}s`.", param="query")
    text = re.sub(r"\\(.)", r"\1", found["text"]) if found["quote"] else found["bare"]
    wanted = None if not found["quote"] and text == "null" else text
    if operator == "~" and (wanted is None or len(wanted) < SUBSTRING_MIN):
        raise invalid(f"A search for a part needs {SUBSTRING_MIN} letters at least.", param="query")
    if operator in ("<", ">", "<=", ">=") and not re.fullmatch(r"-?[0-9]{1,18}", text):
        raise invalid(f"`{operator}` compares numbers.", param="query")
    test = comparing(operator, wanted)
    negated = bool(found["minus"])
    return lambda thing: test(value_of(thing, field, key)) != negated


def value_of(thing: Json, field: str, key: str | None) -> Any:
    if key is not None:
        return thing["metadata"].get(key)
    if field == "subscription":
        return (((thing["parent"] or {}).get("subscription_details")) or {}).get("subscription")
    if field.startswith("last_finalization_error_"):
        return (thing["last_finalization_error"] or {}).get(field.rpartition("_")[2])
    value: Any = thing
    for name in field.split("."):
        value = (value or {}).get(name)
    return value


def comparing(operator: str, wanted: str | None) -> Callable[[Any], bool]:
    if wanted is None:
        return lambda value: value is None
    match operator:
        case ":":
            return lambda value: as_text(value) == wanted.casefold()
        case "~":
            return lambda value: wanted.casefold() in as_text(value)
        case _:
            return lambda value: value is not None and compared(int(value), operator, int(wanted))


def compared(value: int, operator: str, wanted: int) -> bool:
    return {"<": value < wanted, ">": value > wanted, "<=": value <= wanted, ">=": value >= wanted}[operator]


def as_text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value).casefold()
