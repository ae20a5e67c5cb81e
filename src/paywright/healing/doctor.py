"""
What is wrong with an environment, and how to mend it: one table of checks, each of which says something whatever it finds.

Doctor changes nothing. A Stripe that does not answer makes the checks that need it unknown, not wrong.
"""

from collections.abc import Callable, Iterator

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing import checks_account, checks_here, checks_inbox
from paywright.healing.model import Check
from paywright.healing.patient import UNANSWERED, Patient, unknown
from paywright.kernel.settings import SettingsInvalid
from paywright.kernel.vault import SecretUnreadable
from paywright.stripe.gateway import StripeRefused

Look = Callable[[Patient], Iterator[Check]]

HERE: dict[str, Look] = {
    "database": checks_here.database,
    "settings": checks_here.settings,
    "worker": checks_here.worker,
    "ledger": checks_here.ledger,
}
"""Whatever the provider is."""

AT_STRIPE: dict[str, Look] = {
    "key": checks_account.key,
    "account": checks_account.account,
    "api_base": checks_account.api_base,
    "endpoint": checks_inbox.endpoint,
    "secret": checks_inbox.secret,
    "deliveries": checks_inbox.deliveries,
    "inbox": checks_inbox.inbox,
    "mode": checks_inbox.mode,
    "catalog": checks_account.catalog,
    "billing_settings": checks_account.billing_settings,
    "clock": checks_account.clock,
    "stuck": checks_inbox.stuck_rows,
}
"""Where purchases go through Stripe's API. `endpoint` says `endpoint_version` and `endpoint_events` as well."""

CHECKS = (*HERE, *AT_STRIPE, "endpoint_version", "endpoint_events")


def examine(app: App, environment: Environment) -> list[Check]:
    """Every check that applies, in the order of the table. A database at another schema is the only thing said of it."""
    patient = Patient(app, environment)
    [schema] = checks_here.database(patient)
    if schema.ok is False and "schema" in schema.says:
        return [schema]
    looks = {**HERE, **(AT_STRIPE if environment.is_at_stripe else {})}
    return [check for name, look in looks.items() for check in _looked(name, look, patient)]


def _looked(name: str, look: Look, patient: Patient) -> list[Check]:
    try:
        return list(look(patient))
    except UNANSWERED as outage:
        return [unknown(name, f"Stripe did not answer: {outage}.", "Try again in a while.")]
    except (SecretUnreadable, SettingsInvalid):
        return [unknown(name, "What is stored can't be decrypted.", "Look at what `settings` says.")]
    except StripeRefused as refused:
        return [unknown(name, f"Stripe said no: {refused.message}", "Look at what `key` says.")]
