"""A subscription before anyone knows of it: items, trial, anchor, first periods and the lines of its first invoice."""

from fractions import Fraction

from ..attributes import take, take_metadata
from ..errors import Json, invalid, missing_parameter, not_implemented
from ..objects.subscriptions import subscription
from ..periods import Period, configured_anchor, period_at
from ..work import Work
from .discounts import redeem
from .invoice_lines import item_amount, period_line, waiting_line
from .subscription_items import apply_tax_rates, check_no_twins, currency_among, new_item, prices_wished

DAY_S = 86_400
TRIAL_MAX_S = 5 * 366 * DAY_S


def build(work: Work, wish: Json) -> Json:
    """From the parameters of `POST /v1/subscriptions`. Saved, not announced; its status is still `incomplete`."""
    if not wish.get("customer"):
        raise missing_parameter("customer")
    customer = work.require("customer", wish["customer"], "customer")
    at = work.now_of(customer["id"])
    prices = prices_wished(work, wish.get("items") or [])
    currency = currency_among(prices, wish.get("currency"))
    made = subscription(
        work.new_id("subscription"),
        at,
        customer=customer["id"],
        currency=currency,
        billing_mode=billing_mode_of(work, wish, at),
    )
    made["test_clock"] = customer["test_clock"]
    check_intervals(made, [price["recurring"] for price in prices])
    apply_settings(work, made, wish)
    put_trial(made, wish, at)
    put_anchor(made, wish, prices[0]["recurring"], at)
    for number, (price, each) in enumerate(zip(prices, wish["items"], strict=True)):
        item = new_item(work, made, price, each, f"items[{number}]", at)
        item["current_period_start"], item["current_period_end"] = first_period(made, price["recurring"], at)
        made["items"]["data"].append(item)
    put_discounts(work, made, wish, at)
    put_end(made, wish, at)
    customer["currency"] = customer["currency"] or currency
    work.save(customer)
    return work.save(made)


def billing_mode_of(work: Work, wish: Json, at: int) -> Json:
    asked = wish.get("billing_mode") or {}
    kind = asked.get("type") or work.setting("billing_mode")
    if kind == "classic":
        return {"flexible": None, "type": "classic"}
    shown = (asked.get("flexible") or {}).get("proration_discounts", "included")
    return {"flexible": {"proration_discounts": shown}, "type": "flexible", "updated_at": at}


def check_intervals(made: Json, recurring: list[Json]) -> None:
    """Classic billing has one interval for all items."""
    if made["billing_mode"]["type"] == "classic" and len({(r["interval"], r["interval_count"]) for r in recurring}) > 1:
        raise invalid(
            "All prices on a subscription must have the same `recurring.interval` and `recurring.interval_count`.",
            param="items",
        )


def apply_settings(work: Work, made: Json, wish: Json) -> None:
    """What create and update share and what moves no money."""
    take_metadata(made, wish)
    take(made, wish, "description", "days_until_due")
    if "collection_method" in wish:
        made["collection_method"] = wish["collection_method"]
    if made["collection_method"] == "send_invoice" and made["days_until_due"] is None:
        raise invalid("If `collection_method` is `send_invoice`, `days_until_due` must be set.", param="days_until_due")
    if made["collection_method"] == "charge_automatically" and wish.get("days_until_due"):
        raise invalid("`days_until_due` needs `collection_method=send_invoice`.", param="days_until_due")
    if "default_payment_method" in wish:
        made["default_payment_method"] = owned_method(work, made["customer"], wish["default_payment_method"])
    apply_tax_rates(work, made, wish, "default_tax_rates")
    if "automatic_tax" in wish:
        made["automatic_tax"]["enabled"] = wish["automatic_tax"]["enabled"]
        made["automatic_tax"]["liability"] = {"type": "self"} if wish["automatic_tax"]["enabled"] else None
    settings = wish.get("payment_settings") or {}
    take(made["payment_settings"], settings, "save_default_payment_method", "payment_method_types")
    take(made["invoice_settings"], wish.get("invoice_settings") or {}, "custom_fields", "description", "footer")
    if "trial_settings" in wish:
        made["trial_settings"] = {"end_behavior": dict(wish["trial_settings"]["end_behavior"])}


def owned_method(work: Work, customer: str, id: str) -> str | None:
    if not id:
        return None
    method = work.require("payment_method", id, "default_payment_method")
    if method["customer"] != customer:
        raise invalid(
            f"The customer does not have a payment method with the ID {id}. The payment method must be attached to the customer.",
            param="default_payment_method",
            code="resource_missing",
        )
    return str(method["id"])


def put_trial(made: Json, wish: Json, at: int) -> None:
    end = wish.get("trial_end")
    days = wish.get("trial_period_days")
    if end is not None and days:
        raise invalid(
            "You may only specify one of these parameters: trial_end, trial_period_days.", code="parameters_exclusive"
        )
    if days is not None and days < 0:
        raise invalid(
            "This value must be greater than or equal to 0.",
            param="trial_period_days",
            code="parameter_invalid_integer",
        )
    if days:
        end = at + days * DAY_S
    if end is None or end == "now":
        return
    check_trial_end(end, at)
    made.update(trial_start=at, trial_end=end, status="trialing")


