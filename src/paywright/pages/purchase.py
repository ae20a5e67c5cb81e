"""
The purchase page: choose price, currency and quantity, and go to the checkout.

Every check runs again when something is chosen. Once something was bought on it, the page shows the result and sells nothing more.
"""

import msgspec

from paywright.checkout import actions, purchase_urls
from paywright.checkout import queries as checkout_queries
from paywright.checkout.model import CheckoutSession
from paywright.checkout.purchase_urls import PurchaseUrl
from paywright.environments.model import Environment
from paywright.kernel.refusals import Refusal
from paywright.pages import offers, wording
from paywright.pages.asked import OVER, Asked, Reply, opened, refused
from paywright.payments import queries as payments
from paywright.storage.idempotency import idempotency_key

NOTHING_CHARGED = "Nothing was charged. You can choose again."
ALREADY = frozenset({"already_owned", "line_taken"})


def show(asked: Asked) -> Reply:
    found = _page(asked)
    if found is None:
        return OVER
    environment, page = found
    attempt = _attempt(asked, environment, page)
    if attempt is not None and attempt.status == "completed":
        return _result(asked, environment, page, attempt)
    notice = NOTHING_CHARGED if "canceled" in asked.query else None
    return _offered(asked, environment, page, asked.query.get("currency"), notice)


def choose(asked: Asked) -> Reply:
    """Begins the checkout of what was chosen, or shows the page again with the reason why not."""
    found = _page(asked)
    if found is None:
        return OVER
    environment, page = found
    earlier = _attempt(asked, environment, page)
    if earlier is not None and earlier.status == "completed":
        return Reply(location=asked.place("purchase"), status=303)
    price_id, currency = asked.form.get("price_id") or None, asked.form.get("currency") or None
    written = asked.form.get("quantity", "1")
    if not written.isdecimal() or not 1 <= len(written) <= 16:
        return _offered(asked, environment, page, currency, "Choose how many: a whole number from 1.", 400)
    session = _start(asked, environment, page, price_id, currency, int(written))
    if isinstance(session, Refusal):
        return _offered(asked, environment, page, currency, wording.said(session), session.status)
    if earlier is not None and earlier.id != session.id and earlier.is_under_way:
        ended = actions.expire(asked.app, environment, earlier.id)
        if isinstance(ended, Refusal):  # It was paid in another window: once is enough.
            actions.expire(asked.app, environment, session.id)
            return Reply(location=asked.place("purchase"), status=303)
    with asked.app.work(environment.id) as work:
        purchase_urls.begun(work, page.id, session.id)
    return Reply(location=session.url or asked.place("purchase"), status=303)


def _page(asked: Asked) -> tuple[Environment, PurchaseUrl] | None:
    known = opened(asked, "purchase")
    if known is None:
        return None
    environment, page = known
    with asked.app.database.read() as connection:
        found = purchase_urls.find(connection, environment.id, page.subject)
    return None if found is None else (environment, found)


def _attempt(asked: Asked, environment: Environment, page: PurchaseUrl) -> CheckoutSession | None:
    """The newest attempt, as Stripe knows it now: the webhook may be late."""
    if page.checkout_session_id is None:
        return None
    with asked.app.database.read() as connection:
        known = checkout_queries.session(connection, environment.id, page.checkout_session_id)
    if known is None or known.status in ("expired", "failed") or known.is_fulfilled:
        return known
    synced = actions.sync(asked.app, environment, known.id)
    return known if isinstance(synced, Refusal) else synced


def _start(
    asked: Asked,
    environment: Environment,
    page: PurchaseUrl,
    price_id: str | None,
    currency: str | None,
    quantity: int,
) -> CheckoutSession | Refusal:
    """However often the same is chosen, it is one checkout; one that is over is begun anew."""
    line = offers.line_of(asked.app, environment, page, price_id, quantity)
    if isinstance(line, Refusal):
        return line
    charged_in = currency or environment.default_currency
    wish = offers.asked(
        page.customer, line, charged_in, with_secret_key=page.with_secret_key, place=asked.place("purchase")
    )
    chosen = msgspec.json.encode([price_id, charged_in, quantity])
    key = idempotency_key(f"purchase:{page.id}", chosen.decode(), method="POST", path="/purchase", body=chosen)
    return actions.start(asked.app, environment, wish, key=key)


def _offered(
    asked: Asked,
    environment: Environment,
    page: PurchaseUrl,
    currency: str | None,
    notice: str | None,
    status: int = 200,
) -> Reply:
    offer = offers.offer(asked.app, environment, page, currency)
    if isinstance(offer, Refusal):
        return refused(offer, page.return_url)
    if offer.refusal is not None and offer.refusal.code in ALREADY:
        text = f"{offer.name} needs no second purchase. Nothing was charged."
        already = {"tone": "good", "title": "You own this already", "text": text, "return_url": page.return_url}
        return Reply("outcome.html", already)
    shown = {
        "offer": offer,
        "refused": None if offer.refusal is None else wording.said(offer.refusal),
        "chosen": asked.form.get("price_id") or next((each.price_id for each in offer.choices), None),
        "quantity": asked.form.get("quantity", "1"),
        "notice": notice,
        "return_url": page.return_url,
        "is_test": environment.mode == "test",
    }
    return Reply("purchase.html", shown, status)


def _result(asked: Asked, environment: Environment, page: PurchaseUrl, session: CheckoutSession) -> Reply:
    """A bank debit is under way until the money is there, or the bank sends it back."""
    shown = {"tone": "good", "title": "Thank you. It is yours.", "text": "The purchase is complete."}
    if session.payment_status == "unpaid":
        text = "Your bank is still at it. What you bought is yours as soon as the money is there."
        shown = {"tone": "kind", "title": "Your payment is under way", "text": text}
        with asked.app.database.read() as connection:
            payment = payments.payment_of_checkout(connection, environment.id, session.id)
        if payment is not None and payment.status in ("failed", "cancelled"):
            text = "Your bank sent the debit back. No money came, so nothing was handed over."
            shown = {"tone": "bad", "title": "The payment failed", "text": text}
    return Reply("outcome.html", {**shown, "return_url": page.return_url, "is_test": environment.mode == "test"})
