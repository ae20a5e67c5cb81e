"""The OpenAPI 3.1 document, made from the route table and the structs it names."""

import inspect
import re
from collections.abc import Sequence
from typing import Any

import msgspec

from paywright.api.parsing import Body, Query
from paywright.api.route import Route
from paywright.kernel.refusals import REFUSALS

TITLE = "Paywright"
ABOUT = (
    "Payments and entitlements on Stripe. JSON both ways, instants RFC 3339 UTC, money in integer minor units. Lists take `limit` and `cursor`. "
    "Any POST takes an `Idempotency-Key`."
)
_PARTS = re.compile(r"{(\w+)}")

ERROR_SCHEMA = {
    "type": "object",
    "required": ["error"],
    "properties": {
        "error": {
            "type": "object",
            "required": ["code", "message", "request_id"],
            "properties": {
                "code": {"type": "string", "enum": sorted(REFUSALS)},
                "message": {"type": "string"},
                "param": {"type": "string"},
                "facts": {"type": "object"},
                "request_id": {"type": "string"},
            },
        }
    },
}


def document(routes: Sequence[Route], version: str) -> dict[str, Any]:
    shapes = [shape for route in routes for shape in (route.query, route.body, route.shows) if is_shaped(shape)]
    distinct = list({repr(shape): shape for shape in shapes}.values())
    schemas, components = msgspec.json.schema_components(distinct, ref_template="#/components/schemas/{name}")
    schema_of = {repr(shape): schema for shape, schema in zip(distinct, schemas, strict=True)}
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(route.path, {})[route.method.lower()] = operation(route, schema_of, components)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": TITLE,
            "version": version,
            "description": ABOUT,
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "paths": paths,
        "components": {
            "schemas": {**components, "Error": ERROR_SCHEMA},
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "A secret key, a publishable key or a customer token.",
                }
            },
        },
    }


def is_shaped(shape: Any) -> bool:
    return shape not in (Any, None, Query, Body)


def operation(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> dict[str, Any]:
    summary, about = described(route)
    shown: dict[str, Any] = {
        "operationId": re.sub(r"\W+", "_", route.name).strip("_"),
        "summary": summary,
        "tags": [tag(route)],
        "security": [] if route.who.audience == "open" else [{"bearer": []}],
        "x-paywright-who": f"{route.who.audience} ({route.who.scope})",
        "parameters": [
            *path_parameters(route),
            *query_parameters(route, schema_of, components),
            *header_parameters(route),
        ],
        "responses": responses(route, schema_of),
    }
    if about:
        shown["description"] = about
    if route.body is not None:
        schema = schema_of.get(repr(route.body), {"type": "object"})
        shown["requestBody"] = {"required": True, "content": {"application/json": {"schema": schema}}}
    return shown


def described(route: Route) -> tuple[str, str]:
    """The endpoint's docstring: its first line, and the rest."""
    if route.endpoint is None:
        return "Not implemented yet.", ""
    first, _, rest = (inspect.getdoc(route.endpoint) or "").partition("\n")
    return first, rest.strip()


def tag(route: Route) -> str:
    words = route.path.split("/")
    return words[2] if words[1] == "v1" else words[1]


def path_parameters(route: Route) -> list[dict[str, Any]]:
    return [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in _PARTS.findall(route.path)
    ]


def query_parameters(route: Route, schema_of: dict[str, Any], components: dict[str, Any]) -> list[dict[str, Any]]:
    reference = schema_of.get(repr(route.query))
    if reference is None:
        return []
    schema = components[reference["$ref"].rpartition("/")[2]]
    required = set(schema.get("required", []))
    return [
        {"name": name, "in": "query", "required": name in required, "schema": shape}
        for name, shape in schema.get("properties", {}).items()
    ]


def header_parameters(route: Route) -> list[dict[str, Any]]:
    if route.media_type == "text/event-stream":
        return [{"name": "Last-Event-ID", "in": "header", "required": False, "schema": {"type": "string"}}]
    if route.method != "POST" or not route.path.startswith("/v1/"):
        return []
    return [
        {"name": "Idempotency-Key", "in": "header", "required": False, "schema": {"type": "string", "maxLength": 255}}
    ]


def responses(route: Route, schema_of: dict[str, Any]) -> dict[str, Any]:
    error = {
        "description": "An error.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if route.endpoint is None:
        return {"501": error}
    schema = schema_of.get(repr(route.shows), {})
    return {
        route.answers: {"description": "Done.", "content": {route.media_type: {"schema": schema}}},
        "4XX": error,
        "5XX": error,
    }
