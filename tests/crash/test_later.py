"""
Killed at any point of a renewal, a switch or a refund, and begun again: it has happened once, and wholly.

A sample of the points that leave different things behind, on SQLite and fewer on PostgreSQL; `--crash-all` tries every point on both.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from paywright.checkout import actions as checkout
from paywright.checkout.model import StartCheckout
from paywright.ownership.model import AskedLine
from tests.conftest import KINDS
from tests.crash.deeds import USER, VISA
from tests.crash.stage import Prepare, Prepared, Stage, chosen, ends_as_if_nothing_had_happened
from tests.subscriptions.terms import done

Staged = Callable[[str, Prepare], AbstractContextManager[Stage]]


def subscribed(shop: Prepared) -> None:
    """With all that was heard so far acted on."""
    shop.buy("basic")


def a_month_later(shop: Prepared) -> None:
    subscribed(shop)
    shop.advance("32d")


def paid(shop: Prepared) -> None:
    wish = StartCheckout(USER, (AskedLine(product_id="pack"),), "https://app.test/ok", "https://app.test/no", True)
    session = done(checkout.start(shop.app, shop.environment, wish))
    shop.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": VISA})
    assert done(checkout.sync(shop.app, shop.environment, session.id)).payment_status == "paid"


STANDS = {"renew": a_month_later, "switch_up": subscribed, "refund": paid}


@pytest.mark.parametrize("deed", STANDS)
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(7_200)
def test_killed_at_any_point_of_what_comes_later(
    kind: str, deed: str, staged: Staged, request: pytest.FixtureRequest
) -> None:
    with staged(kind, STANDS[deed]) as stage:
        assert ends_as_if_nothing_had_happened(stage, deed, chosen(kind, request)) > 0
