"""How a session begins, changes and expires."""

from urllib.parse import quote, urlsplit

from ...account import Due
from ...attributes import merged_metadata, take, take_metadata
from ...cards import DEBITS
from ...errors import Json, invalid, missing_parameter, not_implemented
from ...money import currency_of
from ...objects import checkout_sessions as objects
from ...work import Work
from ..due import due
from .attempt import let_go
from .lines import line_items
from .totals import price_session

LIFE_S = 24 * 3600
LIFE_MIN_S = 30 * 60
REFERENCE_MAX = 200
TRIAL_END_MIN_S = 48 * 3600
TRIAL_DAYS_MAX = 730
URL_MAX = 5000

# Which method types a currency offers beside cards.
DEBIT_OF = {"usd": "us_bank_account", "eur": "sepa_debit"}
assert {debit.type for debit in DEBITS} == set(DEBIT_OF.values())

ONLY_IN = {
    "payment_intent_data": ("payment",),
    "invoice_creation": ("payment",),
    "customer_creation": ("payment", "setup"),
    "subscription_data": ("subscription",),
    "payment_method_collection": ("subscription",),
    "setup_intent_data": ("setup",),
    "line_items": ("payment", "subscription"),
    "discounts": ("payment", "subscription"),
    "allow_promotion_codes": ("payment", "subscription"),
    "submit_type": ("payment", "subscription"),
}
EXCLUSIVE = (
    ("customer", "customer_email"),
    ("customer", "customer_creation"),
    ("allow_promotion_codes", "discounts"),
    ("allowed_payment_method_types", "excluded_payment_method_types"),
)
ECHOED = "cancel_url client_reference_id customer_email locale success_url".split()


def create(work: Work, parameters: Json) -> Json:
    """Nothing else exists yet but inline prices. No event."""
    mode = parameters.get("mode")
    if mode is None:
        raise missing_parameter("mode")
    check_combinations(parameters, mode)
    check_urls(parameters)
    clock = clock_of(work, parameters)
    now = work.now_of(parameters["customer"]) if clock else work.now
    session = objects.checkout_session(
        work.new_id("checkout.session", 58), now, mode=mode, expires_at=expiry(now, parameters)
    )
    take(session, parameters, *ECHOED)
    take_metadata(session, parameters)
    session["allow_promotion_codes"] = parameters.get("allow_promotion_codes")
    session["automatic_tax"] = objects.automatic_tax(parameters.get("automatic_tax", {}).get("enabled", False))
    session["billing_address_collection"] = parameters.get("billing_address_collection")
    session["submit_type"] = parameters.get("submit_type")
    take_texts(session, parameters)
    take_customer(work, session, parameters)
    take_mode(work, session, parameters)
    session["payment_method_types"] = method_types(session, parameters)
    session["url"] = f"{work.origin}/c/pay/{session['id']}"
    work.schedule(session["expires_at"], "session_expire", session["id"], clock=clock)
    return work.save(session)


def clock_of(work: Work, parameters: Json) -> str | None:
    """U11: a session lives by the account's clock, or by its customer's test clock."""
    return work.clock_of(parameters.get("customer")) if work.variant("U11") == "b" else None


