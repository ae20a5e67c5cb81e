"""Stripe's subscriptions as we saw them last, and what we asked Stripe to change about them."""

from sqlalchemy import BigInteger, Index, Table

from paywright.storage.schema import (
    Column,
    Flag,
    Ident,
    Instant,
    JsonText,
    customer_column,
    environment_column,
    metadata,
)

subscriptions = Table(
    "subscriptions",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="Stripe's"),
    customer_column(),
    Column("status", Ident, nullable=False),
    Column("items", JsonText, nullable=False, comment="price, quantity and interval of each"),
    Column("current_period_start", Instant),
    Column("current_period_end", Instant),
    Column("cancel_at_period_end", Flag, nullable=False),
    Column("ends_at", Instant),
    Column("ended_at", Instant),
    Column("trial_end", Instant),
    Column("past_due_since", Instant),
    Column("latest_invoice_id", Ident),
    Column("schedule_id", Ident, comment="of the schedule that will change it, while there is one"),
    Column("changes_at", Instant, comment="when that schedule's next phase begins"),
    Column("trial_ending_told", Instant, comment="the trial's end that subscription.trial_ending was told of"),
    Column("renewal_upcoming_told", Instant, comment="the period's end that subscription.renewal_upcoming was told of"),
    Column("started_at", Instant, nullable=False),
    Column("seen_at", BigInteger, nullable=False),
    Index("ix_subscriptions_customer", "environment_id", "customer", "started_at"),
    Index("ix_subscriptions_started_at", "environment_id", "started_at", "id"),
)

subscription_changes = Table(
    "subscription_changes",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True, comment="part of the Idempotency-Key sent to Stripe"),
    Column("subscription_id", Ident, nullable=False),
    Column("kind", Ident, nullable=False, comment="what is asked: see STEPS in changes.py"),
    Column("object_id", Ident, comment="the schedule or invoice it is asked of; null: the subscription"),
    Column("parameters", JsonText, nullable=False),
    Column("follow_ups", JsonText, nullable=False, comment="what is asked next, after a yes and after a no"),
    Column("quote_id", Ident),
    Column("status", Ident, nullable=False, comment="requested, due, waiting (for the buyer), done or refused"),
    Column("last_error", Ident),
    Column("refusal", JsonText, comment="code and facts of a no, for whoever asks again"),
    Column("created_at", Instant, nullable=False, comment="wall clock"),
    Index("ix_subscription_changes_status", "status", "created_at"),
)

switch_quotes = Table(
    "switch_quotes",
    metadata,
    environment_column(),
    Column("id", Ident, primary_key=True),
    customer_column(),
    Column("owned_product_id", Ident, nullable=False),
    Column("from_product_id", Ident, nullable=False, comment="as it was asked for: a product or an owned product"),
    Column("to_product_id", Ident, nullable=False),
    Column("version_id", Ident, nullable=False),
    Column("price_id", Ident, nullable=False),
    Column("quantity", BigInteger, nullable=False),
    Column("direction", Ident, nullable=False),
    Column("happens", Ident, nullable=False, comment="now or period_end"),
    Column("asked_at", Ident, comment="the override, if there was one"),
    Column("effective_at", Instant, nullable=False),
    Column("currency", Ident, nullable=False),
    Column("due_now", BigInteger, nullable=False, comment="minor units"),
    Column("told", JsonText, nullable=False, comment="lines, next invoice and items, as they were shown"),
    Column("proration_date", Instant, comment="whole seconds, as Stripe counts them"),
    Column("payment_method_id", Ident, comment="the card it would be charged to"),
    Column("stripe_price_id", Ident),
    Column(
        "fingerprint", Ident, nullable=False, comment="of the subscription and the target; another one voids the quote"
    ),
    Column("created_at", Instant, nullable=False),
    Column("expires_at", Instant, nullable=False),
    Column("used_at", Instant),
    Index("ix_switch_quotes_customer", "environment_id", "customer", "created_at"),
)

duplicate_subscriptions = Table(
    "duplicate_subscriptions",
    metadata,
    environment_column(),
    Column("subscription_id", Ident, primary_key=True, comment="lost a race; somebody was told"),
    Column("told_at", Instant, nullable=False),
)

trial_uses = Table(
    "trial_uses",
    metadata,
    environment_column(),
    customer_column(primary_key=True),
    Column("place", Ident, primary_key=True, comment="line:… or product:…; a trial is had once for each"),
    Column("subscription_id", Ident, nullable=False),
    Column("started_at", Instant, nullable=False),
)
