"""Words the code does without: names that say nothing, names that say two things, and text that belongs to one machine."""

import ast
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.house.trees import ROOT, described, nodes, parsed, plant, tracked

MODULES = frozenset("utils util helpers helper common manager managers service services base core misc shared".split())
CLASS_ENDINGS = ("Manager", "Service", "Helper", "Helpers", "Utils", "Mixin")
# Words with two meanings, from the style guide, as far as nobody could mean anything innocent by such a class.
CLASSES = frozenset("Transaction Webhook Session Key Line Grant Data Info Obj".split())
FUNCTIONS = frozenset("data info obj handle process".split())
VARIABLES = frozenset("data info obj".split())
STRIPES_OWN = frozenset({"data", "Session", "Data"})  # The sandbox speaks as Stripe does.

TEXT = {
    "a path of one machine": re.compile(r"(?<![\w.\-/}])/(?:root|work|home/\w+|Users/\w+)/"),
    "a package index": re.compile(
        "pythonhosted" + r"\.org|pypi\.org/" + "simple|registry" + r"\.npmjs|--(?:extra-)?index-url=|--find-" + "links="
    ),
    "unfinished work": re.compile(r"\b(?:TO" + r"DO|FIX" + r"ME|XX" + r"X)\b"),
}
SQL_STAR = re.compile(r"\bSELECT\s+(?:DISTINCT\s+)?(?:\w+\.)?\*", re.IGNORECASE)

MOCKS = frozenset("mock respx responses pytest_mock pytest_httpx requests_mock vcr freezegun time_machine".split())
SKIPS = frozenset("skip skipif xfail importorskip".split())
# Tests that may be left out, and why. Everything else says `needs.lacking`, which CI turns into a failure.
MAY_SKIP = {
    "tests/contract/conftest.py": "with STRIPE_TEST_KEY set, tests that need the sandbox's control API have nothing to talk to",
}


def module_names(where: str, _: ast.Module) -> Iterator[str]:
    for part in Path(where).with_suffix("").parts:
        if part in MODULES:
            yield f"{where}: `{part}` does not say what is in it"


def names(where: str, tree: ast.Module) -> Iterator[str]:
    allowed = STRIPES_OWN if where.startswith(("src/paywright_sandbox/", "tests/")) else frozenset()
    for line, kind, name in defined(tree):
        forbidden = {"class": CLASSES, "function": FUNCTIONS, "variable": VARIABLES}[kind]
        if (name in forbidden and name not in allowed) or (kind == "class" and name.endswith(CLASS_ENDINGS)):
            yield f"{where}:{line}: the {kind} `{name}` says nothing, or two things"


def defined(tree: ast.Module) -> Iterator[tuple[int, str, str]]:
    """Names given in a file. Fields of a class are left out: they are named as on the wire."""
    fields = {id(node.target) for node in nodes(tree) if isinstance(node, ast.AnnAssign)}
    for node in nodes(tree):
        if isinstance(node, ast.ClassDef):
            yield node.lineno, "class", node.name
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node.lineno, "function", node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store) and id(node) not in fields:
            yield node.lineno, "variable", node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, "variable", node.arg


def swallowed(where: str, tree: ast.Module) -> Iterator[str]:
    for node in nodes(tree):
        if (
            isinstance(node, ast.ExceptHandler)
            and catches_all(node.type)
            and all(is_nothing(each) for each in node.body)
        ):
            yield f"{where}:{node.lineno}: an exception is swallowed"
        if isinstance(node, ast.Call) and called(node) == "suppress" and any(catches_all(each) for each in node.args):
            yield f"{where}:{node.lineno}: every exception is suppressed"


def catches_all(caught: ast.expr | None) -> bool:
    return caught is None or (isinstance(caught, ast.Name) and caught.id in {"Exception", "BaseException"})


def is_nothing(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.Pass | ast.Continue) or (
        isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Constant)
    )


def called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def in_tests(where: str, tree: ast.Module) -> Iterator[str]:
    if not where.startswith("tests/"):
        return
    for node in nodes(tree):
        line = getattr(node, "lineno", 0)
        if (isinstance(node, ast.Import | ast.ImportFrom) and MOCKS & imported_words(node)) or (
            isinstance(node, ast.arg) and node.arg == "mocker"
        ):
            yield f"{where}:{line}: a mock; use the real thing"
        elif isinstance(node, ast.Assert) and isinstance(node.test, ast.Constant):
            yield f"{where}:{line}: an assertion that cannot tell anything"
        elif isinstance(node, ast.Attribute):
            yield from (f"{where}:{line}: {reason}" for reason in forbidden_in_tests(where, node))


def imported_words(node: ast.Import | ast.ImportFrom) -> set[str]:
    words = {word for alias in node.names for word in alias.name.split(".")}
    return words | set((getattr(node, "module", None) or "").split("."))


def forbidden_in_tests(where: str, node: ast.Attribute) -> Iterator[str]:
    if node.attr not in {"setattr", "setitem", "delattr", "sleep", *SKIPS}:
        return
    owner = ast.unparse(node.value)
    if owner == "monkeypatch" and node.attr in {"setattr", "setitem", "delattr"}:
        yield "code is replaced under test; hand it what it needs"
    if owner == "time" and node.attr == "sleep" and Path(where).name.startswith("test_"):
        yield "a test that sleeps; wait for what it waits for"
    if (
        owner in {"pytest", "pytest.mark"}
        and node.attr in SKIPS
        and not where.startswith("tests/harness/")
        and where not in MAY_SKIP
    ):
        yield "a skip that CI would not notice; use `needs.lacking`"


