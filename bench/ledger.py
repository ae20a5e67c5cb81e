"""
`decrease` in process, against others and against itself.

Contestants take turns of a second or so, round after round, and each ratio is the median of the ratios of single rounds:
what the machine does besides falls on everybody.
"""

import statistics
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

import msgspec

from bench.field import CONTESTANTS, Contestant, Sample, fill, postgres_server, rivals_python, sqlite_file
from bench.shown import Row, table

CALLERS = (1, 8, 64, 256)

# database, (callers, hot), against: at least so many times as fast.
TARGETS = {
    ("postgresql", 64, True, "driver"): 8,
    ("postgresql", 256, True, "driver"): 15,
    ("postgresql", 256, True, "orm"): 50,
    ("postgresql", 256, True, "stapel debit"): 100,
    ("postgresql", 256, False, "driver"): 3,
    ("postgresql", 1, False, "driver"): 0.7,
    ("postgresql", 1, True, "driver"): 0.7,
    ("sqlite", 64, True, "driver"): 4,
    ("sqlite", 64, False, "driver"): 4,
    ("sqlite", 256, True, "driver"): 4,
    ("sqlite", 256, False, "driver"): 4,
    ("sqlite", 64, True, "stapel debit"): 50,
    ("sqlite", 64, False, "stapel debit"): 50,
    ("sqlite", 1, False, "driver"): 0.7,
    ("sqlite", 1, True, "driver"): 0.7,
}


class Result(msgspec.Struct, frozen=True):
    """Medians over the rounds. `ratios`: ours to theirs, by contestant."""

    database: str
    callers: int
    is_hot: bool
    samples: dict[str, Sample]
    ratios: dict[str, float]


def run(*, rounds: int, seconds: float) -> list[Result]:
    results: list[Result] = []
    with postgres_server() as url:
        if url is not None:
            results += _measured("postgresql", url, rounds, seconds)
    with sqlite_file() as url:
        results += _measured("sqlite", url, rounds, seconds)
    return results


def _measured(database: str, url: str, rounds: int, seconds: float) -> Iterator[Result]:
    fill(url)
    with ExitStack() as stack:
        field = [stack.enter_context(entered(name, command)) for name, command in _contestants(database, url)]
        for is_hot in (True, False):
            for callers in CALLERS:
                result = _contest(database, field, callers, is_hot, rounds, seconds)
                _print(result)
                yield result


@contextmanager
def entered(name: str, command: list[str | Path]) -> Iterator[Contestant]:
    contestant = Contestant(name, command)
    try:
        yield contestant
    finally:
        contestant.close()


def _contestants(database: str, url: str) -> Iterator[tuple[str, list[str | Path]]]:
    yield "ours", [sys.executable, "-m", "bench.contestants.ours", url, "async"]
    yield "ours, threads", [sys.executable, "-m", "bench.contestants.ours", url, "threads"]
    rivals = rivals_python()
    if database == "sqlite":
        path = url.removeprefix("sqlite:///")
        yield "driver", [sys.executable, CONTESTANTS / "driver_sqlite.py", path]
        yield "orm", [sys.executable, CONTESTANTS / "orm.py", f"{url}-orm", "callers"]
        if rivals is not None:
            yield "stapel debit", [rivals, CONTESTANTS / "stapel.py", "sqlite", f"{path}-stapel", "-", "debit"]
            yield "stapel hold", [rivals, CONTESTANTS / "stapel.py", "sqlite", f"{path}-stapel", "-", "hold"]
        return
    yield "orm", [sys.executable, CONTESTANTS / "orm.py", url.replace("postgresql:", "postgresql+psycopg:"), "callers"]
    if rivals is not None:
        yield "driver", [rivals, CONTESTANTS / "driver_postgres.py", url]
        address = urlsplit(url)
        where: list[str | Path] = ["postgresql", address.path[1:], str(address.port)]
        yield "stapel debit", [rivals, CONTESTANTS / "stapel.py", *where, "debit"]
        yield "stapel hold", [rivals, CONTESTANTS / "stapel.py", *where, "hold"]


def _contest(database: str, field: list[Contestant], callers: int, is_hot: bool, rounds: int, seconds: float) -> Result:
    samples: dict[str, list[Sample]] = {contestant.name: [] for contestant in field}
    for _ in range(rounds):
        for contestant in field:
            samples[contestant.name].append(contestant.measure(callers, is_hot, seconds))
    ours = samples["ours"]
    return Result(
        database,
        callers,
        is_hot,
        {name: median_sample(found) for name, found in samples.items()},
        {
            name: statistics.median(mine.rate / theirs.rate for mine, theirs in zip(ours, found, strict=True))
            for name, found in samples.items()
            if name != "ours"
        },
    )


def median_sample(samples: list[Sample]) -> Sample:
    return Sample(*(statistics.median(getattr(sample, name) for sample in samples) for name in ("rate", "p50", "p99")))


def _print(result: Result) -> None:
    rows = [
        Row(
            name,
            sample.rate,
            sample.p50,
            sample.p99,
            result.ratios.get(name),
            TARGETS.get((result.database, result.callers, result.is_hot, name)),
        )
        for name, sample in result.samples.items()
    ]
    where = "one hot customer" if result.is_hot else "10,000 customers"
    table(f"decrease · {result.database} · {where} · {result.callers} callers", rows)
