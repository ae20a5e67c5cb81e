"""The catalog: its public part for everybody, the whole of it for secret keys."""

from typing import Any

import msgspec

from paywright.api.call import Answer, Call, ok, whole
from paywright.app import is_in_use
from paywright.catalog import actions, queries, views
from paywright.catalog.diff import diff, summary
from paywright.catalog.drift import marked
from paywright.catalog.lint import lint
from paywright.catalog.model import Catalog, Change
from paywright.catalog.parse import parse, sent_version
from paywright.kernel.refusals import Refusal


def list_products(call: Call) -> Answer:
    """The public catalog, in catalog order: no server-only product, no server-only price, no server metadata."""
    return whole(views.public_products(_current(call)))


def read_product(call: Call) -> Answer | Refusal:
    """One product of the public catalog."""
    catalog = _current(call)
    product = catalog.products.get(call.parts["product_id"])
    if product is None or product.server_only:
        return Refusal("product_not_found")
    return ok(views.public_product(catalog, call.parts["product_id"]))


def list_product_lines(call: Call) -> Answer:
    """Product lines: a customer holds at most one product of each."""
    return whole(views.public_named(_current(call).product_lines))


def list_items(call: Call) -> Answer:
    """Items: what is counted."""
    return whole(views.public_named(_current(call).items))


def read_catalog(call: Call) -> Answer:
    """The whole catalog, in the shape `PUT` takes."""
    return ok(views.wire(_current(call)))


def put_catalog(call: Call) -> Answer | Refusal:
    """
    Puts a whole catalog in force; all its problems come at once, and the old one then stays.

    A `version` in it must be the current one. Owners keep what they bought as it was sold.
    """
    with call.app.work(call.environment.id) as work:
        applied = actions.apply(work, call.body, is_in_use=is_in_use, origin="api", actor=call.caller.actor)
    if isinstance(applied, Refusal):
        return applied
    return ok(
        {
            **views.wire(applied.catalog),
            **_changes(applied.changes),
            "changed": applied.changed,
            "warnings": _warnings(applied.catalog),
        }
    )


def diff_catalog(call: Call) -> Answer | Refusal:
    """What `PUT /v1/catalog` with this body would change, and what somebody changed at Stripe of what is in force. Nothing is written."""
    claimed = sent_version(call.body)
    if isinstance(claimed, Refusal):
        return claimed
    parsed = parse(call.body, mode=call.environment.mode)
    if isinstance(parsed, Refusal):
        return parsed
    current = _current(call)
    changes = diff(current, parsed)
    with call.app.database.read() as connection:
        drifted = msgspec.to_builtins(marked(connection, call.environment.id))
    shown = {**_changes(changes), "warnings": _warnings(parsed), "drift": drifted}
    return ok({"version": current.version, "changed": bool(changes), **shown})


def _current(call: Call) -> Catalog:
    with call.app.database.read() as connection:
        return queries.current(connection, call.environment.id)


def _changes(changes: list[Change]) -> dict[str, Any]:
    return {"changes": [{**msgspec.to_builtins(change), "summary": summary(change)} for change in changes]}


def _warnings(catalog: Catalog) -> list[dict[str, Any]]:
    return [msgspec.to_builtins(problem) for problem in lint(catalog)]
