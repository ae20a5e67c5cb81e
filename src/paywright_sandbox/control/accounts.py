"""Accounts of their own for tests that run side by side."""

from ..account import Account
from ..errors import Json, invalid, no_such, unknown_parameter
from ..web import WebRequest
from .door import control

KNOWN: dict[str, type | tuple[type, ...]] = {"name": str, "seed": (str, int), "connected": bool}


@control("POST /_sandbox/accounts")
async def create(request: WebRequest, account: Account) -> Json:
    """`{name?, seed?, connected?}`; `connected: true` makes it a connected account of the caller's."""
    wish = request.json
    for field in wish:
        if field not in KNOWN:
            raise unknown_parameter(field)
        if wish[field] is not None and not isinstance(wish[field], KNOWN[field]):
            raise invalid(f"Invalid {field}.", param=field)
    name, seed = wish.get("name"), wish.get("seed")
    parent = account.id if wish.get("connected") else None
    made = request.engine.store.create_account(name=name, parent=parent, seed=None if seed is None else str(seed))
    return {"id": made.id, "secret_key": made.secret_key, "publishable_key": made.publishable_key, "name": made.name}


@control("DELETE /_sandbox/accounts/{id}")
async def delete(request: WebRequest, account: Account) -> Json:
    store = request.engine.store
    found = store.accounts.get(request.arguments["id"])
    if found is None:
        raise no_such("account", request.arguments["id"])
    if found is store.default:
        raise invalid("The default account cannot be deleted; reset it instead.")
    request.engine.deliveries.forget(found)
    store.delete_account(found)
    return {"id": found.id, "deleted": True}
