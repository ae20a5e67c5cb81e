"""The guide to events, run as it stands."""

import re
import subprocess
import sys
from pathlib import Path

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guides" / "events.md"


def program() -> str:
    (found,) = re.findall(r"```python\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    return str(found)


def ran(program: str, folder: Path) -> str:
    asked = [sys.executable, "-c", program]
    env = {"PAYWRIGHT_SECRET": "a secret of tests only, long enough"}
    return subprocess.run(asked, cwd=folder, env=env, capture_output=True, text=True, timeout=60, check=True).stdout


def test_the_guides_program_does_what_it_says(tmp_path: Path) -> None:
    assert ran(program(), tmp_path) == "ship poster to ada\n"


def test_the_end_of_the_process_is_enough_and_inside_undoes(tmp_path: Path) -> None:
    more = program().replace("pay.close()\n", "") + (
        "\ntry:\n    pay.user('bob').grant_product('poster', quantity=4)\n"
        "except ValueError as error:\n    print(error, pay.user('bob').list_products())\n"
    )
    assert sorted(ran(more, tmp_path).splitlines()) == ["only three are left []", "ship poster to ada"]
