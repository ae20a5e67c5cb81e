"""
Dead at any point of a renewal, a switch or a refund, and begun again: it has happened once, and wholly.

On SQLite at every point, by the worlds they leave (`stage.py`), and really killed at one; on PostgreSQL really killed at one. `--crash-seed` draws
others, `--crash-all` really kills at every point on both.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from paywright.checkout import actions as checkout
from tests.crash.deeds import VISA
from tests.crash.stage import (
    Prepare,
    Prepared,
    SqliteStage,
    Stage,
    after_deaths,
    after_every_world,
    drawn,
    recorded,
)
from tests.subscriptions.terms import checkout_of, done


def subscribed(shop: Prepared) -> None:
    """With all that was heard so far acted on."""
    shop.buy("basic")


def a_month_later(shop: Prepared) -> None:
    subscribed(shop)
    shop.advance("32d")


def paid(shop: Prepared) -> None:
    session = done(checkout.start(shop.app, shop.environment, checkout_of("pack")))
    shop.control(f"checkout/{session.stripe_checkout_session_id}/pay", {"card": VISA})
    assert done(checkout.sync(shop.app, shop.environment, session.id)).payment_status == "paid"


STANDS = {"renew": a_month_later, "switch_up": subscribed, "refund": paid}


@pytest.mark.parametrize("deed", STANDS)
@pytest.mark.timeout(7_200)
def test_dead_at_any_point_of_what_comes_later_it_happens_once_and_wholly(
    deed: str, on_a_file: Callable[[Prepare], AbstractContextManager[SqliteStage]], request: pytest.FixtureRequest
) -> None:
    with on_a_file(STANDS[deed]) as stage:
        life = recorded(stage, deed)
        assert after_every_world(stage, life) == []
        assert after_deaths(stage, life, drawn(life, 1, request)) == []


@pytest.mark.parametrize("deed", STANDS)
@pytest.mark.timeout(7_200)
def test_killed_during_what_comes_later_on_postgresql_it_happens_once_and_wholly(
    deed: str, on_a_server: Callable[[Prepare], AbstractContextManager[Stage]], request: pytest.FixtureRequest
) -> None:
    with on_a_server(STANDS[deed]) as stage:
        life = recorded(stage, deed)
        assert after_deaths(stage, life, drawn(life, 1, request)) == []
