"""What a payment is and may become: the tables of stripe.md §9, row by row."""

import itertools
from typing import Any

import pytest

from paywright.kernel.model import Customer, Money
from paywright.kernel.refusals import Refusal
from paywright.payments.model import STATUSES, AskedRefund, Payment, PaymentFacts, PaymentStatus, Refund
from paywright.payments.rules import (
    amounts_refunded,
    display_failure,
    dispute_news,
    dispute_status,
    is_disputed,
    missing_proof,
    refund_news,
    refund_of,
    refund_status,
    status_of_charge,
    status_of_intent,
    status_of_invoice,
    steps,
    with_refunds,
)

INTENTS = {
    ("requires_payment_method", False): "pending",
    ("requires_payment_method", True): "failed",
    ("requires_confirmation", False): "pending",
    ("processing", False): "pending",
    ("requires_capture", False): "pending",
    ("requires_action", False): "requires_action",
    ("requires_action", True): "requires_action",
    ("succeeded", False): "paid",
    ("succeeded", True): "paid",
    ("canceled", False): "cancelled",
    ("canceled", True): "cancelled",
    ("requires_a_miracle", False): "pending",
}


@pytest.mark.parametrize(("row", "expected"), INTENTS.items(), ids=[f"{name}-{error}" for name, error in INTENTS])
def test_the_status_of_an_intent(row: tuple[str, bool], expected: str) -> None:
    assert status_of_intent(row[0], has_error=row[1]) == expected


@pytest.mark.parametrize(
    ("status", "captured", "expected"),
    [
        ("succeeded", True, "paid"),
        ("succeeded", False, "pending"),
        ("pending", False, "pending"),
        ("failed", False, "failed"),
        ("unheard_of", True, "pending"),
    ],
)
def test_the_status_of_a_charge_without_an_intent(status: str, captured: bool, expected: str) -> None:
    assert status_of_charge(status, captured=captured) == expected


@pytest.mark.parametrize(
    ("status", "attempted", "expected"),
    [
        ("paid", False, "paid"),
        ("paid", True, "paid"),
        ("void", True, "cancelled"),
        ("uncollectible", True, "failed"),
        ("open", True, "failed"),
        ("open", False, None),
        ("draft", False, None),
        ("unheard_of", True, None),
    ],
)
def test_the_status_of_an_invoice_without_an_intent(status: str, attempted: bool, expected: str | None) -> None:
    assert status_of_invoice(status, attempted=attempted) == expected


# From ↓ to →. "-" the same; "no": ours is kept; "via": paid first, then refunded.
MOVES = """
                  pending  requires_action  paid  failed  refunded  cancelled
pending           -        yes              yes   yes     via       yes
requires_action   yes      -                yes   yes     via       yes
failed            yes      yes              yes   -       via       yes
paid              no       no               -     no      yes       no
refunded          no       no               yes   no      -         no
cancelled         no       no               yes   no      via       -
"""


def moves() -> list[tuple[str, str, str]]:
    head, *lines = MOVES.strip().splitlines()
    return [(row[0], to, cell) for row in map(str.split, lines) for to, cell in zip(head.split(), row[1:], strict=True)]


@pytest.mark.parametrize(("ours", "theirs", "cell"), moves(), ids=lambda part: part)
def test_the_table_of_moves(ours: PaymentStatus, theirs: PaymentStatus, cell: str) -> None:
    expected = {"-": (), "yes": (theirs,), "no": None, "via": ("paid", "refunded")}[cell]
    assert steps(ours, theirs) == expected


def test_the_first_sight_is_taken_as_it_is() -> None:
    assert [steps(None, status) for status in STATUSES if status != "refunded"] == [
        (status,) for status in STATUSES if status != "refunded"
    ]
    assert steps(None, "refunded") == ("paid", "refunded")


def test_a_paid_one_ends_paid_or_refunded_whatever_is_heard() -> None:
    for heard in itertools.product(STATUSES, repeat=4):
        status: PaymentStatus = "paid"
        for theirs in heard:
            moved = steps(status, theirs)
            status = moved[-1] if moved else status
        assert status in ("paid", "refunded")


def refund(status: str, amount: int) -> Refund:
    return Refund("ref_1", "pay_1", status, Money(amount, "usd"), None, None, None, None, 0)


def test_refunds_count_when_they_succeeded_and_hold_while_under_way() -> None:
    found = [refund("succeeded", 20), refund("succeeded", 5), refund("pending", 7), refund("requires_action", 2)]
    nothing = [refund("failed", 100), refund("canceled", 100), refund("refused", 100)]
    assert amounts_refunded([*found, refund("requested", 3), *nothing]) == (25, 12)


