"""
Rooms and floors: an import goes left or stays, and goes down or stays; never right, never up.

A module's address is its room (the first name under `paywright`) and its floor (how pure it is, by file name).
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.trees import Module, described, modules, plant, source

ROOMS = (
    "kernel storage environments stripe outbox engine access catalog customers ledger ownership payments subscriptions "
    "invoices checkout claims gates webhooks healing hooks emails realtime"
).split()
DOORS = "cli worker app api dashboard pages demo client integrations inprocess __init__ __main__".split()

FLOORS = {"model": 0, "rules": 1, "mirror": 1}
# Pure files that go by another name. Add one only if it holds no I/O, no clock and no randomness.
PURE = {
    "paywright.kernel.addresses": 0,
    "paywright.kernel.refusals": 0,
    "paywright.kernel.money": 0,
    "paywright.kernel.instants": 0,
    "paywright.kernel.periods": 0,
    "paywright.stripe.metadata": 0,
    "paywright.stripe.versions": 1,
    "paywright.outbox.catalogue": 0,
    "paywright.catalog.checks": 1,
    "paywright.catalog.diff": 1,
    "paywright.catalog.fields": 1,
    "paywright.catalog.lint": 1,
    "paywright.catalog.parse": 1,
    "paywright.catalog.report": 1,
    "paywright.catalog.stripe_objects": 1,
    "paywright.catalog.versions": 1,
    "paywright.catalog.views": 1,
    "paywright.catalog.writing": 1,
    "paywright.ledger.account": 0,
    "paywright.ledger.laying": 1,
    "paywright.ledger.leaving": 1,
    "paywright.ledger.moving": 1,
    "paywright.ledger.present": 1,
    "paywright.ledger.terms": 1,
    "paywright.ownership.migration_rules": 1,
    "paywright.ownership.present": 1,
    "paywright.ownership.succession": 1,
    "paywright.subscriptions.switch_rules": 1,
}
PURE_LIBRARIES = frozenset(
    "__future__ babel base64 bisect calendar collections dataclasses dateutil datetime decimal enum fractions functools graphlib hashlib heapq "
    "hmac ipaddress itertools json math msgspec operator pprint re string textwrap types typing unicodedata urllib zoneinfo".split()
)
CLOCKS = frozenset({"now", "utcnow", "today"})
# The demo is written as a customer would write it; the client has to work where the engine is not installed.
MAY_USE = {
    "demo": (("paywright.demo", "paywright.client"), "babel click httpx jinja2 litestar markupsafe msgspec uvicorn"),
    "client": (("paywright.client", "paywright.kernel"), "httpx msgspec"),
}


def room_of(name: str) -> str:
    return name.split(".")[1] if "." in name else "__init__"


def floor_of(name: str) -> int:
    if room_of(name) in DOORS:
        return 3
    return PURE.get(name, FLOORS.get(name.rpartition(".")[2], 2))


def violations(root: Path) -> Iterator[str]:
    for module in modules(root):
        room = room_of(module.name)
        if module.name.startswith("paywright.") and room not in ROOMS and room not in DOORS:
            yield f"{module.name}: {room} is neither a room nor a door"
            continue
        for line, imported in imports(module):
            reason = why_not(module.name, imported)
            if reason:
                yield f"{module.name}:{line} imports {imported}: {reason}"
        if module.package == "paywright" and floor_of(module.name) < 2:
            yield from (f"{module.name}:{line} asks a clock" for line in clocks_asked(module))


def why_not(importer: str, imported: str) -> str | None:
    package, other = importer.split(".")[0], imported.split(".")[0]
    if {package, other} == {"paywright", "paywright_sandbox"}:
        return "the two packages meet over HTTP only"
    room = room_of(importer)
    if package != "paywright":
        return None
    if room in MAY_USE:
        own, libraries = MAY_USE[room]
        if other == "paywright":
            return None if within(imported, own) else f"{room} may use only {' and '.join(own)}"
        return None if other in sys.stdlib_module_names or other in libraries.split() else f"{room} may not use {other}"
    if other != "paywright":
        return None if floor_of(importer) >= 2 or other in PURE_LIBRARIES else "a pure floor touches nothing outside"
    if floor_of(imported) > floor_of(importer):
        return f"up, from floor {floor_of(importer)} to {floor_of(imported)}"
    if room in ROOMS and room_of(imported) in ROOMS and ROOMS.index(room_of(imported)) > ROOMS.index(room):
        return f"right, from {room} to {room_of(imported)}"
    return None


def within(name: str, packages: tuple[str, ...]) -> bool:
    return any(name == package or name.startswith(f"{package}.") for package in packages)


def imports(module: Module) -> Iterator[tuple[int, str]]:
    """Every module imported anywhere in the file, late imports and those for types included."""
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            yield from ((node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = absolute(module, node)
            for alias in node.names:
                named = f"{origin}.{alias.name}"
                yield node.lineno, named if module.is_module(named) else origin


def absolute(module: Module, node: ast.ImportFrom) -> str:
    if not node.level:
        return node.module or ""
    parents = module.name.split(".") if module.path.name == "__init__.py" else module.name.split(".")[:-1]
    kept = parents[: len(parents) - (node.level - 1)]
    return ".".join([*kept, *([node.module] if node.module else [])])


def clocks_asked(module: Module) -> Iterator[int]:
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr in CLOCKS:
            yield node.lineno


def test_imports_go_left_or_down() -> None:
    assert list(violations(source())) == []


@pytest.mark.parametrize(
    ("path", "code", "expected"),
    [
        ("paywright/catalog/actions.py", "from paywright.ledger import actions", "right, from catalog to ledger"),
        ("paywright/catalog/actions.py", "def late():\n    import paywright.ledger.queries", "right"),
        ("paywright/ledger/actions.py", "from ..checkout.rules import decide", "right, from ledger to checkout"),
        ("paywright/ledger/rules.py", "from paywright.ledger.queries import find", "up, from floor 1 to 2"),
        ("paywright/ledger/model.py", "from paywright.ledger import rules", "up, from floor 0 to 1"),
        ("paywright/ledger/actions.py", "from paywright.app import build", "up, from floor 2 to 3"),
        ("paywright/ledger/actions.py", "from paywright import Paywright", "up, from floor 2 to 3"),
        ("paywright/ledger/rules.py", "from paywright.kernel.ids import new_id", "up, from floor 1 to 2"),
        ("paywright/ledger/rules.py", "import time", "a pure floor touches nothing outside"),
        ("paywright/ledger/rules.py", "from sqlalchemy import select", "a pure floor touches nothing outside"),
        ("paywright/ledger/rules.py", "from datetime import datetime\nx = datetime.now()", "asks a clock"),
        ("paywright/ledger/actions.py", "import paywright_sandbox", "the two packages meet over HTTP only"),
        ("paywright_sandbox/machine.py", "from paywright.kernel import money", "the two packages meet over HTTP only"),
        ("paywright/demo/store.py", "from paywright.kernel import money", "demo may use only"),
        ("paywright/demo/store.py", "import stripe", "demo may not use stripe"),
        ("paywright/client/calls.py", "from paywright.catalog.model import Product", "client may use only"),
        ("paywright/client/calls.py", "import sqlalchemy", "client may not use sqlalchemy"),
        ("paywright/utils/texts.py", "", "utils is neither a room nor a door"),
    ],
)
def test_a_wrong_import_is_found(tmp_path: Path, path: str, code: str, expected: str) -> None:
    plant(tmp_path, {"paywright/ledger/rules.py": "", "paywright/ledger/actions.py": "", path: code})
    found = list(violations(tmp_path))
    assert len(found) == 1, described(found)
    assert expected in found[0]


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("paywright/ledger/actions.py", "from paywright.catalog.queries import current\nimport time, sqlalchemy"),
        ("paywright/ledger/actions.py", "from paywright.ledger.rules import decide\nfrom . import queries"),
        ("paywright/ledger/rules.py", "from paywright.kernel.refusals import Refusal\nfrom datetime import timedelta"),
        ("paywright/api/items.py", "from paywright.cli import main\nfrom paywright.realtime import actions"),
        ("paywright/demo/store.py", "import hmac, litestar\nfrom paywright.client import Client"),
        ("paywright/client/calls.py", "import httpx\nfrom paywright.kernel.refusals import Refusal"),
        ("paywright_sandbox/machine.py", "import time, stripe\nfrom paywright_sandbox.ids import new_id"),
    ],
)
def test_a_right_import_is_not_found(tmp_path: Path, path: str, code: str) -> None:
    plant(tmp_path, {path: code})
    assert list(violations(tmp_path)) == []
