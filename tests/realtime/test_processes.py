"""Between processes: what one commits, the others hear; and what is lost is found by looking."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import quote

import psycopg
import pytest

from paywright.api.listening import Listening
from paywright.api.server import build
from paywright.app import open_app
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger.hot import increase
from paywright.realtime.bell import CUSTOMERS_MAX, EVERYWHERE, Bell, payload_of
from paywright.realtime.dispatcher import LOOK_S, Dispatcher
from tests.harness.house import SECRET, House
from tests.harness.waiting import until
from tests.realtime.listening import Listener

USER = Customer("user", "u_1")


@pytest.fixture
def house(postgres_url: str) -> Iterator[House]:
    with House(postgres_url) as running:
        yield running


@pytest.fixture
def elsewhere(house: House) -> Iterator[App]:
    """Another App on the same database, as another process would have it."""
    app = open_app(Settings(database_url=house.app.settings.database_url, secret=SECRET), provider="instant")
    yield app
    app.close()


def stream(house: House) -> Listener:
    return Listener(f"{house.url}/v1/customers/user/u_1/stream", house.secret_key)


def test_a_commit_of_another_process_is_told_at_once(house: House, elsewhere: App) -> None:
    heard: list[tuple[str, list[str] | None]] = []
    with stream(house) as told:
        told.next()
        until(lambda: listeners(house), "the process to listen")
        house.app.listeners.append(lambda where, whom: heard.append((where, None if whom is None else sorted(whom))))
        increase(elsewhere, "test", USER, "credits", 5)
        assert told.next().body["state"]["items"][0]["quantity"] == 5
        until(lambda: ("test", ["user:u_1"]) in heard, "the signal")


def listeners(house: House) -> int:
    with psycopg.connect(house.app.settings.database_url, autocommit=True) as connection:
        asked = (
            "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND query = 'LISTEN paywright'"
        )
        (found,) = connection.execute(asked).fetchone() or (0,)
    return int(found)


def test_a_process_that_lost_its_connection_listens_again(house: House, elsewhere: App) -> None:
    with stream(house) as told:
        told.next()
        until(lambda: listeners(house), "the process to listen")
        with psycopg.connect(house.app.settings.database_url, autocommit=True) as connection:
            connection.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                "WHERE datname = current_database() AND query = 'LISTEN paywright'"
            )
        increase(elsewhere, "test", USER, "credits", 5)
        assert told.next().body["state"]["items"][0]["quantity"] == 5
        until(lambda: listeners(house), "the process to listen again")


def test_what_no_signal_told_is_found_by_looking(house: House) -> None:
    """A row that changed without anybody saying so, as after a lost NOTIFY."""
    with stream(house) as told:
        told.next()
        with psycopg.connect(house.app.settings.database_url, autocommit=True) as connection:
            connection.execute(
                "INSERT INTO customers (environment_id, customer, version, next_sequence, opened_at) "
                "VALUES ('test', 'user:u_1', 1, 2, 1)"
            )
        assert (told.next().event, LOOK_S) == ("snapshot", 1.0)


def test_what_one_process_did_in_a_moment_is_one_signal(house: House, elsewhere: App) -> None:
    house.app.resource(Bell).listen()
    heard: list[list[str] | None] = []
    house.app.listeners.append(lambda _, whom: heard.append(None if whom is None else list(whom)))
    until(lambda: listeners(house), "the process to listen")
    heard.clear()
    for number in range(100):
        elsewhere.tell("test", [f"user:{number}"])
    until(lambda: sum(len(each or ()) for each in heard) == 100, "everybody to be named")
    assert len(heard) < 50


def test_somebody_elses_words_on_the_channel_are_a_reason_to_look_and_no_end(house: House, elsewhere: App) -> None:
    house.app.resource(Bell).listen()
    heard: list[tuple[str, list[str] | None]] = []
    house.app.listeners.append(lambda where, whom: heard.append((where, None if whom is None else list(whom))))
    until(lambda: listeners(house), "the process to listen")
    heard.clear()
    with psycopg.connect(house.app.settings.database_url, autocommit=True) as connection:
        connection.execute("NOTIFY paywright, 'no words of ours'")
    until(lambda: (EVERYWHERE, None) in heard, "a look everywhere")
    elsewhere.tell("test", ["user:u_1"])
    until(lambda: ("test", ["user:u_1"]) in heard, "the signal after it")
    assert heard[0] == (EVERYWHERE, None)


@pytest.mark.parametrize("many", [CUSTOMERS_MAX + 1, None])
def test_too_many_to_name_are_told_as_anybody(many: int | None) -> None:
    assert payload_of("test", ["user:u_1"]) == '["test",["user:u_1"]]'
    long_names = [f"user:{'x' * 200}{number}" for number in range(many or 50)]
    assert payload_of("test", long_names) == '["test",null]'


def test_sqlite_needs_no_signals(sqlite_url: str) -> None:
    with House(sqlite_url) as house:
        house.app.resource(Bell).listen()
        assert house.app.announcers == []


COMMITS = """
import sys
from paywright.app import open_app
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger.hot import increase

app = open_app(Settings(database_url=sys.argv[1], secret=sys.argv[2]), provider="instant")
increase(app, "test", Customer("user", "u_1"), "credits", 5)
app.close()
"""


def test_another_process_on_one_sqlite_file_is_found_by_looking(sqlite_url: str, tmp_path: Path) -> None:
    script = tmp_path / "commits.py"
    script.write_text(COMMITS)
    with House(sqlite_url) as house, stream(house) as told:
        told.next()
        subprocess.run([sys.executable, script, sqlite_url, SECRET], check=True, timeout=60)
        assert told.next().body["state"]["items"][0]["quantity"] == 5


def test_an_app_serves_its_streams_again_after_a_server_stopped(house: House) -> None:
    house.server.stop()
    with Listening(build(house.app)) as server:
        url = f"{server.url}/v1/customers/user/u_1/stream"
        with Listener(url, house.secret_key) as told:
            assert told.next().event == "snapshot"
            assert house.app.resource(Dispatcher).open_streams == 1


def test_names_reach_the_database_as_they_are(house: House) -> None:
    """Quotes, backslashes and commas in a customer's id: in the watch list, the changes and the credentials."""
    name = 'o"brien\\,{x}","y'
    path = f"/v1/customers/user/{quote(name, safe='')}"
    with Listener(f"{house.url}{path}/stream", house.token(Customer("user", name))) as told:
        assert told.next().id == 0
        house.post(f"{path}/items/credits/increase", {"quantity": 1})
        assert told.next().body["state"]["customer"]["id"] == name
        house.post("/v1/customer-tokens/revoke", {"customer": {"type": "user", "id": name}})
        assert told.ended() == []