def payment(status: PaymentStatus = "paid", amount: int = 5000, **fields: Any) -> Payment:
    known: dict[str, Any] = {
        "amount_refunding": 0,
        "disputed": False,
        "failure": None,
        "customer": Customer("user", "u_1"),
        "checkout_session_id": "chk_1",
        "invoice_id": None,
        "created_at": 0,
        "paid_at": 0,
        "fee": None,
        "net": None,
        "receipt_url": None,
        "stripe_payment_intent_id": "pi_1",
        "stripe_charge_id": "ch_1",
    }
    return Payment(
        id="pay_1", status=status, amount=Money(amount, "usd"), amount_refunded=Money(0, "usd"), **{**known, **fields}
    )


@pytest.mark.parametrize(
    ("paid", "known", "asked", "expected"),
    [
        (payment(), [], AskedRefund("pay_1"), 5000),
        (payment(), [], AskedRefund("pay_1", 2000), 2000),
        (payment(), [refund("succeeded", 2000)], AskedRefund("pay_1", 3000), 3000),
        (payment(), [refund("succeeded", 2000)], AskedRefund("pay_1"), 3000),
        (payment(), [refund("pending", 2000)], AskedRefund("pay_1", 3001), 3000),
        (payment(), [refund("requested", 4999)], AskedRefund("pay_1"), 1),
        (payment(), [refund("refused", 4999), refund("failed", 1)], AskedRefund("pay_1"), 5000),
        (payment("refunded"), [refund("succeeded", 5000)], AskedRefund("pay_1", 1), 0),
        (payment("refunded"), [refund("succeeded", 5000)], AskedRefund("pay_1"), 0),
        (payment(), [], AskedRefund("pay_1", 0), 5000),
        (payment(), [], AskedRefund("pay_1", -1), 5000),
        (payment(disputed=True), [], AskedRefund("pay_1", 1), 0),
    ],
    ids=["all", "part", "P1-rest", "default-rest", "P4-under-way", "requested-counts", "failed-counts-not", "P1-over", "P1-nothing-left", "zero",
         "below-zero", "none-while-disputed"],
)  # fmt: skip
def test_P1_what_may_be_refunded_is_what_is_left(
    paid: Payment, known: list[Refund], asked: AskedRefund, expected: int
) -> None:
    outcome = refund_of(paid, known, asked)
    is_refused = expected == 0 or (asked.amount is not None and not 1 <= asked.amount <= expected)
    assert outcome == (Refusal("refund_too_large", {"refundable": expected}) if is_refused else expected)


@pytest.mark.parametrize("status", ["pending", "requires_action", "failed", "cancelled"])
def test_what_was_not_paid_is_not_refunded(status: PaymentStatus) -> None:
    assert refund_of(payment(status), [], AskedRefund("pay_1")) == Refusal("nothing_was_paid")


def test_what_came_without_a_charge_is_not_refunded() -> None:
    free = payment(amount=0, stripe_payment_intent_id=None, stripe_charge_id=None)
    by_bank = payment(stripe_payment_intent_id=None, stripe_charge_id=None)
    assert [refund_of(each, [], AskedRefund("pay_1")) for each in (free, by_bank)] == [Refusal("nothing_was_paid")] * 2


def test_P6_a_one_time_payment_has_no_period_to_end_at() -> None:
    at_period_end = AskedRefund("pay_1", end="period_end")
    assert refund_of(payment(), [], at_period_end) == Refusal("no_period")
    assert refund_of(payment(subscription_id="sub_1"), [], at_period_end) == 5000


@pytest.mark.parametrize(
    ("status", "received", "returned", "expected"),
    [
        ("paid", 5000, 0, "paid"),
        ("paid", 5000, 2000, "paid"),
        ("paid", 5000, 5000, "refunded"),
        ("paid", 5000, 5001, "refunded"),
        ("paid", 0, 0, "paid"),
        ("failed", 5000, 5000, "failed"),
    ],
    ids=["P1-none", "P1-part", "P1-all", "more", "free", "not-paid"],
)
def test_refunded_is_when_all_of_it_is_returned(
    status: PaymentStatus, received: int, returned: int, expected: str
) -> None:
    assert with_refunds(status, received, returned) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "kept", "news"),
    [
        (None, "pending", "pending", None),
        (None, "succeeded", "succeeded", "refunded"),
        (None, "failed", "failed", "refund_failed"),
        ("pending", "succeeded", "succeeded", "refunded"),
        ("pending", "canceled", "canceled", "refund_failed"),
        ("succeeded", "succeeded", "succeeded", None),
        ("succeeded", "failed", "failed", "refund_failed"),
        ("succeeded", "pending", "succeeded", None),
        ("failed", "succeeded", "failed", None),
        ("requires_action", "succeeded", "succeeded", "refunded"),
    ],
)
def test_a_refund_can_succeed_and_fail_later(ours: str | None, theirs: str, kept: str, news: str | None) -> None:
    assert refund_status(ours, theirs) == kept
    assert refund_news(ours, kept) == news


