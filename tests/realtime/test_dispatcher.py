"""The dispatcher alone: streams that come and go while it looks at their credentials, and a database that is away."""

import threading
import time
from collections.abc import Iterator

import pytest

from paywright.app import open_app
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.ledger.hot import increase
from paywright.realtime.dispatcher import CHECK_S, Dispatcher
from paywright.realtime.model import Credential
from paywright.realtime.streams import Stream
from tests.harness.house import SECRET
from tests.harness.waiting import until


@pytest.fixture
def app(database_url: str) -> Iterator[App]:
    made = open_app(Settings(database_url=database_url, secret=SECRET), provider="instant")
    yield made
    made.close()


def opened(app: App, number: int, *, seen: int | None = None) -> Stream:
    environment = app.environment("test")
    assert isinstance(environment, Environment)
    customer = Customer("user", f"u_{number}")
    credential = Credential("token", "test", f"ctok_{number}", frozenset((customer,)), 1, expires_at=2**52 - number)
    made = app.resource(Dispatcher).open(
        environment, customer, credential, sees_all=False, seen=seen, wake=lambda _: None
    )
    assert not isinstance(made, Refusal), made
    return made


def test_streams_that_come_and_go_disturb_nobody(app: App, caplog: pytest.LogCaptureFixture) -> None:
    until_then = time.monotonic() + 3 * CHECK_S

    def come_and_go(first: int) -> None:
        number = first
        while time.monotonic() < until_then:
            app.resource(Dispatcher).leave(opened(app, number))
            number += 2

    stays = opened(app, -1)
    threads = [threading.Thread(target=come_and_go, args=(first,)) for first in (0, 1)]
    for each in threads:
        each.start()
    for each in threads:
        each.join()
    assert until(stays.take, "the snapshot").startswith(b"event: snapshot")
    increase(app, "test", Customer("user", "u_-1"), "credits", 5)
    assert until(stays.take, "the change").startswith(b"event: change\nid: 1\n")
    assert app.resource(Dispatcher).open_streams == 1
    assert [record.getMessage() for record in caplog.records if record.name == "paywright.realtime"] == []


def test_many_who_join_at_once_are_read_together(app: App) -> None:
    for number in range(5):
        increase(app, "test", Customer("user", f"u_{number}"), "credits", number + 1)
    streams = [opened(app, number) for number in range(250)]
    told = [until(stream.take, "the snapshot") for stream in streams]
    assert [frames.split(b"\n")[1] for frames in told] == [b"id: 1"] * 5 + [b"id: 0"] * 245
