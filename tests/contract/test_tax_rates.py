"""Tax rates on invoices and subscriptions."""

import pytest
import stripe

from tests.contract.billing import Desk


def rate(desk: Desk, percentage: float, *, inclusive: bool) -> str:
    wish = {"display_name": "VAT", "percentage": percentage, "inclusive": inclusive, "country": "DE"}
    return str(desk.v1.tax_rates.create(wish).id)


def test_rates_are_made_changed_and_listed(desk: Desk) -> None:
    made = desk.v1.tax_rates.retrieve(rate(desk, 19, inclusive=True))
    assert (made.percentage, made.inclusive, made.active, made.country) == (19.0, True, True, "DE")
    assert desk.v1.tax_rates.update(made.id, {"active": False}).active is False
    assert desk.v1.tax_rates.list({"active": True}).data == []
    assert desk.shop.events()[-2:] == ["tax_rate.created", "tax_rate.updated"]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        rate(desk, 101, inclusive=False)
    assert refusal.value.param == "percentage"


@pytest.mark.parametrize(("inclusive", "total", "without", "tax"), [(False, 1190, 1000, 190), (True, 1000, 840, 160)])
def test_a_rate_on_a_subscription(desk: Desk, inclusive: bool, total: int, without: int, tax: int) -> None:
    made = desk.subscribe(desk.price(1000), default_tax_rates=[rate(desk, 19, inclusive=inclusive)])
    bill = made.latest_invoice
    assert (bill.subtotal, bill.total, bill.total_excluding_tax) == (1000, total, without)
    assert [(one.amount, one.taxable_amount) for one in bill.total_taxes] == [(tax, without)]
    line = bill.lines.data[0]
    assert (line.taxes[0].amount, line.taxes[0].tax_behavior) == (tax, "inclusive" if inclusive else "exclusive")
    assert bill.amount_paid == total
    desk.shop.advance("31d")
    assert desk.again(made).latest_invoice.total == total


def test_tax_is_on_what_is_left_after_discounts(desk: Desk) -> None:
    half = desk.v1.coupons.create({"percent_off": 50}).id
    vat = rate(desk, 10, inclusive=False)
    made = desk.subscribe(desk.price(1000), default_tax_rates=[vat], discounts=[{"coupon": half}])
    assert made.latest_invoice.total == 550


def test_a_rate_of_an_item_goes_before_the_default(desk: Desk) -> None:
    items = [{"price": desk.price(1000), "tax_rates": [rate(desk, 7, inclusive=False)]}]
    made = desk.subscribe(items=items, default_tax_rates=[rate(desk, 19, inclusive=False)])
    assert made.latest_invoice.total == 1070


def test_an_unknown_rate(desk: Desk) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        desk.subscribe(default_tax_rates=["txr_none"])
    assert (refusal.value.code, refusal.value.param) == ("resource_missing", "default_tax_rates")