DISPUTES = {
    "warning_needs_response": (False, ()),
    "warning_under_review": (False, ()),
    "warning_closed": (False, ()),
    "needs_response": (True, ("opened",)),
    "under_review": (True, ("opened",)),
    "won": (False, ("opened", "won")),
    "lost": (True, ("opened", "lost")),
    "prevented": (False, ()),
    "status_of_next_year": (True, ("opened",)),
}


@pytest.mark.parametrize(("status", "expected"), DISPUTES.items(), ids=DISPUTES.keys())
def test_a_dispute_by_its_status(status: str, expected: tuple[bool, tuple[str, ...]]) -> None:
    assert (is_disputed([status]), dispute_news(None, status)) == expected


@pytest.mark.parametrize(
    ("ours", "theirs", "kept", "news"),
    [
        ("warning_needs_response", "needs_response", "needs_response", ("opened",)),
        ("needs_response", "under_review", "under_review", ()),
        ("under_review", "won", "won", ("won",)),
        ("under_review", "lost", "lost", ("lost",)),
        ("lost", "needs_response", "lost", ()),
        ("lost", "appeal_under_review", "lost", ()),
        ("lost", "won", "won", ("won",)),
        ("warning_closed", "warning_under_review", "warning_closed", ()),
    ],
)
def test_a_closed_dispute_accepts_only_another_closed_status(
    ours: str, theirs: str, kept: str, news: tuple[str, ...]
) -> None:
    assert dispute_status(ours, theirs) == kept
    assert dispute_news(ours, kept) == news


def test_one_charge_can_have_several_disputes() -> None:
    assert is_disputed(["won", "under_review"])
    assert not is_disputed(["won", "warning_closed"])
    assert not is_disputed([])


FAILURES = {
    ("card_declined", "insufficient_funds"): "insufficient_funds",
    ("card_declined", "generic_decline"): "card_declined",
    ("card_declined", "lost_card"): "card_declined",
    ("card_declined", "stolen_card"): "card_declined",
    ("card_declined", "pickup_card"): "card_declined",
    ("card_declined", "restricted_card"): "card_declined",
    ("card_declined", "security_violation"): "card_declined",
    ("card_declined", "fraudulent"): "card_declined",
    ("card_declined", "merchant_blacklist"): "card_declined",
    ("processing_error", "fraudulent"): "card_declined",
    ("card_declined", "card_velocity_exceeded"): "card_velocity_exceeded",
    ("card_declined", "currency_not_supported"): "currency_not_supported",
    ("card_declined", "a_code_of_next_year"): "card_declined",
    ("card_declined", None): "card_declined",
    ("expired_card", None): "expired_card",
    ("incorrect_cvc", "incorrect_cvc"): "incorrect_cvc",
    ("incorrect_number", None): "incorrect_number",
    ("incorrect_zip", None): "incorrect_zip",
    ("processing_error", None): "processing_error",
    ("authentication_required", "authentication_required"): "authentication_required",
    ("payment_intent_authentication_failure", None): "authentication_failed",
    ("payment_intent_payment_attempt_failed", None): "payment_failed",
    ("account_closed", None): "payment_failed",
    (None, None): "payment_failed",
}


@pytest.mark.parametrize(("said", "shown"), FAILURES.items(), ids=[f"{code}-{decline}" for code, decline in FAILURES])
def test_a_buyer_reads_only_what_tells_a_thief_nothing(said: tuple[str | None, str | None], shown: str) -> None:
    failure = display_failure(*said)
    assert failure.code == shown
    assert failure.message.endswith(".")


def facts(**fields: object) -> PaymentFacts:
    plain = {
        "fact": "payment_intent pi_1",
        "status": "paid",
        "stripe_status": "succeeded",
        "amount": 1999,
        "currency": "usd",
        "livemode": False,
        "created_at": 0,
        "amount_received": 1999,
    }
    return PaymentFacts(**plain | fields)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, None),
        ({"amount_received": 2000}, None),
        ({"amount_received": 1998}, "amount_differs"),
        ({"amount_received": 0}, "amount_differs"),
        ({"amount_received": 1000, "may_receive_less": True}, None),
        ({"status": "failed", "amount_received": 0}, None),
        ({"amount": 0, "amount_received": 0}, None),
    ],
    ids=["all", "more", "one less", "nothing", "captured by hand", "not paid", "free"],
)
def test_paid_is_believed_when_what_was_asked_has_come(fields: dict[str, object], expected: str | None) -> None:
    assert missing_proof(facts(**fields)) == expected
