"""Checkout Sessions in payment mode, by the official SDK; the buyer by the payment pages and the control API."""

from typing import Any

import pytest

from tests.contract.checkout import CARD, SUCCESS, inline, opened, paid, refusal_of
from tests.contract.shop import VISA, Shop

PAID = [
    "payment_intent.created",
    "charge.succeeded",
    "payment_intent.succeeded",
    "checkout.session.completed",
    "charge.updated",
]


def test_a_session_is_opened_without_an_event(v1: Any, shop: Shop) -> None:
    session = opened(v1, metadata={"a": "1"}, client_reference_id="order-7", cancel_url="https://shop.example/")
    assert shop.events() == []
    assert session.url == f"{shop.url}/c/pay/{session.id}"
    assert (session.status, session.payment_status, session.amount_total, session.currency) == (
        "open",
        "unpaid",
        1500,
        "usd",
    )
    assert (session.payment_intent, session.customer, session.customer_creation) == (None, None, "if_required")
    assert session.expires_at - session.created == 86_400
    assert v1.checkout.sessions.retrieve(session.id).client_reference_id == "order-7"


def test_1_a_one_off_by_card(v1: Any, shop: Shop) -> None:
    session = opened(v1, payment_intent_data={"metadata": {"order": "7"}})
    answer = paid(shop, session, email="ann@example.com", name="Ann")
    assert shop.events() == PAID
    assert answer["redirect_url"] == f"https://shop.example/thanks?session={session.id}"
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (after.status, after.payment_status, after.url, after.customer) == ("complete", "paid", None, None)
    assert (after.customer_details.email, after.customer_details.name) == ("ann@example.com", "Ann")
    assert (after.payment_intent.amount_received, after.payment_intent.metadata.order) == (1500, "7")
    assert after.payment_intent.latest_charge.billing_details.email == "ann@example.com"
    completed = shop.event_objects()[3]["data"]["object"]
    assert (completed["status"], completed["payment_status"]) == ("complete", "paid")
    booked = shop.event_objects()[4]
    assert booked["data"]["previous_attributes"] == {"balance_transaction": None}


def test_1_with_a_customer_made_and_the_card_kept(v1: Any, shop: Shop) -> None:
    session = opened(v1, customer_creation="always", payment_intent_data={"setup_future_usage": "off_session"})
    paid(shop, session, email="ann@example.com")
    assert shop.events() == [
        "customer.created",
        "payment_intent.created",
        "charge.succeeded",
        "payment_method.attached",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]
    after = v1.checkout.sessions.retrieve(session.id)
    assert v1.customers.retrieve(after.customer).email == "ann@example.com"
    assert [method.type for method in v1.payment_methods.list({"customer": after.customer}).data] == ["card"]


def test_1b_declined_then_paid_on_the_same_intent(v1: Any, shop: Shop) -> None:
    session = opened(v1)
    refused = shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000009995"}, status=402)["error"]
    assert (refused["code"], refused["decline_code"]) == ("card_declined", "insufficient_funds")
    assert shop.events() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    still = v1.checkout.sessions.retrieve(session.id)
    assert (still.status, still.url is not None) == ("open", True)
    paid(shop, session)
    assert shop.events()[3:] == PAID[1:]
    after = v1.checkout.sessions.retrieve(session.id)
    assert after.payment_intent == still.payment_intent
    assert len(v1.charges.list({"payment_intent": after.payment_intent}).data) == 2


