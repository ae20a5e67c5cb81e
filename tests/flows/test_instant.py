"""The provider `instant`: free, granted at once, no Stripe anywhere."""

from collections.abc import Iterator

import pytest

from tests.conftest import KINDS
from tests.flows.conftest import SharedPremises
from tests.flows.shop import Shop, opened_shop


@pytest.fixture(params=KINDS)
def instant_shop(
    request: pytest.FixtureRequest,
    shared_premises: SharedPremises,
    sandbox_url: str,
    environment_ids: Iterator[str],
) -> Iterator[Shop]:
    here = shared_premises.of(request.param)
    with opened_shop(here, sandbox_url, next(environment_ids), chaos_seed=1, provider="instant") as stage:
        yield stage


def test_an_instant_purchase_is_there_before_the_redirect(instant_shop: Shop) -> None:
    session = instant_shop.checkout("u_1", "pack", quantity=2)
    assert (session.status, session.payment_status) == ("completed", "no_payment_required")
    assert session.url == f"https://app.example/thanks?session={session.id}"
    (pack,) = instant_shop.client.user("u_1").list_products()
    assert (pack.product_id, pack.quantity, pack.source) == ("pack", 2, "test")
    assert instant_shop.credits("u_1") == 200
    assert instant_shop.client.sync_checkout_session(session.id).status == "completed"
    assert instant_shop.account.every("/v1/customers") == []


def test_an_instant_subscription_renews_by_the_calendar_and_ends_when_cancelled(instant_shop: Shop) -> None:
    instant_shop.checkout("u_1", "pro")
    user = instant_shop.client.user("u_1")
    user.get_item("credits").decrease_quantity(30)
    instant_shop.client.advance_clock("32d")
    assert (instant_shop.owned("u_1"), instant_shop.credits("u_1")) == ({"pro": 1}, 50)
    user.cancel_subscription("pro")
    instant_shop.client.advance_clock("32d")
    assert (instant_shop.owned("u_1"), instant_shop.credits("u_1")) == ({}, 0)
