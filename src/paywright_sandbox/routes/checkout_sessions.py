"""Checkout Sessions, and the payment pages that pay one without a browser."""

from ..errors import Json, invalid
from ..listing import listing, page, page_of
from ..machine.checkout import lines, paying, sessions
from ..machine.checkout.paying import Buyer
from ..routing import route
from ..serialise import absent_unless_expanded
from ..work import Work

INTENT_DATA = " ".join(f"payment_intent_data.{name}" for name in paying.INTENT_DATA)
SUBSCRIPTION_DATA = " ".join(
    f"subscription_data.{name}"
    for name in "billing_mode description metadata trial_end trial_period_days trial_settings".split()
)
TEXTS = "custom_text.submit custom_text.after_submit"


@route(
    "POST /v1/checkout/sessions",
    acts_on=(
        "adaptive_pricing allow_promotion_codes allowed_payment_method_types automatic_tax.enabled "
        "billing_address_collection cancel_url client_reference_id currency customer customer_creation customer_email "
        "customer_update.address customer_update.name discounts "
        "excluded_payment_method_types expires_at invoice_creation line_items locale metadata mode "
        "payment_method_collection setup_intent_data.description setup_intent_data.metadata submit_type "
        f"success_url ui_mode {INTENT_DATA} {SUBSCRIPTION_DATA} {TEXTS}"
    ),
    note="`ui_mode` `hosted_page` only; no shipping, custom fields, optional items or tax; inline prices make no events.",
)
def create(work: Work, parameters: Json) -> Json:
    return sessions.create(work, parameters)


@route("GET /v1/checkout/sessions/{session}")
def retrieve(work: Work, parameters: Json, session: str) -> Json:
    return work.require("checkout.session", session, "session")


@route("POST /v1/checkout/sessions/{session}", acts_on="metadata", note="`metadata` only.")
def update(work: Work, parameters: Json, session: str) -> Json:
    return sessions.update(work, session, parameters)


@route("POST /v1/checkout/sessions/{session}/expire")
def expire(work: Work, parameters: Json, session: str) -> Json:
    return sessions.expire(work, session)


@route("GET /v1/checkout/sessions/{session}/line_items", acts_on="ending_before limit starting_after")
def list_line_items(work: Work, parameters: Json, session: str) -> Json:
    found = work.require("checkout.session", session, "session")
    return page_of((lines.shown_item(work, item) for item in found["_line_items"]), parameters, "item")


@route(
    "GET /v1/checkout/sessions",
    acts_on="created customer customer_details ending_before limit payment_intent starting_after status subscription",
)
def list_(work: Work, parameters: Json) -> Json:
    email = parameters.get("customer_details", {}).get("email")

    def is_theirs(session: Json) -> bool:
        return email is None or (session["customer_details"] or {}).get("email") == email

    return page(
        work, "checkout.session", parameters, "customer", "payment_intent", "status", "subscription", keep=is_theirs
    )


@absent_unless_expanded("checkout.session", "line_items")
def line_items_of(work: Work, session: Json) -> Json:
    found = work.require("checkout.session", session["id"])
    items = [lines.shown_item(work, item) for item in found["_line_items"]]
    return listing(items, url=f"/v1/checkout/sessions/{session['id']}/line_items")


@route(
    "GET /v1/payment_pages/{session}",
    acts_on="*",
    fields={},
    note="Answers the Checkout Session; the real one is undocumented.",
)
def retrieve_page(work: Work, parameters: Json, session: str) -> Json:
    return work.require("checkout.session", session, "session")


@route(
    "POST /v1/payment_pages/{session}/confirm",
    acts_on="*",
    fields={"payment_method": "s", "expected_amount": "i"},
    note="Answers the Checkout Session; the real one is undocumented.",
)
def confirm_page(work: Work, parameters: Json, session: str) -> Json:
    """Pays as the buyer would on the page. A card that asks for 3DS leaves the session open, its intent waiting."""
    found = paying.open_session(work, session)
    expected = parameters.get("expected_amount", found["amount_total"])
    if expected != found["amount_total"]:
        raise invalid(
            f"The expected amount {expected} is not the session's amount {found['amount_total']}.",
            param="expected_amount",
        )
    return paying.confirm(work, session, parameters.get("payment_method"), Buyer())
