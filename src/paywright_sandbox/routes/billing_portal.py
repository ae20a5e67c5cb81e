"""The customer portal: configurations and sessions."""

from typing import Any

from ..account import copied
from ..attributes import take, take_metadata
from ..errors import Json, invalid, missing_parameter
from ..listing import page
from ..machine.checkout.sessions import is_url
from ..objects.billing_portal import configuration, session
from ..routing import route
from ..work import Work

CONFIGURATION = "billing_portal.configuration"
WRITTEN = (
    "business_profile.headline business_profile.privacy_policy_url business_profile.terms_of_service_url default_return_url features "
    "login_page metadata name"
)
WITH_SUBSCRIPTION = "subscription_cancel subscription_update subscription_update_confirm subscription_pause".split()
DEFAULT_NOTE = (
    "Without a configuration the sandbox makes a default one that offers everything but pausing, for any price."
)


@route("POST /v1/billing_portal/configurations", acts_on=WRITTEN)
def create_configuration(work: Work, parameters: Json) -> Json:
    made = configuration(work.new_id(CONFIGURATION), work.now, is_default=False)
    apply(work, made, parameters)
    work.save(made)
    work.emit("billing_portal.configuration.created", made)
    return made


def check_url(url: str | None, param: str) -> None:
    if url and not is_url(url):
        raise invalid("Not a valid URL", param=param, code="url_invalid")


def apply(work: Work, made: Json, wish: Json) -> None:
    check_url(wish.get("default_return_url"), "default_return_url")
    take(made, wish, "default_return_url", "name")
    take_metadata(made, wish)
    take(made["business_profile"], wish.get("business_profile") or {}, *made["business_profile"])
    if "login_page" in wish:
        enabled = wish["login_page"]["enabled"]
        made["login_page"] = {"enabled": enabled, "url": f"{work.origin}/p/login" if enabled else None}
    for name, asked in (wish.get("features") or {}).items():
        merge(made["features"][name], asked)
    check_products(work, made["features"]["subscription_update"])


def merge(held: Json, asked: Json) -> None:
    """Hashes merge, lists and values replace, an empty text empties a list or unsets a value."""
    for name, value in asked.items():
        if isinstance(value, dict) and isinstance(held.get(name), dict):
            merge(held[name], value)
        elif value == "":
            held[name] = [] if isinstance(held.get(name), list) else None
        elif name == "products":
            held[name] = [product_offered(one) for one in value]
        else:
            held[name] = value


def product_offered(wish: Json) -> Json:
    adjustable: Any = wish.get("adjustable_quantity") or {"enabled": False}
    return {
        "adjustable_quantity": {
            "enabled": adjustable["enabled"],
            "maximum": adjustable.get("maximum"),
            "minimum": adjustable.get("minimum", 1),
        },
        "prices": list(wish["prices"]),
        "product": wish["product"],
    }


def check_products(work: Work, feature: Json) -> None:
    for number, offered in enumerate(feature["products"] or []):
        work.require("product", offered["product"], f"features[subscription_update][products][{number}][product]")
        for id in offered["prices"]:
            price = work.require("price", id, f"features[subscription_update][products][{number}][prices]")
            if price["product"] != offered["product"]:
                raise invalid(f"The price {id} is not one of the product {offered['product']}.", param="features")


@route("GET /v1/billing_portal/configurations/{configuration}")
def retrieve_configuration(work: Work, parameters: Json, configuration: str) -> Json:
    return work.require(CONFIGURATION, configuration, "configuration")


@route("POST /v1/billing_portal/configurations/{configuration}", acts_on=f"{WRITTEN} active")
def update_configuration(work: Work, parameters: Json, configuration: str) -> Json:
    found = work.require(CONFIGURATION, configuration, "configuration")
    before = copied(found)
    if parameters.get("active") is False and found["is_default"]:
        raise invalid("The default configuration cannot be deactivated.", param="active")
    take(found, parameters, "active")
    apply(work, found, parameters)
    found["updated"] = work.now
    work.save(found)
    work.emit_updated("billing_portal.configuration.updated", found, before)
    return found


@route("GET /v1/billing_portal/configurations", acts_on="active ending_before is_default limit starting_after")
def list_configurations(work: Work, parameters: Json) -> Json:
    return page(work, CONFIGURATION, parameters, "active", "is_default")


@route(
    "POST /v1/billing_portal/sessions",
    acts_on="configuration customer flow_data.after_completion flow_data.subscription_cancel.subscription "
    "flow_data.subscription_pause flow_data.subscription_update flow_data.subscription_update_confirm flow_data.type locale return_url",
    note=DEFAULT_NOTE,
)
def create_session(work: Work, parameters: Json) -> Json:
    if not parameters.get("customer"):
        raise missing_parameter("customer")
    check_url(parameters.get("return_url"), "return_url")
    customer = work.require("customer", parameters["customer"], "customer")
    chosen = chosen_configuration(work, parameters.get("configuration"))
    flow = flow_of(work, parameters.get("flow_data"), customer["id"])
    id = work.new_id("billing_portal.session")
    path = f"/{flow['type']}" if flow else ""
    made = session(
        id,
        work.now,
        customer=customer["id"],
        configuration=chosen["id"],
        url=f"{work.origin}/p/session/{id}{path}",
        return_url=parameters.get("return_url") or chosen["default_return_url"],
        flow=flow,
    )
    take(made, parameters, "locale")
    work.save(made)
    work.emit("billing_portal.session.created", made, created=work.now)
    return made


def chosen_configuration(work: Work, id: str | None) -> Json:
    if id:
        found = work.require(CONFIGURATION, id, "configuration")
        if not found["active"]:
            raise invalid("The configuration is inactive.", param="configuration")
        return found
    for held in work.newest_first(CONFIGURATION):
        if held["is_default"]:
            return held
    return work.save(configuration(work.new_id(CONFIGURATION), work.now, is_default=True))


def flow_of(work: Work, wish: Json | None, customer: str) -> Json | None:
    if not wish:
        return None
    kind = wish["type"]
    found: Json = {"after_completion": after_completion(wish.get("after_completion")), "type": kind}
    for name in ("customer_update", *WITH_SUBSCRIPTION):
        found[name] = None
    if kind not in WITH_SUBSCRIPTION:
        return found
    details = wish.get(kind)
    if not details:
        raise missing_parameter(f"flow_data[{kind}]")
    held = work.require("subscription", details["subscription"], f"flow_data[{kind}][subscription]")
    if held["customer"] != customer:
        raise invalid("The subscription belongs to another customer.", param=f"flow_data[{kind}][subscription]")
    found[kind] = {"subscription": held["id"]}
    if kind == "subscription_cancel":
        found[kind]["retention"] = None
    if kind == "subscription_update_confirm":
        names = ("id", "price", "quantity")
        found[kind]["items"] = [{name: item.get(name) for name in names} for item in details["items"]]
        found[kind]["discounts"] = details.get("discounts")
    return found


def after_completion(wish: Json | None) -> Json:
    kind = (wish or {}).get("type", "portal_homepage")
    found: Json = {"hosted_confirmation": None, "redirect": None, "type": kind}
    if kind == "redirect":
        if not (wish or {}).get("redirect"):
            raise missing_parameter("flow_data[after_completion][redirect]")
        url = (wish or {})["redirect"]["return_url"]
        check_url(url, "flow_data[after_completion][redirect][return_url]")
        found["redirect"] = {"return_url": url}
    if kind == "hosted_confirmation":
        found["hosted_confirmation"] = {
            "custom_message": ((wish or {}).get("hosted_confirmation") or {}).get("custom_message")
        }
    return found
