"""Works, migrations and idempotency keys, on both databases."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from paywright.kernel.refusals import Refusal
from paywright.storage import idempotency
from paywright.storage.database import Database, DatabaseUnavailable, normalised
from paywright.storage.idempotency import Kept, idempotency_key
from paywright.storage.migrate import SchemaOutdated, require_current, upgrade
from paywright.storage.schema import metadata
from paywright.storage.statements import insert_if_absent, upsert
from paywright.storage.tables import idempotency_keys
from paywright.storage.work import RolledBack, Work, open_work
from paywright.stripe.tables import stripe_objects
from tests.harness.rooms import import_all_tables


def no_time(_connection: sa.Connection, _environment_id: str) -> int:
    return 7


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    made = Database(database_url)
    yield made
    made.close()


def roots(database: Database) -> list[str]:
    with database.read() as connection:
        return list(connection.execute(sa.select(stripe_objects.c.root).order_by(stripe_objects.c.root)).scalars())


def add(work: Work, root: str) -> bool:
    return insert_if_absent(work, stripe_objects, {"environment_id": "test", "root": root})


def failing(database: Database, act: Callable[[Work], object]) -> None:
    """Does it and raises before the commit."""

    def act_and_fail() -> None:
        with open_work(database, "test", no_time) as work:
            act(work)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        act_and_fail()


def test_a_work_commits_whole_or_not_at_all(database: Database) -> None:
    with open_work(database, "test", no_time) as work:
        assert add(work, "a")
    failing(database, lambda work: add(work, "b"))
    with open_work(database, "test", no_time) as work:
        add(work, "c")
        raise RolledBack
    assert roots(database) == ["a"]


def test_what_is_to_be_done_at_the_end_is_done_once_and_in_the_transaction(database: Database) -> None:
    told: list[str] = []
    with open_work(database, "test", no_time) as work:
        work.before_commit(lambda inner: told.append(f"last {add(inner, 'last')}"))
        work.before_commit(lambda inner: told.append(f"first {add(inner, 'first')}"), first=True)
        work.after_commit(lambda: told.append(f"after {roots(database)}"))
        assert told == []
    assert told == ["first True", "last True", "after ['first', 'last']"]
    failing(database, lambda work: work.after_commit(lambda: told.append("never")))
    assert "never" not in told


def test_time_is_read_once_in_a_work(database: Database) -> None:
    read: list[int] = []

    def clock(_connection: sa.Connection, _environment_id: str) -> int:
        read.append(len(read))
        return len(read)

    with open_work(database, "test", clock) as work:
        assert [work.now, work.now] == [1, 1]
    assert read == [0]


def test_inserting_what_is_there_says_so_and_changes_nothing(database: Database) -> None:
    with open_work(database, "test", no_time) as work:
        assert add(work, "a")
        upsert(
            work,
            stripe_objects,
            {"environment_id": "test", "root": "a", "fetch_number": 5, "applied_number": 0},
            key=("environment_id", "root"),
        )
        assert not add(work, "a")
        assert work.execute(sa.select(stripe_objects.c.fetch_number)).scalar_one() == 5


def test_writers_take_turns(database: Database) -> None:
    with open_work(database, "test", no_time) as work:
        add(work, "a")

    def count_up() -> None:
        for _ in range(25):
            with open_work(database, "test", no_time) as inner:
                raised = stripe_objects.update().values(fetch_number=stripe_objects.c.fetch_number + 1)
                inner.execute(raised)

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with database.read() as connection:
        assert connection.execute(sa.select(stripe_objects.c.fetch_number)).scalar_one() == 100


def test_a_reader_sees_one_moment(database: Database) -> None:
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(stripe_objects)).scalar_one() == 0
        with open_work(database, "test", no_time) as work:
            add(work, "a")
        assert connection.execute(sa.select(sa.func.count()).select_from(stripe_objects)).scalar_one() == 0
    assert roots(database) == ["a"]


def test_a_database_out_of_reach_is_named_as_such() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    with pytest.raises(DatabaseUnavailable), database.read():
        pass


def take_all(in_use: ExitStack, database: Database) -> None:
    for _ in range(100):
        in_use.enter_context(database.read())


def test_a_database_whose_connections_are_all_in_use_is_named_as_such(database: Database) -> None:
    database.engine.pool._timeout = 0.01  # type: ignore[attr-defined]
    with ExitStack() as in_use, pytest.raises(DatabaseUnavailable, match="no connection"):
        take_all(in_use, database)
    assert roots(database) == []


@pytest.mark.parametrize("written", ["postgres://u@h/d", "postgresql://u@h/d"])
def test_either_spelling_of_postgresql_gets_our_driver(written: str) -> None:
    assert normalised(written).drivername == "postgresql+psycopg"


def test_the_schema_is_the_sum_of_the_migrations(database: Database) -> None:
    import_all_tables()
    with database.read() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        assert compare_metadata(context, metadata) == []


def test_migrating_again_and_at_once_changes_nothing(empty_database_url: str) -> None:
    database = Database(empty_database_url)
    with pytest.raises(SchemaOutdated, match="paywright migrate"):
        require_current(database)
    with ThreadPoolExecutor(3) as pool:
        assert list(pool.map(upgrade, [empty_database_url] * 3)) == [None, None, None]
    require_current(database)
    database.close()


KEY = idempotency_key("secret", "k", method="POST", path="/v1/x", body=b"{}")


def in_work(database: Database, act: Callable[[Work], object]) -> object:
    with open_work(database, "test", no_time) as work:
        return act(work)


def test_the_first_answer_is_kept_with_its_effect(database: Database) -> None:
    assert in_work(database, lambda work: idempotency.claim(work, KEY, subject_id="chk_1")) is None
    assert in_work(database, lambda work: idempotency.claim(work, KEY)) == Kept("chk_1", None, None)
    in_work(database, lambda work: idempotency.store(work, KEY, 201, '{"id":"chk_1"}'))
    assert in_work(database, lambda work: idempotency.look(work, KEY)) == Kept("chk_1", 201, '{"id":"chk_1"}')
    in_work(database, lambda work: idempotency.point_at(work, KEY, "chk_2"))
    kept = in_work(database, lambda work: idempotency.look(work, KEY))
    assert isinstance(kept, Kept)
    assert kept.subject_id == "chk_2"


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_an_answer_that_is_no_fact_gives_the_key_back(database: Database, status: int) -> None:
    in_work(database, lambda work: idempotency.claim(work, KEY))
    in_work(database, lambda work: idempotency.store(work, KEY, status, "{}"))
    assert in_work(database, lambda work: idempotency.look(work, KEY)) is None


@pytest.mark.parametrize(
    ("caller", "body", "expected"),
    [("secret", b'{"a":1}', Refusal("idempotency_key_reused")), ("user:u_1", b'{"a":1}', None)],
    ids=["another body", "another caller"],
)
def test_a_key_means_one_request_of_one_caller(database: Database, caller: str, body: bytes, expected: object) -> None:
    in_work(database, lambda work: idempotency.claim(work, KEY))
    other = idempotency_key(caller, "k", method="POST", path="/v1/x", body=body)
    assert in_work(database, lambda work: idempotency.claim(work, other)) == expected


def test_a_key_is_claimed_by_one_of_many(database: Database) -> None:
    outcomes: list[object] = []

    def claim() -> None:
        outcomes.append(in_work(database, lambda work: idempotency.claim(work, KEY)))

    threads = [threading.Thread(target=claim) for _ in range(10)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(outcome is None for outcome in outcomes) == 1


def test_keys_are_forgotten_after_thirty_days_and_not_before(database: Database) -> None:
    in_work(database, lambda work: idempotency.claim(work, KEY))
    assert in_work(database, idempotency.forget_old) == 0
    old = idempotency_keys.update().values(created_at=idempotency_keys.c.created_at - idempotency.RETENTION_MS - 1)
    in_work(database, lambda work: work.execute(old))
    assert in_work(database, idempotency.forget_old) == 1
    assert in_work(database, lambda work: idempotency.look(work, KEY)) is None