def check_trial_end(end: int, at: int) -> None:
    if end <= at:
        raise invalid("trial_end must be a Unix time in the future, or `now`.", param="trial_end")
    if end > at + TRIAL_MAX_S:
        raise invalid("trial_end cannot be more than five years from now.", param="trial_end")


def put_anchor(made: Json, wish: Json, recurring: Json, at: int) -> None:
    """The instant all periods are counted from: the trial's end, the one asked for, or now."""
    asked, config = wish.get("billing_cycle_anchor"), wish.get("billing_cycle_anchor_config")
    if asked is not None and config:
        raise invalid("Give either billing_cycle_anchor or billing_cycle_anchor_config.", code="parameters_exclusive")
    if made["trial_end"]:
        if asked is not None or config:
            raise not_implemented("A billing_cycle_anchor together with a trial", param="billing_cycle_anchor")
        made["billing_cycle_anchor"] = made["trial_end"]
    elif config:
        shown = {name: config.get(name) for name in ("day_of_month", "hour", "minute", "month", "second")}
        made["billing_cycle_anchor_config"] = shown
        made["billing_cycle_anchor"] = configured_anchor(config, at, recurring)
    elif asked is not None:
        if asked < at:
            raise invalid("billing_cycle_anchor cannot be in the past.", param="billing_cycle_anchor")
        if asked > period_at(at, recurring, at).end:
            raise invalid(
                "billing_cycle_anchor cannot be later than next natural billing date.", param="billing_cycle_anchor"
            )
        made["billing_cycle_anchor"] = asked
    made["_prorate_first"] = wish.get("proration_behavior", "create_prorations") != "none"


def first_period(made: Json, recurring: Json, at: int) -> Period:
    if made["trial_end"]:
        return Period(at, made["trial_end"])
    return Period(at, period_at(made["billing_cycle_anchor"], recurring, at).end)


def put_discounts(work: Work, made: Json, wish: Json, at: int) -> None:
    items = made["items"]["data"]
    amounts = [int(item_amount(work, made, item)) for item in items]
    for number, item in enumerate(items):
        asked = wish["items"][number].get("discounts")
        item["discounts"] = redeem(
            work,
            asked,
            customer=made["customer"],
            at=at,
            amount=amounts[number],
            currency=made["currency"],
            subscription_item=item["id"],
        )
    made["discounts"] = redeem(
        work,
        wish.get("discounts"),
        customer=made["customer"],
        at=at,
        amount=sum(amounts),
        currency=made["currency"],
        subscription=made["id"],
    )


def put_end(made: Json, wish: Json, at: int) -> None:
    if wish.get("cancel_at_period_end") and wish.get("cancel_at"):
        raise invalid(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            code="parameters_exclusive",
        )
    ends = [item["current_period_end"] for item in made["items"]["data"]]
    if wish.get("cancel_at_period_end"):
        made.update(cancel_at_period_end=True, cancel_at=max(ends), canceled_at=at)
    elif wish.get("cancel_at"):
        made.update(cancel_at=end_wished(wish["cancel_at"], ends, at), canceled_at=at)


def end_wished(asked: object, ends: list[int], at: int) -> int:
    """`min_period_end`, `max_period_end` and `max_billed_until` are words for an instant."""
    found = {"min_period_end": min(ends), "max_period_end": max(ends), "max_billed_until": max(ends)}.get(
        str(asked), asked
    )
    if not isinstance(found, int) or found <= at:
        raise invalid("cancel_at must be in the future.", param="cancel_at")
    return found


def first_lines(work: Work, made: Json) -> list[Json]:
    """Of the first invoice: a trial's zero, a whole period, or a shorter one up to the anchor."""
    found = []
    for item in made["items"]["data"]:
        start, end = item["current_period_start"], item["current_period_end"]
        whole = period_at(made["billing_cycle_anchor"], item["price"]["recurring"], start)
        share = Fraction(end - start, whole.end - whole.start) if not made["trial_end"] else Fraction(1)
        if share != 1 and not made["_prorate_first"]:
            continue
        found.append(period_line(work, made, item, Period(start, end), share=share, trial=bool(made["trial_end"])))
    return found + waiting_lines(work, made)


def waiting_lines(work: Work, made: Json) -> list[Json]:
    """Invoice items of the customer that wait for this subscription, or for any; oldest first."""
    return [waiting_line(work, work.require("invoiceitem", id)) for id in waiting_items(work, made)]


def waiting_items(work: Work, made: Json) -> list[str]:
    found = [
        waiting["id"]
        for waiting in work.newest_first("invoiceitem")
        if waiting["invoice"] is None
        and waiting["customer"] == made["customer"]
        and waiting["currency"] == made["currency"]
        and subscription_wanted(waiting) in (None, made["id"])
    ]
    return found[::-1]


def subscription_wanted(waiting: Json) -> str | None:
    details = (waiting["parent"] or {}).get("subscription_details")
    return str(details["subscription"]) if details else None


def check_new_twins(made: Json) -> None:
    check_no_twins([item["price"]["id"] for item in made["items"]["data"]])
