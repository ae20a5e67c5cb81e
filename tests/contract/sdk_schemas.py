"""
Schemas of every object, from the installed SDK's classes, and a check of JSON against them.

Not `Optional` is required; `Optional` is nullable and possibly absent, since Python's types do not tell the two apart (the table in
always_present.py does); no additional properties, except in classes without fields.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from tests.contract.sdk_package import arguments, classes, imported_names, subscript_name, unquoted
from tests.contract.sdk_parameters import object_classes


@dataclass
class Class:
    """One class of the SDK: where its names are looked up, and its fields."""

    module: str
    node: ast.ClassDef
    scopes: tuple[ast.ClassDef, ...]
    fields: dict[str, ast.expr] = field(default_factory=dict)


@cache
def class_at(module: str, path: tuple[str, ...]) -> Class:
    node, scopes = classes(module)[path[0]], []
    for name in path[1:]:
        scopes.append(node)
        node = next(child for child in node.body if isinstance(child, ast.ClassDef) and child.name == name)
    found = Class(module, node, (*scopes, node))
    for child in node.body:
        if isinstance(child, ast.AnnAssign) and isinstance(child.target, ast.Name):
            name = child.target.id
            if not name.startswith("_") and name != "OBJECT_NAME" and "ClassVar" not in ast.unparse(child.annotation):
                found.fields[name.rstrip("_") if name.endswith("_") else name] = unquoted(child.annotation)
    return found


def problems(value: Any) -> list[str]:
    """What is wrong with an object of Stripe's, in sentences; it names its own class by `object`."""
    if not isinstance(value, dict) or "object" not in value:
        return [f"not a Stripe object: {value!r:.80}"]
    return list(check_object(value, value["object"]))


def check_object(value: dict[str, Any], at: str) -> Iterator[str]:
    name = value["object"]
    if name in ("list", "search_result"):
        yield from check_list(value, at)
        return
    if name not in object_classes():
        yield f"{at}: the SDK has no object {name!r}"
        return
    module, class_name = object_classes()[name]
    if value.get("deleted"):
        extra = set(value) - {"id", "object", "deleted"}
        yield from (f"{at}.{key}: on a deleted object" for key in sorted(extra))
        return
    yield from check_class(value, class_at(module, (class_name,)), (class_name,), at)
    if name == "event" and "object" in value["data"]["object"]:
        yield from check_object(value["data"]["object"], f"{value['type']}:{value['data']['object']['object']}")


def check_list(value: dict[str, Any], at: str) -> Iterator[str]:
    wanted = {"object", "data", "has_more", "url"}
    if not wanted <= set(value):
        yield f"{at}: a list without {sorted(wanted - set(value))}"
    for position, item in enumerate(value.get("data", [])):
        if isinstance(item, dict) and "object" in item:
            yield from check_object(item, f"{at}.data[{position}]:{item['object']}")


def check_class(value: Any, found: Class, path: tuple[str, ...], at: str) -> Iterator[str]:
    if not isinstance(value, dict):
        yield f"{at}: {value!r:.80} is no hash"
        return
    if not found.fields:
        return
    for key, inner in value.items():
        if key not in found.fields:
            if key != "object":
                yield f"{at}.{key}: unknown to the SDK"
            continue
        yield from check_type(inner, found.fields[key], found, path, f"{at}.{key}")
    for key, annotation in found.fields.items():
        if key not in value and key != "deleted" and not is_optional(annotation):
            yield f"{at}.{key}: required and missing"


def is_optional(node: ast.expr) -> bool:
    return isinstance(node, ast.Subscript) and subscript_name(node) == "Optional"


def check_type(value: Any, node: ast.expr, where: Class, path: tuple[str, ...], at: str) -> Iterator[str]:
    node = unquoted(node)
    if isinstance(node, ast.Subscript):
        yield from check_subscript(value, node, where, path, at)
    elif isinstance(node, ast.Name):
        yield from check_name(value, node.id, where, path, at)
    else:
        assert isinstance(node, ast.Attribute), ast.dump(node)
        yield from check_dotted(value, node, where, path, at)


SCALARS: dict[str, tuple[type, ...]] = {
    "int": (int,),
    "str": (str,),
    "bool": (bool,),
    "float": (int, float),
    "Decimal": (str,),
}


