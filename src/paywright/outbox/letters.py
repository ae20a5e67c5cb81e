"""
Letters: private rows, encrypted, never events. A sign-in code is nowhere to be read.

Each is written once per fact, in the transaction that makes it due, and sent after the commit by the worker (`emails`). Never twice is worth more
here than always once, so what may have reached the mail server is not sent again:

    pending ──claim──▶ pending (leased) ──begin_sending──▶ sending ──▶ sent
       ▲                      │ any failure before              │ the server said no ──▶ pending again, or dead
       └────── back-off ──────┘                                 └ no answer at all ─────▶ uncertain

A claim is a lease, so a worker that dies before `begin_sending` costs a delay and nothing else. `sending` is committed when the server has taken the
addresses and before it is handed the text: a row found in it after its lease is of a worker that died in between, and nobody but the server knows.
Without a mail server a letter is `kept`: `paywright dev` shows it, and it is not sent should a server be configured later.
"""

from typing import Any, Literal

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.vault import decrypt, encrypt
from paywright.outbox.tables import letters
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work

Status = Literal["pending", "sending", "sent", "kept", "uncertain", "dead"]

REMEMBERED_MS = 90 * 86_400_000
"""How long the text of a letter is kept after its end. The row stays for ever: it is what makes the next one a second one."""

_COLUMNS = (
    letters.c.id,
    letters.c.kind,
    letters.c.fact,
    letters.c.sealed,
    letters.c.status,
    letters.c.attempts,
    letters.c.last_error,
    letters.c.created_at,
    letters.c.ended_at,
)


class Letter(msgspec.Struct, frozen=True):
    """Decrypted. `facts` fill the template of `kind`. Instants are the wall clock's."""

    id: str
    kind: str
    fact: str
    recipient: str
    facts: dict[str, Any]
    status: Status
    attempts: int
    last_error: str | None
    created_at: int
    ended_at: int | None


def write_letter(work: Work, secret: str, kind: str, fact: str, recipient: str, facts: dict[str, Any]) -> bool:
    """One letter per kind and fact, for ever. False: it was written before."""
    sealed = encrypt(secret, msgspec.json.encode({"recipient": recipient, "facts": facts}).decode())
    row = {"environment_id": work.environment_id, "id": new_id("ltr"), "kind": kind, "fact": fact, "sealed": sealed}
    wall = wall_ms()
    return insert_if_absent(work, letters, {**row, "created_at": wall, "next_attempt_at": wall})


def newest(
    connection: Connection, secret: str, environment_id: str, *, status: str | None = None, limit: int = 50
) -> list[Letter]:
    """For the local outbox, newest first; without those that are forgotten."""
    found = (letters.c.environment_id == environment_id) & letters.c.sealed.is_not(None)
    if status is not None:
        found &= letters.c.status == status
    rows = connection.execute(sa.select(*_COLUMNS).where(found).order_by(letters.c.id.desc()).limit(limit))
    return [_opened(secret, row) for row in rows]


def letter(connection: Connection, secret: str, environment_id: str, letter_id: str) -> Letter | None:
    """None: there is none, or it is forgotten."""
    found = (letters.c.environment_id == environment_id) & (letters.c.id == letter_id) & letters.c.sealed.is_not(None)
    row = connection.execute(sa.select(*_COLUMNS).where(found)).one_or_none()
    return None if row is None else _opened(secret, row)


def is_due(connection: Connection, environment_id: str) -> bool:
    """Asked before claiming, so that a worker with nothing to do writes nothing."""
    return (
        connection.execute(sa.select(letters.c.id).where(_due(environment_id, wall_ms())).limit(1)).first() is not None
    )


def count_untried(connection: Connection, environment_id: str) -> int:
    """Letters nobody has tried to send yet."""
    untried = (letters.c.status == "pending") & (letters.c.attempts == 0)
    counted = sa.select(sa.func.count()).select_from(letters)
    return int(connection.execute(counted.where(letters.c.environment_id == environment_id, untried)).scalar_one())


def count_by_status(connection: Connection, environment_id: str, *, since: int) -> dict[str, int]:
    """Those that are still on their way, and those that ended after `since`."""
    lately = letters.c.ended_at.is_(None) | (letters.c.ended_at > since)
    counted = (
        sa.select(letters.c.status, sa.func.count())
        .where(letters.c.environment_id == environment_id, lately)
        .group_by(letters.c.status)
        .order_by(letters.c.status)
    )
    return {status: int(number) for status, number in connection.execute(counted)}


