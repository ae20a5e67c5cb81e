"""What the gateway makes of Stripe's answers: stripe.md 2 and 11, against the sandbox through the official SDK."""

import threading
from collections.abc import Iterator
from typing import Any, cast

import httpx
import pytest
import stripe

from paywright.environments.actions import StripeCredentials
from paywright.stripe.background import background
from paywright.stripe.gateway import Gateway, StripeBusy, StripeDeclined, StripeRefused, StripeUnknown, stripe_key
from paywright.stripe.pace import Pace
from paywright.stripe.transport import Urllib3Client, client_for
from paywright_sandbox import Sandbox


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


class Account:
    """A fresh account of the sandbox, and a gateway to it."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.url = sandbox.url
        self.heard: list[tuple[int, bool]] = []
        self.key = self.control("accounts", {}, sandbox.secret_key)["secret_key"]
        self.gateway = self.opened(self.key)

    def opened(self, key: str, *, limit: int = 16) -> Gateway:
        credentials = StripeCredentials(key, None, None, self.url)
        return Gateway(
            credentials,
            limiter=threading.BoundedSemaphore(limit),
            read_clock=lambda shown, runs: self.heard.append((shown, runs)),
        )

    def control(self, path: str, body: dict[str, Any], key: str | None = None) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {key or self.key}"}
        answer = httpx.post(f"{self.url}/_sandbox/{path}", json=body, headers=headers)
        assert answer.status_code == 200, answer.text
        return answer.json()  # type: ignore[no-any-return]

    def fail_next(self, how: Any, times: int = 1) -> None:
        self.control("fail-next", {"times": times, "as": how})


@pytest.fixture
def account(sandbox: Sandbox) -> Account:
    return Account(sandbox)


def test_an_answer_is_plain_json(account: Account) -> None:
    made = account.gateway.post(
        "/v1/customers", {"email": "buyer@example.com", "metadata": {"a": "b"}}, idempotency_key="k"
    )
    assert (made["object"], made["email"], made["metadata"]) == ("customer", "buyer@example.com", {"a": "b"})
    assert account.gateway.get(f"/v1/customers/{made['id']}") == made
    assert account.gateway.delete(f"/v1/customers/{made['id']}")["deleted"] is True


def test_a_repeat_with_the_same_key_is_the_same_object(account: Account) -> None:
    first = account.gateway.post("/v1/customers", {}, idempotency_key="k")
    assert account.gateway.post("/v1/customers", {}, idempotency_key="k")["id"] == first["id"]
    with pytest.raises(StripeRefused) as refused:
        account.gateway.post("/v1/customers", {"name": "other"}, idempotency_key="k")
    assert refused.value.status == 400


def test_a_missing_object_is_a_definite_no(account: Account) -> None:
    with pytest.raises(StripeRefused) as refused:
        account.gateway.get("/v1/customers/cus_nothing")
    assert (refused.value.status, refused.value.is_missing, refused.value.is_key_dead) == (404, True, False)


def test_a_key_that_is_dead_is_known(account: Account) -> None:
    with pytest.raises(StripeRefused) as refused:
        account.opened("sk_live_none").get("/v1/customers")
    assert refused.value.is_key_dead


def test_a_decline_carries_its_intent(account: Account) -> None:
    params = {
        "amount": 1000,
        "currency": "usd",
        "payment_method": "pm_card_visa_chargeDeclinedInsufficientFunds",
        "confirm": True,
        "return_url": "https://app.test/",
    }
    with pytest.raises(StripeDeclined) as declined:
        account.gateway.post("/v1/payment_intents", params, idempotency_key="k")
    assert (declined.value.status, declined.value.code, declined.value.decline_code) == (
        402,
        "card_declined",
        "insufficient_funds",
    )
    assert declined.value.payment_intent is not None
    assert declined.value.payment_intent["status"] == "requires_payment_method"


@pytest.mark.parametrize(
    ("how", "times", "outage"),
    [
        (500, 1, StripeUnknown),
        (503, 3, StripeUnknown),
        ("drop_response", 3, StripeUnknown),
        ("refuse", 3, StripeUnknown),
        (429, 3, StripeBusy),
    ],
    ids=str,
)
def test_an_outage_is_unknown_or_busy_and_a_repeat_tells(
    account: Account, how: Any, times: int, outage: type[Exception]
) -> None:
    account.fail_next(how, times)
    with pytest.raises(outage):
        account.gateway.post("/v1/customers", {"name": "once"}, idempotency_key="k")
    if how in (500, 503):
        with pytest.raises(StripeUnknown) as kept:
            account.gateway.post("/v1/customers", {"name": "once"}, idempotency_key="k")
        assert kept.value.is_kept
        assert list(account.gateway.pages("/v1/customers")) == []
        return
    made = account.gateway.post("/v1/customers", {"name": "once"}, idempotency_key="k")
    assert [each["id"] for each in account.gateway.pages("/v1/customers")] == [made["id"]]


def test_a_call_that_may_be_repeated_passes_over_a_5xx_that_stripe_keeps(account: Account) -> None:
    customer = account.gateway.post("/v1/customers", {"name": "before"}, idempotency_key="k")["id"]
    account.fail_next(500, 1)
    with pytest.raises(StripeUnknown):
        account.gateway.post(f"/v1/customers/{customer}", {"name": "after"}, idempotency_key="n", repeatable=True)
    with pytest.raises(StripeUnknown):
        account.gateway.post(f"/v1/customers/{customer}", {"name": "after"}, idempotency_key="n")
    found = account.gateway.post(f"/v1/customers/{customer}", {"name": "after"}, idempotency_key="n", repeatable=True)
    assert found["name"] == "after"


def test_a_busy_stripe_is_asked_again(account: Account) -> None:
    account.fail_next(429, 2)
    assert account.gateway.get("/v1/customers")["data"] == []


def test_in_the_background_a_busy_stripe_is_left_alone_at_once(account: Account) -> None:
    account.fail_next(429)
    with background(), pytest.raises(StripeBusy):
        account.gateway.get("/v1/customers")
    with background():
        assert account.gateway.get("/v1/customers")["data"] == []


def test_only_background_calls_keep_the_pace(account: Account) -> None:
    waited: list[int] = []

    class Counted:
        def wait(self) -> None:
            waited.append(1)

    credentials = StripeCredentials(account.key, None, None, account.url)
    gateway = Gateway(credentials, limiter=threading.BoundedSemaphore(1), pace=cast("Pace", Counted()))
    gateway.get("/v1/customers")
    assert waited == []
    with background():
        gateway.get("/v1/customers")
    assert waited == [1]


def test_lists_are_paged_to_their_end(account: Account) -> None:
    made = [account.gateway.post("/v1/customers", {}, idempotency_key=f"k{n}")["id"] for n in range(5)]
    assert [each["id"] for each in account.gateway.pages("/v1/customers", {"limit": 2})] == made[::-1]


def test_the_sandboxs_clock_is_heard(account: Account) -> None:
    account.gateway.get("/v1/customers")
    assert account.heard[-1][1] is True
    account.control("clock/freeze", {})
    account.gateway.get("/v1/customers")
    account.gateway.get("/v1/customers")
    assert account.heard[-1] == account.heard[-2]
    assert account.heard[-1][1] is False


def test_no_more_calls_at_once_than_allowed(account: Account) -> None:
    gateway = account.opened(account.key, limit=1)
    done: list[int] = []

    def call(number: int) -> None:
        gateway.get("/v1/customers")
        done.append(number)

    threads = [threading.Thread(target=call, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(done) == list(range(8))


def test_a_key_names_row_step_and_generation() -> None:
    assert stripe_key("test", "chk_1", "create", 2) == "pw:test:chk_1:create:2"


def test_behind_a_proxy_the_sdk_travels_by_its_own_client(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTPS_PROXY", "http://proxy.test:3128")
    monkeypatch.setenv("NO_PROXY", "stripe.inside.test")
    assert isinstance(client_for("https://api.stripe.com", (3, 20)), stripe.RequestsClient)
    assert isinstance(client_for("https://stripe.inside.test", (3, 20)), Urllib3Client)


def test_only_a_fault_of_the_certificate_is_not_tried_again(account: Account) -> None:
    client = client_for("https://api.stripe.com", (1, 1))
    plain = account.url.replace("http://", "https://")
    nobody = "http://127.0.0.1:1"
    for place, is_tried_again in ((plain, False), (nobody, True)):
        with pytest.raises(stripe.APIConnectionError) as told:
            client.request("get", f"{place}/v1/account", {})
        assert told.value.should_retry is is_tried_again
