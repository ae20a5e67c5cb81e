"""The hosted invoice by plain HTTP."""

from typing import Any

import httpx
import pytest

from tests.contract.hosted_pages import token_in
from tests.contract.shop import VISA, Shop

CARD = {"number": "4242424242424242", "expiry": "12/34", "cvc": "123", "method": "card"}


def billed(v1: Any, amount: int = 1500, **more: Any) -> Any:
    """An open invoice that waits to be paid."""
    customer = v1.customers.create({"email": "ann@example.com", "name": "Ann"})
    wish = {"customer": customer.id, "collection_method": "send_invoice", "days_until_due": 30, **more}
    bill = v1.invoices.create(wish)
    v1.invoice_items.create(
        {"customer": customer.id, "invoice": bill.id, "amount": amount, "currency": "usd", "description": "Advice"}
    )
    return v1.invoices.finalize_invoice(bill.id)


def paid_with(browser: httpx.Client, bill: Any, **form: str) -> httpx.Response:
    token = token_in(browser.get(f"/i/{bill.id}"))
    return browser.post(f"/i/{bill.id}", data={"token": token, **CARD, **form})


def test_an_open_invoice_is_shown_and_paid(v1: Any, shop: Shop, browser: httpx.Client) -> None:
    bill = billed(v1)
    assert bill.hosted_invoice_url == f"{shop.url}/i/{bill.id}"
    page = browser.get(bill.hosted_invoice_url)
    assert page.status_code == 200
    for text in (bill.number, "Advice", "$15.00", "Ann"):
        assert text in page.text
    assert paid_with(browser, bill).headers["location"] == f"/i/{bill.id}"
    assert v1.invoices.retrieve(bill.id).status == "paid"
    assert "There is nothing left to pay." in browser.get(f"/i/{bill.id}").text


def test_a_decline_keeps_the_invoice_open_and_3ds_leads_back(v1: Any, browser: httpx.Client) -> None:
    bill = billed(v1)
    answer = paid_with(browser, bill, number="4000000000000002")
    assert (answer.status_code, "Your card was declined." in answer.text) == (402, True)
    asked = paid_with(browser, bill, number="4000002760003184").headers["location"]
    assert asked.startswith("/3ds/pi_")
    token = token_in(browser.get(asked))
    back = browser.post(asked, data={"outcome": "complete", "token": token})
    assert back.headers["location"] == f"/i/{bill.id}"
    assert v1.invoices.retrieve(bill.id).status == "paid"


@pytest.mark.parametrize(
    ("form", "field"), [({"number": ""}, "number"), ({"expiry": ""}, "expiry"), ({"cvc": ""}, "cvc")]
)
def test_what_is_missing_is_said(v1: Any, browser: httpx.Client, form: dict[str, str], field: str) -> None:
    answer = paid_with(browser, billed(v1), **form)
    assert (answer.status_code, f'id="{field}-wrong"' in answer.text) == (400, True)


def test_a_bank_debit_is_on_its_way(v1: Any, browser: httpx.Client) -> None:
    bill = billed(v1)
    paid_with(browser, bill, method="debit", account="000123456789")
    assert v1.invoices.retrieve(bill.id).status == "open"
    assert "On its way" in browser.get(f"/i/{bill.id}").text


def test_a_form_without_its_token_pays_nothing(v1: Any, browser: httpx.Client) -> None:
    bill = billed(v1)
    assert browser.post(f"/i/{bill.id}", data=CARD).status_code == 403
    assert v1.invoices.retrieve(bill.id).status == "open"


def test_a_void_invoice_cannot_be_paid_and_a_draft_is_not_shown(v1: Any, browser: httpx.Client) -> None:
    bill = billed(v1)
    v1.invoices.void_invoice(bill.id)
    page = browser.get(f"/i/{bill.id}")
    assert "no longer valid" in page.text
    assert "<form" not in page.text
    draft = v1.invoices.create({"customer": bill.customer})
    assert browser.get(f"/i/{draft.id}").status_code == 404
    assert browser.get("/i/in_nothing").status_code == 404


def test_the_pdf_is_a_pdf(v1: Any, shop: Shop, browser: httpx.Client) -> None:
    bill = billed(v1)
    v1.payment_methods.attach(
        v1.payment_methods.create({"type": "card", "card": {"token": "tok_visa"}}).id, {"customer": bill.customer}
    )
    v1.invoices.pay(bill.id, {"payment_method": VISA})
    answer = browser.get(bill.invoice_pdf)
    assert answer.headers["content-type"] == "application/pdf"
    assert answer.content.startswith(b"%PDF-1.4")
    assert answer.content.endswith(b"%%EOF\n")
    assert b"(Amount paid)" in answer.content
    start = int(answer.content.rsplit(b"startxref\n", 1)[1].split()[0])
    assert answer.content[start : start + 4] == b"xref"
