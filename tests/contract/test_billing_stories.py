"""Random lives of subscriptions: whatever is asked in whatever order, the books hold and no answer is a 500."""

import random
from typing import Any

import pytest
import stripe

from tests.contract.billing import DUNNING_CARD, Desk, first_item

CARDS = ["pm_card_visa", "pm_card_visa", DUNNING_CARD, "pm_card_authenticationRequired"]
STATUSES = {"active", "trialing", "past_due", "unpaid", "paused", "incomplete", "incomplete_expired", "canceled"}
TERMINAL = {"canceled", "incomplete_expired"}
BEHAVIORS = ["create_prorations", "always_invoice", "none"]
PAYMENTS = ["allow_incomplete", "default_incomplete", "error_if_incomplete"]


class Story:
    def __init__(self, desk: Desk, seed: int) -> None:
        self.desk, self.v1, self.chance = desk, desk.v1, random.Random(seed)
        desk.settings(
            billing_mode=self.chance.choice(["flexible", "classic"]),
            exhausted=self.chance.choice(["cancel", "unpaid", "pause", "none"]),
            retry_days=self.chance.choice([[1, 3, 5, 7], [2], []]),
        )
        self.prices = [
            desk.price(amount, interval)
            for amount, interval in [(999, "month"), (2501, "month"), (333, "week"), (12_000, "year"), (0, "month")]
        ]
        self.coupons = [
            self.v1.coupons.create(wish).id
            for wish in ({"percent_off": 33.3, "duration": "forever"}, {"amount_off": 170, "currency": "usd"})
        ]
        self.customer = desk.customer(self.chance.choice(CARDS))
        self.ended: dict[str, str] = {}
        self.refusals: list[str] = []

    def subscriptions(self) -> list[Any]:
        return list(self.v1.subscriptions.list({"status": "all", "limit": 100}).data)

    def one(self) -> Any:
        found = [made for made in self.subscriptions() if made.status not in TERMINAL]
        return self.chance.choice(found) if found else None

    def step(self) -> None:
        alive = sum(made.status not in TERMINAL for made in self.subscriptions())
        names = [
            "begin",
            "switch",
            "switch",
            "advance",
            "advance",
            "advance",
            "cancel",
            "flag",
            "card",
            "pay",
            "void",
            "pause",
            "resume",
            "item",
            "collection",
            "schedule",
            "credit",
            "portal",
        ]
        try:
            getattr(self, self.chance.choice(names) if self.chance.random() * 2 < alive else "begin")()
        except (stripe.CardError, stripe.InvalidRequestError) as refusal:
            self.refusals.append(str(refusal.code))

    def begin(self) -> None:
        wish: dict[str, Any] = {
            "customer": self.customer,
            "items": [
                {"price": price, "quantity": self.chance.randint(1, 3)}
                for price in self.chance.sample(self.prices, self.chance.choice([1, 1, 2]))
            ],
            "payment_behavior": self.chance.choice(PAYMENTS),
        }
        if self.chance.random() < 0.3:
            wish["trial_period_days"] = self.chance.choice([1, 7, 14])
        if self.chance.random() < 0.3:
            wish["discounts"] = [{"coupon": self.chance.choice(self.coupons)}]
        self.v1.subscriptions.create(wish)

    def switch(self) -> None:
        made = self.one()
        if made is None:
            return
        item = {
            "id": first_item(made).id,
            "price": self.chance.choice(self.prices),
            "quantity": self.chance.randint(1, 3),
        }
        behavior = self.chance.choice(BEHAVIORS)
        if self.chance.random() < 0.5:
            details = {"items": [item], "proration_behavior": behavior}
            self.v1.invoices.create_preview({"subscription": made.id, "subscription_details": details})
        payment = self.chance.choice([*PAYMENTS, "pending_if_incomplete"])
        self.v1.subscriptions.update(
            made.id, {"items": [item], "proration_behavior": behavior, "payment_behavior": payment}
        )

    def advance(self) -> None:
        self.desk.shop.advance(self.chance.choice(["1h", "25h", "3d", "8d", "31d"]))

    def cancel(self) -> None:
        made = self.one()
        if made is not None:
            self.v1.subscriptions.cancel(
                made.id, {"prorate": self.chance.random() < 0.5, "invoice_now": self.chance.random() < 0.5}
            )

    def flag(self) -> None:
        made = self.one()
        if made is not None:
            self.v1.subscriptions.update(made.id, {"cancel_at_period_end": self.chance.random() < 0.6})

    def card(self) -> None:
        self.desk.change_card(self.customer, self.chance.choice(CARDS))

    def bills(self, status: str) -> list[Any]:
        return list(self.v1.invoices.list({"status": status, "limit": 100}).data)

    def pay(self) -> None:
        found = self.bills("open") + self.bills("draft")
        if found:
            self.v1.invoices.pay(self.chance.choice(found).id)

    def void(self) -> None:
        found = self.bills("open")
        if found:
            bill = self.chance.choice(found)
            act = self.v1.invoices.void_invoice if self.chance.random() < 0.5 else self.v1.invoices.mark_uncollectible
            act(bill.id)

    def pause(self) -> None:
        made = self.one()
        if made is not None:
            self.v1.subscriptions.pause(
                made.id,
                {"type": "subscription", "invoicing_behavior": self.chance.choice(["invoice", "pending_invoice_item"])},
            )

    def resume(self) -> None:
        made = self.one()
        if made is not None:
            self.v1.subscriptions.resume(
                made.id,
                {
                    "billing_cycle_anchor": {"type": self.chance.choice(["now", "unchanged"])},
                    "payment_behavior": self.chance.choice(["resume_on_payment_attempt", "resume_on_payment_success"]),
                    "proration_behavior": self.chance.choice(BEHAVIORS),
                },
            )

    def item(self) -> None:
        made = self.one()
        if made is None:
            return
        if len(made["items"].data) > 1 and self.chance.random() < 0.5:
            self.v1.subscription_items.delete(
                first_item(made).id, {"proration_behavior": self.chance.choice(BEHAVIORS)}
            )
        else:
            self.v1.subscription_items.create(
                {
                    "subscription": made.id,
                    "price": self.chance.choice(self.prices),
                    "proration_behavior": self.chance.choice(BEHAVIORS),
                }
            )

    def collection(self) -> None:
        made = self.one()
        if made is not None:
            behavior = self.chance.choice(["void", "keep_as_draft", "mark_uncollectible"])
            self.v1.subscriptions.update(
                made.id, {"pause_collection": self.chance.choice(["", {"behavior": behavior}])}
            )

    def schedule(self) -> None:
        made = self.one()
        if made is None:
            return
        if made.schedule:
            self.v1.subscription_schedules.release(made.schedule)
            return
        schedule = self.v1.subscription_schedules.create({"from_subscription": made.id})
        first = schedule.phases[0]
        sold = [{"price": item.price, "quantity": item.quantity} for item in first["items"]]
        now = {"items": sold, "start_date": first.start_date, "end_date": first.end_date}
        later = {"items": [{"price": self.chance.choice(self.prices)}]}
        self.v1.subscription_schedules.update(schedule.id, {"phases": [now, later]})

    def credit(self) -> None:
        found = self.bills("open")
        if found:
            self.v1.credit_notes.create(
                {"invoice": self.chance.choice(found).id, "amount": self.chance.randint(1, 500)}
            )

    def portal(self) -> None:
        session = self.v1.billing_portal.sessions.create({"customer": self.customer}).id
        action = self.chance.choice(
            [
                {"action": "cancel"},
                {"action": "resume"},
                {"action": "card", "card": "4242424242424242"},
                {"action": "switch", "price": self.chance.choice(self.prices)},
            ]
        )
        made = self.one()
        named = {"subscription": made.id} if made is not None and action["action"] != "card" else {}
        answer = self.desk.shop.http.post(f"/_sandbox/portal/{session}", json={**action, **named})
        assert answer.status_code in (200, 400, 402), answer.text

    def check(self) -> None:
        now = self.desk.shop.control("GET", "clock")["now"]
        for made in self.subscriptions():
            assert made.status in STATUSES
            assert self.ended.get(made.id, made.status) == made.status, "nothing leaves a terminal status"
            if made.status in TERMINAL:
                self.ended[made.id] = made.status
                assert made.ended_at is not None
            if made.status in ("active", "past_due", "unpaid", "trialing"):
                assert all(item.current_period_start <= now < item.current_period_end for item in made["items"].data), (
                    made
                )
        for bill in self.v1.invoices.list({"limit": 100}).auto_paging_iter():
            self.check_bill(bill)
        history = [
            one.amount
            for one in self.v1.customers.balance_transactions.list(self.customer, {"limit": 100}).auto_paging_iter()
        ]
        assert self.v1.customers.retrieve(self.customer).balance == sum(history)

    def check_bill(self, bill: Any) -> None:
        lines = (
            list(self.v1.invoices.line_items.list(bill.id, {"limit": 100}).data)
            if bill.lines.has_more
            else bill.lines.data
        )
        net = sum(line.amount - sum(part.amount for part in line.discount_amounts) for line in lines)
        assert (bill.subtotal, bill.total) == (sum(line.amount for line in lines), net)
        assert bill.amount_remaining == bill.amount_due - bill.amount_paid >= 0
        if bill.status != "draft":
            moved = bill.ending_balance - bill.starting_balance
            assert bill.total - moved == bill.amount_due + bill.pre_payment_credit_notes_amount
        if bill.status == "paid":
            assert bill.amount_remaining == 0
        if bill.next_payment_attempt is not None:
            assert bill.status == "open"


@pytest.mark.parametrize("seed", range(6))
def test_the_books_hold_in_any_life(desk: Desk, seed: int) -> None:
    story = Story(desk, seed)
    for _ in range(25):
        story.step()
        story.check()
    assert "sandbox_not_implemented" not in story.refusals
    desk.v1.customers.delete(story.customer)
    log = desk.during()
    desk.shop.advance("100d")
    assert log.types() == []
