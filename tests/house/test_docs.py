"""Docs are tests: what exists is written down, and what is written down links to something."""

import re
from collections.abc import Iterator
from pathlib import Path

import click
import msgspec
import pytest

from tests.house import reference
from tests.house.trees import ROOT, described, plant, tracked

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")


def page(name: str) -> str:
    return (reference.REFERENCE / name).read_text(encoding="utf-8")


def unwritten(names: Iterator[str], text: str) -> list[str]:
    """Names that stand nowhere in the text as code, whole."""
    return [name for name in names if not re.search(rf"[` ]{re.escape(name)}[`? ]", text)]


def test_the_tables_say_what_the_code_says() -> None:
    assert [name for name, _ in reference.outdated()] == [], "run `make reference`"


def test_every_setting_is_documented() -> None:
    module = reference.found("paywright.kernel.settings")
    if module is None:
        return
    variables = (module.variable(field.name) for field in msgspec.structs.fields(module.Settings))
    assert unwritten(variables, page("settings.md")) == []


def test_every_documented_setting_exists() -> None:
    module = reference.found("paywright.kernel.settings")
    if module is None:
        return
    variables = {module.variable(field.name) for field in msgspec.structs.fields(module.Settings)}
    assert set(re.findall(r"^\| `(\w+)`", page("settings.md"), re.MULTILINE)) - variables == set()


def test_every_route_command_and_option_says_what_it_does() -> None:
    written = [made for make in reference.TABLES.values() if (made := make()) is not None]
    assert [line for made in written for line in made.splitlines() if reference.SAYS_NOTHING in line] == []


def test_a_silent_command_is_found() -> None:
    silent = click.Group("main", commands=[click.Command("serve", params=[click.Option(["--port"], help="Where.")])])
    sections = [
        reference.command_section(path, command) for path, command in reference.command_tree("paywright", silent)
    ]
    assert sections == [
        f"## `paywright serve`\n\n{reference.SAYS_NOTHING}\n\n| Option | Does |\n| --- | --- |\n| `--port` | Where. |"
    ]


def test_every_decision_is_listed_and_fits_a_page() -> None:
    decisions = sorted((ROOT / "docs" / "decisions").glob("0*.md"))
    index = (ROOT / "docs" / "decisions" / "README.md").read_text(encoding="utf-8")
    assert [path.name for path in decisions if f"({path.name})" not in index] == []
    assert [path.name for path in decisions if len(path.read_text(encoding="utf-8").splitlines()) > 60] == []


def dead_links(paths: list[Path]) -> Iterator[str]:
    for path in paths:
        for target in LINK.findall(path.read_text(encoding="utf-8")):
            place, _, _ = target.partition("#")
            if place and "://" not in place and not place.startswith("mailto:") and not (path.parent / place).exists():
                yield f"{path.name} links to {target}"


def test_every_link_leads_somewhere() -> None:
    found = list(dead_links(tracked(".md")))
    assert not found, described(found)


def test_a_dead_link_is_found(tmp_path: Path) -> None:
    plant(tmp_path, {"a.md": "[b](b.md) [c](c.md#there) [d](https://d.example/e)", "b.md": ""})
    assert list(dead_links([tmp_path / "a.md"])) == ["a.md links to c.md#there"]


def test_what_is_not_written_down_is_found() -> None:
    assert unwritten(iter(["A", "B", "POST /v1/c"]), "`A` and `BB` and `POST /v1/c?limit=1`") == ["B"]


def test_a_table_is_rewritten_between_its_markers() -> None:
    text = "before\n<!-- codes -->\nold\n<!-- end -->\nafter\n"
    assert reference.rewritten(text, "codes", "new") == "before\n<!-- codes -->\n\nnew\n\n<!-- end -->\nafter\n"
    with pytest.raises(AssertionError):
        reference.rewritten("nothing here", "codes", "new")
