"""The account, one's own or connected."""

from ..errors import Json

DUE = ["business_profile.url", "business_type", "external_account", "tos_acceptance.date", "tos_acceptance.ip"]


def own_account(id: str, name: str | None) -> Json:
    """The account of the key that asks: open for business from the start."""
    return {
        "id": id,
        "object": "account",
        "business_type": None,
        "capabilities": {
            "card_payments": "active",
            "sepa_debit_payments": "active",
            "us_bank_account_ach_payments": "active",
        },
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": None,
        "metadata": {},
        "payouts_enabled": True,
        "settings": settings(name),
        "type": "standard",
    }


def settings(name: str | None) -> Json:
    return {
        "bacs_debit_payments": {"display_name": None, "service_user_number": None},
        "branding": {"icon": None, "logo": None, "primary_color": None, "secondary_color": None},
        "card_issuing": {"tos_acceptance": {"date": None, "ip": None}},
        "card_payments": {
            "decline_on": {"avs_failure": False, "cvc_failure": False},
            "statement_descriptor_prefix": "SANDBOX",
            "statement_descriptor_prefix_kana": None,
            "statement_descriptor_prefix_kanji": None,
        },
        "dashboard": {"display_name": name, "timezone": "Etc/UTC"},
        "payments": {
            "statement_descriptor": "SANDBOX",
            "statement_descriptor_kana": None,
            "statement_descriptor_kanji": None,
        },
        "sepa_debit_payments": {},
    }


def connected_account(id: str, created: int, *, type: str, country: str, currency: str, name: str | None) -> Json:
    """Closed until its owner was through onboarding."""
    return {
        **own_account(id, name),
        "business_profile": dict.fromkeys(
            (
                "mcc",
                "name",
                "product_description",
                "support_address",
                "support_email",
                "support_phone",
                "support_url",
                "url",
            )
        ),
        "capabilities": {},
        "charges_enabled": False,
        "country": country,
        "created": created,
        "default_currency": currency,
        "details_submitted": False,
        "external_accounts": {
            "object": "list",
            "data": [],
            "has_more": False,
            "url": f"/v1/accounts/{id}/external_accounts",
        },
        "future_requirements": requirements([]),
        "payouts_enabled": False,
        "requirements": requirements(DUE),
        "tos_acceptance": {"date": None, "ip": None, "user_agent": None},
        "type": type,
    }


def requirements(due: list[str]) -> Json:
    return {
        "alternatives": [],
        "current_deadline": None,
        "currently_due": list(due),
        "disabled_reason": "requirements.past_due" if due else None,
        "errors": [],
        "eventually_due": list(due),
        "past_due": list(due),
        "pending_verification": [],
    }
