"""
The tables of docs/reference, made from the code: `python -m tests.house.reference` (or `make reference`) writes them.

A registry that is not there yet gives None, and its table stays empty.
"""

import importlib
import importlib.util
import inspect
from collections.abc import Callable, Iterable, Iterator
from types import ModuleType
from typing import Any

import click

from tests.house.trees import ROOT

SAYS_NOTHING = "(says nothing of itself)"
REFERENCE = ROOT / "docs" / "reference"


def refusals() -> str | None:
    module = found("paywright.kernel.refusals")
    if module is None:
        return None
    rows = ((f"`{code}`", str(status), sentence) for code, (status, sentence) in module.REFUSALS.items())
    return table(("Code", "Status", "Message"), rows)


def commands() -> str | None:
    module = found("paywright.cli")
    if module is None:
        return None
    return "\n\n".join(command_section(path, command) for path, command in command_tree("paywright", module.main))


def command_tree(path: str, command: click.Command) -> Iterator[tuple[str, click.Command]]:
    if not isinstance(command, click.Group):
        yield path, command
        return
    for name in sorted(command.commands):
        if not command.commands[name].hidden:
            yield from command_tree(f"{path} {name}", command.commands[name])


def command_section(path: str, command: click.Command) -> str:
    parameters = [each for each in command.params if not getattr(each, "hidden", False)]
    names = " ".join(each.human_readable_name for each in parameters if isinstance(each, click.Argument))
    options = [each for each in parameters if isinstance(each, click.Option)]
    rows = [(f"`{', '.join([*each.opts, *each.secondary_opts])}`", each.help or SAYS_NOTHING) for each in options]
    text = " ".join((command.help or SAYS_NOTHING).split())
    parts = [f"## `{f'{path} {names}'.strip()}`", text, table(("Option", "Does"), rows) if rows else ""]
    return "\n\n".join(part for part in parts if part)


def events() -> str | None:
    module = found("paywright.outbox.catalogue")
    if module is None:
        return None
    rows = (
        (f"`{name}`", when, ", ".join(f"`{each}`" for each in names.split()))
        for name, (when, names) in module.EVENTS.items()
    )
    return table(("Event", "When", "In `data`"), rows)


def incidents() -> str | None:
    module = found("paywright.outbox.catalogue")
    if module is None:
        return None
    rows = (
        (f"`{kind}`", about, ", ".join(f"`{each}`" for each in names.split()))
        for kind, (about, names) in module.INCIDENTS.items()
    )
    return table(("Kind", "About", "In `facts`"), rows)


def routes() -> str | None:
    module = found("paywright.api.routes")
    if module is None:
        return None
    rows = ((f"`{each.method} {each.path}`", who(each.who), first_line(each.endpoint)) for each in module.ROUTES)
    return table(("Route", "Who", "Does"), rows)


def methods() -> str | None:
    """What one can ask of `pay`, of a customer, of an item and of a hold, with the signatures of the code."""
    surface, customer, balance = (found(f"paywright.client.{name}") for name in ("surface", "customer", "balance"))
    if surface is None or customer is None or balance is None:
        return None
    classes = (
        ("pay", surface.Surface),
        ("user", customer.CustomerHandle),
        ("credits", balance.ItemHandle),
        ("hold", balance.HoldHandle),
    )
    return "\n\n".join(f"## `{name}`\n\n{method_table(name, each)}" for name, each in classes)


def method_table(name: str, of: type) -> str:
    rows = []
    for method, member in vars(of).items():
        if method.startswith("_"):
            continue
        if isinstance(member, property):
            rows.append((f"`{name}.{method}`", first_line(member.fget)))
        else:
            rows.append((f"`{name}.{method}({parameters(member)})`", first_line(member)))
    return table(("Method", "Does"), rows)


def parameters(method: Callable[..., object]) -> str:
    """Names, and defaults where there are any: annotations are for the editor."""
    written, has_star = [], False
    for each in list(inspect.signature(method).parameters.values())[1:]:
        if each.kind is inspect.Parameter.KEYWORD_ONLY and not has_star:
            written.append("*")
            has_star = True
        mark = "**" if each.kind is inspect.Parameter.VAR_KEYWORD else ""
        default = "" if each.default is inspect.Parameter.empty else f"={each.default!r}"
        written.append(f"{mark}{each.name}{default}")
    return ", ".join(written)


def who(who: Any) -> str:
    """A secret key needs the scope; a token or a publishable key will do where they are named."""
    named = {"open": "anyone", "anyone": "publishable", "customer": "customer"}
    return named.get(who.audience) or f"secret (`{who.scope}`)"


def first_line(endpoint: Callable[..., object] | None) -> str:
    if endpoint is None:
        return "Not implemented yet."
    return (inspect.getdoc(endpoint) or SAYS_NOTHING).partition("\n")[0]


def found(name: str) -> ModuleType | None:
    """A module of ours, or None where it is not written yet. One that is there and broken raises."""
    parent = name.rpartition(".")[0]
    if parent != "paywright" and found(parent) is None:
        return None
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def stripe_events() -> str | None:
    module = found("paywright.webhooks.rules")
    if module is None:
        return None
    rows = (
        (f"`{event_type}`", "yes" if acts.is_asked else "", acts.noun.replace("_", " "), acts.why)
        for event_type, acts in module.EVENT_TYPES.items()
    )
    return table(("Type", "Asked for", "What is fetched", "Why"), rows)


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |" for line in lines)


# The page, the marker in it, and what is written after the marker.
TABLES: dict[tuple[str, str], Callable[[], str | None]] = {
    ("errors.md", "refusals"): refusals,
    ("events.md", "events"): events,
    ("events.md", "incidents"): incidents,
    ("commands.md", "commands"): commands,
    ("http.md", "routes"): routes,
    ("python.md", "methods"): methods,
    ("stripe-events.md", "types"): stripe_events,
}


def rewritten(text: str, marker: str, made: str) -> str:
    before, start, rest = text.partition(f"<!-- {marker} -->\n")
    assert start, f"no marker {marker}"
    _, end, after = rest.partition("<!-- end -->")
    assert end, f"no end to {marker}"
    return f"{before}{start}\n{made}\n\n{end}{after}"


def outdated() -> Iterator[tuple[str, str]]:
    """Pages that differ from the code, and what they should say."""
    for (page, marker), make in TABLES.items():
        made = make()
        if made is None:
            continue
        text = (REFERENCE / page).read_text(encoding="utf-8")
        wanted = rewritten(text, marker, made)
        if wanted != text:
            yield page, wanted


if __name__ == "__main__":
    for name, wanted in outdated():
        (REFERENCE / name).write_text(wanted, encoding="utf-8")
