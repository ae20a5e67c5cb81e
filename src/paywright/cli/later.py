"""Commands of the interface that are not implemented yet: they say so, with exit code 1."""

import click

from paywright.cli.options import fail, shared

LATER = {
    "dashboard": "A one-time sign-in link for the operator's dashboard.",
}


def later(name: str, about: str) -> click.Command:
    @click.command(name, help=f"{about} Not implemented yet.")
    @shared
    def command(environment: str | None, as_json: bool) -> None:
        fail(f"`paywright {name}` is not implemented yet.", as_json=as_json, code="not_implemented")

    return command


COMMANDS = tuple(later(name, about) for name, about in LATER.items())
