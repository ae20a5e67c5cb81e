"""Doctor on our own side: database, settings, worker, ledger."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.environments.tables import environments, webhook_secrets
from paywright.healing import beats
from paywright.healing.model import Check
from paywright.healing.patient import Patient, fine, wrong
from paywright.kernel.instants import rfc3339
from paywright.kernel.vault import SecretUnreadable, decrypt
from paywright.ledger.tables import balances, item_grants
from paywright.storage.migrate import revisions

SECRET_CHARACTERS_MIN = 32
POSTGRESQL_MIN = 130_000
UNSAFE = {"fsync": "off", "full_page_writes": "off", "synchronous_commit": "off"}
"""Settings of PostgreSQL under which a reply no longer means that it is on disk."""
BALANCES_SHOWN = 5


def database(patient: Patient) -> Iterator[Check]:
    current, newest = revisions(patient.app.database)
    if current != newest:
        yield wrong("database", f"The schema is at {current}, this version needs {newest}.", "Run `paywright migrate`.")
        return
    with patient.app.database.read() as connection:
        problems = list((_sqlite if patient.app.database.dialect == "sqlite" else _postgresql)(connection))
    if problems:
        yield wrong("database", f"{'; '.join(problems)}.", "Correct the server's settings: money is written here.")
    else:
        yield fine("database", f"{patient.app.database.dialect}, schema {current}; what is answered is on disk.")


def _sqlite(connection: Connection) -> Iterator[str]:
    asked = {
        name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in ("journal_mode", "synchronous")
    }
    if asked["journal_mode"] != "wal":
        yield f"journal_mode is {asked['journal_mode']}, not wal: the file is on a disk that can't share memory"
    if asked["synchronous"] != 2:
        yield "synchronous is not FULL"
    checked = connection.exec_driver_sql("PRAGMA quick_check(3)").scalars().all()
    if checked != ["ok"]:
        yield f"the file is damaged: {checked[0]}"


def _postgresql(connection: Connection) -> Iterator[str]:
    names = sorted((*UNSAFE, "server_version_num"))
    asked = sa.text("SELECT name, setting FROM pg_settings WHERE name = ANY(:names) ORDER BY name").bindparams(
        names=names
    )
    found = {row.name: row.setting for row in connection.execute(asked)}
    for name, value in UNSAFE.items():
        if found.get(name) == value:
            yield f"{name} is {value}: a crash loses what was answered"
    if int(found["server_version_num"]) < POSTGRESQL_MIN:
        yield f"PostgreSQL {int(found['server_version_num']) // 10_000} is too old; 13 is the oldest that works"


def settings(patient: Patient) -> Iterator[Check]:
    given = patient.app.settings
    if not given.secret:
        yield wrong("settings", "PAYWRIGHT_SECRET is not set.", "Set it to 32 or more random characters, and keep it.")
        return
    if len(given.secret) < SECRET_CHARACTERS_MIN:
        says = f"PAYWRIGHT_SECRET has {len(given.secret)} characters; 32 random ones are the least."
        yield wrong(
            "settings",
            says,
            "Make a longer one, then connect Stripe and make the hooks again: what it encrypted goes with it.",
        )
        return
    unreadable = _unreadable(patient, given.secret)
    if unreadable:
        says = f"{' and '.join(unreadable)} were encrypted under another PAYWRIGHT_SECRET."
        yield wrong("settings", says, "Bring the old one back, or set them up again.")
        return
    if not given.public_url:
        says = "PAYWRIGHT_PUBLIC_URL is not set: Stripe is not told where we are, and links in letters lead nowhere."
        yield wrong("settings", says, "Set it to the address people and Stripe reach this server at.")
    elif patient.environment.livemode and urlsplit(given.public_url).scheme != "https":
        yield wrong(
            "settings",
            f"PAYWRIGHT_PUBLIC_URL is {given.public_url}, which is not https.",
            "Stripe delivers live events over https only.",
        )
    else:
        yield fine("settings", f"Reached at {given.public_url}.")


def _unreadable(patient: Patient, secret: str) -> list[str]:
    here = patient.environment.id
    keys = sa.select(environments.c.stripe_secret_key).where(environments.c.environment_id == here)
    signing = (
        sa.select(webhook_secrets.c.secret)
        .where(webhook_secrets.c.environment_id == here)
        .order_by(webhook_secrets.c.id)
    )
    with patient.app.database.read() as connection:
        stored = {
            "the Stripe key": [value for value in connection.execute(keys).scalars() if value],
            "webhook secrets": list(connection.execute(signing.limit(100)).scalars()),
        }
    found = []
    for name, values in stored.items():
        try:
            for value in values:
                decrypt(secret, value)
        except SecretUnreadable:
            found.append(name)
    return found


def worker(patient: Patient) -> Iterator[Check]:
    with patient.app.database.read() as connection:
        last = beats.last_beat(connection, patient.environment.id)
    if last is not None and last > patient.wall - beats.DEAD_AFTER_MS:
        yield fine("worker", f"It was at work at {rfc3339(last)}.")
    else:
        says = "None has ever run" if last is None else f"It was last at work at {rfc3339(last)}"
        yield wrong(
            "worker", f"{says}: events are taken in and not acted on.", "Start `paywright serve` or `paywright worker`."
        )


def ledger(patient: Patient) -> Iterator[Check]:
    """Quickly: live units of each balance against the grants that hold them. `ledger verify` proves the rest."""
    here = balances.c.environment_id == patient.environment.id
    held = (
        sa.select(item_grants.c.customer, item_grants.c.item_id, sa.func.sum(item_grants.c.live).label("live"))
        .where(item_grants.c.environment_id == patient.environment.id)
        .group_by(item_grants.c.customer, item_grants.c.item_id)
        .subquery()
    )
    same = (held.c.customer == balances.c.customer) & (held.c.item_id == balances.c.item_id)
    differing = (
        sa.select(balances.c.customer, balances.c.item_id)
        .select_from(balances.outerjoin(held, same))
        .where(here, balances.c.live != sa.func.coalesce(held.c.live, 0))
        .order_by(balances.c.customer, balances.c.item_id)
    )
    with patient.app.database.read() as connection:
        wrong_ones = [f"{row.customer} {row.item_id}" for row in connection.execute(differing.limit(BALANCES_SHOWN))]
    if wrong_ones:
        yield wrong(
            "ledger",
            f"The units of {', '.join(wrong_ones)} are not what their grants hold.",
            "See what is so with `paywright ledger verify`.",
        )
    else:
        yield fine("ledger", "Balances hold what their grants hold.")
