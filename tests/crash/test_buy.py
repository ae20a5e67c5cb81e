"""
Dead at any point of a purchase, and begun again: the customer has exactly what they paid for, once.

On SQLite at every point, by the worlds they leave (`stage.py`), and really killed at one; on PostgreSQL really killed at one. `--crash-seed` draws
others, `--crash-all` really kills at every point on both.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from paywright.catalog.push import push
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


def nothing(_shop: Prepared) -> None:
    """Not even the catalog is at Stripe yet."""


def a_catalog(shop: Prepared) -> None:
    """All of it, so nothing of it is in the way."""
    assert push(shop.app, "test").problems == []


STANDS = {"buy_pack": nothing, "buy_basic": a_catalog}


@pytest.mark.parametrize("deed", STANDS)
@pytest.mark.timeout(7_200)
def test_dead_at_any_point_of_a_purchase_it_is_made_once_and_wholly(
    deed: str, on_a_file: Callable[[Prepare], AbstractContextManager[SqliteStage]], request: pytest.FixtureRequest
) -> None:
    with on_a_file(STANDS[deed]) as stage:
        life = recorded(stage, deed)
        assert after_every_world(stage, life) == []
        assert after_deaths(stage, life, drawn(life, 1, request)) == []


@pytest.mark.parametrize("deed", STANDS)
@pytest.mark.timeout(7_200)
def test_killed_during_a_purchase_on_postgresql_it_is_made_once_and_wholly(
    deed: str, on_a_server: Callable[[Prepare], AbstractContextManager[Stage]], request: pytest.FixtureRequest
) -> None:
    with on_a_server(STANDS[deed]) as stage:
        life = recorded(stage, deed)
        assert after_deaths(stage, life, drawn(life, 1, request)) == []
