"""
The customer page: plans, balances, invoices and the card of one customer, and what they may do about them themselves.

Whoever has its address acts as that customer with a customer token would: no more than that, for an hour.
"""

from typing import Any

from paywright.customers import billing
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.pages import holdings, wording
from paywright.pages.asked import OVER, Asked, Reply, opened, refused
from paywright.pages.holdings import Plan
from paywright.subscriptions import changes, quotes, switching
from paywright.subscriptions.quoted import Quote
from paywright.subscriptions.switch_rules import AskedSwitch

QUANTITY_DIGITS_MAX = 15

NOTICES = {
    "canceled": "Canceled. It stays yours until the end of the period.",
    "ended": "It has ended.",
    "resumed": "It goes on as before.",
    "switched": "Your plan was changed.",
    "scheduled": "Your plan changes at the end of the period. Until then nothing changes.",
}


def show(asked: Asked) -> Reply:
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, return_url = known
    shown = holdings.everything(asked.app, environment, customer)
    notice = NOTICES.get(asked.query.get("done", ""))
    return Reply("account.html", {**shown, **_frame(asked, environment, return_url), "notice": notice})


def ask_cancel(asked: Asked) -> Reply:
    return _about(asked, "cancel.html", lambda plan: plan.may_cancel)


def cancel(asked: Asked) -> Reply:
    """At the end of the period: what was paid for stays."""
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, _ = known
    done = changes.cancel(asked.app, environment, customer, asked.named["owned_id"], at="period_end")
    return refused(done, asked.place("account")) if isinstance(done, Refusal) else _back(asked, "canceled")


def resume(asked: Asked) -> Reply:
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, _ = known
    done = changes.resume(asked.app, environment, customer, asked.named["owned_id"])
    return refused(done, asked.place("account")) if isinstance(done, Refusal) else _back(asked, "resumed")


def ask_switch(asked: Asked) -> Reply:
    return _about(asked, "switch.html", lambda plan: bool(plan.options))


def quote_switch(asked: Asked) -> Reply:
    """What it would cost, to the cent. Nothing changes before it is confirmed."""
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, return_url = known
    product_id, _, price_id = asked.form.get("to", "").partition("/")
    written = asked.form.get("quantity", "1")
    counted = (
        written.isdecimal()
        and len(written) <= QUANTITY_DIGITS_MAX
        and holdings.is_counted(asked.app, environment, product_id)
    )
    wish = AskedSwitch(asked.named["owned_id"], product_id, price_id or None, int(written) if counted else 1)
    quote = quotes.quote(asked.app, environment, customer, wish, with_secret_key=False)
    if isinstance(quote, Refusal):
        return refused(quote, asked.place("account"))
    shown = {**_quoted(asked, environment, quote), **_frame(asked, environment, return_url)}
    return Reply("quote.html", shown)


def confirm_switch(asked: Asked) -> Reply:
    """Charges exactly what was quoted, or says why not."""
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, _ = known
    quote_id = asked.form.get("quote_id", "")
    switched = switching.switch(asked.app, environment, customer, quote_id, with_secret_key=False)
    if not isinstance(switched, Refusal):
        return _back(asked, "switched" if switched.pending_change is None else "scheduled")
    invoice = switched.facts.get("hosted_invoice_url")
    if switched.code == "payment_action_required" and invoice:
        return Reply(location=str(invoice), status=303)
    return refused(switched, asked.place("account"))


def change_card(asked: Asked) -> Reply:
    """Card numbers are typed at Stripe, never here."""
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, _ = known
    url = billing.create_portal_session(
        asked.app, environment, customer, return_url=asked.place("account"), flow="payment_method_update"
    )
    return refused(url, asked.place("account")) if isinstance(url, Refusal) else Reply(location=url, status=303)


def _customer(asked: Asked) -> tuple[Environment, Customer, str | None] | None:
    known = opened(asked, "account")
    if known is None:
        return None
    environment, page = known
    return environment, Customer.of_key(page.subject), page.return_url


def _about(asked: Asked, template: str, is_possible: Any) -> Reply:
    """A page about one plan; back to the overview when there is nothing to ask any more."""
    known = _customer(asked)
    if known is None:
        return OVER
    environment, customer, return_url = known
    plans: list[Plan] = holdings.plans(asked.app, environment, customer)
    plan = next((each for each in plans if each.id == asked.named["owned_id"]), None)
    if plan is None or not is_possible(plan):
        return _back(asked, "")
    return Reply(template, {"plan": plan, **_frame(asked, environment, return_url)})


def _frame(asked: Asked, environment: Environment, return_url: str | None) -> dict[str, Any]:
    return {"here": asked.place("account"), "return_url": return_url, "is_test": environment.mode == "test"}


def _back(asked: Asked, done: str) -> Reply:
    return Reply(location=f"{asked.place('account')}{f'?done={done}' if done else ''}", status=303)


def _quoted(asked: Asked, environment: Environment, quote: Quote) -> dict[str, Any]:
    plan = holdings.product_name(asked.app, environment, quote.asked.to_product_id)
    following = quote.told.next_invoice
    return {
        "quote_id": quote.id,
        "owned_id": quote.owned_product_id,
        "to": plan,
        "is_now": quote.happens == "now",
        "effective": wording.date(quote.effective_at),
        "due_now": wording.money(quote.due_now, quote.currency),
        "lines": [(line.description, wording.money(line.amount, quote.currency)) for line in quote.told.lines],
        "next_invoice": None
        if following is None
        else (wording.money(following.amount, quote.currency), wording.date(following.at)),
    }
