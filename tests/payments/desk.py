"""A shop whose money moves at a sandbox account of its own, and the operator's desk in it. What webhooks would bring is asked for by `hear`."""

from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession, StartCheckout
from paywright.environments import actions as environments
from paywright.environments.model import Environment
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger.queries import item_state
from paywright.outbox.tables import events
from paywright.ownership.model import AskedLine
from paywright.payments import actions as payments
from paywright.payments import queries, refunding
from paywright.payments.model import AskedRefund, Payment, Refund
from paywright.payments.tables import refunds
from paywright.storage.idempotency import Kept
from paywright.worker import carry_out_commands
from paywright_sandbox import Sandbox
from tests.payments.counter import CATALOG
from tests.subscriptions.till import StripeShop

USER = Customer("user", "u_1")
VISA = "4242424242424242"


class Desk(StripeShop):
    def __init__(self, database_url: str, sandbox: Sandbox) -> None:
        super().__init__(database_url, sandbox, CATALOG)

    def sell(self, product_id: str, card: str = VISA, *, quantity: int = 1) -> Payment:
        """Bought through Checkout; the payment as we know it then."""
        asked = StartCheckout(
            customer=USER,
            lines=(AskedLine(product_id=product_id, quantity=quantity),),
            success_url="https://app.test/ok",
            cancel_url="https://app.test/no",
            with_secret_key=True,
        )
        session = checkout.start(self.app, self.environment, asked)
        assert isinstance(session, CheckoutSession), session
        self.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": card})
        paid = checkout.sync(self.app, self.environment, session.id)
        assert isinstance(paid, CheckoutSession), paid
        with self.app.database.read() as connection:
            (payment, *_) = queries.page(connection, "test", customer=USER)
        assert payment.status == "paid", payment
        return payment

    def sell_in(self, currency: str) -> None:
        with self.app.work("test") as work:
            changed = environments.change(work, {"default_currency": currency})
        assert isinstance(changed, Environment), changed
        self.environment = changed

    def refund(self, payment: Payment, amount: int | None = None, **asked: Any) -> Refund | Refusal | Kept:
        key = asked.pop("key", None)
        wish = AskedRefund(payment.id, amount, **asked)
        return refunding.refund(self.app, self.environment, wish, key=key)

    def refunded(self, payment: Payment, amount: int | None = None, **asked: Any) -> Refund:
        made = self.refund(payment, amount, **asked)
        assert isinstance(made, Refund), made
        return made

    def hear(self, payment: Payment) -> None:
        """As a refund's or a dispute's event would."""
        assert payment.stripe_payment_intent_id is not None
        payments.sync(
            self.app,
            self.environment,
            payment.stripe_payment_intent_id,
            beside=["refunds", "disputes", "warnings"],
        )

    def work_off(self) -> None:
        """What works asked of the worker."""
        while carry_out_commands(self.app, self.environment):
            pass

    def now(self, payment: Payment) -> Payment:
        with self.app.database.read() as connection:
            found = queries.payment(connection, "test", payment.id)
        assert found is not None
        return found

    def money(self, payment: Payment) -> tuple[str, int]:
        found = self.now(payment)
        return found.status, found.amount_refunded.amount

    def rows(self, payment: Payment) -> list[Refund]:
        with self.app.database.read() as connection:
            return queries.refunds_of(connection, "test", payment.id)

    def age(self, recorded: Refund, by_ms: int) -> None:
        """Asked for so much longer ago, on the wall clock."""
        with self.app.work("test") as work:
            then = wall_ms() - by_ms
            is_it = refunds.c.id == recorded.id
            work.execute(refunds.update().where(is_it).values(requested_at=then, attempted_at=then))

    def at_stripe(self) -> list[tuple[int, str]]:
        """Amount and status of every refund, oldest first."""
        found = self.app.gateway(self.environment).pages("/v1/refunds")
        return [(each["amount"], each["status"]) for each in found][::-1]

    def bought(self) -> dict[str | None, bool]:
        return {each.product_id: each.access for each in self.owned(USER) if each.source != "default"}

    def balance(self, item_id: str = "credits") -> tuple[int, int]:
        with self.app.database.read() as connection:
            state = item_state(connection, "test", USER, item_id, self.app.now("test"))
        return state.quantity, state.held

    def facts(self, event_type: str) -> list[dict[str, Any]]:
        with self.app.database.read() as connection:
            found = sa.select(events.c.data).where(events.c.type == event_type).order_by(events.c.sequence, events.c.id)
            return [msgspec.json.decode(row.data) for row in connection.execute(found)]
