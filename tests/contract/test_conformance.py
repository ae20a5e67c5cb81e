"""The judge is judged: schemas derived from the SDK find what is wrong, and nothing where nothing is."""

from typing import Any

import pytest
import stripe
from stripe._object_classes import OBJECT_CLASSES

from tests.contract.always_present import ALWAYS_PRESENT
from tests.contract.conformance import Conformance
from tests.contract.sdk_parameters import object_classes
from tests.contract.sdk_schemas import error_codes, event_types, problems
from tests.contract.shop import Shop


def customer(v1: Any, **changed: Any) -> dict[str, Any]:
    plain: dict[str, Any] = {**v1.customers.create({"name": "Ann"}).last_response.data, **changed}
    return {name: value for name, value in plain.items() if value != "left out"}


@pytest.mark.parametrize(
    ("changed", "complaint"),
    [
        ({"balance": "0"}, "'0' is no int"),
        ({"livemode": 1}, "1 is no bool"),
        ({"zap": 1}, "unknown to the SDK"),
        ({"created": "left out"}, "required and missing"),
        ({"tax_exempt": "perhaps"}, "is none of"),
        ({"address": {"town": "Ulm"}}, "address.town: unknown"),
        ({"metadata": "a"}, "no hash"),
        ({"metadata": {"a": 1}}, "1 is no str"),
        ({"preferred_locales": "de"}, "no list"),
        ({"test_clock": 5}, "no TestClock"),
    ],
)
def test_a_wrong_customer_is_found_out(v1: Any, changed: dict[str, Any], complaint: str) -> None:
    assert problems(customer(v1)) == []
    (found,) = problems(customer(v1, **changed))
    assert complaint in found


def test_a_missing_key_that_python_would_let_pass_is_found_out(v1: Any) -> None:
    judge = Conformance()
    judge.check("response", customer(v1, description="left out"))
    assert judge.problems == ["customer: customer.description is always present at Stripe"]


def test_objects_inside_lists_and_events_are_judged_too(v1: Any) -> None:
    wrong = customer(v1, balance="0")
    listed = {"object": "list", "data": [wrong], "has_more": False, "url": "/v1/customers"}
    assert problems(listed) == ["list.data[0]:customer.balance: '0' is no int"]
    (event,) = v1.events.list({"limit": 1}).last_response.data["data"]
    event["data"]["object"] = wrong
    assert problems(event) == ["customer.created:customer.balance: '0' is no int"]


def test_the_derived_tables_are_those_of_the_sdk() -> None:
    assert object_classes() == OBJECT_CLASSES
    assert len(event_types()) > 250
    assert {"customer.created", "payment_intent.succeeded"} <= event_types()
    assert {"card_declined", "resource_missing"} <= error_codes()
    assert set(ALWAYS_PRESENT) - set(object_classes()) == set()


def test_the_judge_saw_what_went_out(v1: Any, shop: Shop, conformance: Conformance) -> None:
    before = conformance.seen
    v1.customers.create()
    assert conformance.seen == before + 2
    assert isinstance(shop.client, stripe.StripeClient)