def claim_due(work: Work, secret: str, *, lease_ms: int, limit: int) -> tuple[list[Letter], list[Letter]]:
    """Due letters, oldest first, this worker's for the length of the lease; and those a dead worker left in `sending`, `uncertain` from now on."""
    wall = wall_ms()
    due = (
        sa.select(*_COLUMNS)
        .where(_due(work.environment_id, wall))
        .order_by(letters.c.next_attempt_at, letters.c.id)
        .limit(limit)
        .with_for_update(skip_locked=True)
    )
    claimed, lost = [], []
    for row in work.execute(due).all():
        if row.status == "sending":
            end(work, row.id, "uncertain", "the worker ended while the mail server had it")
            lost.append(_opened(secret, row))
            continue
        taken = {"attempts": row.attempts + 1, "next_attempt_at": wall + lease_ms}
        work.execute(letters.update().where(_is(work, row.id)).values(**taken))
        claimed.append(msgspec.structs.replace(_opened(secret, row), attempts=row.attempts + 1))
    return claimed, lost


def begin_sending(work: Work, claimed: Letter) -> bool:
    """From here on it may have arrived. False: the lease ran out, and somebody else has it now."""
    mine = _is(work, claimed.id) & (letters.c.status == "pending") & (letters.c.attempts == claimed.attempts)
    return bool(work.execute(letters.update().where(mine).values(status="sending")).rowcount)


def end(
    work: Work, letter_id: str, status: Literal["sent", "kept", "uncertain", "dead"], error: str | None = None
) -> None:
    """Nothing more happens to it by itself."""
    ended = {"status": status, "next_attempt_at": None, "ended_at": wall_ms(), "last_error": error and error[:500]}
    work.execute(letters.update().where(_is(work, letter_id)).values(**ended))


def postpone(work: Work, claimed: Letter, pause_ms: int, error: str) -> None:
    """It certainly did not arrive: again later. Not if the lease ran out and somebody else has it."""
    mine = _is(work, claimed.id) & (letters.c.attempts == claimed.attempts)
    later = {"status": "pending", "next_attempt_at": wall_ms() + pause_ms, "last_error": error[:500]}
    work.execute(letters.update().where(mine).values(**later))


def send_again(work: Work, letter_id: str) -> bool:
    """A person decides that it did not arrive. It keeps its Message-ID. False: there is none, or it is on its way or forgotten."""
    ended = letters.c.status.in_(("sent", "kept", "uncertain", "dead")) & letters.c.sealed.is_not(None)
    wall = wall_ms()
    again = {"status": "pending", "attempts": 0, "next_attempt_at": wall, "ended_at": None, "created_at": wall}
    return bool(work.execute(letters.update().where(_is(work, letter_id), ended).values(**again)).rowcount)


def has_died_since(work: Work, since: int, *, besides: str) -> bool:
    """Whether another letter was given up lately: one notice a day is enough."""
    gone = letters.c.status.in_(("dead", "uncertain")) & (letters.c.ended_at > since) & (letters.c.id != besides)
    found = sa.select(letters.c.id).where(letters.c.environment_id == work.environment_id, gone)
    return work.execute(found.limit(1)).first() is not None


def forget_old(work: Work) -> int:
    """The text of letters that ended 90 days ago; answers how many."""
    old = (letters.c.ended_at < wall_ms() - REMEMBERED_MS) & letters.c.sealed.is_not(None)
    return int(
        work.execute(
            letters.update().where(letters.c.environment_id == work.environment_id, old).values(sealed=None)
        ).rowcount
    )


def _due(environment_id: str, wall: int) -> sa.ColumnElement[bool]:
    return sa.and_(letters.c.environment_id == environment_id, letters.c.next_attempt_at <= wall)


def _is(work: Work, letter_id: str) -> sa.ColumnElement[bool]:
    return (letters.c.environment_id == work.environment_id) & (letters.c.id == letter_id)


def _opened(secret: str, row: Any) -> Letter:
    inside = msgspec.json.decode(decrypt(secret, row.sealed))
    return Letter(
        id=row.id,
        kind=row.kind,
        fact=row.fact,
        recipient=inside["recipient"],
        facts=inside["facts"],
        status=row.status,
        attempts=row.attempts,
        last_error=row.last_error,
        created_at=row.created_at,
        ended_at=row.ended_at,
    )
