"""Everything out, and back into a database of either kind, without a secret and without a difference."""

import io
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.access.actions import create_key
from paywright.access.tables import app_jwts
from paywright.app import open_app
from paywright.claims.tables import claim_tokens
from paywright.engine.app import App
from paywright.healing import portable
from paywright.healing.export import export
from paywright.healing.restore import NotAnExport, NotEmpty, Restored, restore
from paywright.hooks.actions import create as create_hook
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.kernel.vault import encrypt
from paywright.ledger.hot import increase
from paywright.ledger.tables import balances
from paywright.ledger.verify import verify
from paywright.outbox import letters
from paywright.outbox.tables import customers
from paywright.storage.database import Database
from paywright.storage.idempotency import idempotency_key
from paywright.storage.schema import metadata
from paywright.webhooks.door import Delivery, store
from paywright.webhooks.mirror import arrival
from tests.harness.shop import SECRET
from tests.healing.till import HealingShop
from tests.subscriptions.terms import USER


def everything(till: HealingShop) -> None:
    """A row in as many tables as one shop fills, bytes and every kind of secret among them."""
    till.buy("pro")
    till.pay(till.open_checkout("pack"))
    till.reconcile(fix=True)
    body = json.dumps({"id": "evt_1", "object": "event", "type": "payout.paid", "livemode": False}).encode()
    told = arrival(body)
    assert told is not None
    with till.app.work("test") as work:
        store(work, [Delivery("test", told, "not_asked", body, 1)])
        create_key(work, "secret")
        letters.write_letter(work, SECRET, "sign_in_code", "fact-1", "ann@example.com", {"code": "314159"})
        row = {"environment_id": "test", "token_hash": b"\x00\xff" * 16, "guest_id": "g_1", "created_at": 1}
        work.execute(claim_tokens.insert().values(**row))
        issuer = {"issuer": "https://id.example/", "user_claim": "sub", "teams_claim": "teams"}
        work.execute(app_jwts.insert().values(environment_id="test", shared_secret=encrypt(SECRET, "hush"), **issuer))
    with till.app.work("test") as work:
        create_hook(work, till.app.settings, till.environment, "https://app.test/hook", ("payment.paid",))
    key = idempotency_key("secret", "k-1", method="POST", path="/v1/x", body=b"{}")
    increase(till.app, "test", USER, "credits", 7, idempotency=key)


def exported(url: str, **options: Any) -> bytes:
    database, out = Database(url), io.BytesIO()
    try:
        export(database, out, **options)
    finally:
        database.close()
    return out.getvalue()


def restored(url: str, lines: bytes) -> Restored:
    database = Database(url)
    try:
        return restore(database, io.BytesIO(lines))
    finally:
        database.close()


def rows(lines: bytes) -> list[bytes]:
    """All but the manifest, which says when it was made, and the hash of it."""
    return lines.splitlines()[1:-1]


@contextmanager
def app_on(url: str) -> Iterator[App]:
    app = open_app(Settings(database_url=url, secret=SECRET), provider="sandbox")
    try:
        yield app
    finally:
        app.close()


@pytest.fixture
def other_url(request: pytest.FixtureRequest, database_url: str) -> str:
    """A database of the other kind."""
    return str(request.getfixturevalue("sqlite_url" if database_url.startswith("postgres") else "postgres_url"))


def test_an_export_comes_back_the_same_in_the_other_kind_of_database(till: HealingShop, other_url: str) -> None:
    everything(till)
    first = exported(str(till.app.database.url.render_as_string(hide_password=False)))
    found = restored(other_url, first)
    assert (found.rows, found.environments) == (len(rows(first)), ["test"])
    assert rows(exported(other_url)) == rows(first)
    manifest = json.loads(first.splitlines()[0])
    filled = {name for name, count in manifest["rows"].items() if count}
    assert {
        "payments",
        "ledger_entries",
        "stripe_events",
        "claim_tokens",
        "idempotency_keys",
        "hooks",
        "letters",
    } <= filled
    with app_on(other_url) as app:
        assert list(verify(app, "test")) == []
        with app.database.read() as connection:
            counted = sa.select(sa.func.count()).select_from(balances)
            assert connection.execute(counted).scalar_one() > 0
        increase(app, "test", USER, "credits", 1)


def test_no_secret_is_in_it(lite_till: HealingShop) -> None:
    everything(lite_till)
    lines = exported(lite_till.app.settings.database_url)
    with lite_till.app.database.read() as connection:
        for table_name, column in encrypted():
            table = metadata.tables[table_name]
            values = [value for value in connection.execute(sa.select(table.c[column])).scalars() if value]
            if table_name != "webhook_secrets":
                assert values, f"{table_name}.{column} is not put to the test"
            assert not [value for value in values if value.encode() in lines], f"{table_name}.{column}"
    for secret in (lite_till.key, SECRET, "314159", "gAAAA"):
        assert secret.encode() not in lines


