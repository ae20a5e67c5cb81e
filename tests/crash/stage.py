"""
A shop as it stands before a deed, put back before every life: the database, and the account at the sandbox.

Every life works on the same account and the same address of a database, so nothing has to be told where it is. The process that dies is a real one,
killed with SIGKILL; the one that starts after it is a fork of the same zygote, and repeats the deed.

On SQLite every point is covered without a death at each. One life is recorded: it stands still at every point, and the world outside it (`world.py`)
is taken. Most points leave every byte of the world as it was at the point before, and to die there is to leave that same world behind. So a life
goes on from each of the worlds that were seen, which is a sixth of the points; and that a death leaves the world it was killed in is seen of real
ones.
"""

import random
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import cycle
from pathlib import Path

import msgspec
import pytest

from paywright_sandbox import Sandbox
from tests.crash.asking import Post
from tests.crash.deeds import Till
from tests.crash.state import State
from tests.crash.world import AtStripe, SqliteFile, StripeSide, World
from tests.crash.zygote import GO_ON, Death, Life, Point
from tests.harness.databases import PostgresDatabases, SqliteDatabases
from tests.permutation.catalog import CATALOG
from tests.permutation.state import differences
from tests.subscriptions.till import StripeShop

POINTS_MIN = 5
See = Callable[[Point], None]
Deed = str | Post


