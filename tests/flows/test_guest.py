"""Somebody without an account buys, loses their token, comes back by letter, and then opens an account; and a payment form inside an app."""

from paywright.access.actions import create_key
from paywright.access.model import CreatedKey
from paywright.client import Client
from paywright.outbox.letters import newest
from tests.flows.server import SECRET
from tests.flows.shop import CANCEL_URL, SUCCESS_URL, Shop


def in_the_browser(shop: Shop) -> Client:
    with shop.premises.app.work(shop.environment_id) as work:
        made = create_key(work, "publishable")
    assert isinstance(made, CreatedKey)
    return Client(shop.server.url, made.plain)


def test_a_guest_pays_comes_back_and_opens_an_account(shop: Shop) -> None:
    with in_the_browser(shop) as browser:
        session = browser.create_guest_checkout_session(
            [{"product_id": "pack"}], success_url=SUCCESS_URL, cancel_url=CANCEL_URL
        )
        assert session.claim_token is not None
        assert browser.get_claim(session.claim_token).state == "pending"
        shop.pay(session, email="Buyer@Example.com")
        # What the success page calls, whether or not the webhook was faster.
        assert browser.sync_checkout_session(session.id, claim_token=session.claim_token).payment_status == "paid"
        shop.settle()
        assert browser.get_claim(session.claim_token).state == "active"
        assert browser.guest(session.claim_token).get_item("credits").quantity == 100

        browser.send_sign_in_code("buyer@example.com")
        with shop.premises.app.database.read() as connection:
            written = newest(connection, SECRET, shop.environment_id)
        letter = next(each for each in written if each.kind == "sign_in_code")
        signed_in = browser.sign_in("buyer@example.com", letter.facts["code"])
        assert [browser.get_claim(token).state for token in signed_in.claims] == ["active"]

    shop.client.user("u_1").attach_claim(signed_in.claims[0])
    assert shop.credits("u_1") == 100
    assert shop.client.get_claim(session.claim_token).state == "attached"


def test_a_payment_form_inside_the_app_is_fulfilled_by_events(shop: Shop) -> None:
    user = shop.client.user("u_1")
    intent = user.create_payment_intent([{"product_id": "pack", "quantity": 2}], receipt_email="buyer@example.com")
    assert intent.checkout_session_id is not None
    assert intent.client_secret is not None
    assert intent.publishable_key == shop.account.publishable_key
    form = {"payment_method": "pm_card_visa", "return_url": "https://app.example/done"}
    shop.account.post(f"/v1/payment_intents/{intent.id}/confirm", form=form)
    shop.settle()
    assert shop.credits("u_1") == 200
    session = shop.client.get_checkout_session(intent.checkout_session_id)
    assert (session.status, session.payment_status, session.ui) == ("completed", "paid", "elements")


def test_a_saved_card_is_the_default(shop: Shop) -> None:
    user = shop.client.user("u_1")
    wanted = user.create_payment_method_setup_intent()
    shop.account.post(f"/v1/setup_intents/{wanted.id}/confirm", form={"payment_method": "pm_card_visa"})
    billing = user.set_default_payment_method_from_setup_intent(wanted.id)
    assert billing.default_payment_method is not None
    assert (billing.default_payment_method.brand, billing.default_payment_method.last4) == ("visa", "4242")
    assert user.get_billing() == billing
    assert user.create_portal_session(return_url="https://app.example/").url.startswith(shop.account.url)
