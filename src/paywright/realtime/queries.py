"""What the dispatcher asks: one statement each, for however many streams."""

from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import ARRAY
from sqlalchemy.engine import Connection

from paywright.access.tables import api_keys, revoked_customers, revoked_tokens
from paywright.claims.tables import guests
from paywright.kernel.model import Customer
from paywright.realtime.model import Change, Credential, Head
from paywright.realtime.rules import CHANGES_MAX

Key = tuple[str, str]
"""Environment and customer (`user:u_1`): what streams are gathered by."""

SPAN = 10 * CHANGES_MAX
"""Sequence numbers looked back over for changes; a commit takes a few."""

_CHANGED = {
    "postgresql": sa.text(
        """
        SELECT w.place, c.version, c.next_sequence
        FROM unnest(CAST(:environments AS text[]), CAST(:customers AS text[]), CAST(:numbers AS bigint[]))
            WITH ORDINALITY AS w (environment_id, customer, version, place)
        JOIN customers c ON c.environment_id = w.environment_id AND c.customer = w.customer
        WHERE c.version <> w.version
        ORDER BY w.place
        """
    ),
    "sqlite": sa.text(
        """
        SELECT w.key + 1 AS place, c.version, c.next_sequence
        FROM json_each(:watched) w
        JOIN customers c ON c.environment_id = json_extract(w.value, '$[0]') AND c.customer = json_extract(w.value, '$[1]')
        WHERE c.version <> json_extract(w.value, '$[2]')
        ORDER BY w.key
        """
    ),
}
_CHANGES = {
    "postgresql": sa.text(
        """
        SELECT w.place, e.sequence, e.data
        FROM unnest(CAST(:environments AS text[]), CAST(:customers AS text[]), CAST(:numbers AS bigint[]))
            WITH ORDINALITY AS w (environment_id, customer, since, place)
        JOIN events e ON e.environment_id = w.environment_id AND e.customer = w.customer AND e.sequence >= w.since
        WHERE e.type = 'customer.state_changed'
        ORDER BY w.place, e.sequence
        """
    ),
    "sqlite": sa.text(
        """
        SELECT w.key + 1 AS place, e.sequence, e.data
        FROM json_each(:watched) w
        JOIN events e ON e.environment_id = json_extract(w.value, '$[0]') AND e.customer = json_extract(w.value, '$[1]')
            AND e.sequence >= json_extract(w.value, '$[2]')
        WHERE e.type = 'customer.state_changed'
        ORDER BY w.key, e.sequence
        """
    ),
}


def changed(connection: Connection, watched: Sequence[tuple[Key, int]]) -> dict[Key, Head]:
    """Of the customers, each with the version last seen, those that stand at another one now. All environments in one query."""
    rows = connection.execute(_CHANGED[connection.dialect.name], _many(connection, watched))
    return {watched[row.place - 1][0]: Head(row.version, row.next_sequence) for row in rows}


def changes_since(connection: Connection, wanted: Sequence[tuple[Key, int]]) -> dict[Key, list[Change]]:
    """The commits recorded from a sequence number of each customer on, oldest first. All customers in one query."""
    found: dict[Key, list[Change]] = {key: [] for key, _ in wanted}
    for row in connection.execute(_CHANGES[connection.dialect.name], _many(connection, wanted)):
        told = msgspec.json.decode(row.data, type=Change)
        found[wanted[row.place - 1][0]].append(msgspec.structs.replace(told, sequence=row.sequence))
    return found


def _many(connection: Connection, asked: Sequence[tuple[Key, int]]) -> dict[str, object]:
    if connection.dialect.name == "sqlite":
        return {"watched": msgspec.json.encode([(*key, number) for key, number in asked]).decode()}
    return {
        "environments": [key[0] for key, _ in asked],
        "customers": [key[1] for key, _ in asked],
        "numbers": [number for _, number in asked],
    }


def void(connection: Connection, credentials: Collection[Credential]) -> set[Credential]:
    """Those that were taken back: a key, a token, or all tokens of one of its customers issued until then."""
    if not credentials:
        return set()
    keys = {each.id for each in credentials if each.kind == "key"}
    tokens = [each for each in credentials if each.kind == "token"]
    gone: set[str] = set()
    if keys:
        revoked = sa.select(api_keys.c.id).where(
            _among(connection, api_keys.c.id, keys), api_keys.c.revoked_at.is_not(None)
        )
        gone |= set(connection.execute(revoked).scalars())
    if tokens:
        column = revoked_tokens.c.token_id
        found = sa.select(column).where(
            _among(connection, revoked_tokens.c.environment_id, {each.environment_id for each in tokens}),
            _among(connection, column, {each.id for each in tokens}),
        )
        gone |= set(connection.execute(found).scalars())
        since = _revoked_customers(connection, tokens)
        gone |= {each.id for each in tokens if _is_taken_back(each, since)}
    return {each for each in credentials if each.id in gone}


def _revoked_customers(connection: Connection, tokens: Sequence[Credential]) -> dict[Key, int]:
    named = {customer.key for each in tokens for customer in each.customers}
    columns = (revoked_customers.c.environment_id, revoked_customers.c.customer, revoked_customers.c.revoked_at)
    found = sa.select(*columns).where(
        _among(connection, revoked_customers.c.environment_id, {each.environment_id for each in tokens}),
        _among(connection, revoked_customers.c.customer, named),
    )
    return {(row.environment_id, row.customer): row.revoked_at for row in connection.execute(found)}


def _is_taken_back(token: Credential, since: dict[Key, int]) -> bool:
    return any(since.get((token.environment_id, each.key), -1) >= token.issued_at for each in token.customers)


def attached(connection: Connection, watched: Collection[Key]) -> set[Key]:
    """Guests whose purchases moved to an account: their claim token opens nothing any more."""
    by_id = {(environment_id, key.removeprefix("guest:")): (environment_id, key) for environment_id, key in watched}
    columns = (guests.c.environment_id, guests.c.id)
    found = sa.select(*columns).where(
        _among(connection, guests.c.environment_id, {environment_id for environment_id, _ in by_id}),
        _among(connection, guests.c.id, {guest_id for _, guest_id in by_id}),
        guests.c.attached_to.is_not(None),
    )
    moved = [(row.environment_id, row.id) for row in connection.execute(found)]
    return {by_id[each] for each in moved if each in by_id}


def _among(connection: Connection, column: sa.Column[str], values: Collection[str]) -> sa.ColumnElement[bool]:
    """One parameter, however many values: neither database is handed ten thousand."""
    if connection.dialect.name == "sqlite":
        text = msgspec.json.encode(sorted(values)).decode()
        return column.in_(sa.select(sa.func.json_each(text).table_valued("value").c.value))
    return column == sa.any_(sa.literal(sorted(values), ARRAY(sa.Text)))


def of_key(key: Key) -> Customer:
    return Customer.of_key(key[1])
