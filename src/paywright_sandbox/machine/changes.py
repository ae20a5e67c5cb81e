"""
A running subscription is changed: items, cycle, trial, settings.

`prepare` makes the change and what it costs, but tells nobody and charges nothing. The real change and its preview both begin with it, so they
cannot differ.
"""

from dataclasses import dataclass, field

from ..account import copied
from ..attributes import take_metadata
from ..errors import Json, invalid
from ..periods import Period, period_at
from ..work import Work
from .discounts import redeem
from .invoice_items import added_lines
from .invoice_lines import item_amount, period_line, waiting_line
from .invoice_totals import check_total
from .invoices import draft
from .prorations import Proration, check_date, credits, debit, remember_debits, waiting_item
from .renewals import span_of
from .subscription_building import apply_settings, check_intervals, check_trial_end, end_wished, waiting_lines
from .subscription_calendar import ENDED, now_for
from .subscription_items import (
    ITEMS_MAX,
    apply_tax_rates,
    check_no_twins,
    check_product,
    check_recurring,
    currency_among,
    item_in,
    new_item,
    price_for,
    put_price,
    quantity_of,
)
from .subscriptions import use_up_once


@dataclass
class Prepared:
    """What a change would do: the invoice to send now, or the invoice items that wait for the next one."""

    bill: Json | None = None
    waiting: list[Json] = field(default_factory=list)


@dataclass
class Plan:
    """Which items changed, and whether a new period begins now."""

    gone: list[Json] = field(default_factory=list)
    """Items as they were, of which the rest is given back."""
    fresh: list[str] = field(default_factory=list)
    """Ids of items that must be paid for the rest of the period."""
    restarts: bool = False


def prepare(work: Work, made: Json, wish: Json) -> Prepared:
    """`wish` are the parameters of `POST /v1/subscriptions/{id}`. `made` is changed and saved; nothing is announced."""
    now = now_for(work, made)
    check_changeable(made, wish)
    at = wish.get("proration_date", now)
    if "proration_date" in wish:
        check_date(made, at)
    apply_settings(work, made, wish)
    put_new_discounts(work, made, wish, now)
    items_before = copied(made["items"]["data"])
    was_trialing = made["status"] == "trialing"
    plan = change_items(work, made, wish, now)
    put_cycle(made, wish, plan, now)
    ends_trial = was_trialing and made["status"] != "trialing"
    starts_trial = not was_trialing and made["status"] == "trialing"
    prepared = Prepared()
    if not was_trialing or ends_trial:
        prepared = bill_for(
            work,
            made,
            wish,
            plan,
            items_before,
            at,
            prorates=not was_trialing,
            restarts=plan.restarts and not starts_trial,
        )
    put_cancel(made, wish, now)
    work.save(made)
    return prepared


def check_changeable(made: Json, wish: Json) -> None:
    if made["status"] in ENDED and set(wish) - {"metadata", "cancellation_details"}:
        raise invalid("A canceled subscription can only update its cancellation_details and metadata.")
    if made["status"] == "paused" and (wish.get("items") or wish.get("billing_cycle_anchor")):
        raise invalid("A paused subscription must be resumed before its items or cycle can change.")


def put_new_discounts(work: Work, made: Json, wish: Json, now: int) -> None:
    if "discounts" not in wish:
        return
    total = sum(int(item_amount(work, made, item)) for item in made["items"]["data"])
    made["discounts"] = redeem(
        work,
        wish["discounts"],
        customer=made["customer"],
        at=now,
        amount=total,
        currency=made["currency"],
        subscription=made["id"],
    )


# Items


