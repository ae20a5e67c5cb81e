"""
A batch on PostgreSQL: one call of `paywright_ledger_batch`, which is one transaction and one round trip.

The statements go through libpq itself, prepared, with parameters written as text: what a driver does per parameter would cost more than the
database does per call.
"""

from collections.abc import Sequence
from typing import Any

import msgspec
import psycopg
from psycopg import pq

from paywright.kernel import faults
from paywright.kernel.ids import new_id
from paywright.kernel.refusals import Refusal
from paywright.ledger.calls import HELD, BatchFailed, Call, ConnectionLost, Held, answer_of, in_account_order, laid
from paywright.ledger.model import Answer, Expiring, ItemState
from paywright.storage.database import LOCK_TIMEOUT_MS, Database

BATCH = b"paywright_batch"
CALL = b"paywright_call"
READ = b"paywright_read"
_STATEMENTS = {
    BATCH: b"SELECT now, codes, balances_after, spents_after, paids, helds, carrieds, versions, pending FROM paywright_ledger_batch"
    b"($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13,$14,$15,$16,$17,$18,$19)",
    CALL: b"SELECT now, code, balance_after, spent_after, paid, held, carried, version, pending FROM paywright_ledger_call"
    b"($1,$2,$3,$4,$5,$6,$7,$8,$9,$10,$11,$12,$13)",
    READ: b"SELECT paywright_ledger_read($1,$2,$3,$4)",
}
# Plans never depend on statistics; see the functions.
_OPTIONS = (
    f"-c lock_timeout={LOCK_TIMEOUT_MS} -c timezone=UTC -c jit=off -c plan_cache_mode=force_generic_plan "
    "-c enable_seqscan=off -c enable_hashjoin=off -c enable_mergejoin=off -c enable_bitmapscan=off"
)


def _checked(pgconn: pq.abc.PGconn, result: pq.abc.PGresult | None) -> pq.abc.PGresult:
    """Raises `ConnectionLost` or `BatchFailed` unless the statement went through."""
    if result is not None and result.status in (pq.ExecStatus.TUPLES_OK, pq.ExecStatus.COMMAND_OK):
        return result
    said = pgconn.error_message if result is None else result.error_message
    message = said.decode("utf-8", "replace").strip()
    raise ConnectionLost(message) if pgconn.status != pq.ConnStatus.OK else BatchFailed(message)


