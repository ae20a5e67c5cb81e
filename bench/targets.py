"""What was wanted and what was reached, from the kept results: `python -m bench targets` prints it without measuring."""

from collections.abc import Iterator
from typing import Any

import msgspec

from bench import ledger, ledger_http

NAMES = {"postgresql": "PostgreSQL", "sqlite": "SQLite"}
FLAT = 1.1


class Target(msgspec.Struct, frozen=True):
    """`reached` and `wanted` are ratios; at least so much is wanted, or at most when `at_most`."""

    what: str
    wanted: float
    reached: float
    at_most: bool = False

    @property
    def is_met(self) -> bool:
        return self.reached <= self.wanted if self.at_most else self.reached >= self.wanted


def targets(results: dict[str, Any]) -> Iterator[Target]:
    """In the order of the sections; nothing of a section that was not measured."""
    for found in results.get("ledger", ()):
        for (database, callers, is_hot, theirs), wanted in ledger.TARGETS.items():
            if (database, callers, is_hot) == (found["database"], found["callers"], found["is_hot"]):
                ratio = found["ratios"].get(theirs)
                if ratio is not None:
                    yield Target(f"{_where(found)}, {callers} callers: decrease / {theirs}", wanted, ratio)
    for found in results.get("http", ()):
        for (database, is_hot, ours, theirs), wanted in ledger_http.TARGETS.items():
            if (database, is_hot) == (found["database"], found["is_hot"]):
                ratio = found["ratios"].get(f"{ours} / {theirs}")
                if ratio is not None and found["connections"] in ledger_http.TARGET_CONNECTIONS:
                    what = f"HTTP, {_where(found)}, {found['connections']} connections: {ours} / {theirs}"
                    yield Target(what, wanted, ratio)
    for found in results.get("history", ()):
        for kind in ("decrease", "read"):
            times = list(found[kind].values())
            what = f"{NAMES[found['database']]}: {kind} with a million entries / with ten"
            yield Target(what, FLAT, times[-1] / times[0], at_most=True)


def show(results: dict[str, Any]) -> None:
    found = list(targets(results))
    if not found:
        return
    width = max(len(target.what) for target in found)
    met = sum(target.is_met for target in found)
    print(f"\ntargets: {met} of {len(found)} met")
    for target in found:
        wanted = f"{'at most' if target.at_most else 'at least'} {target.wanted:g}"
        verdict = "met" if target.is_met else "MISSED"
        print(f"  {target.what:<{width}}  {wanted:>13}  {target.reached:>8.2f}  {verdict}", flush=True)


def _where(found: dict[str, Any]) -> str:
    return f"{NAMES[found['database']]}, {'one hot customer' if found['is_hot'] else '10,000 customers'}"
