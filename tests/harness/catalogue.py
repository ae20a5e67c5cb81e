"""Whether events say what the catalogue promises."""

import msgspec
import sqlalchemy as sa

from paywright.engine.app import App
from paywright.outbox.catalogue import EVENTS
from paywright.outbox.tables import events


def unlike_the_catalogue(app: App) -> list[str]:
    """Events whose `data` lacks a name, or has one nobody promised."""
    with app.database.read() as connection:
        rows = connection.execute(sa.select(events.c.type, events.c.data).order_by(events.c.id)).all()
    found = set()
    for row in rows:
        names = EVENTS.get(row.type, ("", ""))[1].split()
        given = set(msgspec.json.decode(row.data))
        lacking = {name for name in names if not name.endswith("?")} - given
        unknown = given - {name.rstrip("?") for name in names}
        if lacking or unknown:
            found.add(f"{row.type} lacks {sorted(lacking)} and has {sorted(unknown)}")
    return sorted(found)
