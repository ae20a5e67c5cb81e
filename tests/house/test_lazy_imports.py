"""What an app pays to import Paywright: nothing heavy, until something is constructed or used."""

import importlib.util
import subprocess
import sys

import pytest

from tests.house.trees import ROOT

HEAVY = "sqlalchemy alembic psycopg stripe litestar uvicorn jinja2 cryptography babel rich".split()

STATEMENTS = {
    "paywright.inprocess": "from paywright import Paywright",
    "paywright.client": "from paywright.client import Client",
    "paywright.kernel.model": "import paywright.kernel.model",
}


@pytest.mark.parametrize("module", STATEMENTS)
def test_importing_loads_nothing_heavy(module: str) -> None:
    if is_unwritten(module):
        return
    program = f"{STATEMENTS[module]}\nimport sys\nprint(*sorted({set(HEAVY)!r} & sys.modules.keys()))"
    command = [sys.executable, "-c", program]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    assert (result.stdout.split(), result.stderr) == ([], "")


def is_unwritten(module: str) -> bool:
    try:
        return importlib.util.find_spec(module) is None
    except ModuleNotFoundError:
        return True
