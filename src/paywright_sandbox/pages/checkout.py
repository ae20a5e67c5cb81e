"""`/c/pay/{session}`: the hosted checkout page."""

from typing import Any

from ..account import Account
from ..errors import ApiError, Json, no_such
from ..machine.checkout import codes, lines, paying
from ..machine.checkout.attempt import reprice
from ..machine.checkout.sessions import success_url
from ..web import WebAnswer, WebRequest, redirect
from ..work import Work
from .buyer import NOTHING_TYPED, buyer_of, debit_accounts, method_of, placed, problems, test_cards, typed
from .order import order_of
from .views import is_ours, message, show, text_of, view

ANSWERED_WITHIN_S = 10.0
GREW_OLD = {"form": "This page had grown old. Nothing was paid; please try again."}


@view("GET /c/pay/{session}")
async def open_page(request: WebRequest) -> WebAnswer:
    return checkout_page(request, NOTHING_TYPED, {})


@view("POST /c/pay/{session}")
async def pay(request: WebRequest) -> WebAnswer:
    """Declines come back as the same page, the form kept, with 402."""
    account, id, values = account_of(request), request.arguments["session"], typed(request.form)
    if not is_ours(request):
        return checkout_page(request, values, GREW_OLD, status=403)
    try:
        with request.engine.work(account) as work:
            session = work.require("checkout.session", id, "session")
            if session["status"] != "open":
                return redirect(f"/c/pay/{id}/return")
            needs_method = paying.need_of(session) != "nothing"
            wrong = problems(session, values, needs_method=needs_method)
            if not wrong:
                method = method_of(work, session, values) if needs_method else None
                session = paying.confirm(work, id, method, buyer_of(session, values))
                return redirect(next_step(work, session))
    except ApiError as refusal:
        return checkout_page(request, values, placed(refusal), status=refusal.status)
    return checkout_page(request, values, wrong, status=400)


@view("POST /c/pay/{session}/quantity")
async def change_quantity(request: WebRequest) -> WebAnswer:
    """`quantity[li_…]=2` for each item that may be changed; what else was typed is kept."""
    values, wishes = typed(request.form), request.form.get("quantity")
    if not is_ours(request):
        return checkout_page(request, values, GREW_OLD, status=403)
    try:
        with request.engine.work(account_of(request)) as work:
            session = paying.open_session(work, request.arguments["session"])
            for item_id, text in (wishes if isinstance(wishes, dict) else {}).items():
                quantity = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else -1
                lines.change_quantity(session, item_id, quantity)
            reprice(work, session)
    except ApiError as refusal:
        return checkout_page(request, values, {"quantity": refusal.message}, status=refusal.status)
    return checkout_page(request, values, {})


@view("POST /c/pay/{session}/code")
async def change_code(request: WebRequest) -> WebAnswer:
    """`code=SAVE20`, or `drop=yes`."""
    values = typed(request.form)
    if not is_ours(request):
        return checkout_page(request, values, GREW_OLD, status=403)
    try:
        with request.engine.work(account_of(request)) as work:
            session = paying.open_session(work, request.arguments["session"])
            if text_of(request.form, "drop"):
                codes.drop_code(work, session)
            else:
                codes.use_code(work, session, values["code"])
    except ApiError as refusal:
        return checkout_page(request, values, {"code": refusal.message}, status=refusal.status)
    return checkout_page(request, {**values, "code": ""}, {})


@view("GET /c/pay/{session}/return")
async def leave(request: WebRequest) -> WebAnswer:
    """Waits until the shop has answered the event, then sends the buyer back; to the form, when nothing is complete yet."""
    account, id = account_of(request), request.arguments["session"]
    with request.engine.work(account) as work:
        session = work.require("checkout.session", id, "session")
    if session["status"] != "complete":
        return redirect(f"/c/pay/{id}")
    told = [delivery for delivery in account.deliveries.values() if delivery.event == session["_completed"]]
    await request.engine.deliveries.answered(told, ANSWERED_WITHIN_S)
    # A page that leads on by itself, not a redirect: browsers hold `form-action` against the whole chain of redirects after a form.
    return closed_page(request, session, refresh=True)


def next_step(work: Work, session: Json) -> str:
    if session["status"] == "complete":
        return f"/c/pay/{session['id']}/return"
    intent = work.any(session["_attempt"])
    assert intent is not None
    return f"/3ds/{intent['id']}"


def account_of(request: WebRequest) -> Account:
    account = request.account_of(request.arguments["session"])
    if account is None:
        raise no_such("checkout session", request.arguments["session"])
    return account


def checkout_page(
    request: WebRequest, values: dict[str, str], wrong: dict[str, str], *, status: int = 200
) -> WebAnswer:
    account = account_of(request)
    with request.engine.work(account) as work:
        session = work.require("checkout.session", request.arguments["session"], "session")
        if session["status"] != "open":
            return closed_page(request, session)
        facts: dict[str, Any] = {
            "session": session,
            "order": order_of(work, session),
            "types": session["payment_method_types"],
            "shop": account.name or "Sandbox shop",
            "test_cards": test_cards(),
            "debit_accounts": debit_accounts([type for type in session["payment_method_types"] if type != "card"]),
            "known_email": session["_known_email"],
            "values": shown_values(session, values),
            "wrong": wrong or last_refusal(work, session),
        }
    return show(request, "checkout.html", status=status, **facts)


def shown_values(session: Json, values: dict[str, str]) -> dict[str, str]:
    """What was typed; before that, what an earlier attempt left."""
    known, first = session["customer_details"] or {}, "card" if "card" in session["payment_method_types"] else "debit"
    return {
        **values,
        "email": values["email"] or known.get("email") or "",
        "name": values["name"] or known.get("name") or "",
        "method": values["method"] or first,
    }


def last_refusal(work: Work, session: Json) -> dict[str, str]:
    """Why the last attempt failed, for whoever comes back from 3DS or reloads the page."""
    intent = work.any(session["_attempt"]) if session["_attempt"] else None
    error = intent and (intent.get("last_payment_error") or intent.get("last_setup_error"))
    return {"form": error["message"]} if error else {}


def closed_page(request: WebRequest, session: Json, *, refresh: bool = False) -> WebAnswer:
    if session["status"] == "expired":
        return message(
            request,
            "This checkout has expired",
            "Nothing was paid. Go back to the shop to start again.",
            mood="closed",
            link=session["cancel_url"],
            link_text="Back to the shop",
        )
    words = {
        "paid": ("Payment complete", "Thank you."),
        "unpaid": ("Payment on its way", "Your bank has been asked. The shop will hear when the money arrives."),
        "no_payment_required": ("All done", "Nothing was charged."),
    }
    title, text = words[session["payment_status"]]
    after = session["custom_text"]["after_submit"]
    return message(
        request,
        title,
        after["message"] if after else text,
        mood="done",
        link=success_url(session),
        link_text="Return to the shop",
        refresh=refresh,
    )
