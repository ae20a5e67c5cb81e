"""
What the installed SDK can send: every v1 route with its parameters, nested ones included, and every expandable field.

`python -m tests.contract.write_tables` renews `src/paywright_sandbox/params/catalogue.txt`; a test holds the two equal.
"""

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from tests.contract.sdk_package import (
    arguments,
    classes,
    functional_typed_dicts,
    imported_names,
    module_tree,
    package_root,
    subscript_name,
    unquoted,
)

CATALOGUE = Path(__file__).parents[2] / "src" / "paywright_sandbox" / "params" / "catalogue.txt"
SCALARS = {"int": "i", "str": "s", "bool": "b", "float": "f", "Decimal": "d", "Any": "*", "object": "*"}


class Shapes:
    """Parameter shapes, each kept once: two classes with the same fields are one shape."""

    def __init__(self) -> None:
        self.number_by_line: dict[str, int] = {}
        self.number_by_class: dict[tuple[str, str], int] = {}

    def of_class(self, module: str, name: str) -> int:
        key = (module, name)
        if key not in self.number_by_class:
            fields = sorted(parameter_fields(module, name))
            line = " ".join(
                f"{field}{'!' if required else ''}={self.type_code(where, annotation)}"
                for field, annotation, required, where in fields
                if field != "expand" or not name.endswith("Params")
            )
            self.number_by_class[key] = self.number_by_line.setdefault(line, len(self.number_by_line))
        return self.number_by_class[key]

    def type_code(self, module: str, node: ast.expr) -> str:
        node = unquoted(node)
        if isinstance(node, ast.BinOp):
            return self.union(module, [node.left, node.right])
        if isinstance(node, ast.Subscript):
            return self.subscript(module, node)
        assert isinstance(node, ast.Name), ast.dump(node)
        if node.id in SCALARS:
            return SCALARS[node.id]
        home, name = imported_names(module).get(node.id, (module, node.id))
        if not home.startswith("stripe.params") and home != module:
            return "*"
        return f"#{self.of_class(home, name)}"

    def subscript(self, module: str, node: ast.Subscript) -> str:
        name, inner = subscript_name(node), arguments(node)
        if name == "List":
            return f"[{self.type_code(module, inner[0])}]"
        if name in ("Dict", "Mapping"):
            return "{" + self.type_code(module, inner[1]) + "}"
        if name == "UntypedStripeObject":
            return "{" + self.type_code(module, inner[0]) + "}"
        if name == "Literal":
            values = [ast.literal_eval(value) for value in inner]
            return "''" if values == [""] else "<" + ",".join(sorted(str(value) for value in values)) + ">"
        assert name in ("Union", "Optional"), name
        return self.union(module, inner)

    def union(self, module: str, members: list[ast.expr]) -> str:
        codes: list[str] = []
        for member in members:
            codes += [code for code in self.type_code(module, member).split("|") if code not in codes]
        # An enumeration or-ed with str is the SDK's open enumeration; Stripe itself still refuses unknown values in requests.
        if any(code.startswith("<") for code in codes):
            codes = [code for code in codes if code != "s"]
        return "|".join(sorted(codes))


def parameter_fields(module: str, name: str) -> Iterator[tuple[str, ast.expr, bool, str]]:
    """(field, type, required, module it stands in) of a TypedDict, inherited ones included; not the SDK's own request options."""
    if name in functional_typed_dicts(module):
        for field, annotation in functional_typed_dicts(module)[name].items():
            yield field, *split_required(annotation), module
        return
    if name in ("RequestOptions", "TypedDict"):
        return
    home, original = (module, name) if name in classes(module) else imported_names(module)[name]
    for parent in classes(home)[original].bases:
        assert isinstance(parent, ast.Name)
        yield from parameter_fields(home, parent.id)
    for node in classes(home)[original].body:
        if isinstance(node, ast.AnnAssign):
            assert isinstance(node.target, ast.Name)
            yield node.target.id, *split_required(node.annotation), home