def check_combinations(parameters: Json, mode: str) -> None:
    for name, modes in ONLY_IN.items():
        if name in parameters and mode not in modes:
            raise invalid(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    for one, other in EXCLUSIVE:
        if parameters.get(one) and parameters.get(other):
            raise invalid(
                f"You may only specify one of these parameters: {one}, {other}.", param=one, code="parameters_exclusive"
            )
    if "customer_update" in parameters and "customer" not in parameters:
        raise invalid("`customer_update` can only be used with `customer`.", param="customer_update")
    if len(parameters.get("client_reference_id", "")) > REFERENCE_MAX:
        raise invalid(f"Invalid string: must be at most {REFERENCE_MAX} characters", param="client_reference_id")
    if parameters.get("ui_mode", "hosted_page") != "hosted_page":
        raise not_implemented(f"ui_mode {parameters['ui_mode']}", param="ui_mode")
    if parameters.get("adaptive_pricing", {}).get("enabled"):
        raise not_implemented("Adaptive pricing", param="adaptive_pricing[enabled]")
    email = parameters.get("customer_email")
    if email is not None and not is_email(email):
        raise invalid(f"Invalid email address: {email}", param="customer_email", code="email_invalid")


def is_email(text: str) -> bool:
    name, _, host = text.partition("@")
    return bool(name and "." in host.strip(".")) and len(text) <= 512 and not any(letter.isspace() for letter in text)


def check_urls(parameters: Json) -> None:
    if not parameters.get("success_url"):
        raise missing_parameter("success_url")
    for name in ("success_url", "cancel_url"):
        url = parameters.get(name)
        if url and not is_url(url):
            raise invalid("Not a valid URL", param=name, code="url_invalid")


def is_url(text: str) -> bool:
    """An absolute http or https address; `javascript:` and the like never reach a page."""
    try:
        parts = urlsplit(text)
        return (
            parts.scheme in ("http", "https")
            and bool(parts.hostname)
            and len(text) <= URL_MAX
            and all(letter > " " for letter in text)
        )
    except ValueError:
        return False


def expiry(now: int, parameters: Json) -> int:
    at = parameters.get("expires_at", now + LIFE_S)
    if at < now + LIFE_MIN_S:
        raise invalid(
            "The `expires_at` timestamp must be at least 30 minutes from Checkout Session creation.", param="expires_at"
        )
    if at > now + LIFE_S:
        raise invalid(
            "The `expires_at` timestamp must be less than 24 hours from Checkout Session creation.", param="expires_at"
        )
    return int(at)


def take_texts(session: Json, parameters: Json) -> None:
    """Messages shown on the page."""
    for name, wish in parameters.get("custom_text", {}).items():
        session["custom_text"][name] = {"message": wish["message"]} if wish else None


def take_customer(work: Work, session: Json, parameters: Json) -> None:
    session["customer_creation"] = None if session["mode"] == "subscription" else "if_required"
    if "customer_creation" in parameters:
        session["customer_creation"] = parameters["customer_creation"]
    session["_customer_update"] = parameters.get("customer_update", {})
    if "customer" in parameters:
        customer = work.require("customer", parameters["customer"], "customer")
        session["customer"] = customer["id"]
        session["customer_creation"] = None
        known = {name: customer[name] for name in ("address", "email", "name", "phone")}
        session["customer_details"] = objects.customer_details(**known)
        session["_known_email"] = customer["email"]
    elif session["customer_email"]:
        session["_known_email"] = session["customer_email"]
        session["customer_details"] = objects.customer_details(email=session["customer_email"])


def take_mode(work: Work, session: Json, parameters: Json) -> None:
    mode = session["mode"]
    if mode == "setup":
        if "currency" not in parameters:
            raise missing_parameter("currency")
        session["currency"] = currency_of(parameters["currency"])
        session["_intent"] = with_metadata(parameters, "setup_intent_data")
        return
    if mode == "subscription":
        take_subscription(work, session, parameters)
    else:
        session["_intent"] = with_metadata(parameters, "payment_intent_data")
        take_invoice_creation(session, parameters)
        session["payment_method_collection"] = "if_required"
    session["_line_items"], session["currency"] = line_items(work, parameters, mode)
    take_discounts(session, parameters)
    price_session(work, session)


def with_metadata(parameters: Json, name: str) -> Json:
    """What the later object is made from. Its metadata is judged now, not when the buyer pays."""
    wish: Json = dict(parameters.get(name, {}))
    if "metadata" in wish:
        wish["metadata"] = merged_metadata({}, wish["metadata"], f"{name}[metadata]")
    return wish


def take_invoice_creation(session: Json, parameters: Json) -> None:
    wish = parameters.get("invoice_creation", {})
    for name in sorted(wish.get("invoice_data", {})):
        if name not in ("custom_fields", "description", "footer", "metadata"):
            param = f"invoice_creation[invoice_data][{name}]"
            raise not_implemented(f"The parameter {param}", param=param)
    session["invoice_creation"] = objects.invoice_creation(wish or None)


def take_discounts(session: Json, parameters: Json) -> None:
    wishes = parameters.get("discounts") or []
    if len(wishes) > 1:
        raise invalid("You can only specify one discount.", param="discounts")
    for wish in wishes:
        if bool(wish.get("coupon")) == bool(wish.get("promotion_code")):
            raise invalid("Each discount needs one of coupon, promotion_code.", param="discounts[0]")
    session["discounts"] = [discount_shown(**wish) for wish in wishes]


def discount_shown(coupon: str | None = None, promotion_code: str | None = None) -> Json:
    return {"coupon": coupon, "promotion_code": promotion_code}


def take_subscription(work: Work, session: Json, parameters: Json) -> None:
    wish = with_metadata(parameters, "subscription_data")
    days, end = wish.get("trial_period_days"), wish.get("trial_end")
    if days is not None and end is not None:
        raise invalid(
            "You may only specify one of these parameters: trial_end, trial_period_days.",
            param="subscription_data[trial_end]",
            code="parameters_exclusive",
        )
    if days is not None and not 1 <= days <= TRIAL_DAYS_MAX:
        raise invalid(
            f"The number of trial period days must lie between 1 and {TRIAL_DAYS_MAX}.",
            param="subscription_data[trial_period_days]",
        )
    if end is not None and end < session["created"] + TRIAL_END_MIN_S:
        raise invalid(
            "The `trial_end` date has to be at least 2 days in the future.", param="subscription_data[trial_end]"
        )
    session["_subscription"] = wish
    session["_trial"] = days is not None or end is not None
    session["payment_method_collection"] = parameters.get("payment_method_collection", "always")


def method_types(session: Json, parameters: Json) -> list[str]:
    """What the page offers: cards, and the currency's bank debit; then what was allowed or excluded."""
    offered = ["card"]
    if session["currency"] in DEBIT_OF:
        offered.append(DEBIT_OF[session["currency"]])
    allowed = parameters.get("allowed_payment_method_types")
    if allowed:
        session["allowed_payment_method_types"] = allowed
        offered = [type for type in offered if type in allowed]
    if "excluded_payment_method_types" in parameters:
        session["excluded_payment_method_types"] = parameters["excluded_payment_method_types"]
        offered = [type for type in offered if type not in parameters["excluded_payment_method_types"]]
    if not offered:
        raise not_implemented("A session without cards or bank debits", param="allowed_payment_method_types")
    return offered


def update(work: Work, id: str, parameters: Json) -> Json:
    session = work.require("checkout.session", id, "session")
    take_metadata(session, parameters)
    return work.save(session)


def expire(work: Work, id: str) -> Json:
    session = work.require("checkout.session", id, "session")
    if session["status"] != "open":
        raise invalid(
            'Only Checkout Sessions with a status in ["open"] can be expired. '
            f"This Checkout Session has a status of `{session['status']}`.",
        )
    return end(work, session)


@due("session_expire")
def expire_when_due(work: Work, act: Due) -> None:
    session = work.get("checkout.session", act.object_id)
    if session is not None and session["status"] == "open":
        end(work, session)


def end(work: Work, session: Json) -> Json:
    """The intent of a declined attempt is canceled with it."""
    work.unschedule(session["id"], "session_expire")
    session["status"], session["url"] = "expired", None
    work.save(session)
    let_go(work, session)
    work.emit("checkout.session.expired", session)
    return session


def success_url(session: Json) -> str:
    """Where the buyer goes: the place for the session's id filled in, written plainly or percent-encoded."""
    url: str = session["success_url"]
    place = "{CHECKOUT_SESSION_ID}"
    return url.replace(place, session["id"]).replace(quote(place), session["id"])
