"""Two processes on one PostgreSQL, and what PostgreSQL's own `pgbench` reaches with the rows of a decrease in one transaction per call."""

import re
import shutil
import statistics
import subprocess
import sys
from contextlib import ExitStack
from urllib.parse import urlsplit

import msgspec

from bench.field import ARTIFACTS, CONTESTANTS, fill, postgres_server
from bench.ledger import entered

CALLERS = (64, 256)


class Result(msgspec.Struct, frozen=True):
    """Calls per second, medians. `pgbench` None where it is not installed."""

    callers: int
    is_hot: bool
    one_process: float
    two_processes: float
    pgbench: float | None


def run(*, rounds: int, seconds: float) -> list[Result]:
    with postgres_server() as url:
        return [] if url is None else _measured(url, rounds, seconds)


def _measured(url: str, rounds: int, seconds: float) -> list[Result]:
    fill(url)
    results = []
    with ExitStack() as stack:
        command = [sys.executable, "-m", "bench.contestants.ours", url, "async"]
        first, second = (stack.enter_context(entered("ours", [*command])) for _ in range(2))
        for is_hot in (True, False):
            for callers in CALLERS:
                one, two, theirs = list[float](), list[float](), list[float]()
                for _ in range(rounds):
                    one.append(first.measure(callers, is_hot, seconds).rate)
                    first.order(callers // 2, is_hot, seconds)
                    second.order(callers // 2, is_hot, seconds)
                    two.append(first.sample().rate + second.sample().rate)
                    theirs += _pgbench(url, callers, is_hot, seconds)
                medians = (
                    statistics.median(one),
                    statistics.median(two),
                    statistics.median(theirs) if theirs else None,
                )
                results.append(Result(callers, is_hot, *medians))
                _print(results[-1])
    return results


def _pgbench(url: str, callers: int, is_hot: bool, seconds: float) -> list[float]:
    program = shutil.which("pgbench")
    if program is None:
        return []
    source = (CONTESTANTS / "driver_postgres.py").read_text()
    found = re.search(r'STATEMENT = """\n(.*?)"""', source, re.DOTALL)
    assert found is not None
    values = {
        "$1": "(SELECT name FROM who)",
        "$2": "sha256(random()::text::bytea)",
        "$3": "sha256('body'::bytea)",
        "$4": "('ent_' || md5(random()::text || clock_timestamp()::text))",
        "$5": "(extract(epoch FROM clock_timestamp()) * 1000)::bigint",
    }
    statement = re.sub(r"\$[1-5]", lambda match: values[match[0]], found[1])
    script = ARTIFACTS / "decrease.sql"
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    someone = "1" if is_hot else "floor(random() * 10000)::int"
    who = f"WITH who AS MATERIALIZED (SELECT 'user' || chr(58) || 'u_' || {someone} AS name), "
    script.write_text(who + " ".join(statement.split()).removeprefix("WITH ") + ";\n")
    address = urlsplit(url)
    clients = str(min(callers, 64))
    where = ["-h", str(address.hostname), "-p", str(address.port), "-U", str(address.username), address.path[1:]]
    options = ["-n", "-M", "prepared", "-f", str(script), "-c", clients, "-j", "2", "-T", str(max(1, round(seconds)))]
    said = subprocess.run([program, *options, *where], capture_output=True, text=True, check=False).stdout
    rate = re.search(r"tps = ([\d.]+)", said)
    return [float(rate[1])] if rate else []


def _print(result: Result) -> None:
    where = "one hot customer" if result.is_hot else "10,000 customers"
    theirs = "-" if result.pgbench is None else f"{result.pgbench:,.0f}"
    print(
        f"\nprocesses · postgresql · {where} · {result.callers} callers: one process {result.one_process:,.0f}/s, "
        f"two {result.two_processes:,.0f}/s, pgbench {theirs}/s",
        flush=True,
    )
