"""The customer's permission to debit: one per payment method, for every bank debit, and for a card whose `mandate_data` was given."""

from ..errors import Json
from ..objects.setup_intents import mandate
from ..work import Work


def granted(work: Work, method: Json, given: Json | None, now: int) -> str | None:
    """The id of the method's mandate, made on first use. None for a card without `mandate_data`."""
    if method.get("_mandate"):
        return str(method["_mandate"])
    if method["type"] == "card" and not given:
        return None
    id = work.new_id("mandate")
    work.save(
        mandate(id, method, acceptance_of(given, now), url=f"{work.origin}/dashboard/{work.account.id}/object/{id}")
    )
    method["_mandate"] = id
    work.save(method)
    return id


def acceptance_of(given: Json | None, now: int) -> Json:
    """Without word of how the customer agreed, it was offline."""
    wish = (given or {}).get("customer_acceptance") or {}
    kind = wish.get("type", "offline")
    shown: Json = {"accepted_at": wish.get("accepted_at", now), "type": kind}
    if kind == "online":
        online = wish.get("online") or {}
        shown["online"] = {name: online.get(name) for name in ("ip_address", "user_agent")}
    else:
        shown["offline"] = {}
    return shown
