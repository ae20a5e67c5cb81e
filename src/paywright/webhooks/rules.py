"""
What a delivery from Stripe is worth: is it Stripe's, do we act on its type, and when is a failed one tried again.

Source of the signature: https://docs.stripe.com/webhooks#verify-manually, and the SDK's `WebhookSignature`. Written by hand, on bytes, because the
SDK's verifier accepts any future stamp and raises on a non-ASCII signature and on a body that is not UTF-8.
"""

import hmac
import re
from collections.abc import Iterable
from typing import Literal

import msgspec

from paywright.environments.model import Environment
from paywright.webhooks.model import Arrival, Noun

TOLERANCE_S = 300
BODY_BYTES_MAX = 2 * 1024 * 1024
HEADER_CHARACTERS_MAX = 4096

SignatureFault = Literal["missing", "malformed", "wrong", "stale", "future"]

_SECONDS = re.compile(r"[0-9]{1,12}")


def signature_fault(
    secrets: Iterable[str], raw_body: bytes, header: str | None, *, now_s: int
) -> SignatureFault | None:
    """
    None: one of `secrets` signed exactly these bytes within 300 s of `now_s`, before or after.

    `header` is `t=seconds,v1=hex[,v1=hex]…`: several `v1` while a secret is rolled; other schemes are passed over. A stamp that lies ahead is refused
    too, because it could be replayed for as long as it lies ahead.
    """
    if not header:
        return "missing"
    stamp, signatures = _parts(header)
    if stamp is None or not signatures:
        return "malformed"
    signed = b"%d." % stamp + raw_body
    genuine = False
    for secret in secrets:
        expected = hmac.digest(secret.encode(), signed, "sha256").hex().encode()
        for signature in signatures:
            genuine |= hmac.compare_digest(expected, signature)
    if not genuine:
        return "wrong"
    if stamp < now_s - TOLERANCE_S:
        return "stale"
    return "future" if stamp > now_s + TOLERANCE_S else None


def _parts(header: str) -> tuple[int | None, list[bytes]]:
    """The stamp and every `v1`. Text that no server sends becomes bytes that match nothing."""
    if len(header) > HEADER_CHARACTERS_MAX:
        return None, []
    stamps: list[str] = []
    signatures: list[bytes] = []
    for part in header.split(","):
        scheme, _, value = part.partition("=")
        if scheme == "t":
            stamps.append(value)
        elif scheme == "v1":
            signatures.append(value.encode("utf-8", "replace"))
    if not stamps or not _SECONDS.fullmatch(stamps[0]):
        return None, []
    return int(stamps[0]), signatures


class Acts(msgspec.Struct, frozen=True):
    """What a type of Stripe event makes us look at: its root, and what else is fetched and applied in the same work."""

    noun: Noun
    then: tuple[Noun, ...]
    is_asked: bool
    why: str


# Every line means "fetch the root and project it". asked: in the list an endpoint is made with; handled: acted on if it comes. `*` stands
# for the beginning of the row's first type. Anything that is not here is stored and ignored, `unknown_type`.
_TABLE: tuple[tuple[Noun, str, str, str, str], ...] = (
    # root, then, asked ●, handled ○, why
    ("checkout_session", "", "checkout.session.completed", "", "the buyer finished; grants only what is paid or needs no payment"),
    ("checkout_session", "", "checkout.session.async_payment_succeeded", "", "a bank debit cleared, days later"),
    ("checkout_session", "", "checkout.session.async_payment_failed", "", "it bounced; nothing was granted"),
    ("checkout_session", "", "checkout.session.expired", "", "24 h passed or we expired it; frees the one open checkout"),
    ("payment_intent", "", "payment_intent.succeeded", "", "the money is in"),
    ("payment_intent", "", "payment_intent.payment_failed", "", "a decline; the same intent may still succeed"),
    ("payment_intent", "", "payment_intent.requires_action *processing", "", "3-D Secure or a voucher; a bank debit under way"),
    ("payment_intent", "", "payment_intent.amount_capturable_updated", "", "manual capture"),
    ("payment_intent", "", "payment_intent.canceled", "", "will never be paid"),
    ("payment_intent", "", "", "payment_intent.created *partially_funded", "nothing to act on, a row if it is ours"),
    ("charge", "", "", "charge.succeeded *failed *pending *captured *expired", "echoes; the only news of charges without an intent"),
    ("charge", "", "charge.updated", "", "the balance transaction arrives after the success: fee, net, receipt"),
    ("charge", "", "charge.refunded", "", "refunded elsewhere, e.g. in Stripe's dashboard; carries no refund list"),
    ("refund", "", "refund.created *updated *failed", "charge.refund.updated", "a refund can succeed and fail later"),
    ("dispute", "", "charge.dispute.created", "", "an inquiry or a chargeback: its status tells"),
    ("dispute", "", "charge.dispute.updated", "", "evidence, review, appeal"),
    ("dispute", "", "charge.dispute.funds_withdrawn *funds_reinstated", "", "amounts and fee only: withdrawn is not lost"),
    ("dispute", "", "charge.dispute.closed", "", "won, lost, or a closed inquiry; may arrive before created"),
    ("charge", "", "radar.early_fraud_warning.created *updated", "", "the only notice before a chargeback"),
    ("invoice", "", "invoice.finalized", "", "number and hosted URL, shown to the customer"),
    ("invoice", "payment_intent subscription", "invoice.paid", "", "the proof of money for a period; also for zero and out of band"),
    ("invoice", "payment_intent subscription", "invoice.payment_failed", "", "dunning starts or goes on"),
    ("invoice", "payment_intent", "invoice.payment_action_required", "", "the renewal needs the buyer"),
    ("invoice", "payment_intent", "invoice.voided *marked_uncollectible", "", "it will not be collected"),
    ("invoice", "", "invoice.finalization_failed", "", "tax or address missing: nobody is billed until mended"),
    ("subscription", "", "invoice.upcoming", "", "no id, nothing to store: the subscription renews soon"),
    ("invoice", "", "", "invoice.updated *overpaid *overdue *will_be_due *sent", "noisy, or for accounts that send invoices"),
    ("invoice", "", "", "invoice.created *payment_succeeded *payment_attempt_required *deleted", "an unanswered created delays collection"),
    ("invoice", "payment_intent", "invoice_payment.paid", "", "the intent no longer names its invoice: links the two"),
    ("invoice", "", "", "credit_note.created *updated *voided", "credited after payment"),
    ("subscription", "", "customer.subscription.created *updated", "", "status, items, period, scheduled cancel"),
    ("subscription", "", "customer.subscription.deleted", "", "terminal, at Stripe's end instant"),
    ("subscription", "", "customer.subscription.paused *resumed", "", "the status is paused, not only the collection"),
    ("subscription", "", "customer.subscription.trial_will_end", "", "3 days before, or at once when ended early"),
    ("subscription", "", "customer.subscription.pending_update_applied *pending_update_expired", "", "a pending change done or gone"),
    ("subscription", "", "subscription_schedule.created *updated *released *canceled *completed *aborted *expiring", "", "a downgrade"),
    ("customer", "", "customer.updated", "customer.created", "changed in the portal, or made by Checkout"),
    ("customer", "", "customer.deleted", "", "the mapping closes; its subscriptions have events of their own"),
    ("customer", "", "setup_intent.succeeded *setup_failed", "setup_intent.created *requires_action *canceled", "a saved card"),
    ("customer", "", "payment_method.attached *detached *updated *automatically_updated", "", "the network renews cards by itself"),
    ("payout", "", "payout.created *updated *paid *failed *canceled *reconciliation_completed", "", "paid means expected"),
    ("account", "", "account.updated *application.deauthorized", "", "charges and payouts enabled; the owner removed us"),
    ("product", "", "", "product.updated *deleted", "a drift mark: our catalog is the truth, and is never changed from there"),
    ("price", "", "", "price.updated *deleted", "a drift mark, as of products"),
)  # fmt: skip

