"""
FIDELITY.md, written from the table of routes: what is real, simplified, absent.

`python -m tests.contract.write_tables` renews the file; a test holds it and the table equal.
"""

from pathlib import Path

from . import routes
from .errors import Json
from .params import API_VERSION, catalogue
from .routing import ROUTES

PATH = Path(__file__).with_name("FIDELITY.md")
assert routes.LOADED


def as_json() -> Json:
    """Every route of the SDK and every one of ours: implemented, simplified (with a sentence) or absent."""
    return {
        "api_version": API_VERSION,
        "routes": [state_of(key) for key in sorted({*catalogue().routes, *ROUTES}, key=by_path)],
    }


def by_path(key: str) -> tuple[str, str]:
    method, _, path = key.partition(" ")
    return path, method


def state_of(key: str) -> Json:
    route = ROUTES.get(key)
    if route is None:
        return {"route": key, "state": "absent"}
    if route.note:
        return {"route": key, "state": "simplified", "note": route.note}
    return {"route": key, "state": "implemented"}


def as_markdown() -> str:
    rows = as_json()["routes"]
    counts = {state: sum(row["state"] == state for row in rows) for state in ("implemented", "simplified", "absent")}
    lines = [
        "# Fidelity",
        "",
        "What the sandbox does of Stripe's API, route by route. Written from the table of routes in the code; do not edit.",
        "",
        f"API `{API_VERSION}`: {counts['implemented']} routes implemented, {counts['simplified']} simplified, "
        f"{counts['absent']} absent. An absent route answers 404 `sandbox_not_implemented`. A parameter that Stripe has and a "
        "route here does not act on answers 400 `sandbox_not_implemented` and names it.",
        "",
        "| Route | | |",
        "|---|---|---|",
        *(f"| `{row['route']}` | {row['state']} | {row.get('note', '')} |" for row in rows if row["state"] != "absent"),
        "",
        "Absent:",
        "",
        *(f"- `{row['route']}`" for row in rows if row["state"] == "absent"),
    ]
    return "\n".join(lines) + "\n"
