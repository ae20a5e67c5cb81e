"""The whole account at once: emptied, dumped, loaded; and its event log."""

from dataclasses import asdict, dataclass
from typing import Any, TypeVar

from ..account import SETTINGS, Account, Clock, Due, LoggedEvent
from ..chaos import names
from ..delivery import rendered
from ..errors import Json, invalid, no_such
from ..ids import Ids
from ..web import WebRequest
from .door import control
from .settings import check_setting

Kind = TypeVar("Kind")


@control("POST /_sandbox/reset")
async def reset(request: WebRequest, account: Account) -> Json:
    request.engine.deliveries.forget(account)
    request.engine.store.reset(account)
    return {"id": account.id, "reset": True}


@control("GET /_sandbox/events")
async def events(request: WebRequest, account: Account) -> Json:
    """The whole log in the order it was written; `?since=evt_…` what came after that one, `?type=` narrows (`invoice.*`)."""
    since, type = request.query.get("since"), request.query.get("type")
    if since is not None and since not in account.events:
        raise no_such("event", str(since), "since")
    found = list(account.events.values())
    if since is not None:
        found = found[list(account.events).index(since) + 1 :]
    return {"data": [rendered(event) for event in found if type is None or names([type], event.type)]}


@control("GET /_sandbox/state")
async def dump(request: WebRequest, account: Account) -> Json:
    """Objects with our own notes, events and due acts. Deliveries and idempotency keys are not part of it."""
    return {
        "objects": [thing for kind in account.objects.values() for thing in kind.values()],
        "events": [asdict(event) for event in account.events.values()],
        "due": [asdict(due) for due in sorted(account.due.values())],
        "clock": asdict(account.clock),
        "settings": account.settings,
        "ids": {"seed": account.ids.seed, "drawn": account.ids.drawn},
    }


@control("PUT /_sandbox/state")
async def load(request: WebRequest, account: Account) -> Json:
    """Replaces the account's contents by a dump; nothing is sent. What is no dump changes nothing."""
    engine, dump = request.engine, read_dump(request.json)
    engine.deliveries.forget(account)
    engine.store.reset(account)
    account.ids, account.settings, account.clock = dump.ids, dump.settings, dump.clock
    work = engine.open(account)
    for thing in dump.objects:
        work.save(thing)
    work.events, work.due_added = dump.events, dump.due
    account.due_sequence = max((due.sequence for due in work.due_added), default=0)
    engine.commit(work)
    return {"objects": len(dump.objects), "events": len(work.events)}


@dataclass
class Dump:
    objects: list[Json]
    events: list[LoggedEvent]
    due: list[Due]
    clock: Clock
    settings: Json
    ids: Ids


def read_dump(wish: Json) -> Dump:
    """Refuses by name what `GET /_sandbox/state` would never have answered."""
    settings = part(wish, "settings", dict)
    for name, value in settings.items():
        check_setting(name, value)
    return Dump(
        objects=[held for held in part(wish, "objects", list) if fits(held, {"id": str, "object": str}, "objects")],
        events=[
            LoggedEvent(**{**event, "unsettled": 0})
            for event in part(wish, "events", list)
            if fits(event, {**EVENT, "unsettled": int}, "events", exactly=True)
        ],
        due=[Due(**due) for due in part(wish, "due", list) if fits(due, DUE, "due", exactly=True)],
        clock=Clock(**clock_of(part(wish, "clock", dict))),
        settings={**SETTINGS, **settings},
        ids=Ids(**ids_of(part(wish, "ids", dict))),
    )


EVENT: dict[str, Any] = {"id": str, "type": str, "created": int, "rendered": str}
DUE: dict[str, Any] = {
    "when": int,
    "sequence": int,
    "kind": str,
    "object_id": str,
    "clock": (str, type(None)),
    "facts": dict,
}


def part(wish: Json, name: str, kind: type[Kind]) -> Kind:
    found = wish.get(name)
    if not isinstance(found, kind):
        raise invalid(f"The body must be what GET /_sandbox/state answered: {name} is not.", param=name)
    return found


def fits(thing: Any, fields: dict[str, Any], name: str, *, exactly: bool = False) -> bool:
    """True, or a refusal that names the part."""
    is_it = isinstance(thing, dict) and all(isinstance(thing.get(field), kind) for field, kind in fields.items())
    if not is_it or (exactly and set(thing) != set(fields)):
        raise invalid(f"The body must be what GET /_sandbox/state answered: {name} is not.", param=name)
    return True


def clock_of(found: Json) -> Json:
    fits(found, {"offset": int, "frozen_at": (int, type(None)), "held_at": (int, type(None))}, "clock", exactly=True)
    return {**found, "held_at": None}


def ids_of(found: Json) -> Json:
    fits(found, {"seed": str, "drawn": int}, "ids", exactly=True)
    return found
