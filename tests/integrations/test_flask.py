"""What is Flask's own."""

from collections.abc import Iterator
from typing import Any

import flask
import pytest

from paywright import Paywright
from paywright.client import Conflict, Customer, PaymentRequired
from paywright.integrations.flask import NotInstalled, customer, install, require_product
from tests.harness.house import CATALOG, SECRET
from tests.integrations.sites import HEADER, PREFIX, flask_app


@pytest.fixture
def pay(sqlite_url: str) -> Iterator[Paywright]:
    with Paywright(database_url=sqlite_url, catalog=CATALOG, provider="instant", secret=SECRET) as made:
        yield made


def test_flasks_test_client_reaches_app_and_api(pay: Paywright) -> None:
    key, client = pay.create_key().key, flask_app(pay).test_client()
    path = f"{PREFIX}/v1/customers/user/anne/items/credits/increase"
    answer = client.post(path, json={"quantity": 2}, headers={"Authorization": f"Bearer {key}"})
    assert answer.get_json()["quantity"] == 2
    assert client.post("/haiku", headers={HEADER: "anne"}).get_json() == {"left": 0}


def test_the_apps_own_answer_to_a_refusal_wins(pay: Paywright) -> None:
    app = flask_app(pay)

    @app.errorhandler(PaymentRequired)
    def kindly(error: PaymentRequired) -> Any:
        return f"<p>{error.facts['upgrade_options'][0]['display_name']} opens this.</p>", 402

    assert app.test_client().get("/essay", headers={HEADER: "anne"}).text == "<p>Pro opens this.</p>"


def test_a_guest_is_known_by_their_claim_token(pay: Paywright) -> None:
    app, token = flask.Flask(__name__), "0123456789abcdefghijABCDEFGHIJ-_"
    install(app, pay, customer_of=lambda request: Customer("guest", token), worker=False)

    @app.get("/download")
    @require_product("pack")
    def download() -> str:
        return customer().id

    refused = app.test_client().get("/download")
    assert (refused.status_code, refused.get_json()["error"]["facts"]["reason"]) == (402, "claim_not_found")
    sold = {"success_url": "https://a.example", "cancel_url": "https://a.example"}
    pay.create_guest_checkout_session([{"product_id": "pack"}], claim_token=token, **sold)
    assert app.test_client().get("/download").text == token
    with pay.guest(token).transaction() as work:
        assert work.decrease_quantity("credits", 1) == 99
    pay.user("anne").attach_claim(token)
    assert app.test_client().get("/download").status_code == 402
    with pytest.raises(Conflict, match="claim_taken"), pay.guest(token).transaction():
        pass


def test_an_app_without_paywright_is_told_so() -> None:
    with flask.Flask(__name__).test_request_context(), pytest.raises(NotInstalled):
        customer()


@pytest.mark.parametrize("prefix", ["pay", "", "/", "/a b"])
def test_a_prefix_is_a_path(pay: Paywright, prefix: str) -> None:
    with pytest.raises(AssertionError):
        install(flask.Flask(__name__), pay, customer_of=lambda request: None, prefix=prefix)


def test_a_decorator_names_what_it_wants() -> None:
    with pytest.raises(AssertionError):
        require_product()
