"""
Writes `client/async_surface.py`, `async_customer.py` and `async_balance.py` from the files without `async_`: the same methods, awaited.

`--check` only says whether they are up to date.

A method becomes async if it calls the transport, or a method that does; each such call is awaited. The names of classes get `Async` before them.
"""

import ast
import re
import sys
from pathlib import Path

CLIENT = Path(__file__).resolve().parents[1] / "src" / "paywright" / "client"
SOURCES = ("surface.py", "customer.py", "balance.py")
CLASSES = (
    "Surface",
    "CustomerHandle",
    "ItemHandle",
    "HoldHandle",
    "User",
    "Team",
    "Custom",
    "Guest",
    "Transport",
    "Streaming",
)
HEAD = '"""Made from `{}` by `scripts/make_async_surface.py`. Change that file, and run the script."""\n'


def waiting_methods(texts: list[str]) -> set[str]:
    """Names of methods that end up at the transport."""
    calls: dict[str, set[str]] = {}
    for node in (node for text in texts for node in ast.walk(ast.parse(text))):
        if isinstance(node, ast.FunctionDef):
            calls.setdefault(node.name, set()).update(called(node))
    waiting = {name for name, names in calls.items() if names & {"transport.call", "transport.close"}}
    while more := {name for name, names in calls.items() if names & waiting} - waiting:
        waiting |= more
    return waiting


def called(function: ast.FunctionDef) -> set[str]:
    found = set()
    for node in ast.walk(function):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            owner = ast.unparse(node.func.value)
            found.add(
                f"transport.{node.func.attr}"
                if owner == "self._transport"
                else node.func.attr
                if is_ours(owner)
                else ""
            )
    return found - {""}


def is_ours(owner: str) -> bool:
    return owner in ("self", "self._surface", "self._owner")


def made(name: str) -> str:
    texts = {each: (CLIENT / each).read_text(encoding="utf-8") for each in SOURCES}
    waiting = waiting_methods(list(texts.values()))
    text = texts[name]
    names = "|".join(sorted(waiting))
    body = text[text.index('"""', 3) + 4 :]
    body = re.sub(rf"^(    )def ({names})\(", r"\1async def \2(", body, flags=re.MULTILINE)
    body = re.sub(
        rf"(?<![\w.])((?:self|self\._surface|self\._owner)\.(?:{names}|_transport\.(?:call|close))\()",
        r"await \1",
        body,
    )
    body = parenthesised(body)
    for class_name in CLASSES:
        body = re.sub(rf"\b{class_name}\b", f"Async{class_name}", body)
    body = re.sub(r"client\.(surface|customer|balance)\b", r"client.async_\1", body)
    body = body.replace("async def __enter__", "async def __aenter__").replace("def __enter__", "async def __aenter__")
    body = body.replace("async def __exit__", "async def __aexit__")
    return HEAD.format(name) + body


def parenthesised(body: str) -> str:
    """`await x(…).data` awaits too late: the call needs brackets of its own where something follows it."""
    out, place = [], 0
    for match in re.finditer(r"await ", body):
        end = closing(body, body.index("(", match.end()))
        if body[end + 1 : end + 2] != ".":
            continue
        out.append(f"{body[place : match.start()]}({body[match.start() : end + 1]})")
        place = end + 1
    return "".join([*out, body[place:]])


def closing(body: str, opening: int) -> int:
    depth = 0
    for place in range(opening, len(body)):
        depth += {"(": 1, ")": -1}.get(body[place], 0)
        if depth == 0:
            return place
    raise AssertionError("brackets do not match")


def same(one: str, other: str) -> bool:
    """Equal but for the formatter's line breaks."""
    return ast.dump(ast.parse(one)) == ast.dump(ast.parse(other))


if __name__ == "__main__":
    for source in SOURCES:
        target, wanted = CLIENT / f"async_{source}", made(source)
        if "--check" not in sys.argv:
            target.write_text(wanted, encoding="utf-8")
        elif not target.exists() or not same(target.read_text(encoding="utf-8"), wanted):
            sys.exit(f"{target.name} is out of date: run scripts/make_async_surface.py")
