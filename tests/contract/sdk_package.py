"""
The installed `stripe` package, read as text: parsed with `ast`, never imported.

Modules are found through imports, as Python would, but nothing runs; so a schema cannot be wrong because some code behaved at import.
"""

import ast
import importlib.util
from functools import cache
from pathlib import Path


@cache
def package_root() -> Path:
    spec = importlib.util.find_spec("stripe")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).parent


@cache
def module_tree(module: str) -> ast.Module:
    """The parsed module of this dotted name, which begins with `stripe`."""
    path = package_root().joinpath(*module.split(".")[1:])
    file = path / "__init__.py" if path.is_dir() else path.with_suffix(".py")
    return ast.parse(file.read_text(encoding="utf-8"))


@cache
def imported_names(module: str) -> dict[str, tuple[str, str]]:
    """Local name → (module, name there), for imports at the top and under TYPE_CHECKING."""
    found = {}
    for node in ast.walk(module_tree(module)):
        if isinstance(node, ast.ImportFrom) and node.module:
            for alias in node.names:
                found[alias.asname or alias.name] = (node.module, alias.name)
    return found


@cache
def classes(module: str) -> dict[str, ast.ClassDef]:
    return {node.name: node for node in module_tree(module).body if isinstance(node, ast.ClassDef)}


@cache
def functional_typed_dicts(module: str) -> dict[str, dict[str, ast.expr]]:
    """`Name = TypedDict("…", {"in": …})`: the SDK's way round field names that are Python keywords."""
    found = {}
    for node in module_tree(module).body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call) and len(node.value.args) == 2:
            target, fields = node.targets[0], node.value.args[1]
            if isinstance(target, ast.Name) and isinstance(fields, ast.Dict):
                names = [ast.literal_eval(key) for key in fields.keys if key is not None]
                found[target.id] = dict(zip(names, fields.values, strict=True))
    return found


@cache
@cache
def unquoted(node: ast.expr) -> ast.expr:
    """A quoted annotation is parsed; any other is returned as it is."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return ast.parse(node.value.strip().replace("\n", " "), mode="eval").body
    return node


def subscript_name(node: ast.Subscript) -> str:
    assert isinstance(node.value, ast.Name | ast.Attribute)
    return node.value.id if isinstance(node.value, ast.Name) else node.value.attr


@cache
def arguments(node: ast.Subscript) -> list[ast.expr]:
    return list(node.slice.elts) if isinstance(node.slice, ast.Tuple) else [node.slice]
