"""Every event we tell the world: when, and the names in its `data`; those with `?` are there where they make sense."""

EVENTS: dict[str, tuple[str, str]] = {
    "customer.state_changed": (
        "after any change of what `GET C` shows, once per commit, last",
        "version changes previous",
    ),
    "product.granted": ("ownership begins, whatever its source but default", "product"),
    "product.ended": ("it ends", "product reason"),
    "product.migrated": ("its owner is moved to a newer version of it", "product previous_version"),
    "product.frozen": ("a dispute was opened", "product reason payment_id"),
    "product.unfrozen": ("the dispute was won", "product reason payment_id"),
    "product.access_changed": ("`access` flips", "product reason?"),
    "item.balance_changed": ("an entry is written in the ledger", "item_id quantity held delta kind entry_id source"),
    "item.expiring_soon": (
        "72 hours (a setting) before unspent units are lost, once per instant, not for resets",
        "item_id quantity expires_at",
    ),
    "item.depleted": ("what can be spent goes from above 0 to 0 or below", "item_id quantity"),
    "hold.timed_out": ("a hold's time is over", "id customer item_id quantity expires_at"),
    "subscription.started": ("it is active", "subscription"),
    "subscription.trial_started": ("it is trialing", "subscription"),
    "subscription.trial_ending": ("three days before a trial ends", "subscription trial_end"),
    "subscription.renewal_upcoming": ("Stripe says that the next invoice comes", "subscription"),
    "subscription.renewed": (
        "an invoice for a new period is paid; without Stripe: the calendar turns",
        "subscription period invoice_id",
    ),
    "subscription.changed": ("status, quantity, price, period or schedule differs", "subscription previous"),
    "subscription.cancel_scheduled": ("it will end", "subscription ends_at pending_change?"),
    "subscription.change_scheduled": (
        "it will become another product or quantity",
        "subscription pending_change ends_at?",
    ),
    "subscription.resumed": ("what was scheduled is taken back", "subscription"),
    "subscription.switched": ("a switch is done", "subscription from to"),
    "subscription.past_due": ("a payment failed", "subscription invoice_id next_attempt_at?"),
    "subscription.recovered": ("it was paid after all", "subscription"),
    "subscription.ended": ("it is over", "subscription reason"),
    "checkout.opened": ("a buyer may pay", "session"),
    "checkout.completed": ("the buyer is done", "session"),
    "checkout.expired": ("nobody paid in time", "session"),
    "checkout.failed": ("Stripe said no", "session"),
    "checkout.payment_pending": ("completed, and the money is still under way", "session"),
    "payment.pending": ("money is under way", "payment"),
    "payment.requires_action": ("the buyer has to do something", "payment"),
    "payment.paid": ("the money is there", "payment"),
    "payment.failed": ("it did not come", "payment"),
    "payment.cancelled": ("it will not come", "payment"),
    "payment.refunded": ("a refund succeeded, a partial one too", "payment refund full taken_back"),
    "payment.refund_failed": ("a refund did not", "payment refund full taken_back"),
    "dispute.opened": ("a bank wants the money back", "payment dispute"),
    "dispute.closed": ("it is decided", "payment dispute result"),
    "invoice.created": ("Stripe made one", "invoice"),
    "invoice.paid": ("it is paid", "invoice"),
    "invoice.payment_failed": ("a try failed", "invoice next_attempt_at"),
    "invoice.voided": ("it will not be collected", "invoice"),
    "claim.activated": ("a guest's first purchase is paid", "guest state"),
    "claim.attached": ("a guest's purchases moved to an account", "guest customer"),
    "payment_method.updated": ("the default card changed", "card"),
    "catalog.applied": ("a new version is in force", "version changes"),
    "payout.paid": ("Stripe expects it at the bank", "payout"),
    "payout.failed": ("the bank did not take it", "payout"),
    "incident.opened": ("something a person must see", "kind facts"),
}

WRITTEN_IN_BATCHES = ("item.", "customer.state_changed")
"""What begins like this is written in batches of many customers, where no function of an app's may run."""

INCIDENTS: dict[str, tuple[str, str]] = {
    "duplicate_purchase": (
        "Somebody paid twice for the same thing. The second payment is being refunded, and nothing was granted for it.",
        "checkout_session_id? subscription_id? payment_intent_id refused",
    ),
    "paid_after_cancel": (
        "Money came in for a payment that had been cancelled. Look at it in Stripe, and refund it if it is not owed.",
        "payment_id",
    ),
    "refund_restore_blocked": (
        "A refund failed after the purchase had ended, and the product could not be given back.",
        "payment_id source owned_product_id refused",
    ),
    "unresolved_event": (
        "Stripe told of something that belongs to nobody we know, or of other money than was asked. It is applied as soon as that is cleared up.",
        "object? stripe_customer_id? checkout_session_id? asked? received?",
    ),
    "wrong_mode": (
        "Stripe sent events of the other mode or of another account. A webhook endpoint points to the wrong environment.",
        "stripe_event_id reason livemode account",
    ),
    "mapping_conflict": ("Two customers claim the same customer at Stripe.", "customer stripe_customer_id known"),
    "drift": (
        "What is here and what is at Stripe differ. `paywright reconcile` says where, and mends it with `--fix`.",
        "reconciliation_id? asked_by? noun? name? stripe_id? lines",
    ),
    "account_detached": (
        "The environment was given the key of another Stripe account. What belonged to the old one is history now.",
        "old new",
    ),
    "early_fraud_warning": (
        "A bank fears that a payment is fraud. A refund now spares the dispute and its fee.",
        "payment_id fraud_type refundable",
    ),
    "hook_disabled": (
        "A hook has done nothing but fail for days, or its function is gone, and was switched off.",
        "hook_id url reason?",
    ),
    "letters_undelivered": (
        "E-mails could not be delivered. `paywright emails list` shows which, and why.",
        "letter_id letter",
    ),
}
"""Every kind of `incident.opened`: what to do about it, in the words of the operator's letter, and the names in its `facts`."""
