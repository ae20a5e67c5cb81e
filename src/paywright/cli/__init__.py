"""The command line. Each command imports what it needs when it runs, so that `--help` is quick."""

import click

from paywright.cli import (
    catalog,
    emails,
    environments,
    events,
    healing,
    keys,
    later,
    portable,
    reconciling,
    serving,
    state,
)
from paywright.cli.dev import dev


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="paywright")
def main() -> None:
    """Payments and entitlements on Stripe."""


COMMANDS: tuple[click.Command, ...] = (
    dev,
    serving.serve,
    serving.worker,
    serving.sandbox,
    environments.migrate,
    environments.group,
    state.init,
    state.status,
    state.ledger,
    state.clock,
    catalog.group,
    keys.group,
    events.group,
    emails.group,
    reconciling.reconcile,
    healing.doctor,
    portable.export,
    portable.bring_in,
    *later.COMMANDS,
)
for command in COMMANDS:
    main.add_command(command)
