"""What a publishable key may do and see: an intent together with its client secret, without the server's fields."""

from dataclasses import dataclass

from .errors import ApiError, Json, missing_parameter
from .work import Work

HIDDEN = frozenset(
    "application_fee_amount customer customer_account latest_charge latest_attempt metadata on_behalf_of transfer_data "
    "transfer_group review amount_capturable amount_received".split()
)
HIDDEN_FEWER = frozenset({"metadata", "latest_charge", "latest_attempt"})
INTENTS = {"/v1/payment_intents/": "payment_intent", "/v1/setup_intents/": "setup_intent"}


@dataclass
class PublishableCall:
    client_secret: str | None

    @classmethod
    def of(cls, tree: Json) -> "PublishableCall":
        """Takes the browser-only parameters out of the form."""
        for name in ("_stripe_account", "payment_user_agent", "referrer", "time_on_page", "guid", "muid", "sid"):
            tree.pop(name, None)
        return cls(tree.pop("client_secret", None))

    def check(self, work: Work, route_key: str, path_arguments: dict[str, str]) -> None:
        """404 unless the intent's own secret came along."""
        kind = next((kind for prefix, kind in INTENTS.items() if prefix in route_key), None)
        if kind is None:
            return
        if not self.client_secret:
            raise missing_parameter("client_secret")
        intent = work.require(kind, path_arguments["intent"], "intent")
        if intent["client_secret"] != self.client_secret:
            raise ApiError(
                400,
                f"The client_secret provided does not match any associated {kind.replace('_', ' ')} on this account.",
                code=f"{kind}_invalid_parameter" if kind == "payment_intent" else None,
                param="client_secret",
            )


def without_server_fields(content: Json, variant: str) -> Json:
    if content.get("object") not in ("payment_intent", "setup_intent"):
        return content
    hidden = HIDDEN if variant == "a" else HIDDEN_FEWER
    return {name: value for name, value in content.items() if name not in hidden}
