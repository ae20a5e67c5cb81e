"""Customers, by the official SDK."""

from typing import Any

import pytest
import stripe

from tests.contract.billing import Desk
from tests.contract.shop import Shop


def test_a_customer_is_created_read_changed_listed_and_deleted(v1: Any, shop: Shop) -> None:
    made = v1.customers.create({"email": "ann@example.com", "name": "Ann", "metadata": {"a": "1", "b": "2"}})
    assert made.livemode is False
    assert v1.customers.retrieve(made.id).email == "ann@example.com"
    changed = v1.customers.update(made.id, {"name": "", "metadata": {"a": "", "c": "3"}, "address": {"city": "Ulm"}})
    assert (changed.name, changed.metadata.to_dict(), changed.address.city) == (None, {"b": "2", "c": "3"}, "Ulm")
    assert [found.id for found in v1.customers.list({"email": "ann@example.com"}).data] == [made.id]
    assert v1.customers.delete(made.id).deleted is True
    assert v1.customers.retrieve(made.id).deleted is True
    assert v1.customers.list().data == []
    assert shop.events() == ["customer.created", "customer.updated", "customer.deleted"]


def test_an_update_tells_the_old_values_of_changed_keys_only(v1: Any, shop: Shop) -> None:
    made = v1.customers.create({"name": "Ann", "metadata": {"a": "1"}, "invoice_settings": {"footer": "x"}})
    v1.customers.update(made.id, {"name": "Bo", "metadata": {"b": "2"}, "invoice_settings": {"footer": "y"}})
    previous = shop.event_objects()[-1]["data"]["previous_attributes"]
    assert previous == {"name": "Ann", "metadata": {"b": None}, "invoice_settings": {"footer": "x"}}


def test_clearing_all_metadata(v1: Any) -> None:
    made = v1.customers.create({"metadata": {"a": "1"}})
    assert v1.customers.update(made.id, {"metadata": ""}).metadata.to_dict() == {}


def test_a_missing_customer_is_resource_missing(v1: Any) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.customers.retrieve("cus_nobody")
    assert (refusal.value.http_status, refusal.value.code, refusal.value.param) == (404, "resource_missing", "id")
    assert "No such customer: 'cus_nobody'" in str(refusal.value)


def test_a_test_card_is_attached_and_made_the_default_in_one_call(v1: Any) -> None:
    """As Stripe's own pages write it."""
    wish = {"payment_method": "pm_card_visa", "invoice_settings": {"default_payment_method": "pm_card_visa"}}
    made = v1.customers.create(wish)
    (card,) = v1.customers.payment_methods.list(made.id).data
    assert made.invoice_settings.default_payment_method == card.id


def test_what_a_customer_has_comes_only_when_asked_for(desk: Desk) -> None:
    made = desk.subscribe()
    ended = desk.subscribe(customer=made.customer)
    desk.v1.subscriptions.cancel(ended.id)
    plain = desk.v1.customers.retrieve(made.customer)
    assert {"subscriptions", "sources", "tax_ids"} & set(plain.to_dict()) == set()
    wish = {"expand": ["subscriptions", "sources", "tax_ids"]}
    found = desk.v1.customers.retrieve(made.customer, wish)
    assert [each.id for each in found.subscriptions.data] == [made.id]
    assert (found.sources.data, found.tax_ids.data) == ([], [])
    desk.v1.customers.delete(gone := desk.customer())
    assert desk.v1.customers.retrieve(gone, wish).deleted is True
    deep = desk.v1.subscriptions.retrieve(made.id, {"expand": ["customer.subscriptions"]})
    assert deep.customer.subscriptions.data[0].id == made.id
