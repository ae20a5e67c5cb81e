"""
The table of routes, and how to add a resource. Read this first.

1. **Objects** (`objects/<noun>.py`): a pure builder per object, answering its whole JSON with every always-present key. Names that begin with
   an underscore are our own notes: kept with the object, never sent.
2. **Machine** (`machine/<noun>.py`): what happens. Functions take the `Work` (work.py) first and change objects only through it:

       intent = work.require("payment_intent", id, "intent")   # this work's copy, or 404
       intent["status"] = "canceled"
       work.save(intent)                                         # kept when the work commits
       work.emit("payment_intent.canceled", intent)              # logged with a copy as it is now; `emit_updated` for *.updated
       work.schedule(work.now + 86_400, "settle", intent["id"])  # runs the function decorated @due("settle") (machine/due.py)

   They raise `ApiError` (errors.py); a refusal undoes the work, a `card_error` keeps it. No clock, no network, no randomness but `work.new_id`.
   A machine that waits for a payment registers itself in `machine/outcomes.py` and hears of success, failure and the rest.
3. **Routes** (`routes/<noun>.py`): one function per route, named as the SDK names it, imported in `routes/__init__.py`:

       @route("POST /v1/customers/{customer}", acts_on="email name metadata invoice_settings.default_payment_method")
       def update(work: Work, parameters: Json, customer: str) -> Json:

   `parameters` are typed and were checked against the SDK (params/): unknown, missing and ill-typed ones never arrive. `""` means unset.
   What the SDK knows but `acts_on` does not name is refused with `sandbox_not_implemented`; a dotted name lets one inner field through;
   `*` everything. Answer an object or a list (listing.py); the protocol strips notes, expands and adds a list's `url`.
   `note="…"` makes the route *simplified* in FIDELITY.md (`python -m tests.contract.write_tables`).
   Fields that are absent unless expanded: `@absent_unless_expanded("charge", "refunds")` (serialise.py).
4. **Pages and control routes**: `@page("GET /c/pay/{session}")` and `@control("POST /_sandbox/payments/{intent}/settle")` (web.py), async
   functions of a `WebRequest`. `with request.engine.work(account) as work:` opens a work; leaving it commits and sends the webhooks.
   Never `await` inside that block: the account would be half changed for everybody else.
5. **Tests** (`tests/contract/`): the fixture `stripe_client` is the official SDK on a fresh account; every answer and event is validated.
"""

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from .errors import ApiError, Json, not_implemented
from .params import catalogue

Act = Callable[..., Json]


@dataclass(frozen=True)
class Route:
    key: str
    act: Act
    acts_on: frozenset[str]
    note: str
    fields: dict[str, str] | None
    """Parameters of a route the SDK does not have, in the codes of params/."""


@dataclass
class Branch:
    """A node of the tree of paths; a static segment wins over a variable one."""

    static: dict[str, "Branch"] = field(default_factory=dict)
    variable: "Branch | None" = None
    keys: dict[str, str] = field(default_factory=dict)

    def add(self, key: str) -> None:
        method, _, path = key.partition(" ")
        branch = self
        for segment in path.strip("/").split("/"):
            if segment.startswith("{"):
                branch.variable = branch.variable or Branch()
                branch = branch.variable
            else:
                branch = branch.static.setdefault(segment, Branch())
        branch.keys[method] = key

    def find(self, method: str, segments: list[str]) -> tuple[str, list[str]] | None:
        """The route's key and the values of its variables, in order."""
        if not segments:
            return (self.keys[method], []) if method in self.keys else None
        below = self.static.get(segments[0])
        found = below.find(method, segments[1:]) if below else None
        if found is None and self.variable and segments[0]:
            inner = self.variable.find(method, segments[1:])
            found = (inner[0], [segments[0], *inner[1]]) if inner else None
        return found


ROUTES: dict[str, Route] = {}
TREE = Branch()


def route(key: str, *, acts_on: str = "", note: str = "", fields: dict[str, str] | None = None) -> Callable[[Act], Act]:
    """Registers the decorated function for `POST /v1/…`; see the head of this module."""
    assert key not in ROUTES, key

    def register(act: Act) -> Act:
        ROUTES[key] = Route(key, act, frozenset(acts_on.split()), note, fields)
        TREE.add(key)
        return act

    return register


def variables(key: str) -> list[str]:
    return [segment[1:-1] for segment in key.split("/") if segment.startswith("{")]


def find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    """The route and its path arguments. 404: by name where the SDK has the route and we do not."""
    segments = path.removeprefix("/").split("/")
    found = TREE.find(method, segments)
    if found:
        key, values = found
        return ROUTES[key], dict(zip(variables(key), values, strict=True))
    absent = routes_of_the_sdk().find(method, segments)
    if absent or path.startswith("/v2/"):
        raise not_implemented(absent[0] if absent else f"{method} {path}", status=404)
    raise ApiError(
        404,
        f"Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing slash. "
        "If you are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code.",
    )


@cache
def routes_of_the_sdk() -> Branch:
    known = Branch()
    for key in catalogue().routes:
        known.add(key)
    return known


def refuse_what_is_not_acted_on(acts_on: frozenset[str], parameters: Json) -> None:
    """400 `sandbox_not_implemented` for a parameter that Stripe has and this route would silently ignore."""
    if "*" not in acts_on:
        refuse_below(acts_on, parameters, "", "")


def refuse_below(acts_on: frozenset[str], value: Any, dotted: str, param: str) -> None:
    """`dotted` names the place as `acts_on` does, `param` as Stripe's errors do; an index of a list has no part in the former."""
    if isinstance(value, list):
        for position, item in enumerate(value):
            refuse_below(acts_on, item, dotted, f"{param}[{position}]")
    if not isinstance(value, dict):
        return
    for name, inner in value.items():
        place = f"{dotted}.{name}" if dotted else name
        shown = f"{param}[{name}]" if param else name
        if place in acts_on:
            continue
        if not any(known.startswith(f"{place}.") for known in acts_on):
            raise not_implemented(f"The parameter {shown}", param=shown)
        refuse_below(acts_on, inner, place, shown)
