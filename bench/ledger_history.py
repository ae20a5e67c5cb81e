"""A decrease and a read with more and more history behind the balance, and what summing that history would cost."""

import statistics
import time
from collections.abc import Callable, Iterator

import msgspec
import sqlalchemy as sa

from bench.field import NEVER, postgres_server, sqlite_file
from paywright.engine.app import App
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings
from paywright.ledger import hot
from paywright.ledger.model import ItemState
from paywright.storage.migrate import upgrade

SIZES = (10, 1_000, 100_000, 1_000_000)
CALLS = 30


class Result(msgspec.Struct, frozen=True):
    """Median microseconds per call, by number of entries behind the balance."""

    database: str
    decrease: dict[int, float]
    read: dict[int, float]
    summing: dict[int, float]


def run(*, rounds: int, seconds: float) -> list[Result]:
    results = []
    with postgres_server() as url:
        if url is not None:
            results.append(_measured("postgresql", url, rounds))
    with sqlite_file() as url:
        results.append(_measured("sqlite", url, rounds))
    return results


def _measured(database: str, url: str, rounds: int) -> Result:
    upgrade(url)
    app = App(Settings(database_url=url))
    for size in SIZES:
        _write_history(app, size)
    times: dict[str, dict[int, list[float]]] = {
        kind: {size: [] for size in SIZES} for kind in ("decrease", "read", "sum")
    }
    for _ in range(rounds * CALLS):
        for size in SIZES:  # In turns, so that what else the machine does falls on all sizes.
            for kind, act in _acts(app, size):
                if kind != "sum" or len(times["sum"][size]) < 3:
                    times[kind][size].append(_timed(act))
    app.close()
    medians = {kind: {size: statistics.median(found) for size, found in sizes.items()} for kind, sizes in times.items()}
    result = Result(database, medians["decrease"], medians["read"], medians["sum"])
    _print(result)
    return result


def _acts(app: App, size: int) -> Iterator[tuple[str, Callable[[], object]]]:
    customer = Customer("user", f"h_{size}")

    def decrease() -> None:
        assert isinstance(hot.decrease(app, "test", customer, "credits", 1), ItemState)

    def summed() -> None:
        with app.database.read() as connection:
            connection.execute(
                sa.text("SELECT sum(delta) FROM ledger_entries WHERE environment_id = 'test' AND customer = :name"),
                {"name": customer.key},
            ).scalar_one()

    yield "decrease", decrease
    yield "read", lambda: hot.read_item(app, "test", customer, "credits")
    yield "sum", summed


def _timed(act: Callable[[], object]) -> float:
    started = time.perf_counter()
    act()
    return (time.perf_counter() - started) * 1e6


def _write_history(app: App, size: int) -> None:
    """A grant of a billion and `size` decreases of one, as rows."""
    name, left = f"user:h_{size}", 10**9 - size
    series = (
        f"generate_series(1, {size}) AS n"
        if app.database.dialect == "postgresql"
        else f"(WITH RECURSIVE s (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM s WHERE n < {size}) SELECT n FROM s) AS n"
    )
    n = "n" if app.database.dialect == "postgresql" else "n.n"
    entries = (
        "INSERT INTO ledger_entries (environment_id, id, customer, item_id, seq, sequence, version, kind, quantity, delta, "
        "balance_after, held_after, spent_after, at, effective_at) "
        f"SELECT 'test', 'ent_' || '{size}_' || {n}, '{name}', 'credits', {n}, 2 * {n} + 1, {n}, 'decrease', 1, -1, "
        f"1000000000 - {n}, 0, {n}, 1, 1 FROM {series}"
    )
    with app.database.write() as connection:
        connection.exec_driver_sql(entries)
        connection.exec_driver_sql(
            "INSERT INTO customers (environment_id, customer, version, next_sequence, opened_at) "
            f"VALUES ('test', '{name}', {size}, {2 * size + 10}, 1)"
        )
        connection.exec_driver_sql(
            "INSERT INTO balances (environment_id, customer, item_id, balance, spent, live, entries, at, next_due) "
            f"VALUES ('test', '{name}', 'credits', {left}, {size}, 1000000000, {size}, 1, {NEVER})"
        )


def _print(result: Result) -> None:
    print(f"\nhistory · {result.database} · one caller, µs per call, medians")
    print(f"  {'entries':>10}{'decrease':>12}{'read':>12}{'summing':>14}")
    for size in SIZES:
        row = (result.decrease[size], result.read[size], result.summing[size])
        print(f"  {size:>10,}{row[0]:>12,.0f}{row[1]:>12,.0f}{row[2]:>14,.0f}", flush=True)
