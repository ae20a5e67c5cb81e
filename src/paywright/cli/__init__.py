"""The command line. Each command imports what it needs when it runs, so that `--help` is quick."""

import click

from paywright.cli import catalog, keys
from paywright.cli.dev import dev


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 120})
@click.version_option(package_name="paywright")
def main() -> None:
    """Payments and entitlements on Stripe."""


for command in (dev, catalog.group, keys.group):
    main.add_command(command)
