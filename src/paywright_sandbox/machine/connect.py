"""Connected accounts: made by a platform, opened by onboarding. Each is an account of its own in the store; the platform keeps its record."""

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..objects.accounts import connected_account, requirements
from ..objects.customers import deleted
from ..work import Work

KIND = "account"
CURRENCIES = {"US": "usd", "GB": "gbp", "JP": "jpy", "CA": "cad", "AU": "aud", "CH": "chf"}
LINK_LIFE_S = 300


def create(work: Work, wish: Json) -> Json:
    country = (wish.get("country") or "US").upper()
    if len(country) != 2 or not country.isalpha():
        raise invalid(f"Country '{country}' is unknown.", param="country", code="country_unsupported")
    if work.account.parent:
        raise invalid("A connected account cannot have connected accounts of its own.")
    assert work.open_account is not None
    name = (wish.get("business_profile") or {}).get("name")
    opened = work.open_account(name)
    made = connected_account(
        opened.id,
        work.now,
        type=wish.get("type", "standard"),
        country=country,
        currency=(wish.get("default_currency") or CURRENCIES.get(country, "eur")).lower(),
        name=name,
    )
    apply(made, wish)
    return work.save(made)


def apply(made: Json, wish: Json) -> None:
    take(made, wish, "email", "business_type")
    take_metadata(made, wish)
    take(made["business_profile"], wish.get("business_profile") or {}, *made["business_profile"])
    for name, capability in (wish.get("capabilities") or {}).items():
        if capability.get("requested"):
            made["capabilities"][name] = "active" if made["charges_enabled"] else "inactive"
        else:
            made["capabilities"].pop(name, None)


def update(work: Work, id: str, wish: Json) -> Json:
    made = work.require(KIND, id, "account")
    before = copied(made)
    apply(made, wish)
    work.save(made)
    tell(work, made, before)
    return made


def onboard(work: Work, id: str) -> Json:
    """Everything asked for is given: charges and payouts open."""
    made = work.require(KIND, id, "account")
    before = copied(made)
    made.update(charges_enabled=True, details_submitted=True, payouts_enabled=True, requirements=requirements([]))
    made["tos_acceptance"]["date"] = work.now
    made["capabilities"] = dict.fromkeys({**made["capabilities"], "card_payments": "", "transfers": ""}, "active")
    work.save(made)
    tell(work, made, before)
    return made


def tell(work: Work, made: Json, before: Json) -> None:
    """`account.updated` belongs to the connected account, so it names it."""
    if made != before:
        work.emit_updated("account.updated", made, before, account=made["id"])


def delete(work: Work, id: str) -> Json:
    made = work.require(KIND, id, "account")
    work.remove(KIND, id)
    work.emit(
        "account.application.deauthorized", {"id": "ca_sandbox", "object": "application", "name": None}, account=id
    )
    return deleted(made)