def test_1c_3ds_passed(v1: Any, shop: Shop) -> None:
    session = opened(v1)
    answer = paid(shop, session, card="4000002500003155")
    waiting = v1.checkout.sessions.retrieve(session.id)
    assert waiting.status == "open"
    assert answer["redirect_url"] == f"{shop.url}/3ds/{waiting.payment_intent}"
    assert shop.events() == ["payment_intent.created", "payment_intent.requires_action"]
    shop.control("POST", f"payments/{waiting.payment_intent}/authenticate", {"outcome": "succeed"})
    assert shop.events()[2:] == PAID[1:]
    assert v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_1c_3ds_failed_leaves_the_session_open(v1: Any, shop: Shop) -> None:
    session = opened(v1)
    answer = paid(shop, session, card="4000002500003155", authenticate=False)
    assert answer["redirect_url"] == session.url
    assert shop.events()[2:] == ["payment_intent.payment_failed"]
    intent = v1.payment_intents.retrieve(answer["session"]["payment_intent"])
    assert intent.last_payment_error.code == "payment_intent_authentication_failure"
    assert paid(shop, session)["session"]["status"] == "complete"


def test_1e_a_free_order_makes_no_intent(v1: Any, shop: Shop) -> None:
    session = opened(v1, line_items=[inline(0)])
    after = paid(shop, session)["session"]
    assert (after["payment_status"], after["payment_intent"]) == ("no_payment_required", None)
    assert shop.events() == ["checkout.session.completed"]


@pytest.mark.parametrize(
    ("account", "later", "status"),
    [
        (
            "000123456789",
            ["charge.succeeded", "payment_intent.succeeded", "checkout.session.async_payment_succeeded"],
            "paid",
        ),
        (
            "000222222227",
            ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"],
            "unpaid",
        ),
    ],
)
def test_12_a_bank_debit_settles_later(v1: Any, shop: Shop, account: str, later: list[str], status: str) -> None:
    session = opened(v1)
    debit = {"account_number": account, "routing_number": "110000000"}
    method = v1.payment_methods.create(
        {"type": "us_bank_account", "us_bank_account": debit, "billing_details": {"email": "ann@example.com"}}
    )
    after = shop.control("POST", f"checkout/{session.id}/pay", {"payment_method": method.id})["session"]
    assert (after["status"], after["payment_status"]) == ("complete", "unpaid")
    now = ["payment_intent.created", "payment_intent.processing", "charge.pending", "checkout.session.completed"]
    assert shop.events() == now
    shop.advance("4d")
    assert [type for type in shop.events()[4:] if not type.startswith(("charge.updated", "balance"))] == later
    assert v1.checkout.sessions.retrieve(session.id).payment_status == status
    assert shop.event_objects()[-1]["data"]["object"]["payment_status"] == status


def test_13_a_session_expires_by_itself(v1: Any, shop: Shop) -> None:
    session = opened(v1)
    shop.advance("25h")
    assert shop.events() == ["checkout.session.expired"]
    after = v1.checkout.sessions.retrieve(session.id)
    assert (after.status, after.url) == ("expired", None)
    assert shop.event_objects()[0]["created"] == session.expires_at
    assert refusal_of(v1.checkout.sessions.expire, session.id) == (400, None, None)


def test_13_a_session_is_expired_by_call_and_its_intent_canceled(v1: Any, shop: Shop) -> None:
    session = opened(v1)
    shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000000002"}, status=402)
    since = shop.last_event()
    assert v1.checkout.sessions.expire(session.id).status == "expired"
    assert shop.events(since=since) == ["payment_intent.canceled", "checkout.session.expired"]
    shop.control("POST", f"checkout/{session.id}/pay", {"card": CARD}, status=400)


def test_a_complete_session_neither_expires_nor_is_paid_again(v1: Any, shop: Shop) -> None:
    session = opened(v1)
    paid(shop, session)
    shop.advance("25h")
    assert "checkout.session.expired" not in shop.events()
    assert refusal_of(v1.checkout.sessions.expire, session.id) == (400, None, None)
    shop.control("POST", f"checkout/{session.id}/pay", {"card": CARD}, status=400)


def test_a_held_payment_completes_unpaid_until_captured(v1: Any, shop: Shop) -> None:
    session = opened(v1, payment_intent_data={"capture_method": "manual"})
    after = paid(shop, session)["session"]
    assert (after["status"], after["payment_status"]) == ("complete", "unpaid")
    v1.payment_intents.capture(after["payment_intent"])
    assert v1.checkout.sessions.retrieve(session.id).payment_status == "paid"
    assert "checkout.session.async_payment_succeeded" not in shop.events()


