"""`PUT /v1/environment/stripe`: the Stripe key of an environment over HTTP. Tried before it is stored, shown to nobody."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import sqlalchemy as sa

from paywright.environments.actions import StripeCredentials, connect_stripe
from paywright.environments.tables import environments
from paywright_sandbox import Sandbox
from tests.harness.house import House

PATH = "/v1/environment/stripe"


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(seed=1) as running:
        yield running


def control(sandbox: Sandbox, path: str, body: dict[str, Any], key: str) -> dict[str, Any]:
    answer = httpx.post(
        f"{sandbox.url}/_sandbox/{path}", json=body, headers={"Authorization": f"Bearer {key}"}, timeout=30
    )
    assert answer.status_code == 200, answer.text
    return answer.json()  # type: ignore[no-any-return]


def an_account(sandbox: Sandbox) -> dict[str, Any]:
    return control(sandbox, "accounts", {}, sandbox.secret_key)


@pytest.fixture
def connected(sqlite_url: str, sandbox: Sandbox) -> Iterator[tuple[House, dict[str, Any]]]:
    """A house at an account of its own, which it knows."""
    account = an_account(sandbox)
    with House(sqlite_url, provider="sandbox") as house:
        with house.app.work("test") as work:
            credentials = StripeCredentials(account["secret_key"], account["publishable_key"], None, sandbox.url)
            assert connect_stripe(work, house.app.settings, credentials) is None
        assert put(house, {"secret_key": account["secret_key"]}).status_code == 200
        yield house, account


def put(house: House, body: dict[str, Any], **options: Any) -> httpx.Response:
    return house.ask("PUT", PATH, json=body, **options)


def in_use(house: House) -> str:
    environment = house.app.environment("test")
    assert environment is not None
    return str(house.app.gateway(environment).get("/v1/account")["id"])


def test_a_key_is_stored_encrypted_audited_and_never_said_again(
    connected: tuple[House, dict[str, Any]], caplog: pytest.LogCaptureFixture
) -> None:
    house, account = connected
    key = account["secret_key"]
    with caplog.at_level("DEBUG"):
        answer = put(house, {"secret_key": key, "publishable_key": "pk_test_new"})
    masked = f"{key[:8]}…{key[-4:]}"
    assert answer.json() == {
        "environment": "test",
        "stripe_account_id": account["id"],
        "secret_key": masked,
        "publishable_key": "pk_test_new",
        "overridden": False,
    }
    audit = house.get("/v1/audit?limit=1").json()["data"][0]
    assert (audit["action"], audit["facts"]) == ("environment.connected", {"key": masked, "account": account["id"]})
    with house.app.database.read() as connection:
        stored = connection.execute(sa.select(environments)).mappings().one()
    said = answer.text + house.get("/v1/environment").text + house.get("/v1/audit").text + repr(stored) + caplog.text
    assert key not in said


def test_a_key_of_another_account_needs_the_name_of_the_old_one(
    connected: tuple[House, dict[str, Any]], sandbox: Sandbox
) -> None:
    house, account = connected
    other = an_account(sandbox)
    for detach in ({}, {"detach_account": other["id"]}, {"detach_account": "true"}):
        refused = put(house, {"secret_key": other["secret_key"], **detach})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "stripe_account_changed")
        assert refused.json()["error"]["facts"] == {"old": account["id"], "new": other["id"]}
        assert in_use(house) == account["id"]
    answer = put(house, {"secret_key": other["secret_key"], "detach_account": account["id"]})
    assert (answer.status_code, answer.json()["stripe_account_id"], in_use(house)) == (200, other["id"], other["id"])
    assert house.get("/v1/audit?limit=1").json()["data"][0]["facts"]["detached"] == account["id"]
    [incident] = house.get("/v1/events?type=incident.opened").json()["data"]
    assert incident["data"] == {"kind": "account_detached", "facts": {"old": account["id"], "new": other["id"]}}


@pytest.mark.parametrize(
    ("key", "status", "code"),
    [
        ("sk_test_revoked00000000000", 502, "stripe_refused"),
        ("sk_live_51000000000000000", 422, "wrong_key_mode"),
        ("whatever", 422, "wrong_key_mode"),
    ],
)
def test_what_stripe_does_not_take_is_not_stored(
    connected: tuple[House, dict[str, Any]], sandbox: Sandbox, key: str, status: int, code: str
) -> None:
    house, account = connected
    if code == "stripe_refused":  # A key that nobody issued means the sandbox's default account.
        asked = {"match": {"method": "GET", "path": "/v1/account"}, "times": 1, "as": 401}
        control(sandbox, "fail-next", asked, key)
    refused = put(house, {"secret_key": key})
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert key not in refused.text
    assert in_use(house) == account["id"]


def test_only_an_administrator_may(connected: tuple[House, dict[str, Any]]) -> None:
    house, account = connected
    body = {"secret_key": account["secret_key"]}
    for credential, status, code in (
        (house.key("secret", scopes=["read", "customers", "ledger", "catalog", "refunds"]), 403, "missing_scope"),
        (house.publishable_key, 403, "secret_key_required"),
        (None, 401, "unauthenticated"),
    ):
        refused = put(house, body, key=credential)
        assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    assert put(house, {"secret_key": 5}).json()["error"]["code"] == "invalid_request"