class Batch:
    """One batch on its way: `parameters` for the statement, then `outcomes` of its result."""

    def __init__(self, environment_id: str, wall: int, calls: list[Call], *, waits: bool = False) -> None:
        self.calls, self._waits = calls, waits
        calls.sort(key=in_account_order)
        self.id = new_id("e")[2:-4]
        for number, call in enumerate(calls, 1):
            call.entry_id = f"ent_{self.id}{number * 2:04x}"
        self.statement = CALL if len(calls) == 1 and not waits else BATCH
        try:
            self.parameters = (
                self._single(environment_id, wall) if self.statement is CALL else self._parameters(environment_id, wall)
            )
        except ValueError as error:  # Text that has no UTF-8 form.
            raise BatchFailed(str(error)) from error

    def _single(self, environment_id: str, wall: int) -> list[bytes | None]:
        call = self.calls[0]
        key, self.call_account = call.key, [1]
        return [
            environment_id.encode(),
            b"%d" % wall,
            self.id.encode(),
            call.customer.encode(),
            call.item_id.encode(),
            b"%d" % call.delta,
            b"1" if call.allow_negative else b"0",
            b"%d" % call.expires_at,
            None if key is None else key.caller.encode(),
            None if key is None else b"\\x" + key.key_hash.hex().encode(),
            None if key is None else b"\\x" + key.fingerprint.hex().encode(),
            None if call.note is None else call.note.encode(),
            None if call.actor is None else call.actor.encode(),
        ]

    def _parameters(self, environment_id: str, wall: int) -> list[bytes | None]:
        owners: list[str] = []
        account_owner: list[int] = []
        account_customers: list[str] = []
        account_items: list[str] = []
        call_account: list[int] = []
        customer = item = None
        for call in self.calls:
            if call.customer != customer:
                owners.append(call.customer)
            if call.customer != customer or call.item_id != item:
                customer, item = call.customer, call.item_id
                account_owner.append(len(owners))
                account_customers.append(customer)
                account_items.append(item)
            call_account.append(len(account_owner))
        self.call_account = call_account
        calls = self.calls
        keys = [call.key for call in calls]
        has_keys = any(key is not None for key in keys)
        return [
            environment_id.encode(),
            b"%d" % wall,
            self.id.encode(),
            texts(owners),
            numbers(account_owner),
            texts(account_customers),
            texts(account_items),
            numbers(call_account),
            texts([call.customer for call in calls]),
            texts([call.item_id for call in calls]),
            numbers([call.delta for call in calls]),
            numbers([1 if call.allow_negative else 0 for call in calls]),
            numbers([call.expires_at for call in calls]),
            texts([None if key is None else key.caller for key in keys]) if has_keys else None,
            _hashes([None if key is None else key.key_hash for key in keys]) if has_keys else None,
            _hashes([None if key is None else key.fingerprint for key in keys]) if has_keys else None,
            _texts_if_any([call.note for call in calls]),
            _texts_if_any([call.actor for call in calls]),
            b"1" if self._waits else b"0",
        ]

    def outcomes(self, pgconn: pq.abc.PGconn, result: pq.abc.PGresult | None) -> list[Answer | Held | None]:
        """One per call, in the order of `calls`; None where it was not done and must run alone, `HELD` where it must wait for somebody."""
        checked = _checked(pgconn, result)
        if self.statement is CALL:
            columns = [[int(checked.get_value(0, column) or 0)] for column in range(1, 8)]
        else:
            columns = [_integers(checked.get_value(0, column)) for column in range(1, 8)]
        said = checked.get_value(0, 8)
        pending = _pending(said) if said else {}
        return [self._outcome(number, *row, pending=pending) for number, row in enumerate(zip(*columns, strict=True))]

    def _outcome(
        self,
        number: int,
        code: int,
        balance: int,
        spent: int,
        paid: int,
        held: int,
        carried: int,
        version: int,
        *,
        pending: dict[int, list[tuple[int, int]]],
    ) -> Answer | Held | None:
        call = self.calls[number]
        if code == 0:
            lost_then: tuple[Expiring, ...] = ()
            if call.expires_at and call.delta > paid:
                mine = pending.setdefault(self.call_account[number], [])
                mine.append((call.expires_at, call.delta - paid))
                mine.sort()
            if pending:
                lost_then = laid(spent + held - carried, pending.get(self.call_account[number], []))
            return answer_of(call, balance, held, version, lost_then)
        if code == 1:
            return Answer(Refusal("insufficient_quantity", {"requested": -call.delta, "available": balance - held}))
        if code == 2:
            return Answer(Refusal("balance_out_of_range"))
        return HELD if code == 5 else None


def _pending(said: bytes) -> dict[int, list[tuple[int, int]]]:
    found: dict[int, list[tuple[int, int]]] = {}
    for account, due, live in sorted(msgspec.json.decode(said, type=list[tuple[int, int, int]])):
        found.setdefault(account, []).append((due, live))
    return found


