"""`paywright environments connect`: the Stripe key of an environment."""

from typing import TYPE_CHECKING

import click

from paywright.cli.options import must, opened, read_settings, shared, show

if TYPE_CHECKING:
    from paywright.environments.actions import StripeCredentials


@click.command("connect")
@click.argument("environment_id", metavar="ID", required=False)
@click.option("--publishable-key", metavar="KEY", help="For the browser; STRIPE_PUBLISHABLE_KEY, else the present one.")
@click.option("--account", metavar="ACCT", help="Connect: work in this connected account; `-` for the key's own.")
@click.option("--api-base", metavar="URL", help="Of a sandbox; STRIPE_API_BASE, else the present one.")
@click.option(
    "--detach", is_flag=True, help="The old account is over: its mappings become history, what customers own stays."
)
@shared
def connect(
    environment_id: str | None,
    publishable_key: str | None,
    account: str | None,
    api_base: str | None,
    detach: bool,
    environment: str | None,
    as_json: bool,
) -> None:
    """
    Give an environment its Stripe key, or a new one. The key is STRIPE_SECRET_KEY, or is asked for; it is stored encrypted.

    A key of another account is refused unless --detach says that the old account is over.
    """
    from paywright.healing import accounts

    with opened(environment_id or environment) as (app, selected):
        credentials = given(environment_id or environment, selected, publishable_key, account, api_base)
        connected = must(accounts.connect(app, selected, credentials, detach_old=detach), as_json=as_json)
        endpoint = "`paywright events endpoint` gives Stripe an address to deliver to."
    known = connected.stripe_account_id or "an account that the key may not read"
    text = f"{connected.id} is connected to {known}.\n{endpoint}"
    answer = {"environment": connected.id, "stripe_account_id": connected.stripe_account_id, "detached": detach}
    show(answer, text, as_json=as_json)


def given(
    environment_id: str | None,
    selected: "object",
    publishable_key: str | None,
    account: str | None,
    api_base: str | None,
) -> "StripeCredentials":
    """What is not said stays as it is. A key on the command line would stand in the shell's history, so there is no option for it."""
    from paywright.environments.actions import StripeCredentials
    from paywright.environments.model import Environment

    assert isinstance(selected, Environment)
    settings = read_settings(environment_id)
    secret_key = settings.stripe_secret_key or click.prompt("Stripe's secret key", hide_input=True)
    stays = selected.stripe_account if account is None else None if account == "-" else account
    return StripeCredentials(
        secret_key=secret_key,
        publishable_key=publishable_key or settings.stripe_publishable_key or selected.stripe_publishable_key,
        account=stays,
        api_base=api_base or settings.stripe_api_base or selected.stripe_api_base,
    )
