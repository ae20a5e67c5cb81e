"""The source tree as the house tests read it: parsed once, never imported."""

import ast
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("paywright", "paywright_sandbox")


def source() -> Path:
    return ROOT / "src"


@dataclass(frozen=True)
class Module:
    root: Path
    path: Path

    @cached_property
    def name(self) -> str:
        """Dotted, as it is imported: a package goes by its directory."""
        parts = self.path.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    @property
    def package(self) -> str:
        return self.name.split(".")[0]

    @property
    def tree(self) -> ast.Module:
        return parsed(self.path)

    def is_module(self, name: str) -> bool:
        """True for a file or directory of this tree."""
        place = self.root.joinpath(*name.split("."))
        return place.is_dir() or place.with_suffix(".py").is_file()


@cache
def parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


@cache
def nodes(tree: ast.Module) -> tuple[ast.AST, ...]:
    """All of a tree, walked once for all who look."""
    return tuple(ast.walk(tree))


def modules(root: Path) -> Iterator[Module]:
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*.py")):
            yield Module(root, path)


def tracked(*suffixes: str) -> list[Path]:
    """Files of the repository, committed or about to be: not what .gitignore names."""
    # The clone may belong to another user than the one who tests it, as in a container.
    command = ["git", "-c", "safe.directory=*", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    found = (ROOT / name for name in sorted(set(listed.split("\0"))) if name)
    return [path for path in found if path.is_file() and (not suffixes or path.suffix in suffixes)]


def plant(root: Path, files: dict[str, str]) -> None:
    """Writes a small tree, to see a test of the house fail on it."""
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")


def described(found: Iterable[str]) -> str:
    return "\n" + "\n".join(found)