NOT_ASKED = frozenset(
    "entitlements.active_entitlement_summary.updated "
    "test_helpers.test_clock.ready billing_portal.session.created".split()
)
"""Known, and nothing to us: access is our own."""

SYNCED: frozenset[Noun] = frozenset(
    {
        "checkout_session",
        "payment_intent",
        "charge",
        "refund",
        "dispute",
        "invoice",
        "subscription",
        "customer",
        "payout",
        "account",
        "product",
        "price",
    }
)
"""Nouns a room of ours fetches and projects. Stripe events about others are kept as `not_asked`, and can be replayed when they are."""


def _spelt(words: str) -> list[str]:
    """`invoice.updated *sent` is `invoice.updated`, `invoice.sent`."""
    first, *more = words.split() or [""]
    beginning = first.rpartition(".")[0]
    return [first, *(f"{beginning}.{word.removeprefix('*')}" for word in more)] if first else []


def _acts() -> dict[str, Acts]:
    acts: dict[str, Acts] = {}
    for noun, then, asked, handled, why in _TABLE:
        for words, is_asked in ((asked, True), (handled, False)):
            for event_type in _spelt(words):
                assert event_type not in acts, event_type
                acts[event_type] = Acts(noun, tuple(then.split()), is_asked, why)  # type: ignore[arg-type]
    return acts


EVENT_TYPES: dict[str, Acts] = _acts()
ASKED_EVENTS = tuple(event_type for event_type, acts in EVENT_TYPES.items() if acts.is_asked)
"""What an endpoint at Stripe is made with: `enabled_events`."""


def why_ignored(arrival: Arrival, environment: Environment) -> str | None:
    """The reason to do nothing about a genuine delivery; None: act on it."""
    if arrival.livemode != environment.livemode:
        return "wrong_mode"
    if arrival.account != environment.stripe_account:
        return "wrong_account"
    acts = EVENT_TYPES.get(arrival.type)
    if acts is None:
        return "not_asked" if arrival.type in NOT_ASKED else "unknown_type"
    if acts.noun not in SYNCED:
        return "not_asked"
    return "not_ours" if arrival.root is None else None


RETRY_AFTER_S = (10, 60, 300, 1_800, 7_200, 21_600, 43_200, 86_400)
"""After the first failure, the second, … Then it is a dead letter: only a person, or Stripe's own redelivery, tries again."""


def next_try_ms(attempts: int, now: int, spread: float) -> int | None:
    """When an event that has failed `attempts` times is tried again; None: never. `spread` in 0…1 moves it by up to 10 % either way."""
    assert attempts >= 1
    if attempts > len(RETRY_AFTER_S):
        return None
    return now + round(RETRY_AFTER_S[attempts - 1] * 1000 * (0.9 + 0.2 * spread))


PAUSE_S_MAX = 60


def pause_ms(pauses: int, spread: float) -> int:
    """How long an environment's lane rests when Stripe is busy, down or refuses the key: 1 s, doubling to 60 s, less up to half by `spread`."""
    assert pauses >= 1
    doubled: int = 2 ** min(pauses - 1, 6)
    return round(min(PAUSE_S_MAX, doubled) * 1000 * (1 - 0.5 * spread))