def test_line_items_with_stored_prices_quantities_and_another_currency(v1: Any, shop: Shop) -> None:
    product = v1.products.create({"name": "Credit pack"})
    price = v1.prices.create(
        {
            "product": product.id,
            "currency": "usd",
            "unit_amount": 500,
            "currency_options": {"eur": {"unit_amount": 450}},
        }
    )
    session = opened(v1, currency="eur", line_items=[{"price": price.id, "quantity": 3}])
    assert (session.currency, session.amount_subtotal, session.amount_total) == ("eur", 1350, 1350)
    items = v1.checkout.sessions.line_items.list(session.id).data
    assert [(item.description, item.quantity, item.amount_total, item.price.id) for item in items] == [
        ("Credit pack", 3, 1350, price.id)
    ]
    found = v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items.data.price.product"]})
    assert found.line_items.data[0].price.product.name == "Credit pack"
    assert paid(shop, session)["session"]["currency"] == "eur"


def test_a_known_customer_and_what_the_buyer_typed(v1: Any, shop: Shop) -> None:
    customer = v1.customers.create({"email": "ann@example.com"})
    session = opened(v1, customer=customer.id, customer_update={"name": "auto"})
    assert session.customer_details.email == "ann@example.com"
    since = shop.last_event()
    paid(shop, session, name="Ann Who Paid")
    assert "customer.updated" in shop.events(since=since)
    assert v1.customers.retrieve(customer.id).name == "Ann Who Paid"
    assert v1.checkout.sessions.list({"customer": customer.id}).data[0].id == session.id


def test_sessions_are_listed_and_filtered(v1: Any, shop: Shop) -> None:
    first, second = opened(v1), opened(v1, customer_email="bo@example.com")
    assert [found.id for found in v1.checkout.sessions.list().data] == [second.id, first.id]
    by_mail = v1.checkout.sessions.list({"customer_details": {"email": "bo@example.com"}}).data
    assert [found.id for found in by_mail] == [second.id]
    after = paid(shop, first)["session"]
    assert [found.id for found in v1.checkout.sessions.list({"status": "complete"}).data] == [first.id]
    by_intent = v1.checkout.sessions.list({"payment_intent": after["payment_intent"]}).data
    assert [found.id for found in by_intent] == [first.id]


def test_metadata_of_a_session_can_change(v1: Any) -> None:
    session = opened(v1, metadata={"a": "1", "b": "2"})
    assert v1.checkout.sessions.update(session.id, {"metadata": {"a": "", "c": "3"}}).metadata.to_dict() == {
        "b": "2",
        "c": "3",
    }


def test_the_payment_page_pays_without_a_browser(v1: Any, shop: Shop) -> None:
    session = opened(v1, customer_email="ann@example.com")
    path = f"/v1/payment_pages/{session.id}"
    assert shop.client.raw_request("get", path).data["id"] == session.id
    wish = {"payment_method": VISA, "expected_amount": 1400}
    assert refusal_of(lambda: shop.client.raw_request("post", f"{path}/confirm", **wish)) == (
        400,
        None,
        "expected_amount",
    )
    shop.client.raw_request("post", f"{path}/confirm", payment_method=VISA, expected_amount=1500)
    assert v1.checkout.sessions.retrieve(session.id).payment_status == "paid"


def test_a_session_needs_an_email_from_somewhere(v1: Any, shop: Shop) -> None:
    path = f"/v1/payment_pages/{opened(v1).id}/confirm"
    assert refusal_of(lambda: shop.client.raw_request("post", path, payment_method=VISA)) == (
        400,
        "parameter_missing",
        "email",
    )


