"""`/p/session/{session}`: the customer portal; its steps have the names of Stripe's deep links."""

from typing import Any

from ..account import Account
from ..errors import ApiError, Json, invalid, no_such
from ..machine import portal, previews
from ..web import WebAnswer, WebRequest, redirect
from ..work import Work
from .buyer import NOTHING_TYPED, card_problems, made_method, placed, test_cards, typed
from .holdings import bills, card_of_customer, held, offers
from .views import day, is_ours, message, money, show, text_of, view

GREW_OLD = "This page had grown old. Nothing was changed; please try again."
STEPS = (
    "subscription_cancel subscription_update subscription_update_confirm subscription_pause payment_method_update customer_update"
).split()
REASONS = {
    "too_expensive": "It is too expensive",
    "missing_features": "Something is missing",
    "switched_service": "I found another service",
    "unused": "I do not use it enough",
    "customer_service": "The support was poor",
    "too_complex": "It is too complicated",
    "low_quality": "The quality was low",
    "other": "Another reason",
}


@view("GET /p/session/{session}")
async def home(request: WebRequest) -> WebAnswer:
    return home_page(request, "")


@view("GET /p/session/{session}/{step}")
async def open_step(request: WebRequest) -> WebAnswer:
    return step_page(request, {}, NOTHING_TYPED)


@view("POST /p/session/{session}/{step}")
async def take_step(request: WebRequest) -> WebAnswer:
    """Does it and leads on; what is refused comes back beside the form, and nothing has changed."""
    if not is_ours(request):
        return step_page(request, {"form": GREW_OLD}, NOTHING_TYPED, status=403)
    values = typed(request.form)
    try:
        with request.engine.work(account_of(request)) as work:
            session = portal.opened(work, request.arguments["session"])
            return redirect(done(work, session, request, values))
    except Wrong as wrong:
        return step_page(request, wrong.fields, values, status=400)
    except ApiError as refusal:
        if refusal.status == 404 or request.arguments["step"] in ("keep", "resume"):
            raise
        return step_page(request, placed(refusal), values, status=refusal.status)


class Wrong(Exception):
    """Fields that were filled in wrongly; undoes the work."""

    def __init__(self, fields: dict[str, str]) -> None:
        super().__init__(fields)
        self.fields = fields


def done(work: Work, session: Json, request: WebRequest, values: dict[str, str]) -> str:
    """Acts; answers where to go."""
    step, form = request.arguments["step"], request.form
    id = text_of(form, "subscription") or subscription_of_flow(session)
    here = f"/p/session/{session['id']}"
    match step:
        case "subscription_cancel":
            portal.cancel(
                work, session, id, feedback=text_of(form, "feedback") or None, comment=text_of(form, "comment") or None
            )
        case "keep" | "resume":
            portal.keep(work, session, id)
            return here
        case "subscription_pause":
            portal.pause(work, session, id)
        case "subscription_update":
            price, quantity = text_of(form, "price"), quantity_of(text_of(form, "quantity"))
            return f"{here}/subscription_update_confirm?subscription={id}&price={price}&quantity={quantity}"
        case "subscription_update_confirm":
            portal.switch(work, session, id, **chosen(work, session, form, id))
        case "payment_method_update":
            intent = add_card(work, session, values)
            if intent["status"] == "requires_action":
                return f"/3ds/{intent['id']}"
        case "customer_update":
            portal.update_customer(work, session, particulars(work, session, form))
        case _:
            raise no_such("page", step)
    return f"{here}/done" if session["flow"] and session["flow"]["type"] == step else here


def subscription_of_flow(session: Json) -> str | None:
    flow = session["flow"]
    return flow[flow["type"]]["subscription"] if flow and flow.get(flow["type"]) else None


def quantity_of(text: str) -> int:
    if not (text.isascii() and text.isdigit() and 0 < int(text) <= 999_999):
        raise Wrong({"quantity": "Enter a number from 1."})
    return int(text)


def chosen(work: Work, session: Json, form: Json, id: str | None) -> Json:
    """Only what differs from the present, so that a fixed quantity may stay unnamed."""
    item = portal.subscription_for(work, session, id)["items"]["data"][0]
    price, quantity = text_of(form, "price"), text_of(form, "quantity")
    found: Json = {}
    if price and price != item["price"]["id"]:
        found["price"] = price
    if quantity and int(quantity) != item["quantity"]:
        found["quantity"] = int(quantity)
    if not found:
        raise Wrong({"form": "Nothing would change."})
    return found


def add_card(work: Work, session: Json, values: dict[str, str]) -> Json:
    wrong = card_problems(["card"], values)
    if wrong:
        raise Wrong(wrong)
    customer = work.require("customer", session["customer"])
    billing = {"email": customer["email"], "name": values["name"] or customer["name"]}
    return portal.add_card(work, session, made_method(work, ["card"], values, billing))


def particulars(work: Work, session: Json, form: Json) -> Json:
    names = portal.features_of(work, session)["customer_update"]["allowed_updates"]
    return {name: text_of(form, name) for name in names if name in ("email", "name", "phone")}


