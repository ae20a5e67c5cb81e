"""Tokens are used once. A card token becomes a payment method; a confirmation token brings method, shipping and the rest to a confirmation."""

from ..attributes import take
from ..errors import Json, invalid, missing_parameter, not_implemented
from ..objects import tokens as objects
from ..work import Work
from . import payment_methods
from .charges import shipping_of

LIFE_S = 12 * 3600
CARRIED = ("return_url", "setup_future_usage", "shipping")


def create(work: Work, wish: Json) -> Json:
    """Of a raw card."""
    for name in wish:
        if name != "card":
            raise not_implemented(f"The token of a {name}", param=name)
    if not isinstance(wish.get("card"), dict):
        raise missing_parameter("card")
    card = {name: value for name, value in wish["card"].items() if name in ("number", "cvc")}
    for name in ("exp_month", "exp_year"):
        if not (wish["card"][name].isascii() and wish["card"][name].isdigit()):
            raise invalid(
                f"Invalid integer: {wish['card'][name]}", param=f"card[{name}]", code="parameter_invalid_integer"
            )
        card[name] = int(wish["card"][name])
    method = payment_methods.from_details(
        work, {"type": "card", "card": card, "billing_details": {"name": wish["card"].get("name")}}, ""
    )
    letters = work.account.ids.letters
    made = objects.token(f"tok_{letters(24)}", work.now, card=objects.token_card(f"card_{letters(24)}", method))
    made["_method"] = method["id"]
    return work.save(made)


def create_confirmation(work: Work, wish: Json) -> Json:
    if wish.get("payment_method"):
        method = payment_methods.resolve(work, wish["payment_method"])
    elif wish.get("payment_method_data"):
        method = payment_methods.from_details(work, wish["payment_method_data"], "payment_method_data")
    else:
        raise missing_parameter("payment_method_data")
    id = f"ctoken_{work.account.ids.letters(24)}"
    made = objects.confirmation_token(id, work.now, method=method, expires_at=work.now + LIFE_S)
    take(made, wish, "return_url", "setup_future_usage")
    if wish.get("shipping"):
        shipping = shipping_of(wish["shipping"]) or {}
        made["shipping"] = {name: shipping[name] for name in ("address", "name", "phone")}
    return work.save(made)


def unfolded(work: Work, intent: Json, parameters: Json) -> Json:
    """The parameters of a confirmation with what their confirmation token stands for; what was said beside it wins."""
    if not parameters.get("confirmation_token"):
        return parameters
    held = work.require("confirmation_token", parameters["confirmation_token"], "confirmation_token")
    if held["payment_intent"] or held["setup_intent"]:
        raise invalid("This ConfirmationToken was used already.", param="confirmation_token", code="token_already_used")
    if held["expires_at"] <= work.now:
        raise invalid("This ConfirmationToken has expired.", param="confirmation_token", code="token_already_used")
    if parameters.get("payment_method") or parameters.get("payment_method_data"):
        raise invalid(
            "You may only specify one of these parameters: confirmation_token, payment_method.",
            code="parameters_exclusive",
        )
    held[intent["object"]] = intent["id"]
    work.save(held)
    carried = {name: held[name] for name in CARRIED if held[name] is not None}
    if intent["object"] == "setup_intent":
        carried = {name: value for name, value in carried.items() if name == "return_url"}
    rest = {name: value for name, value in parameters.items() if name != "confirmation_token"}
    return {**carried, **rest, "payment_method": held["_method"]}