REFUSED: list[tuple[str, dict[str, Any], str | None, str | None]] = [
    ("no mode", {"mode": None}, "parameter_missing", "mode"),
    ("no success_url", {"success_url": None}, "parameter_missing", "success_url"),
    ("no line items", {"line_items": None}, "parameter_missing", "line_items"),
    ("javascript url", {"success_url": "javascript:alert(1)"}, "url_invalid", "success_url"),
    ("relative cancel url", {"cancel_url": "/back"}, "url_invalid", "cancel_url"),
    ("customer and email", {"customer": "cus_1", "customer_email": "a@b.co"}, "parameters_exclusive", "customer"),
    ("unknown customer", {"customer": "cus_1"}, "resource_missing", "customer"),
    ("no e-mail address", {"customer_email": "nobody"}, "email_invalid", "customer_email"),
    ("old payment_method_types", {"payment_method_types": ["card"]}, "payment_method_types_no_longer_supported", None),
    ("old ui_mode", {"ui_mode": "hosted"}, None, "ui_mode"),
    ("elements", {"ui_mode": "elements"}, "sandbox_not_implemented", "ui_mode"),
    ("shipping", {"shipping_options": [{"shipping_rate": "shr_1"}]}, "sandbox_not_implemented", "shipping_options"),
    ("subscription_data", {"subscription_data": {"description": "x"}}, None, "subscription_data"),
    ("expires too soon", {"expires_at": 1}, None, "expires_at"),
    ("expires too late", {"expires_at": 9_999_999_999}, None, "expires_at"),
    ("reference too long", {"client_reference_id": "x" * 201}, None, "client_reference_id"),
    ("customer_update alone", {"customer_update": {"name": "auto"}}, None, "customer_update"),
    (
        "unknown price",
        {"line_items": [{"price": "price_1", "quantity": 1}]},
        "resource_missing",
        "line_items[0][price]",
    ),
    ("no price", {"line_items": [{"quantity": 1}]}, "parameter_missing", "line_items[0][price]"),
    ("quantity 0", {"line_items": [inline(quantity=0)]}, "parameter_invalid_integer", "line_items[0][quantity]"),
    ("too small", {"line_items": [inline(49)]}, "amount_too_small", "line_items"),
    ("too large", {"line_items": [inline(99_999_999, quantity=2)]}, "amount_too_large", "line_items"),
    ("other currency", {"currency": "eur"}, None, "line_items[0][price]"),
    ("101 items", {"line_items": [inline()] * 101}, None, "line_items"),
    (
        "quantity outside its limits",
        {"line_items": [inline(adjustable_quantity={"enabled": True, "minimum": 2})]},
        None,
        "line_items[0][adjustable_quantity]",
    ),
]