def check_name(value: Any, name: str, where: Class, path: tuple[str, ...], at: str) -> Iterator[str]:
    if name in SCALARS:
        if not isinstance(value, SCALARS[name]) or (isinstance(value, bool) and name != "bool"):
            yield f"{at}: {value!r:.80} is no {name}"
        return
    if name in ("Any", "object", "StripeObject"):
        return
    below = inner_class(where.module, path, name)
    if below:
        yield from check_class(value, class_at(where.module, below), below, at)
        return
    module, original = imported_names(where.module).get(name, (where.module, name))
    if not isinstance(value, dict):
        yield f"{at}: {value!r:.80} is no {name}"
    elif value.get("deleted") or "object" in value:
        yield from check_object(value, at)
    else:
        yield from check_class(value, class_at(module, (original,)), (original,), at)


@cache
def inner_class(module: str, path: tuple[str, ...], name: str) -> tuple[str, ...] | None:
    """The path of the class of this name that is nearest to the class at `path`, inside it or inside what surrounds it."""
    scopes = class_at(module, path).scopes
    for depth in range(len(scopes), 0, -1):
        if any(isinstance(child, ast.ClassDef) and child.name == name for child in scopes[depth - 1].body):
            return (*path[:depth], name)
    return None


def check_dotted(value: Any, node: ast.Attribute, where: Class, path: tuple[str, ...], at: str) -> Iterator[str]:
    parts = ast.unparse(node).split(".")
    yield from check_class(value, class_at(where.module, tuple(parts)), tuple(parts), at)


def check_subscript(value: Any, node: ast.Subscript, where: Class, path: tuple[str, ...], at: str) -> Iterator[str]:
    name, inner = subscript_name(node), arguments(node)
    if name == "Optional":
        if value is not None:
            yield from check_type(value, inner[0], where, path, at)
    elif name == "List":
        if not isinstance(value, list):
            yield f"{at}: {value!r:.80} is no list"
            return
        for position, item in enumerate(value):
            yield from check_type(item, inner[0], where, path, f"{at}[{position}]")
    elif name in ("Dict", "UntypedStripeObject"):
        if not isinstance(value, dict):
            yield f"{at}: {value!r:.80} is no hash"
            return
        for key, item in value.items():
            yield from check_type(item, inner[-1], where, path, f"{at}[{key}]")
    elif name == "ListObject":
        if not isinstance(value, dict) or value.get("object") != "list":
            yield f"{at}: no list object"
            return
        yield from check_list(value, at)
    elif name == "Literal":
        if value not in literal_values(node):
            yield f"{at}: {value!r:.80} is none of {ast.unparse(node)}"
    elif name == "ExpandableField":
        if not isinstance(value, str):
            yield from check_type(value, inner[0], where, path, at)
    else:
        assert name == "Union", name
        yield from check_union(value, inner, where, path, at)


@cache
def literal_values(node: ast.Subscript) -> list[Any]:
    return [ast.literal_eval(choice) for choice in arguments(node)]


def check_union(value: Any, members: list[ast.expr], where: Class, path: tuple[str, ...], at: str) -> Iterator[str]:
    parsed = [unquoted(member) for member in members]
    literals = [m for m in parsed if isinstance(m, ast.Subscript) and subscript_name(m) == "Literal"]
    if literals and isinstance(value, str):
        # An enumeration the SDK leaves open: what we emit must still be one of the known values.
        yield from check_type(value, literals[0], where, path, at)
        return
    complaints = [list(check_type(value, member, where, path, at)) for member in parsed]
    if all(complaints):
        yield min(complaints, key=len)[0]


@cache
def event_types() -> frozenset[str]:
    """The names the SDK lists for an endpoint's `enabled_events`."""
    for node in ast.walk(ast.Module(list(classes("stripe.params._webhook_endpoint_create_params").values()), [])):
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "enabled_events":
            return frozenset(
                constant.value
                for constant in ast.walk(unquoted(node.annotation))
                if isinstance(constant, ast.Constant)
                and isinstance(constant.value, str)
                and "Literal" not in constant.value
            ) - {"*"}
    raise LookupError("the SDK lists no event types any more")


@cache
def error_codes() -> frozenset[str]:
    """The literals of `PaymentIntent.LastPaymentError.code`."""
    annotation = class_at("stripe._payment_intent", ("PaymentIntent", "LastPaymentError")).fields["code"]
    return frozenset(
        constant.value
        for constant in ast.walk(unquoted(annotation))
        if isinstance(constant, ast.Constant) and isinstance(constant.value, str)
    )
