"""
Keys that every answer holds, null or not, for the objects we emit: what the `.d.ts` of npm `stripe` marks as never absent.

Written by hand for API 2026-10-28.endive. A missing key makes the SDK raise AttributeError in a user's code.
"""

ALWAYS_PRESENT: dict[str, frozenset[str]] = {
    name: frozenset(keys.split())
    for name, keys in {
        "account": ("id object charges_enabled details_submitted email payouts_enabled type"),
        "balance": ("object available livemode pending"),
        "balance_transaction": (
            "id object amount available_on balance_type created currency description exchange_rate fee "
            "fee_details net reporting_category source status type"
        ),
        "billing_portal.configuration": (
            "id object active application business_profile created default_return_url features is_default "
            "livemode login_page metadata name updated"
        ),
        "billing_portal.session": (
            "id object configuration created customer customer_account flow livemode locale on_behalf_of return_url url"
        ),
        "charge": (
            "id object amount amount_captured amount_refunded application application_fee application_fee_amount "
            "balance_transaction billing_details calculated_statement_descriptor captured created currency "
            "customer description disputed failure_balance_transaction failure_code failure_message fraud_details "
            "livemode metadata on_behalf_of outcome paid payment_intent payment_method payment_method_details "
            "receipt_email receipt_number receipt_url refunded review shipping source source_transfer "
            "statement_descriptor statement_descriptor_suffix status transfer_data transfer_group"
        ),
        "checkout.session": (
            "id object adaptive_pricing after_expiration allow_promotion_codes allowed_payment_method_types "
            "amount_subtotal amount_total automatic_tax billing_address_collection cancel_url client_reference_id "
            "client_secret collected_information consent consent_collection created currency currency_conversion "
            "custom_fields custom_text customer customer_account customer_creation customer_details "
            "customer_email discounts expires_at integration_identifier invoice invoice_creation livemode locale "
            "managed_payments metadata mode origin_context payment_intent payment_link payment_method_collection "
            "payment_method_configuration_details payment_method_options payment_method_types payment_status "
            "permissions recovered_from saved_payment_method_options setup_intent shipping_address_collection "
            "shipping_cost shipping_options status submit_type subscription success_url total_details ui_mode url "
            "wallet_options"
        ),
        "coupon": (
            "id object amount_off created currency duration duration_in_months livemode max_redemptions metadata "
            "name percent_off redeem_by times_redeemed valid"
        ),
        "credit_note": (
            "id object amount amount_shipping created currency customer customer_account "
            "customer_balance_transaction discount_amount discount_amounts effective_at invoice lines livemode "
            "memo metadata number out_of_band_amount pdf post_payment_amount pre_payment_amount "
            "pretax_credit_amounts reason refunds shipping_cost status subtotal subtotal_excluding_tax total "
            "total_excluding_tax total_taxes type voided_at"
        ),
        "customer": (
            "id object balance created default_source description email invoice_settings livemode metadata shipping"
        ),
        "customer_balance_transaction": (
            "id object amount checkout_session created credit_note currency customer customer_account description "
            "ending_balance invoice livemode metadata type"
        ),
        "discount": (
            "id object checkout_session customer customer_account end invoice invoice_item promotion_code source "
            "start subscription subscription_item"
        ),
        "dispute": (
            "id object amount balance_transactions charge created currency enhanced_eligibility_types evidence "
            "evidence_details intended_submission_method is_charge_refundable livemode metadata payment_intent "
            "reason status"
        ),
        "event": ("id object api_version created data livemode pending_webhooks request type"),
        "invoice": (
            "id object account_country account_name account_tax_ids amount_due amount_overpaid amount_paid "
            "amount_remaining amount_shipping application attempt_count attempted automatic_tax "
            "automatically_finalizes_at billing_reason collection_method created currency custom_fields customer "
            "customer_account customer_address customer_email customer_name customer_phone customer_shipping "
            "customer_tax_exempt default_payment_method default_source default_tax_rates description discounts "
            "due_date effective_at ending_balance footer from_invoice issuer last_finalization_error "
            "latest_revision lines livemode metadata next_payment_attempt number on_behalf_of parent "
            "payment_settings period_end period_start post_payment_credit_notes_amount "
            "pre_payment_credit_notes_amount receipt_number rendering shipping_cost shipping_details "
            "starting_balance statement_descriptor status status_transitions subtotal subtotal_excluding_tax "
            "test_clock total total_discount_amounts total_excluding_tax total_pretax_credit_amounts total_taxes "
            "webhooks_delivered_at"
        ),
        "invoice_payment": (
            "id object amount_paid amount_requested created currency invoice is_default livemode payment status "
            "status_transitions"
        ),
        "invoiceitem": (
            "id object amount currency customer customer_account date description discountable discounts invoice "
            "livemode metadata parent period pricing proration quantity quantity_decimal tax_rates test_clock"
        ),
        "item": (
            "id object adjustable_quantity amount_discount amount_subtotal amount_tax amount_total currency "
            "description metadata price quantity"
        ),
        "line_item": (
            "id object amount currency description discount_amounts discountable discounts invoice livemode "
            "metadata parent period pretax_credit_amounts pricing quantity quantity_decimal subscription subtotal "
            "taxes"
        ),
        "payment_intent": (
            "id object allowed_payment_method_types amount amount_capturable amount_received application "
            "application_fee_amount automatic_payment_methods canceled_at cancellation_reason capture_method "
            "client_secret confirmation_method created currency customer customer_account description "
            "excluded_payment_method_types last_payment_error latest_charge livemode managed_payments metadata "
            "next_action on_behalf_of payment_method payment_method_configuration_details payment_method_options "
            "payment_method_types payment_record processing receipt_email review setup_future_usage shipping "
            "source statement_descriptor statement_descriptor_suffix status transfer_group"
        ),
        "payment_method": ("id object billing_details created customer customer_account livemode metadata type"),
        "payout": (
            "id object amount application_fee application_fee_amount arrival_date automatic balance_transaction "
            "created currency description destination failure_balance_transaction failure_code failure_message "
            "livemode metadata method original_payout payout_method reconciliation_status reversed_by source_type "
            "statement_descriptor status trace_id type"
        ),
        "price": (
            "id object active billing_scheme created currency custom_unit_amount livemode lookup_key metadata "
            "nickname product recurring tax_behavior tiers_mode transform_quantity type unit_amount "
            "unit_amount_decimal"
        ),
        "product": (
            "id object active created description images livemode marketing_features metadata name "
            "package_dimensions shippable tax_details type updated url"
        ),
        "promotion_code": (
            "id object active code created customer customer_account expires_at livemode max_redemptions metadata "
            "promotion restrictions times_redeemed"
        ),
        "radar.early_fraud_warning": ("id object actionable charge created fraud_type livemode"),
        "refund": (
            "id object amount balance_transaction charge created currency customer customer_account metadata "
            "payment_intent payment_method reason receipt_number source_transfer_reversal status "
            "transfer_reversal"
        ),
        "setup_attempt": (
            "id object application created customer customer_account flow_directions livemode on_behalf_of "
            "payment_method payment_method_details setup_error setup_intent status usage"
        ),
        "setup_intent": (
            "id object allowed_payment_method_types application automatic_payment_methods cancellation_reason "
            "client_secret created customer description excluded_payment_method_types last_setup_error "
            "latest_attempt livemode mandate metadata next_action on_behalf_of payment_method "
            "payment_method_configuration_details payment_method_options payment_method_types single_use_mandate "
            "status usage"
        ),
        "subscription": (
            "id object application application_fee_percent automatic_tax billing_cycle_anchor "
            "billing_cycle_anchor_config billing_mode billing_schedules billing_thresholds cancel_at "
            "cancel_at_period_end canceled_at cancellation_details collection_method created currency customer "
            "customer_account days_until_due default_payment_method default_source description discounts ended_at "
            "invoice_settings items latest_invoice livemode managed_payments metadata "
            "next_pending_invoice_item_invoice on_behalf_of pause_collection payment_settings "
            "pending_invoice_item_interval pending_setup_intent pending_update schedule start_date status "
            "test_clock transfer_data trial_end trial_settings trial_start"
        ),
        "subscription_item": (
            "id object billing_thresholds created current_period_end current_period_start current_trial discounts "
            "metadata plan price subscription tax_rates"
        ),
        "subscription_schedule": (
            "id object application billing_mode canceled_at completed_at created current_phase customer "
            "customer_account default_settings end_behavior livemode metadata pause_schedules phases released_at "
            "released_subscription status subscription test_clock"
        ),
        "tax_rate": (
            "id object active country created description display_name effective_percentage flat_amount inclusive "
            "jurisdiction jurisdiction_level livemode metadata percentage rate_type state tax_type"
        ),
        "test_helpers.test_clock": ("id object created deletes_after frozen_time livemode name status status_details"),
        "webhook_endpoint": (
            "id object api_version application created description enabled_events livemode metadata status url"
        ),
        "mandate": ("id object customer_acceptance livemode payment_method payment_method_details status type"),
        "token": ("id object client_ip created livemode type used"),
        "confirmation_token": (
            "id object created expires_at livemode metadata payment_intent payment_method_options "
            "payment_method_preview return_url setup_future_usage setup_intent shipping use_stripe_sdk"
        ),
        "transfer": (
            "id object amount amount_reversed balance_transaction created currency description destination "
            "livemode metadata reversals reversed source_transaction transfer_group"
        ),
        "transfer_reversal": (
            "id object amount balance_transaction created currency destination_payment_refund metadata "
            "source_refund transfer"
        ),
        "account_link": ("object created expires_at url"),
    }.items()
}
