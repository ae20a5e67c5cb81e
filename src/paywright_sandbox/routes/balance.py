"""The balance, its transactions, and the account itself."""

from ..errors import Json
from ..listing import page
from ..machine import balance
from ..routing import route
from ..work import Work


@route("GET /v1/balance", note="Only `available` and `pending`; funds become available two days after the charge.")
def retrieve(work: Work, parameters: Json) -> Json:
    return balance.balance(work)


@route("GET /v1/balance_transactions/{id}")
def retrieve_transaction(work: Work, parameters: Json, id: str) -> Json:
    return work.require("balance_transaction", id)


@route(
    "GET /v1/balance_transactions",
    acts_on="created currency ending_before limit payout source starting_after type",
)
def list_transactions(work: Work, parameters: Json) -> Json:
    payout = parameters.get("payout")

    def fits(transaction: Json) -> bool:
        return payout is None or transaction.get("_payout") == payout

    return page(work, "balance_transaction", parameters, "currency", "source", "type", keep=fits)


@route("GET /v1/account", note="A fixed account in the US; its name is the one given to the control API.")
def account(work: Work, parameters: Json) -> Json:
    name = work.account.name
    return {
        "id": work.account.id,
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
        "settings": {
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
        },
        "type": "standard",
    }
