"""A shop whose purchases are paid, refunded and disputed by what Stripe's objects say. Nothing is asked of any Stripe; the clock is the test's."""

from typing import Any

import msgspec
import sqlalchemy as sa

from paywright.environments import actions as environments
from paywright.environments.model import Environment
from paywright.kernel.instants import rfc3339
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.ledger import actions as ledger
from paywright.ledger.model import ItemState
from paywright.ledger.queries import item_state
from paywright.outbox.actions import lock_customers
from paywright.outbox.tables import events
from paywright.ownership import actions as ownership
from paywright.ownership import queries as ownership_queries
from paywright.ownership.model import AskedLine, OwnedProduct, Subscription
from paywright.payments import actions as payments
from paywright.payments import queries
from paywright.payments.model import Payment
from paywright.payments.returns import settle_purchase
from paywright.stripe.fetches import next_fetch
from paywright.stripe.model import Fetched, Outcome
from tests.harness.shop import Shop
from tests.payments import objects
from tests.payments.objects import CREATED, charge, intent

USER = Customer("user", "u_1")
START = rfc3339(CREATED * 1000)
CATALOG: dict[str, Any] = {
    "items": {"credits": {}, "seats": {}, "tokens": {}, "tickets": {}},
    "product_lines": {"plan": {}},
    "products": {
        "free": {"product_line": "plan", "include_by_default": True},
        "pack": {
            "stackable": True,
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"credits": {"quantity": 100, "expires": "never"}},
        },
        "licence": {
            "product_line": "plan",
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {
                "seats": {"quantity": 5, "expires": "when_purchase_expires"},
                "tokens": {"quantity": 10, "repeat": "1 week"},
            },
        },
        "extra": {"add_on_to": ["licence"], "prices": {"once": {"amounts": {"usd": 1000}}}},
        "gear": {
            "add_on_to": ["licence", "pass"],
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"tickets": {"quantity": 5, "expires": "when_purchase_expires"}},
        },
        "polish": {
            "add_on_to": ["gear"],
            "prices": {"once": {"amounts": {"usd": 1000}}},
            "included_items": {"tickets": {"quantity": 2, "repeat": "1 week", "expires": "when_purchase_expires"}},
        },
        "care": {
            "add_on_to": ["licence"],
            "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}},
            "included_items": {"tickets": {"quantity": 7, "repeat": "1 month"}},
        },
        "pass": {"prices": {"once": {"amounts": {"usd": 1000}}}},
        "pro": {
            "product_line": "plan",
            "prices": {"monthly": {"amounts": {"usd": 1000}, "interval": "1 month"}},
            "included_items": {"credits": {"quantity": 50, "repeat": "1 month"}},
        },
    },
}


