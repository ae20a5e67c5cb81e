"""What the dispatcher asks: one statement each, for however many streams."""

from collections.abc import Collection, Sequence

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

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


_SNAPSHOT = sa.text("SELECT CAST(pg_current_snapshot() AS text)")

_VOID = {
    "postgresql": sa.text(
        """
        SELECT 'key' AS kind, environment_id, id AS name, revoked_at FROM api_keys
        WHERE revoked_at IS NOT NULL AND id = ANY (CAST(:keys AS text[]))
        UNION ALL
        SELECT 'token', environment_id, token_id, 0 FROM revoked_tokens
        WHERE environment_id = ANY (CAST(:environments AS text[])) AND token_id = ANY (CAST(:tokens AS text[]))
        UNION ALL
        SELECT 'customer', environment_id, customer, revoked_at FROM revoked_customers
        WHERE environment_id = ANY (CAST(:environments AS text[])) AND customer = ANY (CAST(:customers AS text[]))
        """
    ),
    "sqlite": sa.text(
        """
        SELECT 'key' AS kind, environment_id, id AS name, revoked_at FROM api_keys
        WHERE revoked_at IS NOT NULL AND id IN (SELECT value FROM json_each(:keys))
        UNION ALL
        SELECT 'token', environment_id, token_id, 0 FROM revoked_tokens
        WHERE environment_id IN (SELECT value FROM json_each(:environments))
            AND token_id IN (SELECT value FROM json_each(:tokens))
        UNION ALL
        SELECT 'customer', environment_id, customer, revoked_at FROM revoked_customers
        WHERE environment_id IN (SELECT value FROM json_each(:environments))
            AND customer IN (SELECT value FROM json_each(:customers))
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
    # Written as PostgreSQL reads them: the driver takes three times as long over ten thousand of them.
    return {
        "environments": text_array([key[0] for key, _ in asked]),
        "customers": text_array([key[1] for key, _ in asked]),
        "numbers": "{" + ",".join(str(number) for _, number in asked) + "}",
    }


def text_array(values: Collection[str]) -> str:
    """Source: https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO."""
    return "{" + ",".join([f'"{_escaped(value)}"' for value in values]) + "}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"') if "\\" in value or '"' in value else value


class Watchlist:
    """Credentials of open streams, in the form in which the database is asked about them. Made anew when one comes or goes."""

    def __init__(self, dialect: str, credentials: Collection[Credential]) -> None:
        self.credentials = list(credentials)
        self._tokens = [each for each in self.credentials if each.kind == "token"]
        customers = {customer.key for each in self._tokens for customer in each.customers}
        self._parameters = {
            "keys": _written(dialect, {each.id for each in self.credentials if each.kind == "key"}),
            "tokens": _written(dialect, {each.id for each in self._tokens}),
            "customers": _written(dialect, customers),
            "environments": _written(dialect, {each.environment_id for each in self._tokens}),
        }

    def void(self, connection: Connection) -> list[Credential]:
        """Those that were taken back: a key, a token, or all tokens of one of its customers issued until then. One query."""
        gone: set[str] = set()
        since: dict[Key, int] = {}
        for row in connection.execute(_VOID[connection.dialect.name], self._parameters):
            if row.kind == "customer":
                since[row.environment_id, row.name] = row.revoked_at
            else:
                gone.add(row.name)
        taken_back = {each.id for each in self._tokens if since and _is_taken_back(each, since)}
        gone |= taken_back
        return [each for each in self.credentials if each.id in gone] if gone else []


def _is_taken_back(token: Credential, since: dict[Key, int]) -> bool:
    return any(since.get((token.environment_id, each.key), -1) >= token.issued_at for each in token.customers)


def state_of_commits(connection: Connection) -> str | None:
    """The same twice: nothing was committed in between. None where that can't be told."""
    if connection.dialect.name == "sqlite":
        return None
    return str(connection.execute(_SNAPSHOT).scalar_one())


def attached(connection: Connection, watched: Collection[Key]) -> set[Key]:
    """Guests whose purchases moved to an account: their claim token opens nothing any more."""
    columns = (guests.c.environment_id, guests.c.id)
    ids = sorted({key.removeprefix("guest:") for _, key in watched})
    moved = sa.select(*columns).where(guests.c.id.in_(ids), guests.c.attached_to.is_not(None))
    return {(row.environment_id, f"guest:{row.id}") for row in connection.execute(moved)} & set(watched)


def _written(dialect: str, values: Collection[str]) -> str:
    """One parameter, however many values: neither database is handed ten thousand."""
    if dialect == "sqlite":
        return msgspec.json.encode(sorted(values)).decode()
    return text_array(sorted(values))


def of_key(key: Key) -> Customer:
    return Customer.of_key(key[1])
