"""The whole account at once: emptied, dumped, loaded; and its settings."""

from dataclasses import asdict
from typing import Any

from ..account import SETTINGS, Account, Due, LoggedEvent
from ..chaos import names
from ..delivery import rendered
from ..errors import Json, invalid, no_such, unknown_parameter
from ..web import WebRequest
from .door import control

CHOICES: dict[str, tuple[Any, ...]] = {
    "exhausted": ("cancel", "unpaid", "pause", "none"),
    "billing_mode": ("flexible", "classic"),
    "payouts": ("daily", "manual"),
}


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
    """Replaces the account's contents by a dump; nothing is sent."""
    engine, wish = request.engine, request.json
    if not isinstance(wish.get("objects"), list) or not isinstance(wish.get("ids"), dict):
        raise invalid("The body must be what GET /_sandbox/state answered.")
    engine.deliveries.forget(account)
    engine.store.reset(account)
    account.ids.seed, account.ids.drawn = wish["ids"]["seed"], wish["ids"]["drawn"]
    account.settings = {**SETTINGS, **wish.get("settings", {})}
    account.clock.offset = wish["clock"]["offset"]
    account.clock.frozen_at = wish["clock"]["frozen_at"]
    work = engine.open(account)
    for thing in wish["objects"]:
        work.save(thing)
    work.events = [LoggedEvent(**{**event, "unsettled": 0}) for event in wish.get("events", [])]
    work.due_added = [Due(**due) for due in wish.get("due", [])]
    account.due_sequence = max((due.sequence for due in work.due_added), default=0)
    engine.commit(work)
    return {"objects": len(wish["objects"]), "events": len(work.events)}


@control("GET /_sandbox/settings")
async def read_settings(request: WebRequest, account: Account) -> Json:
    return account.settings


@control("PATCH /_sandbox/settings")
async def patch_settings(request: WebRequest, account: Account) -> Json:
    """Merges; `variant` merges too. A value of another type than the default's is refused."""
    for name, value in request.json.items():
        check_setting(name, value)
    variant = {**account.settings["variant"], **request.json.get("variant", {})}
    account.settings = {**account.settings, **request.json, "variant": variant}
    request.engine.store.save_account(account)
    return account.settings


def check_setting(name: str, value: Any) -> None:
    if name not in SETTINGS:
        raise unknown_parameter(name)
    if name in CHOICES and value not in CHOICES[name]:
        raise invalid(f"Invalid {name}: must be one of {', '.join(CHOICES[name])}", param=name)
    if type(value) is not type(SETTINGS[name]) and not (name == "fee_percent" and isinstance(value, int | float)):
        raise invalid(f"Invalid {name}: must be like {SETTINGS[name]!r}", param=name)
    if isinstance(value, int) and value < 0:
        raise invalid(f"Invalid {name}: must not be negative", param=name)