class Counter(Shop):
    """`buy` grants what a checkout sold; `pay`, `refund` and `dispute` say what Stripe has by then, whenever they are called."""

    def __init__(self, database_url: str) -> None:
        super().__init__(database_url, CATALOG, provider="sandbox")
        self.at(START)
        self._refunds: dict[str, dict[str, Any]] = {}
        self._disputes: dict[str, dict[str, Any]] = {}
        self.amount = 1000
        self.customer = USER
        self.names_customer = True
        """What a guest pays says on it whose checkout it was, and nothing of the customer."""

    def set_policy(self, **changes: Any) -> None:
        with self.app.work("test") as work:
            changed = environments.change(work, changes)
        assert isinstance(changed, Environment), changed
        self.environment = changed

    def buy(
        self, product_id: str, *, session: str = "chk_1", customer: Customer = USER, index: int = 0
    ) -> OwnedProduct:
        with self.app.work("test") as work:
            lock_customers(work, [customer])
            asked = (AskedLine(product_id=product_id),)
            lines = ownership.resolved(
                work, self.environment, customer, asked, purpose="checkout", with_secret_key=True
            )
            assert not isinstance(lines, Refusal), lines
            (line,) = lines
            assert line.price is not None
            subscription = None
            if line.price.interval is not None:
                subscription = Subscription("sub_1", True, "active", work.now, line.price.interval)
            owned = ownership.own(
                work,
                self.environment,
                customer,
                line,
                source="checkout",
                subscription=subscription,
                checkout_session_id=session,
                line_index=index,
            )
            assert isinstance(owned, OwnedProduct), owned
            settle_purchase(work, checkout_session_id=session)
            if subscription is not None:
                settle_purchase(work, subscription_id=subscription.id)
        return owned

    def pay(self, *, session: str = "chk_1", number: int = 1, period_days: int | None = None) -> Outcome:
        """A paid intent, with everything that was refunded or disputed so far. `period_days`: through an invoice of `sub_1`."""
        intent_id = f"pi_{number}"
        refunds = [each for each in self._refunds.values() if each["payment_intent"] == intent_id]
        disputes = [each for each in self._disputes.values() if each["payment_intent"] == intent_id]
        back = sum(each["amount"] for each in refunds if each["status"] == "succeeded")
        keys = {**objects.OURS, "paywright_checkout_session": session}
        keys |= {"paywright_customer": self.customer.key} if self.names_customer else {}
        found = intent(
            id=intent_id,
            amount=self.amount,
            amount_received=self.amount,
            metadata=keys if period_days is None else {},
            latest_charge=charge(
                id=f"ch_{number}", amount_captured=self.amount, amount_refunded=back, disputed=bool(disputes)
            ),
        )
        lists = {"refunds": refunds, "disputes": disputes}
        if period_days is not None:
            line = objects.invoice_line(period={"start": CREATED, "end": CREATED + period_days * 86_400})
            invoice = objects.subscription_invoice(lines={"object": "list", "has_more": False, "data": [line]})
            lists["invoice_payments"] = [{"id": "inpay_1", "invoice": invoice}]
        return self.hear(found, **lists)

    def hear(self, found: dict[str, Any], **lists: Any) -> Outcome:
        root = f"payment_intent {found['id']}"
        with self.app.work("test") as work:
            number = next_fetch(work, root)
        with self.app.work("test") as work:
            customer = None if self.names_customer else self.customer
            return payments.apply(work, Fetched(root, number, found, lists), customer=customer)

    def refund(
        self,
        amount: int,
        status: str = "succeeded",
        *,
        name: str = "re_1",
        number: int = 1,
        is_heard: bool = True,
        **pay: Any,
    ) -> None:
        made = self.instant // 1000 if name not in self._refunds else self._refunds[name]["created"]
        self._refunds[name] = objects.refund(
            name, amount, status, payment_intent=f"pi_{number}", charge=f"ch_{number}", created=made
        )
        if is_heard:
            self.pay(number=number, **pay)

    def dispute(
        self,
        status: str,
        *,
        name: str = "dp_1",
        number: int = 1,
        amount: int = 1000,
        is_heard: bool = True,
        **pay: Any,
    ) -> None:
        made = self.instant // 1000 if name not in self._disputes else self._disputes[name]["created"]
        self._disputes[name] = objects.dispute(
            status, name, payment_intent=f"pi_{number}", charge=f"ch_{number}", created=made, amount=amount
        )
        if is_heard:
            self.pay(number=number, **pay)

    def spend(self, units: int, item_id: str = "credits") -> None:
        with self.app.work("test") as work:
            lock_customers(work, [USER])
            spent = ledger.decrease(work, USER, item_id, units, source=None)
        assert isinstance(spent, ItemState), spent

    def balance(self, item_id: str = "credits", customer: Customer = USER) -> tuple[int, int]:
        """What can be spent, and what is held."""
        with self.app.database.read() as connection:
            state = item_state(connection, "test", customer, item_id, self.app.now("test"))
        return state.quantity, state.held

    def bought(self, customer: Customer = USER) -> dict[str | None, bool]:
        """Access by product, defaults left out."""
        return {each.product_id: each.access for each in self.owned(customer) if each.source != "default"}

    def ended(self, owned: OwnedProduct) -> str | None:
        with self.app.database.read() as connection:
            found = ownership_queries.owned_product(connection, "test", owned.customer, owned.id)
        assert found is not None
        return found.end_reason

    def payment(self, number: int = 1) -> Payment:
        with self.app.database.read() as connection:
            found = queries.payment_of_fact(connection, "test", f"payment_intent pi_{number}")
        assert found is not None
        return found

    def money(self, number: int = 1) -> tuple[str, int]:
        payment = self.payment(number)
        return payment.status, payment.amount_refunded.amount

    def told(self) -> list[str]:
        """Types of events about the customer, states and balances left out."""
        left_out = ("customer.state_changed", "item.depleted")
        return [kind for _, kind in self.events(USER) if kind not in left_out]

    def facts(self, event_type: str) -> list[dict[str, Any]]:
        """What the events of this type said, in order."""
        with self.app.database.read() as connection:
            found = sa.select(events.c.data).where(events.c.type == event_type).order_by(events.c.sequence, events.c.id)
            return [msgspec.json.decode(row.data) for row in connection.execute(found)]