def change_items(work: Work, made: Json, wish: Json, now: int) -> Plan:
    plan = Plan()
    for number, each in enumerate(wish.get("items") or []):
        param = f"items[{number}]"
        if not each.get("id"):
            add_item(work, made, each, plan, param, now)
        elif each.get("deleted"):
            drop_item(work, made, each["id"], plan)
        else:
            change_item(work, made, each, plan, param)
    items = made["items"]["data"]
    if not items:
        raise invalid("A subscription must have at least one active item.", param="items")
    if len(items) > ITEMS_MAX:
        raise invalid(f"A subscription can have at most {ITEMS_MAX} items.", param="items")
    check_no_twins([item["price"]["id"] for item in items])
    check_intervals(made, [item["price"]["recurring"] for item in items])
    return plan


def add_item(work: Work, made: Json, wish: Json, plan: Plan, param: str, now: int) -> None:
    price = price_for(work, wish, param)
    check_recurring(price, param)
    check_product(work, price, param)
    currency_among([price], made["currency"])
    item = new_item(work, made, price, wish, param, now)
    sibling = made["items"]["data"][0] if made["items"]["data"] else None
    if made["status"] == "trialing" and sibling:
        span = Period(sibling["current_period_start"], sibling["current_period_end"])
    else:
        span = period_at(made["billing_cycle_anchor"], price["recurring"], now)
    item["current_period_start"], item["current_period_end"] = span
    item["discounts"] = item_discounts(work, made, item, wish, now)
    made["items"]["data"].append(item)
    plan.fresh.append(item["id"])


def item_discounts(work: Work, made: Json, item: Json, wish: Json, now: int) -> list[str]:
    return redeem(
        work,
        wish.get("discounts"),
        customer=made["customer"],
        at=now,
        amount=int(item_amount(work, made, item)),
        currency=made["currency"],
        subscription_item=item["id"],
    )


def drop_item(work: Work, made: Json, id: str, plan: Plan) -> None:
    item = item_in(made, id)
    plan.gone.append(copied(item))
    made["items"]["data"] = [kept for kept in made["items"]["data"] if kept["id"] != id]
    work.remove("subscription_item", id)


def change_item(work: Work, made: Json, wish: Json, plan: Plan, param: str) -> None:
    """A new price without a quantity makes the quantity 1."""
    item = item_in(made, wish["id"])
    before = copied(item)
    if wish.get("price") or wish.get("plan") or wish.get("price_data"):
        price = price_for(work, wish, param)
        check_recurring(price, param)
        currency_among([price], made["currency"])
        if price["id"] != item["price"]["id"]:
            check_product(work, price, param)
            plan.restarts = plan.restarts or not same_interval(price, item["price"])
            put_price(item, price)
            item["quantity"] = 1
    if "quantity" in wish:
        item["quantity"] = quantity_of(wish, param)
    take_metadata(item, wish)
    apply_tax_rates(work, item, wish)
    if "discounts" in wish:
        item["discounts"] = item_discounts(work, made, item, wish, now_for(work, made))
    if (before["price"]["id"], before["quantity"]) != (item["price"]["id"], item["quantity"]):
        plan.gone.append(before)
        plan.fresh.append(item["id"])


def same_interval(one: Json, other: Json) -> bool:
    names = ("interval", "interval_count")
    return all(one["recurring"][name] == other["recurring"][name] for name in names)


# Cycle and end


def put_cycle(made: Json, wish: Json, plan: Plan, now: int) -> None:
    """A trial begun, moved or ended; the anchor set to now; a new interval: each moves the items' periods."""
    trial_end = wish.get("trial_end")
    if trial_end == "now":
        if made["status"] == "trialing":
            made.update(trial_end=now, status="active")
            plan.restarts = True
    elif trial_end is not None:
        check_trial_end(trial_end, now)
        start = made["trial_start"] if made["status"] == "trialing" else now
        if made["status"] != "trialing":
            plan.gone = copied(made["items"]["data"])
        made.update(trial_start=start, trial_end=trial_end, status="trialing", billing_cycle_anchor=trial_end)
        set_periods(made, Period(now, trial_end))
        return
    if (wish.get("billing_cycle_anchor") or {}).get("type") == "now" and made["status"] != "trialing":
        plan.restarts = True
    if plan.restarts and made["status"] != "trialing":
        made["billing_cycle_anchor"] = now
        made["billing_cycle_anchor_config"] = None
        set_periods(made, None, now)
    else:
        plan.restarts = False


