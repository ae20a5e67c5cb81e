"""Every room's tables, imported: what the migrations must add up to."""

import importlib
from pathlib import Path

import paywright


def import_all_tables() -> None:
    package = Path(paywright.__file__).parent
    for tables in sorted(package.glob("*/tables.py")):
        importlib.import_module(f"paywright.{tables.parent.name}.tables")