def split_required(annotation: ast.expr) -> tuple[ast.expr, bool]:
    node = unquoted(annotation)
    if isinstance(node, ast.Subscript) and subscript_name(node) == "NotRequired":
        return node.slice, False
    return node, True


def service_modules() -> list[str]:
    root = package_root()
    files = (path for path in root.rglob("*_service.py") if "v2" not in path.parts)
    return sorted("stripe." + ".".join(path.relative_to(root).with_suffix("").parts) for path in files)


def routes() -> dict[str, tuple[str, str] | None]:
    """`POST /v1/customers` → the module and class of its parameters; None where the SDK takes none."""
    found: dict[str, tuple[str, str] | None] = {}
    for module in service_modules():
        for service in classes(module).values():
            for method in service.body:
                if not isinstance(method, ast.FunctionDef):
                    continue
                for call in ast.walk(method):
                    called = getattr(getattr(call, "func", None), "attr", "")
                    if isinstance(call, ast.Call) and called in ("_request", "_request_stream"):
                        key = f"{ast.literal_eval(call.args[0]).upper()} {path_template(call.args[1])}"
                        if " /v1/" in key:
                            found[key] = parameter_class(module, method)
    return found


def path_template(node: ast.expr) -> str:
    if isinstance(node, ast.Call):
        assert isinstance(node.func, ast.Attribute)
        node = node.func.value
    return str(ast.literal_eval(node))


def parameter_class(module: str, method: ast.FunctionDef) -> tuple[str, str] | None:
    for argument in method.args.args:
        if argument.arg == "params":
            assert argument.annotation is not None
            names = re.findall(r"\w+Params\b", ast.unparse(argument.annotation))
            return imported_names(module)[names[0]] if names else None
    return None


def expandable_fields() -> dict[str, list[str]]:
    """Object name → dotted paths of its expandable fields, in inner objects too."""
    found = {}
    for name, (module, class_name) in sorted(object_classes().items()):
        if ".v2." not in module and class_name in classes(module):
            paths = sorted(set(expandable_paths(classes(module)[class_name], "")))
            if paths:
                found[name] = paths
    return found


@cache
def object_classes() -> dict[str, tuple[str, str]]:
    for node in module_tree("stripe._object_classes").body:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name) and node.target.id == "OBJECT_CLASSES":
            assert node.value is not None
            return dict(ast.literal_eval(node.value))
    raise LookupError("the SDK has no OBJECT_CLASSES any more")


def expandable_paths(node: ast.ClassDef, prefix: str) -> Iterator[str]:
    inner = {child.name: child for child in node.body if isinstance(child, ast.ClassDef)}
    for field in node.body:
        if isinstance(field, ast.AnnAssign) and isinstance(field.target, ast.Name):
            written = ast.unparse(unquoted(field.annotation))
            if "ExpandableField[" in written:
                yield prefix + field.target.id
            for word in re.findall(r"[A-Za-z]\w*", written):
                if word in inner:
                    yield from expandable_paths(inner[word], f"{prefix}{field.target.id}.")


def api_version() -> str:
    (versions,) = classes("stripe._api_version").values()
    (current,) = [
        node.value
        for node in versions.body
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name) and node.targets[0].id == "CURRENT"
    ]
    return str(ast.literal_eval(current))


@cache
def catalogue_text() -> str:
    shapes = Shapes()
    lines = []
    for key, where in sorted(routes().items()):
        number = shapes.of_class(*where) if where else shapes.number_by_line.setdefault("", len(shapes.number_by_line))
        lines.append(f"{key} #{number}")
    version = api_version()
    parts = [
        f"# Written by tests/contract/sdk_parameters.py from the stripe package, API {version}. Do not edit.",
        "[routes]",
        *lines,
        "[shapes]",
        *(line or "-" for line in shapes.number_by_line),
        "[expandable]",
        *(f"{name} {' '.join(paths)}" for name, paths in expandable_fields().items()),
    ]
    return "\n".join(parts) + "\n"
