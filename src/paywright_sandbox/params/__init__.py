"""
Typed parameters from text: `decode("POST /v1/customers", tree)` refuses what the SDK could not have sent.

A type is one word: `i` integer, `s` text, `b` boolean, `f` and `d` numbers (a decimal stays text), `*` anything, `''` empty means unset,
`<a,b>` one of these, `[t]` list, `{t}` map, `#7` the shape on line 7; `|` joins alternatives.
"""

import re
from decimal import Decimal, InvalidOperation
from typing import Any

from ..errors import ApiError, Json, empty_parameter, invalid, missing_parameter, unknown_parameter
from .catalogue import API_VERSION, Catalogue, Field, catalogue

__all__ = ["API_VERSION", "Catalogue", "catalogue", "decode", "decode_fields"]

INTEGER = re.compile(r"[+-]?[0-9]{1,18}")
TEXT_MAX, EVIDENCE_MAX = 5000, 20_000
REFUSED = object()


def decode(route: str, tree: Json) -> Json:
    """Every parameter in its type, absent ones absent. Raises the 400 Stripe would answer, naming the parameter as `a[b]`."""
    return decode_shape(catalogue().shape(catalogue().routes[route]), tree, "")


def decode_fields(fields: dict[str, str], tree: Json) -> Json:
    """The same for a route the SDK does not have; a name ending in `!` is required."""
    return decode_shape({name.rstrip("!"): Field(code, name.endswith("!")) for name, code in fields.items()}, tree, "")


def decode_shape(shape: dict[str, Field], tree: Json, prefix: str) -> Json:
    for name in tree:
        if name not in shape:
            raise unknown_parameter(joined(prefix, name))
    for name, field in shape.items():
        if field.required and name not in tree:
            raise missing_parameter(joined(prefix, name))
    return {name: decode_value(shape[name].code, value, joined(prefix, name)) for name, value in tree.items()}


def joined(prefix: str, name: str) -> str:
    return f"{prefix}[{name}]" if prefix else name


def decode_value(code: str, value: Any, param: str) -> Any:
    alternatives = split_alternatives(code)
    if isinstance(value, dict):
        return decode_tree(alternatives, value, param)
    if value == "":
        if {"''", "s", "*"} & set(alternatives):
            return ""
        raise empty_parameter(param)
    if len(value) > (EVIDENCE_MAX if param.startswith("evidence[") else TEXT_MAX):
        raise invalid(
            f"Invalid string: {value[:10]}...{value[-10:]}; must be at most {TEXT_MAX} characters", param=param
        )
    for alternative in sorted(alternatives, key=order_of_trial):
        decoded = decode_leaf(alternative, value)
        if decoded is not REFUSED:
            return decoded
    raise refused_leaf(alternatives, value, param)


def split_alternatives(code: str) -> list[str]:
    parts, depth, start = [], 0, 0
    for position, letter in enumerate(code):
        depth += (letter in "[{<") - (letter in "]}>")
        if letter == "|" and not depth:
            parts.append(code[start:position])
            start = position + 1
    return [*parts, code[start:]]


def order_of_trial(alternative: str) -> int:
    """Text last: anything fits it."""
    return 1 if alternative in ("s", "*") else 0


def decode_tree(alternatives: list[str], tree: Json, param: str) -> Any:
    for alternative in alternatives:
        if alternative[0] == "[":
            return decode_list(alternative[1:-1], tree, param)
        if alternative[0] == "{":
            return {key: decode_value(alternative[1:-1], value, joined(param, key)) for key, value in tree.items()}
        if alternative[0] == "#":
            return decode_shape(catalogue().shape(int(alternative[1:])), tree, param)
        if alternative == "*":
            return tree
    raise invalid(f"Invalid {param}: it must not be a hash.", param=param)


def decode_list(code: str, tree: Json, param: str) -> list[Any]:
    if not all(INTEGER.fullmatch(key) and key[0] not in "+-" for key in tree):
        raise invalid(f"Invalid array: {param} must be an array.", param=param)
    ordered = sorted(tree.items(), key=lambda pair: int(pair[0]))
    return [decode_value(code, value, joined(param, key)) for key, value in ordered]


def decode_leaf(alternative: str, text: str) -> Any:
    match alternative:
        case "s" | "*":
            return text
        case "i":
            return int(text) if INTEGER.fullmatch(text) else REFUSED
        case "b":
            return {"true": True, "false": False}.get(text, REFUSED)
        case "f" | "d":
            return decode_number(alternative, text)
    if alternative[0] == "<":
        return text if text in alternative[1:-1].split(",") else REFUSED
    return REFUSED


def decode_number(alternative: str, text: str) -> Any:
    try:
        number = Decimal(text)
    except InvalidOperation:
        return REFUSED
    if not number.is_finite():
        return REFUSED
    return text if alternative == "d" else float(number)


def refused_leaf(alternatives: list[str], text: str, param: str) -> ApiError:
    choices = [choice for code in alternatives if code[0] == "<" for choice in code[1:-1].split(",")]
    if choices:
        return invalid(f"Invalid {param}: must be one of {', '.join(choices)}", param=param)
    if "i" in alternatives:
        return invalid(f"Invalid integer: {text}", param=param, code="parameter_invalid_integer")
    if "b" in alternatives:
        return invalid(f"Invalid boolean: {text}", param=param)
    if "d" in alternatives or "f" in alternatives:
        return invalid(f"Invalid decimal: {text}", param=param)
    if any(code[0] == "[" for code in alternatives):
        return invalid(f"Invalid array: {param} must be an array.", param=param)
    return invalid(f"Invalid object: {param} must be a hash.", param=param)
