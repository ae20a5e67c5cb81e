"""The worker: what was asked for is done once, however many there are, and comes back when it failed."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from types import FrameType
from typing import Any

import pytest
import sqlalchemy as sa

from paywright import worker
from paywright.app import open_app
from paywright.engine.app import App
from paywright.kernel.settings import Settings
from paywright.outbox import commands
from paywright.outbox.actions import command
from paywright.outbox.tables import commands as command_rows
from paywright.storage.database import DatabaseUnavailable
from paywright.worker import JOBS, Job, Worker, waiting
from tests.harness.waiting import until

SECRET = "a secret of tests only, long enough"


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    made = open_app(Settings(database_url=database_url, secret=SECRET), provider="instant")
    yield made
    made.close()


def ask(app: App, *subjects: str) -> None:
    with app.work("test") as work:
        for subject in subjects:
            command(work, "test.act", subject, {"subject": subject})


def rows(app: App) -> list[tuple[str, str, int]]:
    with app.database.read() as connection:
        columns = (command_rows.c.subject, command_rows.c.status, command_rows.c.attempts)
        return [tuple(row) for row in connection.execute(sa.select(*columns).order_by(command_rows.c.subject))]  # type: ignore[misc]


def claimed(app: App, *, lease_ms: int = 60_000, limit: int = 10) -> list[commands.Command]:
    with app.work("test") as work:
        return commands.claim_due(work, lease_ms=lease_ms, limit=limit)


def test_a_command_is_asked_for_once_and_claimed_by_one(app: App) -> None:
    ask(app, "a", "b", "a")
    with ThreadPoolExecutor(4) as pool:
        found = [each for batch in pool.map(lambda _: claimed(app), range(4)) for each in batch]
    assert sorted(each.subject for each in found) == ["a", "b"]
    assert {each.attempts for each in found} == {1}
    assert claimed(app) == []


def test_a_claim_whose_worker_died_comes_back(app: App) -> None:
    ask(app, "a")
    assert [each.attempts for each in claimed(app, lease_ms=-1)] == [1]
    assert [each.attempts for each in claimed(app)] == [2]


def test_a_command_that_failed_is_postponed_and_says_why(app: App) -> None:
    ask(app, "a")
    (found,) = claimed(app)
    with app.work("test") as work:
        commands.postpone(work, found, "StripeUnknown: no answer")
    assert rows(app) == [("a", "pending", 1)]
    with app.database.read() as connection:
        assert not commands.is_due(connection, "test")
        assert commands.count_due(connection, "test") == 0
        assert connection.execute(sa.select(command_rows.c.last_error)).scalar_one() == "StripeUnknown: no answer"


def test_a_finished_command_is_done_for_ever(app: App) -> None:
    ask(app, "a")
    (found,) = claimed(app)
    with app.work("test") as work:
        commands.finish(work, [found])
    ask(app, "a")
    assert rows(app) == [("a", "done", 1)]


def counting(counted: list[str], then: Callable[[], int]) -> Callable[[App, Any], int]:
    def run(_app: App, environment: Any) -> int:
        counted.append(environment.id)
        return then()

    return run


def test_a_commit_wakes_the_jobs_that_wait_for_one(app: App) -> None:
    counted: list[str] = []
    jobs = (Job("woken", counting(counted, lambda: 0), 3600, wakes=True),)
    with Worker(app, jobs=jobs, poll_s=3600):
        ask(app, "a")
        until(lambda: counted, "the job to be woken")
    assert set(counted) == {"test"}


def test_a_job_runs_again_as_long_as_it_finds_something(app: App) -> None:
    counted: list[str] = []
    left = [2, 1, 0]
    with Worker(app, jobs=(Job("busy", counting(counted, lambda: left.pop(0)), 3600),), poll_s=0.01):
        until(lambda: not left, "the job to be done")
    assert len(counted) == 3


@pytest.mark.parametrize("error", [DatabaseUnavailable("gone"), ZeroDivisionError("a bug")])
def test_a_job_that_raises_runs_again_later(app: App, error: Exception, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []

    def fail() -> int:
        raise error

    with Worker(app, jobs=(Job("failing", counting(counted, fail), 0),), poll_s=0.01):
        until(lambda: len(counted) >= 2, "the job to run again")
    logged = [record for record in caplog.records if record.name == "paywright.worker"]
    assert {record.exc_info is None for record in logged} == {isinstance(error, DatabaseUnavailable)}


def test_a_look_for_work_that_fails_is_no_end_of_the_worker(app: App, caplog: pytest.LogCaptureFixture) -> None:
    counted: list[str] = []
    failures = [ZeroDivisionError("a bug"), DatabaseUnavailable("gone")]

    def fail(*_: Any) -> None:
        if failures:
            raise failures.pop()

    sa.event.listen(app.database.engine, "before_cursor_execute", fail)
    with Worker(app, jobs=(Job("job", counting(counted, lambda: 0), 0),), poll_s=0.01):
        until(lambda: counted, "the job to run")
    assert failures == []
    logged = [record for record in caplog.records if record.name == "paywright.worker"]
    assert [record.exc_info is None for record in logged] == [True, False]


def test_an_idle_worker_writes_nothing(app: App) -> None:
    """A job that is woken by commits and commits itself would wake itself for ever."""
    with Worker(app):
        until(lambda: waiting(app, app.environment("test")) == {}, "everything to be settled")  # type: ignore[arg-type]
    commits: list[int] = []
    sa.event.listen(app.database.engine, "commit", lambda _connection: commits.append(1))
    for job in JOBS:
        if job.wakes:
            environment = app.environment("test")
            assert environment is not None
            assert job.run(app, environment) == 0, job.name
    assert commits == []


def test_a_commit_between_the_last_look_of_a_job_and_its_end_is_looked_at(sqlite_url: str) -> None:
    """The very last moment: all is looked at, and the loop takes its turn before the thread is free. The next look by itself is an hour away."""
    app = open_app(Settings(database_url=sqlite_url, secret=SECRET), provider="instant")
    app.take_news()
    looks, happened = list[str](), list[str]()

    def watch(frame: FrameType, event: str, _: Any) -> None:
        if event != "return" or frame.f_code.co_filename != worker.__file__:
            return
        name = frame.f_code.co_name
        happened.append(name)
        if name == "_do" and happened.count("_do") == 1:
            app.tell("test")
            until(lambda: happened.count("_turn") == 2, "the loop to take its turn")

    threading.setprofile(watch)
    try:
        with Worker(app, jobs=(Job("looking", counting(looks, lambda: 0), 3600, wakes=True),), poll_s=3600):
            app.tell("test")
            until(lambda: len(looks) == 2, "the second look")
    finally:
        threading.setprofile(None)
    assert looks == ["test", "test"]
    app.close()
