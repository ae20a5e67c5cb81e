"""
`python -m bench [section …]`: measures and prints tables, keeps the numbers in `.artifacts/bench/results.json`, and draws the plot of the docs.

Sections: `ledger`, `processes`, `history`, `http`, `sandbox`, `reconcile`, `streams`, `webhooks`, `visible`; all of them by default. `--rounds`
and `--seconds` say how long each contest lasts; with the defaults everything takes about half an hour. At the end stands what was wanted beside
what was reached; `python -m bench targets` says that alone, of the last results.
"""

import argparse
from collections.abc import Callable
from typing import Any

import msgspec

from bench import (
    ledger,
    ledger_history,
    ledger_http,
    ledger_processes,
    reconcile,
    sandbox,
    streams,
    targets,
    visible,
    webhooks,
)
from bench.field import ARTIFACTS
from bench.plot import draw

SECTIONS: dict[str, Callable[..., list[Any]]] = {
    "ledger": ledger.run,
    "processes": ledger_processes.run,
    "history": ledger_history.run,
    "http": ledger_http.run,
    "sandbox": sandbox.run,
    "reconcile": reconcile.run,
    "streams": streams.run,
    "webhooks": webhooks.run,
    "visible": visible.run,
}


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "sections", nargs="*", default=list(SECTIONS), metavar="section", help=", ".join((*SECTIONS, "targets"))
    )
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=1.0)
    chosen = parser.parse_args()
    kept = ARTIFACTS / "results.json"
    ARTIFACTS.mkdir(parents=True, exist_ok=True)
    results: dict[str, Any] = msgspec.json.decode(kept.read_bytes()) if kept.exists() else {}
    for section in [section for section in chosen.sections if section != "targets"]:
        found = SECTIONS[section](rounds=chosen.rounds, seconds=chosen.seconds)
        results[section] = msgspec.to_builtins(found, str_keys=True)
        kept.write_bytes(msgspec.json.format(msgspec.json.encode(results)))
    draw(results)
    targets.show(results)


if __name__ == "__main__":
    main()
