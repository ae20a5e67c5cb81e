"""What the dispatcher asks: one statement each, for however many streams."""

from collections.abc import Collection, Sequence

import msgspec

from paywright.kernel.model import Customer
from paywright.ledger.many import BalanceRow, LiveGrant
from paywright.ledger.model import NEVER
from paywright.ownership.queries import OWNED_MAX, OwnedRow
from paywright.realtime.model import Change, Credential
from paywright.realtime.questions import Question, Source, number_array, text_array, texts
from paywright.realtime.rules import CHANGES_MAX
from paywright.storage.database import Dialect

Key = tuple[str, str]
"""Environment and customer (`user:u_1`): what streams are gathered by."""

SPAN = 10 * CHANGES_MAX
"""Sequence numbers looked back over for changes; a commit takes a few."""

UNSEEN = -1
"""A version no customer has: whoever is asked for with it has changed."""

NO_CHANGES = 2**62
"""A sequence number nobody reaches: the commits are not asked for."""


class Asked(msgspec.Struct, frozen=True):
    """A customer to look at: nothing is answered of one who stands at `version`. `since`: the sequence number from which commits are wanted."""

    key: Key
    version: int
    since: int


class Looked(msgspec.Struct, frozen=True, array_like=True):
    """How a customer stands, as the rows say. `place` is that among those asked for, from 0."""

    place: int
    version: int
    next_sequence: int
    currency: str
    clock: tuple[str, int | None, int | None, int]
    catalog_version: int
    applied_id: str
    changes: list[tuple[int, Change]] | None
    owned: list[OwnedRow] | None
    balances: list[BalanceRow] | None
    grants: list[LiveGrant] | None
    billing: tuple[str | None, str | None, msgspec.Raw] | None
    is_attached: int = 0


_LOOKED = msgspec.json.Decoder(Looked)
_OWNED = ", ".join(f"o.{name}" for name in OwnedRow.__struct_fields__)
_BALANCE = ", ".join(f"b.{name}" for name in BalanceRow.__struct_fields__)
_GRANT = ", ".join(f"g.{name}" for name in LiveGrant.__struct_fields__)


def _look(dialect: Dialect) -> str:
    """A balance that nothing can happen to has no grants that expire, so those are looked for only where there is one."""
    if dialect == "postgresql":
        array, gathered, later = "json_build_array", "json_agg", "greatest"
        parsed, inner = "CAST({} AS json)", "({})"
    else:
        array, gathered, later = "json_array", "json_group_array", "max"
        parsed, inner = "json({})", "json(({}))"  # At the border of a subquery SQLite forgets that a text is JSON.
    mine = "{0}.environment_id = w.environment_id AND {0}.customer = w.customer"
    lists = (
        f"""
        SELECT {gathered}({array}(v.sequence, {parsed.format("v.data")})) FROM events v
        WHERE {mine.format("v")} AND v.sequence >= {later}(w.since, c.next_sequence - {SPAN}) AND v.type = 'customer.state_changed'
        """,  # noqa: S608  Here and below: names of our own.
        f"""
        SELECT {gathered}({array}({_OWNED})) FROM (
            SELECT {_OWNED} FROM owned_products o WHERE {mine.format("o")} AND o.ended_at IS NULL
            ORDER BY o.granted_at DESC, o.id DESC LIMIT {OWNED_MAX}
        ) o
        """,  # noqa: S608
        f"SELECT {gathered}({array}({_BALANCE})) FROM balances b WHERE {mine.format('b')}",  # noqa: S608
        f"""
        SELECT {gathered}({array}({_GRANT})) FROM balances b JOIN item_grants g
            ON g.environment_id = b.environment_id AND g.customer = b.customer AND g.item_id = b.item_id
        WHERE {mine.format("b")} AND b.next_due < {NEVER} AND g.live > 0 AND g.due < {NEVER}
        """,  # noqa: S608
        f"SELECT {array}(s.stripe_customer_id, s.email, {parsed.format('s.card')}) FROM stripe_customers s WHERE {mine.format('s')}",  # noqa: S608
    )
    return f"""
        SELECT CAST({array}(
            w.place, coalesce(c.version, 0), coalesce(c.next_sequence, 1), e.default_currency,
            {array}(e.provider, e.clock_ms, e.clock_read_at, e.clock_runs), coalesce(k.version, 0), coalesce(k.applied_id, ''),
            {", ".join(inner.format(each) for each in lists)},
            CASE WHEN w.customer LIKE 'guest:%' THEN (
                SELECT count(*) FROM guests n
                WHERE n.environment_id = w.environment_id AND n.id = substr(w.customer, 7) AND n.attached_to IS NOT NULL
            ) ELSE 0 END
        ) AS text)
        FROM {_WATCHED[dialect]}
        JOIN environments e ON e.environment_id = w.environment_id
        LEFT JOIN catalogs k ON k.environment_id = w.environment_id
        LEFT JOIN customers c ON c.environment_id = w.environment_id AND c.customer = w.customer
        WHERE coalesce(c.version, 0) <> w.version
        ORDER BY w.place
    """  # noqa: S608


