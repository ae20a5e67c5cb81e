"""One row of the route table, and who may ask."""

from typing import Any, Literal

import msgspec

from paywright.access.model import Audience, Scope
from paywright.api.call import Endpoint
from paywright.api.parsing import Query


class Who(msgspec.Struct, frozen=True):
    """
    For whom a route is, as `access.rules.may` understands it, and the scope it takes. `open` asks for no credential at all.

    A route for `anyone` that turns out to be about a customer (of the body, or of what the path names) asks `may` again in its endpoint.
    """

    audience: Audience | Literal["open"]
    scope: Scope = "read"


OPEN = Who("open")
ANYONE = Who("anyone")
ANYONE_ACTS = Who("anyone", "customers")
TOKEN_READS = Who("customer")
TOKEN_ACTS = Who("customer", "customers")
SECRET_READS = Who("secret")
SECRET_CUSTOMERS = Who("secret", "customers")
SECRET_LEDGER = Who("secret", "ledger")
SECRET_CATALOG = Who("secret", "catalog")
SECRET_REFUNDS = Who("secret", "refunds")
SECRET_ADMIN = Who("secret", "admin")

Once = Literal["no", "work", "phases", "own"]
"""
How an `Idempotency-Key` is kept. `work`: in the one work the endpoint is given. `phases`: around an endpoint that calls Stripe and may be repeated
safely. `own`: the action keeps it itself, with its effect.
"""


class Route(msgspec.Struct, frozen=True):
    """`path` has its parameters in braces. `endpoint` None: by name a part of the interface, not implemented yet."""

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE"]
    path: str
    endpoint: Endpoint | None
    who: Who
    query: type[Query] = Query
    body: Any = None
    shows: Any = Any
    once: Once = "no"
    awaited: Endpoint | None = None
    """The same endpoint for an event loop, where it waits for no thread."""
    calls_stripe: bool = False
    answers: Literal["200", "201", "202"] = "200"
    media_type: str = "application/json"

    @property
    def name(self) -> str:
        """`list_products`: the endpoint's name, else method and path."""
        if self.endpoint is not None:
            return str(self.endpoint.__name__)
        return f"{self.method.lower()} {self.path}"

    @property
    def act(self) -> Endpoint:
        assert self.endpoint is not None, self.path
        return self.endpoint

    @property
    def of_customer(self) -> bool:
        return self.path.startswith("/v1/customers/{customer_type}/{customer_id}")
