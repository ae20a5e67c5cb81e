"""`/3ds/{intent}`: the bank's page, where the buyer passes or fails the authentication."""

import hmac
from urllib.parse import urlencode, urlsplit

from ..account import Account
from ..errors import ApiError, Json, invalid, no_such
from ..machine.checkout.paying import answer_bank
from ..machine.checkout.sessions import is_url
from ..web import WebAnswer, WebRequest, json_answer, page, redirect
from ..work import Work
from .views import is_ours, message, money, show, text_of, view


@view("GET /3ds/{intent}")
async def ask(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    with request.engine.work(account) as work:
        intent = intent_of(work, request)
        if intent["status"] != "requires_action":
            return message(
                request, "Nothing to authenticate", "This payment does not wait for your bank.", mood="closed"
            )
        return asking_page(request, work, account, intent)


@view("POST /3ds/{intent}")
async def answer(request: WebRequest) -> WebAnswer:
    account, outcome = account_of(request), text_of(request.form, "outcome")
    with request.engine.work(account) as work:
        intent = intent_of(work, request)
        if not is_ours(request):
            return asking_page(request, work, account, intent, status=403)
        if outcome not in ("complete", "fail"):
            raise invalid("Choose to complete or to fail the authentication.", param="outcome")
        if intent["status"] == "requires_action":
            answer_bank(work, intent, passes=outcome == "complete")
    return way_back(request, intent)


@page("POST /3ds/{intent}/answer")
async def answer_from_the_app(request: WebRequest) -> WebAnswer:
    """For stripe.js, whose dialog asks inside the app's page: `client_secret` and `outcome`. Open to every origin, as the secret is the key."""
    account, outcome = account_of(request), text_of(request.form, "outcome")
    allowed = {"Access-Control-Allow-Origin": "*"}
    try:
        with request.engine.work(account) as work:
            intent = intent_of(work, request)
            if not hmac.compare_digest(
                intent["client_secret"].encode(), text_of(request.form, "client_secret").encode()
            ):
                raise invalid("The client_secret does not match this intent.", param="client_secret")
            if outcome not in ("complete", "fail"):
                raise invalid("The outcome is `complete` or `fail`.", param="outcome")
            if intent["status"] == "requires_action":
                answer_bank(work, intent, passes=outcome == "complete")
    except ApiError as refusal:
        return json_answer(refusal.body(), refusal.status, allowed)
    return json_answer({"id": intent["id"], "status": intent["status"]}, headers=allowed)


def account_of(request: WebRequest) -> Account:
    account = request.account_of(request.arguments["intent"])
    if account is None:
        raise no_such("payment intent", request.arguments["intent"])
    return account


def intent_of(work: Work, request: WebRequest) -> Json:
    found = work.any(request.arguments["intent"])
    if found is None or found["object"] not in ("payment_intent", "setup_intent"):
        raise no_such("payment intent", request.arguments["intent"])
    return found


def asking_page(request: WebRequest, work: Work, account: Account, intent: Json, *, status: int = 200) -> WebAnswer:
    method = work.require("payment_method", intent["payment_method"])
    amount = money(intent["amount"], intent["currency"]) if "amount" in intent else None
    return show(
        request,
        "three_d_secure.html",
        status=status,
        intent=intent,
        amount=amount,
        card=method.get("card"),
        shop=account.name or "Sandbox shop",
    )


def way_back(request: WebRequest, intent: Json) -> WebAnswer:
    """To the checkout page, to the address the app gave, or nowhere."""
    owner = str(intent.get("_owner") or "")
    if owner.startswith("cs_"):
        return redirect(f"/c/pay/{owner}/return")
    if owner.startswith("in_") and not intent.get("_return_url"):
        return redirect(f"/i/{owner}")
    url = str(intent.get("_return_url") or "")
    if not is_url(url):
        return message(request, "Thank you", "You can close this page and go back to the shop.", mood="done")
    title = "Authentication complete" if intent["status"] != "requires_payment_method" else "Authentication failed"
    return message(
        request,
        title,
        "Taking you back to the shop.",
        link=returning(url, intent),
        link_text="Return to the shop",
        refresh=True,
    )


def returning(url: str, intent: Json) -> str:
    """The app's address with what Stripe adds: which intent, its secret, and how it went."""
    name, went = intent["object"], {"succeeded": "succeeded", "requires_capture": "succeeded", "processing": "pending"}
    added = urlencode(
        {
            name: intent["id"],
            f"{name}_client_secret": intent["client_secret"],
            "redirect_status": went.get(intent["status"], "failed"),
        }
    )
    parts = urlsplit(url)
    return parts._replace(query=f"{parts.query}&{added}" if parts.query else added).geturl()
