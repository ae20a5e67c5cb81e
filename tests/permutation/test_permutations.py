"""
Whatever order the news comes in, twice or too late, every customer ends with what they end with in order.

Each recorded lifecycle is lived by several customers of one shop at once: the first hears everything at once and in order, the others by their
seed. What is compared, and what may differ, is said in `state.py`. `--permutations N` tries N other orders of each lifecycle instead of a few.
"""

import pytest

from paywright.ledger.verify import verify
from paywright_sandbox import Sandbox
from tests.permutation.lifecycles import LIFECYCLES
from tests.permutation.state import canonical, differences
from tests.permutation.world import Buyer, Manner, World


def test_every_order_of_the_news_ends_as_the_ordered_one(
    database_url: str, request: pytest.FixtureRequest, sandbox: Sandbox
) -> None:
    orders = request.config.getoption("--permutations")
    world = World(database_url, sandbox)
    cases: dict[str, list[Buyer]] = {}
    for name, lifecycle in LIFECYCLES.items():
        seeds = [None, *seeds_of(name, orders)]
        cases[name] = [world.enter(name, lifecycle, Manner(seed)) for seed in seeds]
    world.live()
    for _ in range(2):
        told = wrong(world, cases)
        assert told == [], "\n".join(told)
        assert list(verify(world.app, "test")) == []
        world.repeat()
    world.close()


def seeds_of(name: str, orders: int) -> list[int]:
    """Every lifecycle has one of the three extremes, another one each, and seeds of its own; with more orders, all three."""
    place = list(LIFECYCLES).index(name)
    extremes = [(place + number) % 3 for number in range(min(3, (orders + 1) // 2))]
    return [*extremes, *(1_000 * (place + 1) + number for number in range(orders - len(extremes)))]


def wrong(world: World, cases: dict[str, list[Buyer]]) -> list[str]:
    """By lifecycle and seed."""
    found = []
    for name, (in_order, *others) in cases.items():
        expected = canonical(world.app, in_order.customer)
        assert expected["payments"], f"{name}: nothing happened"
        for buyer in others:
            told = differences(expected, canonical(world.app, buyer.customer))
            found += [f"{name}, seed {buyer.manner.seed}: {line}" for line in told]
    return found
