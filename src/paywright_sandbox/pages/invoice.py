"""`/i/{invoice}`: the hosted invoice, payable while it is open; `/i/{invoice}/pdf`."""

from typing import Any

from ..account import Account
from ..errors import ApiError, Json, no_such
from ..machine import collection
from ..machine.payment_intents import TYPES_BY_CURRENCY
from ..web import WebAnswer, WebRequest, redirect
from ..work import Work
from .buyer import NOTHING_TYPED, card_problems, debit_accounts, made_method, placed, test_cards, typed
from .pdf import document
from .views import HEADERS, day, is_ours, money, show, view

STATES = {
    "open": ("Open", ""),
    "paid": ("Paid", "Thank you. There is nothing left to pay."),
    "void": ("Void", "This invoice is no longer valid."),
    "uncollectible": ("Written off", "The shop no longer expects this to be paid."),
    "processing": ("On its way", "Your bank has been asked. The invoice is paid when the money arrives."),
}


@view("GET /i/{invoice}")
async def open_invoice(request: WebRequest) -> WebAnswer:
    return invoice_page(request, NOTHING_TYPED, {})


@view("POST /i/{invoice}")
async def pay(request: WebRequest) -> WebAnswer:
    account, id, values = account_of(request), request.arguments["invoice"], typed(request.form)
    if not is_ours(request):
        wrong = {"form": "This page had grown old. Nothing was paid; please try again."}
        return invoice_page(request, values, wrong, status=403)
    try:
        with request.engine.work(account) as work:
            bill = work.require("invoice", id)
            types = types_of(bill)
            wrong = card_problems(types, values)
            if not wrong:
                method = made_method(work, types, values, {"email": bill["customer_email"], "name": values["name"]})
                collection.pay(work, id, {"payment_method": method})
    except ApiError as refusal:
        waiting = refusal.objects.get("payment_intent") or {}
        if waiting.get("status") == "requires_action":
            return redirect(f"/3ds/{waiting['id']}")
        return invoice_page(request, values, placed(refusal), status=refusal.status)
    return invoice_page(request, values, wrong, status=400) if wrong else redirect(f"/i/{id}")


@view("GET /i/{invoice}/pdf")
async def pdf(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    with request.engine.work(account) as work:
        bill = final_invoice(work, request)
    shop, currency = account.name or "Sandbox shop", bill["currency"]
    rows = [(line["description"] or "Item", money(line["amount"], currency)) for line in bill["_lines"]]
    sums = [("Subtotal", money(bill["subtotal"], currency)), ("Total", money(bill["total"], currency))]
    sums.append(("Amount due" if bill["status"] != "paid" else "Amount paid", money(bill["amount_due"], currency)))
    head = [shop, f"To: {bill['customer_name'] or bill['customer_email'] or bill['customer']}"]
    head.append(f"Date: {day(bill['effective_at'])}")
    name = f"{bill['number'] or bill['id']}.pdf"
    headers = {**HEADERS, "Content-Type": "application/pdf", "Content-Disposition": f'inline; filename="{name}"'}
    return WebAnswer(200, document(f"Invoice {bill['number']}", head, rows, sums), headers)


def account_of(request: WebRequest) -> Account:
    account = request.account_of(request.arguments["invoice"])
    if account is None:
        raise no_such("invoice", request.arguments["invoice"])
    return account


def final_invoice(work: Work, request: WebRequest) -> Json:
    bill = work.require("invoice", request.arguments["invoice"])
    if bill["status"] == "draft":
        raise no_such("finalized invoice", bill["id"])
    return bill


def types_of(bill: Json) -> list[str]:
    return TYPES_BY_CURRENCY.get(bill["currency"], ["card"])


def invoice_page(request: WebRequest, values: dict[str, str], wrong: dict[str, str], *, status: int = 200) -> WebAnswer:
    account = account_of(request)
    with request.engine.work(account) as work:
        bill = final_invoice(work, request)
        state = "processing" if bill["status"] == "open" and is_processing(work, bill) else bill["status"]
        types = types_of(bill)
        title, explained = STATES[state]
        facts: dict[str, Any] = {
            "bill": bill,
            "lines": bill["_lines"],
            "discount": sum(part["amount"] for part in bill["total_discount_amounts"]),
            "tax": sum(part["amount"] for part in bill["total_taxes"]),
            "state": title,
            "explained": explained,
            "is_payable": state in ("open", "uncollectible"),
            "shop": account.name or "Sandbox shop",
            "types": types,
            "test_cards": test_cards(),
            "debit_accounts": debit_accounts([type for type in types if type != "card"]),
            "values": {**values, "method": values["method"] or "card"},
            "wrong": wrong,
        }
    return show(request, "invoice.html", status=status, **facts)


def is_processing(work: Work, bill: Json) -> bool:
    payments = [work.require("invoice_payment", id) for id in bill["_payments"]]
    intents = [work.get("payment_intent", payment["payment"].get("payment_intent")) for payment in payments]
    return any(intent is not None and intent["status"] == "processing" for intent in intents)
