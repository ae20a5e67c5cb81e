"""Doctor on the key, the account, where calls go, the clock, and what is sold there."""

import ipaddress
from collections.abc import Iterator
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import msgspec
import sqlalchemy as sa

from paywright.catalog.drift import marked, sentences
from paywright.catalog.model import Price
from paywright.catalog.stripe_objects import differences
from paywright.catalog.tables import stripe_prices
from paywright.environments.actions import stripe_credentials, wrong_key
from paywright.environments.tables import environments
from paywright.healing.model import Check
from paywright.healing.patient import Patient, fine, unknown, wrong
from paywright.stripe.gateway import StripeRefused
from paywright.subscriptions.tables import subscriptions

NEEDED = (
    "/v1/events /v1/customers /v1/checkout/sessions /v1/payment_intents /v1/setup_intents /v1/subscriptions /v1/invoices /v1/refunds /v1/disputes "
    "/v1/payouts /v1/balance_transactions /v1/products /v1/prices /v1/webhook_endpoints"
).split()
"""What a restricted key must let us read, at least."""
OFF_BY_MS_MAX = 60_000
PRICES_MAX = 10_000
STRIPE_HOST = "api.stripe.com"


def key(patient: Patient) -> Iterator[Check]:
    environment, settings = patient.environment, patient.app.settings
    with patient.app.database.read() as connection:
        credentials = stripe_credentials(connection, settings, environment)
    if credentials is None:
        yield wrong(
            "key",
            "There is no Stripe key.",
            f"Give one: `paywright environments connect {environment.id}`, or STRIPE_SECRET_KEY.",
        )
        return
    if wrong_key(credentials.secret_key, environment) is not None:
        mend = f"Use one that begins with sk_{environment.mode}_ or rk_{environment.mode}_."
        yield wrong("key", f"{credentials!r} is no key for mode {environment.mode}.", mend)
        return
    if isinstance(patient.account, StripeRefused) and not patient.may_ask:
        mend = "Make a new key in Stripe's dashboard, and connect it."
        yield wrong("key", f"Stripe refuses the key: {patient.account.message}", mend)
        return
    lacking = [path for path in NEEDED if not _may_read(patient, path)]
    if lacking:
        yield wrong(
            "key",
            f"The key may not read {', '.join(lacking)}.",
            "Give the restricted key these permissions in Stripe's dashboard.",
        )
    else:
        yield fine("key", f"{credentials.masked} works.")


def _may_read(patient: Patient, path: str) -> bool:
    assert patient.gateway is not None
    try:
        patient.gateway.get(path, {"limit": 1})
    except StripeRefused as refused:
        return refused.status != 403
    return True


def account(patient: Patient) -> Iterator[Check]:
    if not patient.may_ask:
        return
    if isinstance(patient.account, StripeRefused):
        yield unknown(
            "account", "The key may not read its account, so nobody knows whose it is.", "Allow it to read the account."
        )
        return
    assert patient.account is not None
    found, environment = patient.account, patient.environment
    with patient.app.database.read() as connection:
        here = environments.c.environment_id == environment.id
        known = connection.execute(sa.select(environments.c.stripe_account_id).where(here)).scalar_one_or_none()
    if known is not None and known != found["id"]:
        says = f"The key is of the account {found['id']}; this environment knows {known}."
        mend = f"Use a key of {known}; or, if that account is over, `paywright environments connect {environment.id} --detach`."
        yield wrong("account", says, mend)
        return
    if environment.stripe_account is not None:
        found = patient.platform.get(f"/v1/accounts/{environment.stripe_account}")
    yield _standing(found, matters=environment.livemode or environment.stripe_account is not None)


def _standing(found: dict[str, Any], *, matters: bool) -> Check:
    """A test account that was never activated takes test payments all the same."""
    disabled = [name for name in ("charges", "payouts") if found.get(f"{name}_enabled") is False]
    due = (found.get("requirements") or {}).get("currently_due") or []
    says = [f"{' and '.join(disabled)} are disabled"] if disabled else []
    says += [f"Stripe wants to know: {', '.join(due)}"] if due else []
    if not says:
        return fine("account", f"{found['id']} may charge and pay out.")
    check = wrong if matters else unknown
    return check("account", f"{found['id']}: {'; '.join(says)}.", "Finish what Stripe asks for in its dashboard.")


