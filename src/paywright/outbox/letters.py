"""
Letters: private rows, encrypted, never events. A sign-in code is nowhere to be read.

Each is written once per fact, in the transaction that makes it due, and sent after the commit by the worker: by SMTP, or to the local outbox that
`paywright dev` shows.
"""

from typing import Any

import msgspec
import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.kernel.ids import new_id, wall_ms
from paywright.kernel.vault import decrypt, encrypt
from paywright.outbox.tables import letters
from paywright.storage.statements import insert_if_absent
from paywright.storage.work import Work


class Letter(msgspec.Struct, frozen=True):
    """Decrypted. `facts` fill the template of `kind`."""

    id: str
    kind: str
    recipient: str
    facts: dict[str, Any]
    created_at: int
    sent_at: int | None


def write_letter(work: Work, secret: str, kind: str, fact: str, recipient: str, facts: dict[str, Any]) -> bool:
    """One letter per kind and fact, for ever. False: it was written before."""
    sealed = encrypt(secret, msgspec.json.encode({"recipient": recipient, "facts": facts}).decode())
    row = {"environment_id": work.environment_id, "id": new_id("ltr"), "kind": kind, "fact": fact, "sealed": sealed}
    return insert_if_absent(work, letters, {**row, "created_at": wall_ms()})


def newest(connection: Connection, secret: str, environment_id: str, *, limit: int = 50) -> list[Letter]:
    """For the local outbox, newest first."""
    columns = (letters.c.id, letters.c.kind, letters.c.sealed, letters.c.created_at, letters.c.sent_at)
    rows = connection.execute(
        sa.select(*columns).where(letters.c.environment_id == environment_id).order_by(letters.c.id.desc()).limit(limit)
    )
    return [_opened(secret, row) for row in rows]


def _opened(secret: str, row: Any) -> Letter:
    inside = msgspec.json.decode(decrypt(secret, row.sealed))
    return Letter(row.id, row.kind, inside["recipient"], inside["facts"], row.created_at, row.sent_at)