@pytest.mark.parametrize(("wish", "code", "param"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_a_session_is_refused(v1: Any, shop: Shop, wish: dict[str, Any], code: str | None, param: str | None) -> None:
    asked = {"mode": "payment", "success_url": SUCCESS, "line_items": [inline()], **wish}
    asked = {name: value for name, value in asked.items() if value is not None}
    status, found, named = refusal_of(v1.checkout.sessions.create, asked)
    assert (found, named) == (code, param or named)
    assert status in (400, 404)
    assert v1.checkout.sessions.list().data == []


def test_a_recurring_price_is_refused_in_payment_mode(v1: Any) -> None:
    recurring = inline()
    recurring["price_data"]["recurring"] = {"interval": "month"}
    assert refusal_of(lambda: opened(v1, line_items=[recurring])) == (400, None, "line_items")


def test_what_is_not_sold_any_more_is_refused(v1: Any) -> None:
    product = v1.products.create({"name": "Old"})
    price = v1.prices.create({"product": product.id, "currency": "usd", "unit_amount": 500})
    items = [{"price": price.id, "quantity": 1}]
    v1.products.update(product.id, {"active": False})
    assert refusal_of(lambda: opened(v1, line_items=items)) == (400, "product_inactive", "line_items[0][price]")
    v1.prices.update(price.id, {"active": False})
    assert refusal_of(lambda: opened(v1, line_items=items)) == (400, None, "line_items[0][price]")


def test_the_method_must_be_one_the_session_takes(v1: Any, shop: Shop) -> None:
    session = opened(v1, allowed_payment_method_types=["us_bank_account"])
    assert session.payment_method_types == ["us_bank_account"]
    shop.control("POST", f"checkout/{session.id}/pay", {"card": CARD}, status=400)
    none_left = {"allowed_payment_method_types": ["klarna"]}
    assert refusal_of(lambda: opened(v1, **none_left))[1] == "sandbox_not_implemented"


def test_1_with_a_paid_invoice_for_it(v1: Any, shop: Shop) -> None:
    asked = {"enabled": True, "invoice_data": {"description": "Thanks", "metadata": {"order": "7"}}}
    session = opened(v1, invoice_creation=asked, line_items=[inline(quantity=2)])
    assert session.invoice_creation.invoice_data.description == "Thanks"
    paid(shop, session, email="ann@example.com")
    assert [type for type in shop.events() if "invoice" in type] == [
        "invoice.created",
        "invoice.finalized",
        "invoice.updated",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]
    after = v1.checkout.sessions.retrieve(session.id, {"expand": ["invoice"]})
    assert (after.invoice.status, after.invoice.amount_paid, after.invoice.description) == ("paid", 3000, "Thanks")
    assert (after.invoice.customer, after.invoice.metadata.order) == (after.customer, "7")
    [line] = after.invoice.lines.data
    assert (line.description, line.quantity, line.amount) == ("Credits", 2, 3000)
    completed = next(event for event in shop.event_objects() if event["type"] == "checkout.session.completed")
    assert completed["data"]["object"]["invoice"] == after.invoice.id


def test_an_invoice_beside_a_customer_balance_is_refused(v1: Any) -> None:
    customer = v1.customers.create({"email": "ann@example.com", "balance": -500})
    wish = {"customer": customer.id, "invoice_creation": {"enabled": True}}
    assert refusal_of(lambda: opened(v1, **wish)) == (400, "sandbox_not_implemented", "invoice_creation[enabled]")


LONG_KEY = {"k" * 41: "v"}


@pytest.mark.parametrize(
    ("wish", "param"),
    [
        ({"metadata": LONG_KEY}, "metadata"),
        ({"payment_intent_data": {"metadata": LONG_KEY}}, "payment_intent_data[metadata]"),
        ({"line_items": [inline(metadata=LONG_KEY)]}, "line_items[0][metadata]"),
    ],
)
def test_metadata_is_judged_when_the_session_is_opened(v1: Any, wish: dict[str, Any], param: str) -> None:
    assert refusal_of(lambda: opened(v1, **wish)) == (400, None, param)


def test_automatic_tax_is_accepted_and_computes_nothing(v1: Any) -> None:
    session = opened(v1, automatic_tax={"enabled": True})
    assert (session.automatic_tax.status, session.total_details.amount_tax, session.amount_total) == (
        "complete",
        0,
        1500,
    )


def test_the_methods_follow_the_currency(v1: Any) -> None:
    def types(currency: str, amount: int) -> list[str]:
        item = inline(amount)
        item["price_data"]["currency"] = currency
        found: list[str] = opened(v1, line_items=[item]).payment_method_types
        return found

    assert types("usd", 1500) == ["card", "us_bank_account"]
    assert types("eur", 1500) == ["card", "sepa_debit"]
    assert types("jpy", 1500) == ["card"]


def test_an_intent_the_app_canceled_is_replaced_and_does_not_stop_time(v1: Any, shop: Shop) -> None:
    first, second = opened(v1), opened(v1)
    for session in (first, second):
        shop.control("POST", f"checkout/{session.id}/pay", {"card": "4000000000000002"}, status=402)
        v1.payment_intents.cancel(v1.checkout.sessions.retrieve(session.id).payment_intent)
    assert paid(shop, first)["session"]["payment_status"] == "paid"
    shop.advance("25h")
    assert v1.checkout.sessions.retrieve(second.id).status == "expired"
