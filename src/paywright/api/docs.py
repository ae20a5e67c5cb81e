"""The OpenAPI document of this version, and a page to read it: server-rendered, one style sheet of our own, nothing from elsewhere."""

from functools import cache
from importlib import metadata, resources
from typing import TYPE_CHECKING, Any

from paywright.api import openapi

if TYPE_CHECKING:
    from markupsafe import Markup

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
    environment.filters["prose"] = prose
    return environment.get_template("docs.html").render(document=document, groups=groups, shape=shape, anchor=anchor)


@cache
def style() -> str:
    return resources.files("paywright.api").joinpath("templates/docs.css").read_text(encoding="utf-8")


def prose(text: str) -> "Markup":
    """Text with its `words of code` marked as such."""
    from markupsafe import Markup, escape

    parts = text.split("`")
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if place % 2 else escape(part) for place, part in enumerate(parts)
    )


def anchor(schema: dict[str, Any] | None) -> str | None:
    """Where on the page a schema is shown, if it has a name."""
    reference = (schema or {}).get("$ref") or (schema or {}).get("items", {}).get("$ref")
    return None if reference is None else f"#schema-{str(reference).rpartition('/')[2]}"


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
