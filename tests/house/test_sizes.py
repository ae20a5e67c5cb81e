"""
Small files, short functions: a ratchet. The table of exceptions holds each one at its present size, and may only shrink.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.house.trees import ROOT, described, nodes, parsed, plant, tracked

FUNCTION_LINES_MAX = 50
FILE_LINES_MAX = {".py": 400, ".js": 400, ".ts": 400, ".css": 400, ".html": 100}

# Where, how many lines, why. A function is written `path::name`.
EXCEPTIONS: dict[str, tuple[int, str]] = {}

# A migration is a list of statements, read once from top to bottom and never edited after its release.
MIGRATIONS = "src/paywright/storage/migrations/versions/"


def too_long(root: Path, paths: list[Path]) -> Iterator[tuple[str, int, int]]:
    """Where, its lines, its limit."""
    for path in paths:
        where = path.relative_to(root).as_posix()
        limit = FILE_LINES_MAX.get(path.suffix)
        if limit is None or where.startswith(MIGRATIONS):
            continue
        lines = len(path.read_text(encoding="utf-8").splitlines())
        if lines > limit:
            yield where, lines, limit
        if path.suffix == ".py":
            yield from ((f"{where}::{name}", size, FUNCTION_LINES_MAX) for name, size in long_functions(parsed(path)))


def long_functions(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in nodes(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert node.end_lineno is not None
            size = node.end_lineno - node.lineno + 1
            if size > FUNCTION_LINES_MAX:
                yield node.name, size


def violations(found: list[tuple[str, int, int]], exceptions: dict[str, tuple[int, str]]) -> Iterator[str]:
    for where, lines, limit in found:
        allowed, _ = exceptions.get(where, (limit, ""))
        if lines > allowed:
            yield f"{where} has {lines} lines; {allowed} are allowed. Split it by what it is about"
        elif lines < allowed:
            yield f"{where} has shrunk to {lines} lines: write that into EXCEPTIONS"
    still = {where for where, _, _ in found}
    yield from (
        f"{where} is no longer an exception: take it out of EXCEPTIONS" for where in exceptions if where not in still
    )


def test_files_and_functions_are_small() -> None:
    found = list(violations(list(too_long(ROOT, tracked(*FILE_LINES_MAX))), EXCEPTIONS))
    assert not found, described(found)


def test_every_exception_has_a_reason() -> None:
    assert [where for where, (_, reason) in EXCEPTIONS.items() if len(reason.split()) < 4] == []


LONG_FUNCTION = "def settle():\n" + "    x = 1\n" * 50
LONG_FILE = "x = 1\n" * 401


@pytest.mark.parametrize(
    ("files", "exceptions", "expected"),
    [
        ({"a.py": LONG_FUNCTION}, {}, "a.py::settle has 51 lines; 50 are allowed"),
        ({"a.py": LONG_FILE}, {}, "a.py has 401 lines; 400 are allowed"),
        ({"a.html": "<p>\n" * 101}, {}, "a.html has 101 lines; 100 are allowed"),
        ({"a.py": LONG_FILE}, {"a.py": (400, "")}, "a.py has 401 lines; 400 are allowed"),
        ({"a.py": LONG_FILE}, {"a.py": (405, "")}, "a.py has shrunk to 401 lines"),
        ({"a.py": "x = 1\n"}, {"a.py": (405, "")}, "a.py is no longer an exception"),
    ],
)
def test_what_is_too_long_is_found(
    tmp_path: Path, files: dict[str, str], exceptions: dict[str, tuple[int, str]], expected: str
) -> None:
    plant(tmp_path, files)
    found = list(violations(list(too_long(tmp_path, sorted(tmp_path.iterdir()))), exceptions))
    assert len(found) == 1, described(found)
    assert found[0].startswith(expected)


def test_what_is_just_short_enough_is_not_found(tmp_path: Path) -> None:
    plant(tmp_path, {"a.py": "def settle():\n" + "    x = 1\n" * 49, "b.py": "x = 1\n" * 400, "c.md": "text\n" * 900})
    assert list(too_long(tmp_path, sorted(tmp_path.iterdir()))) == []