class Zygote:
    def __init__(self) -> None:
        command = [sys.executable, "-m", "tests.crash.zygote"]
        self._process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        self.warmed = set[tuple[str, str]]()

    def live(self, life: Life, see: See | None = None) -> Death:
        """`see` is called at each point that is shown, while the life stands still there."""
        assert self._process.stdout is not None
        self._say(msgspec.json.encode(life) + b"\n")
        while True:
            told = msgspec.json.decode(self._process.stdout.readline(), type=Point | Death)
            if isinstance(told, Death):
                return told
            assert see is not None
            see(told)
            self._say(GO_ON)

    def close(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        self._process.wait(60)

    def _say(self, told: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(told)
        self._process.stdin.flush()


class Stage:
    """`database_put_back` gives the address of a database as it was prepared."""

    def __init__(self, shop: "Prepared", zygote: Zygote, database_put_back: Callable[[], str]) -> None:
        self.at_stripe = StripeSide(shop.sandbox, shop.key)
        self._zygote, self._database_put_back = zygote, database_put_back
        self._prepared: AtStripe = self.at_stripe.taken()
        self._till = Till("", shop.sandbox.url, shop.key)

    def begin(self) -> None:
        """The shop as it was prepared."""
        self.at_stripe.put_back(self._prepared)
        self._till = msgspec.structs.replace(self._till, database_url=self._database_put_back())

    def live(self, deed: Deed) -> State:
        """A life that goes on from the world as it is, and ends well: what it leaves."""
        return self._left_by(self._zygote.live(Life(deed, self._till)))

    def warm(self, deed: Deed) -> None:
        """Once lived in the zygote itself, every fork knows the SQL of the deed."""
        self.begin()
        self._left_by(self._zygote.live(Life(deed, self._till, is_here=True)))

    def watched(self, deed: Deed, see: See) -> State:
        self.begin()
        return self._left_by(self._zygote.live(Life(deed, self._till, shows="everything"), see))

    def die(self, deed: Deed, number: int, see: See) -> Death:
        """Killed at this point, and seen there for the last time; it may have ended before."""
        self.begin()
        death = self._zygote.live(Life(deed, self._till, number, shows="its death"), see)
        assert death.signal == signal.SIGKILL or death.error is None, death.error
        return death

    def _left_by(self, life: Death) -> State:
        assert life.signal == 0, life
        assert life.state is not None, life.error
        return {**life.state, "at Stripe": [self.at_stripe.counted()]}


class SqliteStage(Stage):
    """One whose world can be taken."""

    def __init__(self, shop: "Prepared", zygote: Zygote, file: SqliteFile, database: bytes) -> None:
        def put_back() -> str:
            file.put_back(database)
            return file.url

        super().__init__(shop, zygote, put_back)
        self._file = file

    def world(self) -> World:
        return World(*self._file.taken(), self.at_stripe.taken())

    def put_back(self, world: World) -> None:
        self._file.put_back(world.database, world.log)
        self.at_stripe.put_back(world.stripe)


class Stretch(msgspec.Struct, frozen=True):
    """Points that leave the same world behind, one after another."""

    first: int
    names: list[str]
    world: World

    def __str__(self) -> str:
        return (
            f"points {self.first} to {self.first + len(self.names) - 1}, from `{self.names[0]}` to `{self.names[-1]}`"
        )


class Recorded(msgspec.Struct, frozen=True):
    """A life in which nothing went wrong: the names of its points, what it left, and on SQLite the worlds it went through."""

    deed: Deed
    points: list[str]
    state: State
    stretches: list[Stretch]


def recorded(stage: Stage, deed: Deed) -> Recorded:
    points, stretches = list[str](), list[Stretch]()

    def see(point: Point) -> None:
        assert point.number == len(points) + 1
        points.append(point.name)
        if isinstance(stage, SqliteStage):
            world = stage.world()
            if not stretches or stretches[-1].world != world:
                stretches.append(Stretch(point.number, [], world))
            stretches[-1].names.append(point.name)

    stage.warm(deed)
    state = stage.watched(deed, see)
    assert len(points) > POINTS_MIN
    return Recorded(deed, points, state, stretches)


def after_every_world(stage: SqliteStage, life: Recorded, again: Sequence[Deed] = ()) -> list[str]:
    """
    What is different in the end when a life goes on from what a death leaves, at any of the points, by doing the same again.

    `again`: other ways to do it again, in turn, one in each world.
    """
    assert sum(len(each.names) for each in life.stretches) == len(life.points)
    told = list[str]()
    for stretch, deed in zip(life.stretches, cycle(again or (life.deed,)), strict=False):
        stage.put_back(stretch.world)
        told += [f"{deed}, dead at {stretch}: {line}" for line in differences(life.state, stage.live(deed))]
    return told


def after_deaths(stage: Stage, life: Recorded, numbers: list[int]) -> list[str]:
    """
    The same, really killed at these points.

    How much is done at once depends on the moment, so a life may have some points less than the one that was recorded: of a sample, one that is not
    reached gives way to an earlier one.
    """
    told, deaths = list[str](), 0
    for number in numbers:
        killed = is_killed(stage, life.deed, number)
        while not killed and len(numbers) < len(life.points):
            number = number * 2 // 3
            assert number > 0, life.deed
            killed = is_killed(stage, life.deed, number)
        deaths += killed
        where = f"{life.deed}, killed at point {number} of {len(life.points)}, about `{life.points[number - 1]}`"
        told += [f"{where}: {line}" for line in differences(life.state, stage.live(life.deed))]
    assert deaths > 0
    return told


def is_killed(stage: Stage, deed: Deed, number: int) -> bool:
    """False: it ended before. On SQLite its death leaves the world it was killed in, byte for byte."""
    seen = list[World]()

    def see(_point: Point) -> None:
        if isinstance(stage, SqliteStage):
            seen.append(stage.world())

    death = stage.die(deed, number, see)
    if death.signal and isinstance(stage, SqliteStage):
        assert seen == [stage.world()], f"{deed}, killed at point {number}"
    return death.signal == signal.SIGKILL


def drawn(life: Recorded, size: int, request: pytest.FixtureRequest) -> list[int]:
    """Numbers of `size` points, by the seed; of all of them if every death is asked for."""
    numbers = list(range(1, len(life.points) + 1))
    if request.config.getoption("--crash-all"):
        return numbers
    seed = request.config.getoption("--crash-seed")
    request.node.add_report_section("call", "drawn", f"--crash-seed {seed}")
    return sorted(random.Random(f"{seed} {life.deed}").sample(numbers, size))


class Prepared(StripeShop):
    """The shop while it is made ready; afterwards only Stripe's side of it is looked at."""

    def __init__(self, database_url: str, sandbox: Sandbox) -> None:
        super().__init__(database_url, sandbox, CATALOG)
        self.sandbox = sandbox


Prepare = Callable[[Prepared], None]


def prepared(url: str, sandbox: Sandbox, prepare: Prepare) -> Prepared:
    shop = Prepared(url, sandbox)
    prepare(shop)
    shop.close()
    return shop


@contextmanager
def on_sqlite(
    databases: SqliteDatabases, folder: Path, sandbox: Sandbox, zygote: Zygote, prepare: Prepare
) -> Iterator[SqliteStage]:
    with databases.fresh(folder) as url:
        shop = prepared(url, sandbox, prepare)
        original = Path(url.removeprefix("sqlite:///"))
        shut(original)
        yield SqliteStage(shop, zygote, SqliteFile(folder / "stage.db"), original.read_bytes())


@contextmanager
def on_postgresql(databases: PostgresDatabases, sandbox: Sandbox, zygote: Zygote, prepare: Prepare) -> Iterator[Stage]:
    server, copies = databases.server, list[str]()
    with databases.fresh() as url:
        shop = prepared(url, sandbox, prepare)

        def put_back() -> str:
            for left in copies:
                server.drop_database(left)
            server.disconnect_all(url)
            copies[:] = [server.create_database(template=url)]
            return copies[0]

        yield Stage(shop, zygote, put_back)
        for left in copies:
            server.drop_database(left)


def shut(path: Path) -> None:
    """What is still in the write-ahead log goes into the file."""
    connection = sqlite3.connect(path)
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()
