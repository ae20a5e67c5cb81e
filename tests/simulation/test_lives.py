"""Whole lives of a shop from a seed, on both databases, with everything failing now and then."""

import random
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import pytest

from paywright.app import is_in_use
from paywright.catalog.actions import apply
from paywright.kernel.refusals import Refusal
from tests.conftest import KINDS
from tests.flows import premises
from tests.flows.shop import Shop, opened_shop
from tests.harness.together import at_once
from tests.simulation import invariants
from tests.simulation.acts import ACTS, Act, time_passes
from tests.simulation.town import CATALOG, Town
from tests.simulation.trouble import TROUBLES, deliveries_suffer

Drawn = TypeVar("Drawn")
LIVES = 1
"""On each database, unless `--lives` says otherwise."""
MOMENTS = 40
AT_ONCE = (1, 1, 1, 2, 3)
SETTINGS = {"PAYWRIGHT_CLAIM_TIMEOUT_S": "1", "PAYWRIGHT_RECOVERY_AFTER_S": "1"}
"""What a dead server held is free again soon."""


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.timeout(86_400)  # A night, when asked for one.
def test_whatever_happens_everybody_ends_with_what_they_paid_for(
    kind: str, sandbox_url: str, database_of: Callable[[str], str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    first = int(request.config.getoption("--first-seed"))
    lives = int(request.config.getoption("--lives") or LIVES)
    with premises.opened(database_of(kind), tmp_path, **SETTINGS) as here:
        for seed in range(first, first + lives):
            with opened_shop(here, sandbox_url, f"life-{seed}", chaos_seed=seed) as shop:
                stock(shop)
                live(Town(shop, random.Random(f"{kind} {seed}")), seed)


def live(town: Town, seed: int) -> None:
    try:
        deliveries_suffer(town)
        for _ in range(MOMENTS):
            a_moment(town)
        town.calm(by_reconcile=seed % 2 == 0)
        invariants.audit(town)
    except BaseException as error:
        error.add_note("\n".join(town.told[-60:]))
        log = town.shop.server.log.read_text().splitlines()
        error.add_note("\n".join([line for line in log if "/environment/settled" not in line][-30:]))
        error.add_note(f"to live it again: pytest {__file__} --lives 1 --first-seed {seed}")
        raise


def a_moment(town: Town) -> None:
    """Something goes wrong, perhaps; somebody does something, or several do at once; perhaps time passes."""
    luck = town.draw.random()
    if luck < 0.3:
        drawn(town, TROUBLES)(town)
    acts: list[Act] = [drawn(town, ACTS)(town) for _ in range(town.draw.choice(AT_ONCE))]
    at_once(acts)
    if luck > 0.85:
        time_passes(town)()


def drawn(town: Town, table: tuple[tuple[int, Drawn], ...]) -> Drawn:
    weights = [weight for weight, _ in table]
    return town.draw.choices([thing for _, thing in table], weights)[0]


def stock(shop: Shop) -> None:
    with shop.premises.app.work(shop.environment_id) as work:
        applied = apply(work, CATALOG, is_in_use=is_in_use)
        assert not isinstance(applied, Refusal), applied