def stars(where: str, text: str) -> Iterator[str]:
    if where.startswith("src/") and SQL_STAR.search(text):
        yield f"{where}: a query names its columns"


def foreign_text(where: str, text: str) -> Iterator[str]:
    for meaning, pattern in TEXT.items():
        if pattern.search(text):
            lines = enumerate(text.splitlines(), start=1)
            yield from (f"{where}:{number}: {meaning}" for number, line in lines if pattern.search(line))


TREE_RULES: tuple[Callable[[str, ast.Module], Iterator[str]], ...] = (module_names, names, swallowed, in_tests)


def violations(root: Path, paths: list[Path]) -> Iterator[str]:
    for path in paths:
        where = path.relative_to(root).as_posix()
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue
        yield from foreign_text(where, text)
        yield from stars(where, text)
        if path.suffix == ".py":
            for rule in TREE_RULES:
                yield from rule(where, parsed(path))


def test_words_are_plain_and_belong_here() -> None:
    found = list(violations(ROOT, tracked()))
    assert not found, described(found)


def test_requirements_are_hashed_and_name_no_place() -> None:
    for path in sorted((ROOT / "requirements").glob("*.txt")):
        text = path.read_text(encoding="utf-8")
        assert "://" not in text, path
        assert " @ " not in text, path
        pinned = len(re.findall(r"^\S+==", text, re.MULTILINE))
        hashed = len(re.findall(r"^\S+==[^\n]*\\\n +--hash=sha256:", text, re.MULTILINE))
        assert pinned > 0, path
        assert pinned == hashed, path


@pytest.mark.parametrize(
    ("path", "text", "expected"),
    [
        ("src/paywright/ledger/utils.py", "", "`utils` does not say what is in it"),
        ("src/paywright/core/model.py", "", "`core` does not say what is in it"),
        ("src/paywright/a.py", "data = 1", "the variable `data`"),
        ("src/paywright/a.py", "def settle(obj): ...", "the variable `obj`"),
        ("src/paywright/a.py", "def process(): ...", "the function `process`"),
        ("src/paywright/a.py", "class Transaction: ...", "the class `Transaction`"),
        ("src/paywright/a.py", "class LedgerManager: ...", "the class `LedgerManager`"),
        ("src/paywright_sandbox/a.py", "info = 1", "the variable `info`"),
        ("src/paywright/a.py", "try:\n    x = 1\nexcept Exception:\n    pass", "an exception is swallowed"),
        ("src/paywright/a.py", "try:\n    x = 1\nexcept:\n    ...", "an exception is swallowed"),
        ("src/paywright/a.py", "with contextlib.suppress(Exception):\n    x = 1", "every exception is suppressed"),
        ("src/paywright/a.py", "q = 'select * from entries'", "a query names its columns"),
        ("src/paywright/a.sql", "SELECT DISTINCT e.* FROM entries e", "a query names its columns"),
        ("src/paywright/a.py", "# TO" + "DO: later", "unfinished work"),
        ("docs/a.md", "see /ro" + "ot/notes", "a path of one machine"),
        ("docs/a.md", "pip install --extra-index-" + "url=x", "a package index"),
        ("tests/ledger/test_a.py", "from unittest import mock", "a mock"),
        ("tests/ledger/test_a.py", "from unittest.mock import MagicMock", "a mock"),
        ("tests/ledger/test_a.py", "def test_a(mocker): ...", "a mock"),
        ("tests/ledger/test_a.py", "monkeypatch.setattr(ledger, 'draw', None)", "code is replaced under test"),
        ("tests/ledger/test_a.py", "time.sleep(1)", "a test that sleeps"),
        ("tests/ledger/test_a.py", "assert True", "an assertion that cannot tell anything"),
        ("tests/ledger/test_a.py", "@pytest.mark.skip\ndef test_a(): ...", "a skip that CI would not notice"),
    ],
)
def test_a_wrong_word_is_found(tmp_path: Path, path: str, text: str, expected: str) -> None:
    plant(tmp_path, {path: text})
    found = list(violations(tmp_path, [tmp_path / path]))
    assert len(found) == 1, described(found)
    assert expected in found[0]


@pytest.mark.parametrize(
    ("path", "text"),
    [
        ("src/paywright/a.py", "class Page(Struct):\n    data: list[str]\n\nPage(data=[])"),
        ("src/paywright_sandbox/a.py", "data = event['data']"),
        ("src/paywright/a.py", "process = Popen([])\nsession_id = item = key = 1"),
        ("src/paywright/a.py", "try:\n    x = 1\nexcept KeyError:\n    pass"),
        ("src/paywright/a.py", "q = 'SELECT count(*) FROM entries'"),
        ("docs/a.md", "https://example.com/work/one and {root}/work/two"),
        ("tests/ledger/test_a.py", "monkeypatch.setenv('A', 'b')"),
    ],
)
def test_a_right_word_is_not_found(tmp_path: Path, path: str, text: str) -> None:
    plant(tmp_path, {path: text})
    assert list(violations(tmp_path, [tmp_path / path])) == []