# Showing


def account_of(request: WebRequest) -> Account:
    account = request.account_of(request.arguments["session"])
    if account is None:
        raise no_such("portal session", request.arguments["session"])
    return account


def home_page(request: WebRequest, said: str) -> WebAnswer:
    account = account_of(request)
    with request.engine.work(account) as work:
        session = portal.opened(work, request.arguments["session"])
        customer = work.require("customer", session["customer"])
        facts: dict[str, Any] = {
            "session": session,
            "shop": account.name or "Sandbox shop",
            "customer": customer,
            "held": [held(work, session, made) for made in portal.subscriptions_of(work, session)],
            "card": card_of_customer(work, customer),
            "features": portal.features_of(work, session),
            "bills": bills(work, customer["id"]),
        }
    return show(request, "portal.html", said=said, **facts)


def step_page(request: WebRequest, wrong: dict[str, str], values: dict[str, str], *, status: int = 200) -> WebAnswer:
    account, step = account_of(request), request.arguments["step"]
    with request.engine.work(account) as work:
        session = portal.opened(work, request.arguments["session"])
        if step == "done":
            return done_page(request, session)
        if step not in STEPS:
            raise no_such("page", step)
        facts = {
            "session": session,
            "shop": account.name or "Sandbox shop",
            "step": step,
            "wrong": wrong,
            "values": {**values, "method": "card"},
            "customer": work.require("customer", session["customer"]),
            "features": portal.features_of(work, session),
            "types": ["card"],
            "debit_accounts": [],
            "test_cards": test_cards(),
            **(facts_of_subscription(work, session, request, step) if step.startswith("subscription") else {}),
        }
    return show(request, f"portal_{step.removeprefix('subscription_')}.html", status=status, **facts)


def facts_of_subscription(work: Work, session: Json, request: WebRequest, step: str) -> Json:
    id = (
        text_of(request.query, "subscription") or text_of(request.form, "subscription") or subscription_of_flow(session)
    )
    made = portal.changeable(work, session, id)
    facts: Json = {"made": made, "held": held(work, session, made), "reasons": REASONS}
    if step == "subscription_update":
        portal.allowed(work, session, step)
        facts["offers"] = offers(work, session, made)
        facts["quantity"] = text_of(request.form, "quantity") or str(made["items"]["data"][0]["quantity"])
    if step == "subscription_update_confirm":
        facts.update(preview_of(work, session, made, request))
    if step == "subscription_cancel":
        facts["ends"] = day(max(item["current_period_end"] for item in made["items"]["data"]))
    return facts


def preview_of(work: Work, session: Json, made: Json, request: WebRequest) -> Json:
    """The invoice that the change would make, or the next one; by the functions that make the change."""
    price, quantity = wished(session, request)
    wish = portal.switch_wish(work, session, made, price or None, quantity)
    target = work.require("price", wish["items"][0]["price"], "price")
    later = portal.waits_for_period_end(work, session, made, wish["items"][0])
    bill = None if later else previews.preview(work, {"subscription": made["id"], "subscription_details": wish})
    named = [offer for offer in offers(work, session, made) if offer.price == target["id"]]
    if not named:
        raise invalid("This price is not offered in the portal.", param="price")
    return {
        "offer": named[0],
        "quantity": wish["items"][0]["quantity"],
        "due_now": bill is not None and bill["billing_reason"] == "subscription_update",
        "lines": [(line["description"], money(line["amount"], bill["currency"])) for line in bill["lines"]["data"]]
        if bill
        else [],
        "due": money(bill["amount_due"], bill["currency"]) if bill else "",
        "when": day(min(item["current_period_end"] for item in made["items"]["data"])),
    }


def wished(session: Json, request: WebRequest) -> tuple[str, int | None]:
    """From the address or the form; else from the deep link."""
    price = text_of(request.query, "price") or text_of(request.form, "price")
    quantity = text_of(request.query, "quantity") or text_of(request.form, "quantity")
    flow = session["flow"]
    if not price and flow and flow["type"] == "subscription_update_confirm":
        item = flow["subscription_update_confirm"]["items"][0]
        return item["price"] or "", item["quantity"]
    return price, int(quantity) if quantity.isascii() and quantity.isdigit() and int(quantity) > 0 else None


def done_page(request: WebRequest, session: Json) -> WebAnswer:
    """After a deep link: back to the shop, a word of thanks, or the portal itself."""
    after: Json = session["flow"]["after_completion"] if session["flow"] else {"type": "portal_homepage"}
    if after["type"] == "redirect":
        url = after["redirect"]["return_url"]
        return message(
            request,
            "Done",
            "Taking you back to the shop.",
            mood="done",
            link=url,
            link_text="Return to the shop",
            refresh=True,
        )
    if after["type"] == "hosted_confirmation":
        text = after["hosted_confirmation"]["custom_message"] or "Your change was made."
        return message(request, "Done", text, mood="done")
    return redirect(f"/p/session/{session['id']}")
