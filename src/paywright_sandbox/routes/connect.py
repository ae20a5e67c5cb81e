"""Connected accounts, and the links that lead their owners through onboarding."""

from ..errors import Json, invalid
from ..listing import page
from ..machine import connect
from ..objects.accounts import own_account
from ..routing import route
from ..work import Work

WRITTEN = (
    "business_profile.mcc business_profile.name business_profile.product_description business_profile.support_email "
    "business_profile.support_phone business_profile.support_url business_profile.url business_type capabilities default_currency email "
    "metadata"
)
NOTE = "Onboarding asks for nothing but a click; `account.updated` stands in the platform's event log."


@route("POST /v1/accounts", acts_on=f"{WRITTEN} country type", note=NOTE)
def create(work: Work, parameters: Json) -> Json:
    return connect.create(work, parameters)


@route("GET /v1/accounts/{account}")
def retrieve(work: Work, parameters: Json, account: str) -> Json:
    if account == work.account.id and not work.platform:
        return own_account(work.account.id, work.account.name)
    return work.require(connect.KIND, account, "account")


@route("POST /v1/accounts/{account}", acts_on=WRITTEN, note=NOTE)
def update(work: Work, parameters: Json, account: str) -> Json:
    return connect.update(work, account, parameters)


@route("DELETE /v1/accounts/{account}", note="Its objects stay in the sandbox until the control API deletes it.")
def delete(work: Work, parameters: Json, account: str) -> Json:
    return connect.delete(work, account)


@route("GET /v1/accounts", acts_on="created ending_before limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, connect.KIND, parameters)


@route("POST /v1/account_links", acts_on="account refresh_url return_url type collect collection_options", note=NOTE)
def create_link(work: Work, parameters: Json) -> Json:
    held = work.require(connect.KIND, parameters["account"], "account")
    for name in ("refresh_url", "return_url"):
        if not str(parameters.get(name, "")).startswith(("http://", "https://")):
            raise invalid("Not a valid URL", param=name, code="url_invalid")
    letters = work.account.ids.letters(24)
    held["_link"] = {
        "letters": letters,
        "expires_at": work.now + connect.LINK_LIFE_S,
        "return_url": parameters["return_url"],
        "refresh_url": parameters["refresh_url"],
    }
    work.save(held)
    return {
        "object": "account_link",
        "created": work.now,
        "expires_at": work.now + connect.LINK_LIFE_S,
        "url": f"{work.origin}/connect/{held['id']}/{letters}",
    }


@route("POST /v1/accounts/{account}/login_links", note="Leads to the sandbox's console.")
def create_login_link(work: Work, parameters: Json, account: str) -> Json:
    held = work.require(connect.KIND, account, "account")
    if held["type"] != "express":
        raise invalid("Login links are for Express accounts only.", param="account")
    return {"object": "login_link", "created": work.now, "url": f"{work.origin}/dashboard"}
