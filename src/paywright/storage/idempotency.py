"""
Idempotency keys: the same caller and request get the first answer again.

The key's row is written in the transaction of the effect, so there is no moment in which one exists without the other. Work that calls Stripe
commits the key in its first phase, pointing at the row it made (`subject_id`), and stores the answer in its last; a repeat in between goes on with
that row.
"""

import hashlib

import msgspec
import sqlalchemy as sa

from paywright.kernel.ids import wall_ms
from paywright.kernel.refusals import Refusal
from paywright.storage.statements import insert_if_absent
from paywright.storage.tables import idempotency_keys
from paywright.storage.work import Work

RETENTION_MS = 30 * 86_400_000
KEY_HASH_BYTES = 16
"""Of SHA-256. Nobody else meets a caller's keys, and the index they stand in at random is what a decrease costs most."""

STORED_STATUSES = frozenset({*range(200, 300), 402, 404, 409, 422})
"""Answers that are facts. 400, 401, 403, 429 and 5xx say nothing about the request and are not kept."""


class IdempotencyKey(msgspec.Struct, frozen=True):
    """Who asked, under which key, for what: keys of different callers never meet."""

    caller: str
    key_hash: bytes
    fingerprint: bytes


class Kept(msgspec.Struct, frozen=True):
    """What stands under a key. `status` None: the first request has not answered yet."""

    subject_id: str | None
    status: int | None
    body: str | None


def idempotency_key(caller: str, key: str, *, method: str, path: str, body: bytes) -> IdempotencyKey:
    """`body` in a normal form: key order and white space of the sender's JSON make no difference."""
    fingerprint = hashlib.sha256(b"\0".join((method.encode(), path.encode(), body))).digest()
    return IdempotencyKey(caller, hashlib.sha256(key.encode()).digest()[:KEY_HASH_BYTES], fingerprint)


def claim(work: Work, key: IdempotencyKey, *, subject_id: str | None = None) -> Kept | Refusal | None:
    """None: the key is this work's now. Else what stands under it, or `idempotency_key_reused` when that was another request."""
    row = {
        "environment_id": work.environment_id,
        "caller": key.caller,
        "key_hash": key.key_hash,
        "fingerprint": key.fingerprint,
        "subject_id": subject_id,
        "created_at": wall_ms(),
    }
    if insert_if_absent(work, idempotency_keys, row):
        return None
    return look(work, key)


def look(work: Work, key: IdempotencyKey) -> Kept | Refusal | None:
    """What stands under the key, None when nothing does."""
    columns = (
        idempotency_keys.c.fingerprint,
        idempotency_keys.c.subject_id,
        idempotency_keys.c.status,
        idempotency_keys.c.body,
    )
    row = work.execute(sa.select(*columns).where(_is(work, key))).one_or_none()
    if row is None:
        return None
    if bytes(row.fingerprint) != key.fingerprint:
        return Refusal("idempotency_key_reused")
    return Kept(row.subject_id, row.status, row.body)


def store(work: Work, key: IdempotencyKey, status: int, body: str) -> None:
    """The answer, in the transaction of the effect. An answer that is no fact gives the key back instead."""
    if status in STORED_STATUSES:
        work.execute(idempotency_keys.update().where(_is(work, key)).values(status=status, body=body))
    else:
        work.execute(idempotency_keys.delete().where(_is(work, key)))


def let_go(work: Work, key: IdempotencyKey) -> None:
    """Nobody knows how far it came: a repeat takes it over at once. It goes on with what the key points at; if that is nothing, it begins anew."""
    open_one = _is(work, key), idempotency_keys.c.status.is_(None)
    work.execute(idempotency_keys.delete().where(*open_one, idempotency_keys.c.subject_id.is_(None)))
    work.execute(idempotency_keys.update().where(*open_one).values(body=""))


def take_over(work: Work, key: IdempotencyKey, *, abandoned_before: int) -> bool:
    """True when the first request was let go, or must have died; its key then counts from now, so that only one repeat takes it over."""
    columns = idempotency_keys.c
    left = (columns.created_at < abandoned_before) | columns.body.is_not(None)
    raised = idempotency_keys.update().where(_is(work, key), columns.status.is_(None), left)
    return bool(work.execute(raised.values(created_at=wall_ms(), body=None)).rowcount == 1)


def point_at(work: Work, key: IdempotencyKey, subject_id: str) -> None:
    """From now on the key means this row: an expired checkout session was renewed, or what was asked for is recorded."""
    work.execute(idempotency_keys.update().where(_is(work, key)).values(subject_id=subject_id))


def pointed_at(connection: sa.Connection, environment_id: str, key: IdempotencyKey) -> str | None:
    """What a request under this key recorded before it died or was let go."""
    columns = idempotency_keys.c
    mine = columns.environment_id == environment_id, columns.caller == key.caller, columns.key_hash == key.key_hash
    subject_id: str | None = connection.execute(sa.select(columns.subject_id).where(*mine)).scalar_one_or_none()
    return subject_id


def forget_old(work: Work, *, limit: int = 1000) -> int:
    """Deletes keys older than thirty days, at most `limit`; answers how many."""
    old = (
        sa.select(idempotency_keys.c.caller, idempotency_keys.c.key_hash)
        .where(idempotency_keys.c.environment_id == work.environment_id)
        .where(idempotency_keys.c.created_at < wall_ms() - RETENTION_MS)
        .order_by(idempotency_keys.c.created_at, idempotency_keys.c.caller, idempotency_keys.c.key_hash)
        .limit(limit)
    )
    rows = work.execute(old).all()
    for row in rows:
        here = idempotency_keys.c.environment_id == work.environment_id
        work.execute(
            idempotency_keys.delete().where(
                here, sa.tuple_(idempotency_keys.c.caller, idempotency_keys.c.key_hash) == tuple(row)
            )
        )
    return len(rows)


def _is(work: Work, key: IdempotencyKey) -> sa.ColumnElement[bool]:
    return sa.and_(
        idempotency_keys.c.environment_id == work.environment_id,
        idempotency_keys.c.caller == key.caller,
        idempotency_keys.c.key_hash == key.key_hash,
    )
