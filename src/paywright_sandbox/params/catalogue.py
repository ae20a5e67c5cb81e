"""The parameters of every route the SDK knows, read from `catalogue.txt` on first use."""

from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

API_VERSION = "2026-10-28.endive"


@dataclass
class Field:
    code: str
    required: bool


@dataclass
class Catalogue:
    """`routes` maps `POST /v1/customers` to a shape's number; `expandable` maps an object's name to dotted paths."""

    routes: dict[str, int] = field(default_factory=dict)
    lines: list[str] = field(default_factory=list)
    expandable: dict[str, frozenset[str]] = field(default_factory=dict)
    read: dict[int, dict[str, Field]] = field(default_factory=dict)

    def shape(self, number: int) -> dict[str, Field]:
        if number not in self.read:
            fields = {}
            for word in self.lines[number].split() if self.lines[number] != "-" else []:
                name, _, code = word.partition("=")
                fields[name.rstrip("!")] = Field(code, name.endswith("!"))
            self.read[number] = fields
        return self.read[number]


@cache
def catalogue() -> Catalogue:
    known = Catalogue()
    section = ""
    for line in Path(__file__).with_name("catalogue.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("["):
            section = line
        elif section == "[routes]":
            route, _, number = line.rpartition(" #")
            known.routes[route] = int(number)
        elif section == "[shapes]":
            known.lines.append(line)
        elif section == "[expandable]":
            name, *paths = line.split()
            known.expandable[name] = frozenset(paths)
    return known
