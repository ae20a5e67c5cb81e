"""
Killed at any point of a purchase, and begun again: the customer has exactly what they paid for, once.

A sample of the points that leave different things behind, on SQLite and fewer on PostgreSQL; `--crash-all` tries every point on both.
"""

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from tests.conftest import KINDS
from tests.crash.stage import Prepare, Prepared, Stage, chosen, ends_as_if_nothing_had_happened

Staged = Callable[[str, Prepare], AbstractContextManager[Stage]]


def nothing(_shop: Prepared) -> None:
    """Not even the catalog is at Stripe yet."""


@pytest.mark.parametrize("deed", ["buy_pack", "buy_basic"])
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(7_200)
def test_killed_at_any_point_of_a_purchase(
    kind: str, deed: str, staged: Staged, request: pytest.FixtureRequest
) -> None:
    with staged(kind, nothing) as stage:
        assert ends_as_if_nothing_had_happened(stage, deed, chosen(kind, request)) > 0
