"""That a worker lives: each process writes it down once a minute, so that doctor can say when none does."""

import os
import socket

import sqlalchemy as sa
from sqlalchemy.engine import Connection

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.healing.tables import worker_beats
from paywright.storage.statements import insert_if_absent

EVERY_S = 60
DEAD_AFTER_MS = 3 * EVERY_S * 1000
FORGOTTEN_AFTER_MS = 86_400_000


def beat(app: App, environment: Environment) -> int:
    """The worker's job. It leaves nothing to do."""
    process, wall = f"{socket.gethostname()} {os.getpid()}", app.wall()
    with app.work(environment.id) as work:
        here = worker_beats.c.environment_id == environment.id
        work.execute(sa.delete(worker_beats).where(here, worker_beats.c.beat_at < wall - FORGOTTEN_AFTER_MS))
        row = {"environment_id": environment.id, "process": process, "beats": 0, "beat_at": wall}
        insert_if_absent(work, worker_beats, row)
        beats = {"beats": worker_beats.c.beats + 1, "beat_at": wall}
        work.execute(worker_beats.update().where(here, worker_beats.c.process == process).values(**beats))
    return 0


def last_beat(connection: Connection, environment_id: str) -> int | None:
    """The wall clock's instant at which a worker was last seen; None: never."""
    found = sa.select(sa.func.max(worker_beats.c.beat_at)).where(worker_beats.c.environment_id == environment_id)
    return connection.execute(found).scalar_one_or_none()
