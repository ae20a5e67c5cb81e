"""What must not be on disk, in the log of requests or in any answer: numbers of cards and accounts, live keys."""

from pathlib import Path

import httpx
import pytest

from paywright_sandbox import Sandbox
from tests.contract.shop import Shop

PAYS, DECLINES, REAL = "4242424242424242", "4000000000000002", "4929716404139823"
ACCOUNT, IBAN = "000123456789", "AT611904300234573201"
CARD = {"type": "card", "card[exp_month]": "12", "card[exp_year]": "2050", "card[cvc]": "737"}


BANK = {
    "type": "us_bank_account",
    "us_bank_account[account_holder_type]": "individual",
    "us_bank_account[account_number]": ACCOUNT,
    "us_bank_account[routing_number]": "110000000",
}
INTENT = {
    "amount": "900",
    "currency": "usd",
    "confirm": "true",
    "payment_method_data[type]": "card",
    "payment_method_data[card][number]": DECLINES,
    "payment_method_data[card][exp_month]": "12",
    "payment_method_data[card][exp_year]": "2050",
}
ASKED: list[tuple[str, dict[str, str]]] = [
    *(("/v1/payment_methods", {**CARD, "card[number]": number}) for number in (PAYS, DECLINES, REAL, PAYS[:-1] + "1")),
    ("/v1/payment_methods", BANK),
    ("/v1/payment_methods", {"type": "sepa_debit", "sepa_debit[iban]": IBAN}),
    ("/v1/payment_methods", {**CARD, "card[numbr]": PAYS}),
    ("/v1/payment_methods", {"type": "card", "card": PAYS}),
    ("/v1/payment_methods", {"type": "card", "billing_details[card]": PAYS}),
    ("/v1/tokens", {**{name: value for name, value in CARD.items() if name != "type"}, "card[number]": PAYS}),
    ("/v1/payment_intents", INTENT),
]
TYPED = {"email": "a@b.test", "method": "card", "number": DECLINES, "expiry": "12/50", "cvc": "737", "name": "Ann"}


def use_every_door(shop: Shop) -> list[int]:
    """Numbers by API, token, intent, control API and hosted page; rightly, wrongly, and as what they are not."""
    session = shop.client.v1.checkout.sessions.create(
        {"mode": "setup", "currency": "usd", "success_url": "https://shop.test"}
    )
    page = f"/c/pay/{session.id}"
    token = shop.http.get(page).text.partition('name="token" value="')[2].partition('"')[0]
    found = [
        shop.http.post(path, data=body, headers={"Idempotency-Key": f"k{number}"}).status_code
        for number, (path, body) in enumerate([*ASKED, (page, {"token": token, **TYPED})])
    ]
    wish = {"card": PAYS, "email": "a@b.test"}
    return [*found, shop.http.post(f"/_sandbox/checkout/{session.id}/pay", json=wish).status_code]


def test_no_number_is_kept_anywhere(tmp_path: Path) -> None:
    file = tmp_path / "sandbox.db"
    with Sandbox(path=str(file), seed=1) as sandbox, Shop(sandbox.url, sandbox.secret_key) as shop:
        statuses = use_every_door(shop)
        told = "".join(
            shop.http.get(f"/_sandbox/{part}").text for part in ("state", "events", "requests", "deliveries")
        )
        pages = shop.http.get(f"/dashboard/{shop.account_id}/requests").text
    assert statuses.count(200) >= 6
    assert set(statuses) <= {200, 303, 400, 402}
    kept = b"".join(path.read_bytes() for path in tmp_path.iterdir())
    assert b'"last4": "4242"' in kept
    for number in (PAYS, DECLINES, REAL, ACCOUNT, IBAN):
        assert number.encode() not in kept
        assert number not in told + pages


@pytest.mark.parametrize("key", ["sk_live_51abc", "rk_live_51abc", "pk_live_51abc"])
def test_a_live_key_is_refused_at_every_door_and_not_repeated(shop: Shop, key: str) -> None:
    for path in ("/v1/customers", "/v2/core/events/evt_1", "/_sandbox/state", "/_sandbox/clock"):
        for headers in ({"Authorization": f"Bearer {key}"}, {"Authorization": httpx.BasicAuth(key, "")._auth_header}):
            answer = httpx.get(shop.url + path, headers=headers)
            assert answer.status_code == 401
            assert "no live mode" in answer.json()["error"]["message"]
            assert key not in answer.text
