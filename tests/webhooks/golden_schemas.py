"""Objects on standard input, by name; what the classes of the `stripe` package on the path find wrong with each, on standard output."""

import ast
import json
import sys
from collections.abc import Iterator
from functools import cache

from tests.contract import sdk_schemas
from tests.contract.sdk_package import package_root


@cache
def object_classes() -> dict[str, tuple[str, str]]:
    """By the classes themselves: older packages have no table of them that can be read without importing."""
    found: dict[str, tuple[str, str]] = {}
    for path in sorted(package_root().rglob("_*.py")):
        module = ".".join(("stripe", *path.relative_to(package_root()).with_suffix("").parts))
        if path.name != "__init__.py" and "v2" not in path.parts:
            found |= {name: (module, klass) for klass, name in named_classes(path.read_text(encoding="utf-8"))}
    return found


def named_classes(source: str) -> Iterator[tuple[str, str]]:
    """Classes at the top with the name of their object."""
    if "OBJECT_NAME" not in source:
        return
    for node in ast.parse(source).body:
        for child in node.body if isinstance(node, ast.ClassDef) else []:
            if (
                isinstance(child, ast.AnnAssign)
                and ast.unparse(child.target) == "OBJECT_NAME"
                and child.value is not None
            ):
                assert isinstance(node, ast.ClassDef)
                yield node.name, ast.literal_eval(child.value)


if __name__ == "__main__":
    setattr(sdk_schemas, "object_classes", object_classes)  # noqa: B010 — it imported the name.
    json.dump({name: sdk_schemas.problems(found) for name, found in json.load(sys.stdin).items()}, sys.stdout)