_WATCHED: dict[Dialect, str] = {
    "postgresql": """
        (
            SELECT u.environment_id, u.customer, u.version, u.since, u.number - 1 AS place
            FROM unnest(
                CAST(:environments AS text[]), CAST(:customers AS text[]), CAST(:versions AS bigint[]), CAST(:sinces AS bigint[])
            ) WITH ORDINALITY AS u (environment_id, customer, version, since, number)
        ) w
    """,
    "sqlite": """
        (
            SELECT json_extract(j.value, '$[0]') AS environment_id, json_extract(j.value, '$[1]') AS customer,
                json_extract(j.value, '$[2]') AS version, json_extract(j.value, '$[3]') AS since, j.key AS place
            FROM json_each(:watched) j
        ) w
    """,
}
_LOOK = Question("look", {"postgresql": _look("postgresql"), "sqlite": _look("sqlite")})
_MOVED = Question(
    "moved",
    {
        "postgresql": """
            SELECT w.number - 1
            FROM unnest(CAST(:environments AS text[]), CAST(:customers AS text[]), CAST(:versions AS bigint[]))
                WITH ORDINALITY AS w (environment_id, customer, version, number)
            JOIN customers c ON c.environment_id = w.environment_id AND c.customer = w.customer
            WHERE c.version <> w.version
            ORDER BY w.number
        """,
        "sqlite": """
            SELECT w.key
            FROM json_each(:watched) w
            JOIN customers c ON c.environment_id = json_extract(w.value, '$[0]') AND c.customer = json_extract(w.value, '$[1]')
            WHERE c.version <> json_extract(w.value, '$[2]')
            ORDER BY w.key
        """,
    },
)
_COMMITS = Question(
    "commits", {"postgresql": "SELECT CAST(pg_current_snapshot() AS text)", "sqlite": "SELECT NULL WHERE 0"}
)
_VOID = Question(
    "void",
    {
        "postgresql": """
            SELECT CAST(json_build_array('key', environment_id, id, revoked_at) AS text) FROM api_keys
            WHERE revoked_at IS NOT NULL AND id = ANY (CAST(:keys AS text[]))
            UNION ALL
            SELECT CAST(json_build_array('token', environment_id, token_id, 0) AS text) FROM revoked_tokens
            WHERE environment_id = ANY (CAST(:environments AS text[])) AND token_id = ANY (CAST(:tokens AS text[]))
            UNION ALL
            SELECT CAST(json_build_array('customer', environment_id, customer, revoked_at) AS text) FROM revoked_customers
            WHERE environment_id = ANY (CAST(:environments AS text[])) AND customer = ANY (CAST(:customers AS text[]))
        """,
        "sqlite": """
            SELECT json_array('key', environment_id, id, revoked_at) FROM api_keys
            WHERE revoked_at IS NOT NULL AND id IN (SELECT value FROM json_each(:keys))
            UNION ALL
            SELECT json_array('token', environment_id, token_id, 0) FROM revoked_tokens
            WHERE environment_id IN (SELECT value FROM json_each(:environments))
                AND token_id IN (SELECT value FROM json_each(:tokens))
            UNION ALL
            SELECT json_array('customer', environment_id, customer, revoked_at) FROM revoked_customers
            WHERE environment_id IN (SELECT value FROM json_each(:environments))
                AND customer IN (SELECT value FROM json_each(:customers))
        """,
    },
)


def look(source: Source, wanted: Sequence[Asked]) -> list[Looked]:
    """Those of the customers that stand at another version than they are asked for with, everything in one statement."""
    if source.dialect == "sqlite":
        watched = [(*each.key, each.version, each.since) for each in wanted]
        asked = {"watched": msgspec.json.encode(watched).decode()}
    else:
        asked = {**_keys(wanted), "sinces": number_array([each.since for each in wanted])}
    return [_LOOKED.decode(row) for row in source.ask(_LOOK, asked)]


def moved(source: Source, wanted: Sequence[Asked]) -> list[Asked]:
    """The same, but only who they are."""
    if source.dialect == "sqlite":
        watched = [(*each.key, each.version) for each in wanted]
        asked = {"watched": msgspec.json.encode(watched).decode()}
    else:
        asked = _keys(wanted)
    return [wanted[int(row)] for row in source.ask(_MOVED, asked)]


def _keys(wanted: Sequence[Asked]) -> dict[str, str]:
    """Written as PostgreSQL reads them: a driver takes three times as long over ten thousand of them."""
    return {
        "environments": text_array([each.key[0] for each in wanted]),
        "customers": text_array([each.key[1] for each in wanted]),
        "versions": number_array([each.version for each in wanted]),
    }


def state_of_commits(source: Source) -> str | None:
    """The same twice: nothing was committed in between. None where that can't be told."""
    return next((str(row) for row in source.ask(_COMMITS, {})), None)


class Watchlist:
    """Credentials of open streams, in the form in which the database is asked about them. Made anew when one comes or goes."""

    def __init__(self, dialect: Dialect, credentials: Collection[Credential]) -> None:
        self.credentials = list(credentials)
        self._tokens = [each for each in self.credentials if each.kind == "token"]
        customers = {customer.key for each in self._tokens for customer in each.customers}
        self._parameters = {
            "keys": texts(dialect, sorted(each.id for each in self.credentials if each.kind == "key")),
            "tokens": texts(dialect, sorted(each.id for each in self._tokens)),
            "customers": texts(dialect, sorted(customers)),
            "environments": texts(dialect, sorted({each.environment_id for each in self._tokens})),
        }

    def void(self, source: Source) -> list[Credential]:
        """Those that were taken back: a key, a token, or all tokens of one of its customers issued until then. One query."""
        gone: set[str] = set()
        since: dict[Key, int] = {}
        for row in source.ask(_VOID, self._parameters):
            kind, environment_id, name, revoked_at = msgspec.json.decode(row, type=tuple[str, str, str, int])
            if kind == "customer":
                since[environment_id, name] = revoked_at
            else:
                gone.add(name)
        taken_back = {each.id for each in self._tokens if since and _is_taken_back(each, since)}
        gone |= taken_back
        return [each for each in self.credentials if each.id in gone] if gone else []


def _is_taken_back(token: Credential, since: dict[Key, int]) -> bool:
    return any(since.get((token.environment_id, each.key), -1) >= token.issued_at for each in token.customers)


def of_key(key: Key) -> Customer:
    return Customer.of_key(key[1])
