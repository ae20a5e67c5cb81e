"""The OpenAPI document of this version, and a page to read it: server-rendered, one style sheet of our own, nothing from elsewhere."""

from functools import cache
from importlib import metadata, resources
from typing import Any

from paywright.api import openapi

POLICY = "default-src 'none'; style-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
PAGE_HEADERS = {"Content-Type": "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
STYLE_HEADERS = {"Content-Type": "text/css; charset=utf-8", "Cache-Control": "max-age=300"}


@cache
def openapi_document() -> dict[str, Any]:
    from paywright.api.routes import ROUTES  # Late, because the table names the endpoints that show this.

    return openapi.document(ROUTES, metadata.version("paywright"))


@cache
def page() -> str:
    from jinja2 import Environment, PackageLoader, select_autoescape

    environment = Environment(loader=PackageLoader("paywright.api"), autoescape=select_autoescape())
    document = openapi_document()
    groups: dict[str, list[dict[str, Any]]] = {}
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            groups.setdefault(operation["tags"][0], []).append({**operation, "method": method.upper(), "path": path})
    return environment.get_template("docs.html").render(document=document, groups=groups, shape=shape)


@cache
def style() -> str:
    return resources.files("paywright.api").joinpath("templates/docs.css").read_text(encoding="utf-8")


def shape(schema: dict[str, Any] | None) -> str:
    """A schema in a few words: `Page of Payment`, `string or null`."""
    if not schema:
        return "any"
    if "$ref" in schema:
        return str(schema["$ref"]).rpartition("/")[2].strip("_").replace("_", " of ")
    if "anyOf" in schema:
        return " or ".join(shape(each) for each in schema["anyOf"])
    if "enum" in schema:
        return " | ".join(str(each) for each in schema["enum"])
    if schema.get("type") == "array":
        return f"list of {shape(schema.get('items'))}"
    return str(schema.get("type", "any"))
