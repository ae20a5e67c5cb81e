"""How fast background calls may follow each other, and that a buyer's call does not care. On both databases."""

from collections.abc import Iterator

import pytest

from paywright.storage.database import Database
from paywright.stripe.background import background, is_background
from paywright.stripe.pace import Pace, per_s


class Machine:
    """A wall clock that moves on when somebody sleeps."""

    def __init__(self) -> None:
        self.ms = 1_790_000_000_000.0
        self.slept: list[float] = []

    def wall(self) -> int:
        return round(self.ms)

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.ms += seconds * 1_000


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def paced(database: Database, machine: Machine, per_second: float, environment_id: str = "test") -> Pace:
    return Pace(database, environment_id, per_second, wall=machine.wall, sleep=machine.sleep)


@pytest.mark.parametrize("per_second", [1, 5, 20, 200])
def test_a_second_of_calls_at_once_and_then_so_many_a_second(database: Database, per_second: int) -> None:
    machine = Machine()
    pace, began = paced(database, machine, per_second), machine.ms
    for _ in range(per_second):
        pace.wait()
    assert machine.slept == []
    for _ in range(4 * per_second):
        pace.wait()
    assert machine.ms - began == pytest.approx(4_000, abs=1_000 / per_second + 2)


def test_processes_share_one_bucket(database: Database) -> None:
    machine = Machine()
    paces, began = [paced(database, machine, 5) for _ in range(3)], machine.ms
    for number in range(30):
        paces[number % 3].wait()
    assert machine.ms - began == pytest.approx(5_000, abs=250)


def test_environments_have_buckets_of_their_own(database: Database) -> None:
    machine = Machine()
    for environment_id in ("test", "other"):
        pace = paced(database, machine, 5, environment_id)
        for _ in range(5):
            pace.wait()
    assert machine.slept == []


def test_rest_saves_up_one_second_and_no_more(database: Database) -> None:
    machine = Machine()
    pace = paced(database, machine, 5)
    for _ in range(5):
        pace.wait()
    machine.ms += 3_600_000
    for _ in range(1 + 5):  # The one that is due now, and those saved up.
        pace.wait()
    assert machine.slept == []
    pace.wait()
    assert len(machine.slept) == 1


@pytest.mark.parametrize(
    ("setting", "provider", "livemode", "expected"),
    [
        (None, "stripe", True, 20.0),
        (None, "stripe", False, 5.0),
        (None, "sandbox", False, None),
        (3.0, "stripe", True, 3.0),
        (3.0, "sandbox", False, 3.0),
    ],
)
def test_how_many_a_second(setting: float | None, provider: str, livemode: bool, expected: float | None) -> None:
    assert per_s(setting, provider=provider, livemode=livemode) == expected


def test_a_call_is_in_the_background_only_inside_the_block() -> None:
    assert not is_background()
    with background():
        assert is_background()
        with background():
            assert is_background()
        assert is_background()
    assert not is_background()