def set_periods(made: Json, span: Period | None, now: int = 0) -> None:
    for item in made["items"]["data"]:
        found = span or period_at(made["billing_cycle_anchor"], item["price"]["recurring"], now)
        item["current_period_start"], item["current_period_end"] = found


def put_cancel(made: Json, wish: Json, now: int) -> None:
    """`cancel_at_period_end` follows the period; an undo forgets the request."""
    ends = [item["current_period_end"] for item in made["items"]["data"]]
    if wish.get("cancel_at_period_end") and wish.get("cancel_at"):
        raise invalid(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            code="parameters_exclusive",
        )
    if wish.get("cancel_at_period_end"):
        made.update(cancel_at_period_end=True, canceled_at=made["canceled_at"] or now)
        made["cancellation_details"]["reason"] = "cancellation_requested"
    elif wish.get("cancel_at"):
        made.update(cancel_at=end_wished(wish["cancel_at"], ends, now), cancel_at_period_end=False)
        made["canceled_at"] = made["canceled_at"] or now
        made["cancellation_details"]["reason"] = "cancellation_requested"
    elif wish.get("cancel_at_period_end") is False or wish.get("cancel_at") == "":
        made.update(cancel_at=None, cancel_at_period_end=False, canceled_at=None)
        made["cancellation_details"]["reason"] = None
    if made["cancel_at_period_end"]:
        made["cancel_at"] = max(ends)
    for name, value in (wish.get("cancellation_details") or {}).items():
        made["cancellation_details"][name] = value or None


# What it costs


def bill_for(
    work: Work, made: Json, wish: Json, plan: Plan, items_before: list[Json], at: int, *, prorates: bool, restarts: bool
) -> Prepared:
    """A restart gives back all that is left and charges a new period; it is invoiced at once, as is `always_invoice`."""
    behavior = wish.get("proration_behavior", "create_prorations")
    found = prorations(work, made, plan, items_before, at) if prorates and behavior != "none" else []
    extra = wish.get("add_invoice_items") or []
    waiting = [waiting_item(work, made, each) for each in found]
    if not restarts and behavior != "always_invoice":
        added_lines(work, made, extra)
        return Prepared(waiting=waiting)
    if not restarts and not waiting and not extra:
        return Prepared()
    lines = waiting_lines(work, made) if restarts else [waiting_line(work, each) for each in waiting]
    if restarts:
        lines += [period_line(work, made, item, span_of(item)) for item in made["items"]["data"]]
    lines += added_lines(work, made, extra)
    bill = draft(
        work,
        customer=made["customer"],
        currency=made["currency"],
        billing_reason="subscription_update",
        lines=lines,
        subscription=made,
        discounts=made["discounts"],
        proration_date=at,
    )
    check_total(bill)
    remember_debits(made, bill)
    made["latest_invoice"] = bill["id"]
    use_up_once(work, made)
    if work.variant("U4") == "b":
        drop_items_behind(work, bill)
        return Prepared(bill)
    return Prepared(bill, waiting)


def drop_items_behind(work: Work, bill: Json) -> None:
    """U4: the lines stand alone."""
    for line in bill["_lines"]:
        details = (line["parent"] or {}).get("subscription_item_details")
        if details and details["invoice_item"]:
            work.remove("invoiceitem", details["invoice_item"])
            details["invoice_item"] = None
            line["_invoiceitem"] = None


def prorations(work: Work, made: Json, plan: Plan, items_before: list[Json], at: int) -> list[Proration]:
    gone = items_before if plan.restarts else plan.gone
    found = [proration for item in gone for proration in credits(work, made, item, at)]
    if not plan.restarts:
        for item in made["items"]["data"]:
            if item["id"] in plan.fresh:
                found += debit(work, made, item, at)
    return found
