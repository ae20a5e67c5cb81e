"""A shop whose subscriptions live at a sandbox account of its own, with the clock held still."""

from typing import Any

import httpx

from paywright.catalog import queries as catalog_queries
from paywright.checkout import actions as checkout
from paywright.checkout.model import CheckoutSession
from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.kernel.ids import new_id
from paywright.ownership.model import AskedLine, OwnedProduct
from paywright.ownership.present import shown
from paywright.subscriptions import actions as subscriptions
from paywright_sandbox import Sandbox
from tests.harness.overtaking import Road
from tests.harness.shop import Shop, instant
from tests.subscriptions.terms import CATALOG, USER, checkout_of, done

START = "2027-01-01T00:00:00Z"
DECLINES_LATER = "pm_card_chargeCustomerFail"
ASKS_ALWAYS = "pm_card_authenticationRequired"
VISA = "4242424242424242"


class StripeShop(Shop):
    def __init__(self, database_url: str, sandbox: Sandbox | Road, catalog: dict[str, Any] = CATALOG) -> None:
        super().__init__(database_url, catalog, provider="sandbox")
        self._http = httpx.Client(base_url=sandbox.url, timeout=60)
        made = self.control("accounts", {}, sandbox.secret_key)
        self.key = made["secret_key"]
        with self.app.work("test") as work:
            credentials = StripeCredentials(self.key, made["publishable_key"], None, sandbox.url)
            assert connect_stripe(work, self.app.settings, credentials) is None
        connected = self.app.environment("test")
        assert connected is not None
        self.environment = connected
        self.control("clock/freeze", {"at": instant(START) // 1000})

    def control(self, path: str, body: dict[str, Any], key: str | None = None, method: str = "POST") -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        answer = self._http.request(method, f"/_sandbox/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def advance(self, by: str) -> None:
        """The sandbox's clock, and with the next answer ours."""
        self.control("clock/advance", {"by": by})
        self.get("/v1/account")

    def fail_next(self, method: str, path: str, how: Any, times: int = 3) -> None:
        self.control("fail-next", {"match": {"method": method, "path": path}, "times": times, "as": how})

    def get(self, path: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        return self.app.gateway(self.environment).get(path, params)

    def post(self, path: str, params: dict[str, Any]) -> dict[str, Any]:
        """Somebody works in Stripe's dashboard."""
        return self.app.gateway(self.environment).post(path, params, idempotency_key=new_id("tst"))

    def stripe_price(self, product_id: str, price_id: str = "monthly") -> str:
        with self.app.database.read() as connection:
            return catalog_queries.stripe_price_ids(connection, "test", product_id)[price_id]

    def buy(self, *product_ids: str, price_id: str | None = None, quantity: int = 1) -> str:
        """Through Checkout, with a good card; answers the subscription's id."""
        lines = (AskedLine(product_id=each, price_id=price_id, quantity=quantity) for each in product_ids)
        return self.buy_lines(*lines)

    def buy_lines(self, *lines: AskedLine) -> str:
        asked = checkout_of(*lines)
        session = done(checkout.start(self.app, self.environment, asked))
        self.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": VISA})
        paid = checkout.sync(self.app, self.environment, session.id)
        assert isinstance(paid, CheckoutSession), paid
        assert paid.stripe_subscription_id is not None
        return paid.stripe_subscription_id

    def put_card(self, subscription_id: str, method: str) -> None:
        """From now on this one is charged."""
        found = self.get(f"/v1/subscriptions/{subscription_id}")
        attached = self.post(f"/v1/payment_methods/{method}/attach", {"customer": found["customer"]})
        self.post(f"/v1/subscriptions/{subscription_id}", {"default_payment_method": attached["id"]})

    def sync(self, subscription_id: str) -> None:
        subscriptions.sync(self.app, self.environment, subscription_id)

    def seen(self, product_id: str) -> dict[str, Any]:
        """As the wire shows it now."""
        owned = next(each for each in self.owned(USER) if each.product_id == product_id)
        now = self.app.now("test")
        return shown(owned, now, catalog=None, currency="usd", with_secret_key=True)

    def owned_now(self) -> list[tuple[str | None, str | None, int]]:
        return [_terms(each) for each in self.owned(USER) if each.source != "default"]

    def invoices(self) -> list[tuple[str, int, int]]:
        """Status, due and paid, oldest first."""
        found = self.app.gateway(self.environment).pages("/v1/invoices")
        return [(each["status"], each["amount_due"], each["amount_paid"]) for each in found][::-1]

    def close(self) -> None:
        self._http.close()
        super().close()


def _terms(owned: OwnedProduct) -> tuple[str | None, str | None, int]:
    return owned.product_id, owned.price_id, owned.quantity