def encrypted() -> list[tuple[str, str]]:
    """Every column that says so of itself."""
    portable.tables()
    return [
        (table.name, column.name)
        for table in metadata.sorted_tables
        for column in table.c
        if "encrypted" in (column.comment or "")
    ]


def test_every_encrypted_column_is_left_empty_or_stays_behind() -> None:
    left = {(table, column) for table, columns in portable.LEFT_EMPTY.items() for column in columns}
    assert [each for each in encrypted() if each not in left and each[0] not in portable.EPHEMERAL] == []


def test_an_export_is_one_moment_whatever_is_written_meanwhile(database_url: str) -> None:
    with app_on(database_url) as app:
        for number in range(30):
            increase(app, "test", Customer("user", f"u_{number}"), "credits", 1)
        before = rows(exported(database_url))
        out, database = io.BytesIO(), Database(database_url)
        try:
            written = threading.Thread(target=lambda: increase(app, "test", Customer("user", "late"), "credits", 1))

            def write_meanwhile(_: object) -> None:
                written.start()
                written.join()

            export(database, out, begun=write_meanwhile)
        finally:
            database.close()
        assert rows(out.getvalue()) == before
        assert rows(exported(database_url)) != before


def test_one_environment_may_be_taken_out_by_itself(sqlite_url: str, fresh_sqlite: Callable[[], str]) -> None:
    with app_on(sqlite_url) as app:
        from paywright.app import create_environment

        create_environment(app, "other", mode="test", provider="instant")
        for environment_id in ("test", "other"):
            increase(app, environment_id, USER, "credits", 3)
    target = fresh_sqlite()
    assert restored(target, exported(sqlite_url, environment_id="other")).environments == ["other"]


@pytest.fixture
def fresh_sqlite(request: pytest.FixtureRequest, tmp_path: Any) -> Iterator[Callable[[], str]]:
    from contextlib import ExitStack

    databases = request.getfixturevalue("sqlite_databases")
    with ExitStack() as kept:
        yield lambda: kept.enter_context(databases.fresh(tmp_path))


def cut(lines: bytes) -> bytes:
    return b"\n".join(lines.splitlines()[:-1]) + b"\n"


def one_less(lines: bytes) -> bytes:
    kept = lines.splitlines()
    return b"\n".join([*kept[:-2], kept[-1]]) + b"\n"


BAD: dict[str, tuple[Callable[[bytes], bytes], str]] = {
    "cut off": (cut, "its last line is missing"),
    "a row short": (one_less, "as many rows"),
    "changed": (lambda lines: lines.replace(b'"default_currency":"usd"', b'"default_currency":"eur"'), "hash differs"),
    "not ours": (lambda _: b"hello\n", "no manifest"),
    "of another format": (lambda lines: lines.replace(b'"paywright_export":1', b'"paywright_export":9'), "format 9"),
    "of another schema": (lambda lines: lines.replace(b'"schema":"0', b'"schema":"9'), "paywright migrate"),
    "with a strange table": (lambda lines: lines.replace(b'{"table":"balances"', b'{"table":"nope"'), "no table nope"),
    "with a strange column": (lambda lines: lines.replace(b'"balance_after"', b'"nope"'), "no column nope"),
    "with something behind it": (lambda lines: lines + b"{}\n", "behind the end"),
    "with a broken row": (lambda lines: lines.replace(b'"balance":3', b'"balance":"many"'), "hash differs|fit|can be"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_file_that_is_no_whole_export_is_refused_and_writes_nothing(
    name: str, sqlite_url: str, fresh_sqlite: Callable[[], str]
) -> None:
    with app_on(sqlite_url) as app:
        increase(app, "test", USER, "credits", 3)
    change, why = BAD[name]
    target = fresh_sqlite()
    with pytest.raises(NotAnExport, match=why):
        restored(target, change(exported(sqlite_url)))
    database = Database(target)
    with database.read() as connection:
        assert connection.execute(sa.select(sa.func.count()).select_from(customers)).scalar_one() == 0
    database.close()


def test_a_database_that_holds_something_takes_nothing_in(database_url: str) -> None:
    with app_on(database_url) as app:
        lines = exported(database_url)
        assert restored(database_url, lines).environments == ["test"]  # Only what a first start leaves.
        increase(app, "test", USER, "credits", 3)
    with pytest.raises(NotEmpty, match="rows in"):
        restored(database_url, lines)
