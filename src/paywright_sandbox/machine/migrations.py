"""A subscription moved from classic to flexible billing, or rid of its discounts."""

from ..account import copied
from ..errors import Json, invalid
from ..objects.customers import deleted
from ..work import Work
from .discounts import rounding
from .invoice_lines import item_amount
from .prorations import after_percent, is_flexible
from .subscription_calendar import ENDED, now_for
from .subscription_status import updated


def migrate(work: Work, id: str, wish: Json) -> Json:
    """One way. What was debited so far is taken to be what the items cost now, after percentages."""
    made = work.require("subscription", id, "subscription")
    if made["status"] in ENDED:
        raise invalid("A subscription that has ended cannot be migrated.")
    if is_flexible(made):
        raise invalid("The subscription has flexible billing already.", param="billing_mode")
    before = copied(made)
    shown = (wish["billing_mode"].get("flexible") or {}).get("proration_discounts", "included")
    made["billing_mode"] = {
        "flexible": {"proration_discounts": shown},
        "type": "flexible",
        "updated_at": now_for(work, made),
    }
    made["_debits"] = {item["id"]: debits_of(work, made, item) for item in made["items"]["data"]}
    updated(work, made, before)
    return made


def debits_of(work: Work, made: Json, item: Json) -> list[Json]:
    if made["status"] == "trialing":
        return []
    amount = after_percent(work, made, rounding(work)(item_amount(work, made, item)))
    span = {"start": item["current_period_start"], "end": item["current_period_end"]}
    return [{**span, "amount": amount, "invoice": made["latest_invoice"], "line": None}]


def drop_discounts(work: Work, id: str) -> Json:
    """Answers the last of them, deleted."""
    made = work.require("subscription", id, "subscription_exposed_id")
    if not made["discounts"]:
        raise invalid("There is no active discount on this subscription.", code="resource_missing")
    before = copied(made)
    gone = work.require("discount", made["discounts"][-1])
    made["discounts"] = []
    updated(work, made, before)
    work.emit("customer.discount.deleted", gone)
    return deleted(gone)
