"""The balance, its transactions, and the account itself."""

from ..errors import Json
from ..listing import page
from ..machine import balance
from ..objects.accounts import own_account
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
    """A connected account is shown as its platform knows it."""
    known = work.platform.objects.get("account", {}).get(work.account.id) if work.platform else None
    return known or own_account(work.account.id, work.account.name)
