"""
Which tests are told again with every uncertain point of Stripe's behaviour in its other form, all at once.

Left out are the tests that state one form: what each of them pins down stands beside it, and its other form is in test_variants.py,
test_subscription_clocks.py or test_other_forms.py.
"""

FORMS = ("usual", "thrown")
STORIES = frozenset(
    f"tests.contract.test_{name}"
    for name in (
        "billing_stories checkout_discounts checkout_pages checkout_payment checkout_subscription connect credit_notes customer_balances "
        "customers disputes invoice_editing invoice_page invoices notices pauses payment_intents payment_methods payouts portal portal_page "
        "products refunds renewals schedules search setup_attempts subscription_changes subscriptions tax_rates thin_events tokens"
    ).split()
)
STATES_ONE_FORM = {
    "test_2_a_subscription_by_card": "U1, U15: created active, before its invoice",
    "test_2_with_3ds": "U15: the subscription before its invoice",
    "test_3_a_trial_saves_a_card_and_takes_nothing": "U15: the subscription before its invoice",
    "test_12_a_subscription_by_bank_debit": "U2: active while the debit is under way",
    "test_11_a_card_that_charges_back": "U8: a chargeback cannot be refunded",
    "test_an_inquiry_can_escalate": "U3: charge.updated follows",
    "test_golden_prorations": "U5: halves go away from zero",
    "test_two_changes_in_one_period_credit_what_the_first_charged": "U5: halves go away from zero",
    "test_a_schedule_says_a_week_before_that_it_ends": "U6: completed, then released",
    "test_what_is_not_captured_in_seven_days_lapses": "U17: the reason is automatic",
    "test_sequence_2b_by_api_with_a_saved_card": "U15: the subscription before its invoice",
    "test_sequence_2c_a_first_payment_that_fails_expires_after_23_hours": "U15: the subscription before its invoice",
    "test_sequence_3_a_trial_costs_nothing_and_sequence_4_ends": "U15: the subscription before its invoice",
    "test_uncertain_forms_of_a_beginning": "U1, U15: each on its own",
}


def is_told_twice(module: str, test: str) -> bool:
    return module in STORIES and test not in STATES_ONE_FORM