def api_base(patient: Patient) -> Iterator[Check]:
    environment, settings = patient.environment, patient.app.settings
    selected = settings.environment == environment.id
    base = (settings.stripe_api_base if selected else None) or environment.stripe_api_base
    host = STRIPE_HOST if base is None else (urlsplit(base).hostname or "")
    if environment.provider == "sandbox" and host == STRIPE_HOST:
        yield wrong(
            "api_base",
            "The provider is the sandbox, but calls go to Stripe itself.",
            "Set STRIPE_API_BASE to the sandbox's address.",
        )
    elif environment.provider == "stripe" and host != STRIPE_HOST:
        mend = "Take STRIPE_API_BASE away, or make the environment's provider `sandbox`."
        says = f"The provider is Stripe, but calls go to {host}."
        yield (
            wrong("api_base", says, mend)
            if environment.livemode or is_private(host)
            else unknown("api_base", says, mend)
        )
    else:
        yield fine("api_base", f"Calls go to {host}.")


def is_private(host: str) -> bool:
    """An address that Stripe cannot reach, or that is not Stripe."""
    if host in ("localhost", "") or host.endswith((".local", ".internal", ".localhost")):
        return True
    try:
        return not ipaddress.ip_address(host).is_global
    except ValueError:
        return "." not in host


def clock(patient: Patient) -> Iterator[Check]:
    if not patient.may_ask or patient.gateway is None or patient.gateway.date is None:
        return
    theirs = round(parsedate_to_datetime(patient.gateway.date).timestamp() * 1000)
    off_by_s = abs(patient.wall - theirs) // 1000
    if abs(patient.wall - theirs) > OFF_BY_MS_MAX:
        says = f"This machine's clock is {off_by_s} s off: signatures of deliveries will be refused from 300 s on."
        yield wrong("clock", says, "Let the machine keep its time by NTP.")
    else:
        yield fine("clock", f"{off_by_s} s off.")


def catalog(patient: Patient) -> Iterator[Check]:
    if not patient.may_ask:
        return
    sold = _sold(patient)
    unpushed = [f"{row.product_id}.{row.price_id}" for row in sold if row.stripe_price_id is None]
    wanted = {row.stripe_price_id: row for row in sold if row.stripe_price_id is not None}
    if unpushed:
        yield wrong(
            "catalog",
            f"Stripe does not have {', '.join(unpushed[:10])}.",
            "Run `paywright catalog apply` again; its answer says why.",
        )
        return
    assert patient.gateway is not None
    problems = []
    for found in patient.gateway.pages("/v1/prices", {"expand": ["data.currency_options"]}) if wanted else ():
        row = wanted.pop(found["id"], None)
        if row is not None:
            name = f"{row.product_id}.{row.price_id}"
            problems += [
                f"{name}: {each}" for each in differences(msgspec.json.decode(row.document, type=Price), found)
            ]
    problems += [f"{row.product_id}.{row.price_id}: {stripe_id} is not at Stripe" for stripe_id, row in wanted.items()]
    with patient.app.database.read() as connection:
        edited = sentences([each for each in marked(connection, patient.environment.id) if each.noun == "product"])
    if edited and not problems:
        yield wrong("catalog", " ".join(edited[:10]), "Run `paywright catalog apply`: it tells Stripe what is so.")
        return
    problems += [each.rstrip(".") for each in edited]
    if problems:
        mend = (
            "Activate the price at Stripe; for another amount or interval change the catalog, which makes a new price."
        )
        yield wrong("catalog", f"{'; '.join(problems[:10])}.", mend)
    else:
        yield fine("catalog", f"{len(sold)} prices are at Stripe as they are here.")


def _sold(patient: Patient) -> list[Any]:
    p = stripe_prices.c
    columns = (p.product_id, p.price_id, p.stripe_price_id, p.document)
    sold = sa.select(*columns).where(p.environment_id == patient.environment.id, p.active == 1)
    with patient.app.database.read() as connection:
        return list(connection.execute(sold.order_by(p.product_id, p.price_id, p.price_hash).limit(PRICES_MAX)))


def billing_settings(patient: Patient) -> Iterator[Check]:
    """It cannot be read how Stripe ends what is not paid for; what it did tells."""
    policy = patient.environment.policy.access
    s = subscriptions.c
    counted = (
        sa.select(s.status, sa.func.count().label("number"))
        .where(s.environment_id == patient.environment.id, s.ended_at.is_(None), s.status.in_(("unpaid", "paused")))
        .group_by(s.status)
        .order_by(s.status)
    )
    with patient.app.database.read() as connection:
        left = {row.status: int(row.number) for row in connection.execute(counted)}
    expected = {"unpaid": policy.unpaid, "paused": policy.paused}
    told = [f"{number} subscriptions are {status}" for status, number in left.items() if expected[status] == "none"]
    if told:
        mend = "In Stripe's billing settings let failed subscriptions be canceled; or say in `access` how long they keep what they bought."
        yield wrong("billing_settings", f"{' and '.join(told)}, and own nothing here, but live on at Stripe.", mend)
    else:
        yield fine("billing_settings", "Nothing is left unpaid or paused at Stripe that owns nothing here.")