class BatchConnection:
    """A connection of the batcher's own, opened when first needed and again after it was lost. Used by one thread at a time."""

    def __init__(self, database: Database) -> None:
        self._url = database.url.set(drivername="postgresql").render_as_string(hide_password=False)
        self._connection: psycopg.Connection[Any] | None = None

    def pgconn(self) -> pq.abc.PGconn:
        """Raises `BatchFailed` when there is no connecting: then nothing was sent."""
        if self._connection is None:
            try:
                self._connection = self._connected()
            except (psycopg.OperationalError, ConnectionLost) as error:
                raise BatchFailed(str(error)) from error
        return self._connection.pgconn

    def _connected(self) -> "psycopg.Connection[Any]":
        connection = psycopg.connect(self._url, autocommit=True, options=_OPTIONS, connect_timeout=10)
        try:
            for name, statement in _STATEMENTS.items():
                _checked(connection.pgconn, connection.pgconn.prepare(name, statement))
        except BaseException:
            connection.close()
            raise
        return connection

    def run(
        self, environment_id: str, wall: int, calls: list[Call], *, waits: bool = False
    ) -> list[Answer | Held | None]:
        """One batch, waited for. Sorts `calls`; outcomes are in their new order."""
        pgconn = self.pgconn()
        batch = Batch(environment_id, wall, calls, waits=waits)
        faults.point("statement ledger batch")
        try:
            result = pgconn.exec_prepared(batch.statement, batch.parameters)  # type: ignore[arg-type]
            faults.point("after commit")
            return batch.outcomes(pgconn, result)
        except ConnectionLost:
            self.close()
            raise

    def read(self, environment_id: str, wall: int, wanted: Sequence[tuple[str, str]]) -> list[ItemState | None]:
        """(customer, item) pairs, in one round trip; None where one must be read by the rules."""
        try:
            pgconn = self.pgconn()
            result = pgconn.exec_prepared(READ, read_parameters(environment_id, wall, wanted))  # type: ignore[arg-type]
            return read_states(pgconn, result, wanted)
        except (BatchFailed, ConnectionLost):
            self.close()
            return [None] * len(wanted)

    def close(self) -> None:
        if self._connection is not None:
            self._connection.close()
            self._connection = None


def read_parameters(environment_id: str, wall: int, wanted: Sequence[tuple[str, str]]) -> list[bytes | None]:
    """Of `READ`: (customer, item) pairs."""
    return [
        environment_id.encode(),
        b"%d" % wall,
        texts([customer for customer, _ in wanted]),
        texts([item_id for _, item_id in wanted]),
    ]


def read_states(
    pgconn: pq.abc.PGconn, result: pq.abc.PGresult | None, wanted: Sequence[tuple[str, str]]
) -> list[ItemState | None]:
    """In the order asked for; None where something is due and the balance must be read alone."""
    said = _checked(pgconn, result).get_value(0, 0)
    assert said is not None
    states: list[ItemState | None] = []
    for (_, item_id), row in zip(wanted, msgspec.json.decode(said), strict=True):
        quantity, held, version, due, pending = row
        lost_then = laid(pending[0], pending[1:]) if pending else ()
        states.append(None if due else ItemState(item_id, quantity, held, version, lost_then))
    return states


def numbers(values: Sequence[int]) -> bytes:
    return b"{%b}" % msgspec.json.encode(values)[1:-1]


def texts(values: Sequence[str | None]) -> bytes:
    """An array of PostgreSQL is spelled as one of JSON, in other brackets, as long as nothing in it needs escaping."""
    written = msgspec.json.encode(values)
    if b"\\" not in written:
        return b"{%b}" % written[1:-1]
    return b"{%b}" % ",".join(["NULL" if value is None else _quoted(value) for value in values]).encode()


def _quoted(value: str) -> str:
    value = value.replace("\\", "\\\\").replace('"', '\\"')
    return f'"{value}"'


def _texts_if_any(values: Sequence[str | None]) -> bytes | None:
    return texts(values) if any(value is not None for value in values) else None


def _hashes(values: Sequence[bytes | None]) -> bytes:
    return b"{%b}" % ",".join(["NULL" if value is None else f'"\\\\x{value.hex()}"' for value in values]).encode()


def _integers(value: bytes | None) -> list[int]:
    assert value is not None
    return msgspec.json.decode(b"[%b]" % value[1:-1], type=list[int])
