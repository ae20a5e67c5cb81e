"""The app's endpoints that hear our events, and what became of each delivery."""

from typing import Annotated, Any

import msgspec

from paywright.api import parsing
from paywright.api.call import Answer, Call, listed, ok, ok_unless_refused, whole
from paywright.api.parsing import Body, Listing
from paywright.hooks import actions, queries
from paywright.hooks.model import Hook
from paywright.hooks.rules import EVENTS_MAX
from paywright.kernel.refusals import Refusal
from paywright.storage.work import Work

EventNames = Annotated[tuple[str, ...], msgspec.Meta(min_length=1, max_length=EVENTS_MAX)]


class NewHook(Body, frozen=True, kw_only=True):
    """`events`: names, `payment.*` for a family, or `*` for all."""

    url: str
    events: EventNames = ("*",)


class HookChange(Body, frozen=True, kw_only=True):
    """What is left out stays. `enabled` switches it off, or on again."""

    url: str | None = None
    events: EventNames | None = None
    enabled: bool | None = None


def list_hooks(call: Call) -> Answer:
    """All hooks of the environment. Their secrets are not shown."""
    with call.app.database.read() as connection:
        return whole([queries.shown(hook) for hook in queries.every_hook(connection, call.environment.id)])


def create_hook(call: Call, work: Work) -> Answer | Refusal:
    """A hook and its secret, which is shown this once: verify deliveries with any Standard Webhooks library."""
    body: NewHook = call.body
    made = actions.create(work, call.app.settings, call.environment, body.url, body.events)
    if isinstance(made, Refusal):
        return made
    hook, secret = made
    return Answer(201, {**queries.shown(hook), "secret": secret}, is_secret=True)


def read_hook(call: Call) -> Answer | Refusal:
    """One hook, without its secret."""
    found = _hook(call)
    return found if isinstance(found, Refusal) else ok(queries.shown(found))


def change_hook(call: Call, work: Work) -> Answer | Refusal:
    """Another address, other events, off or on again."""
    body: HookChange = call.body
    changed = actions.change(
        work, call.environment, call.parts["hook_id"], url=body.url, events=body.events, enabled=body.enabled
    )
    return ok_unless_refused(changed, queries.shown)


def delete_hook(call: Call, work: Work) -> Answer | Refusal:
    """It hears no more; what is on its way to it is dropped."""
    gone = actions.delete(work, call.parts["hook_id"])
    return gone or ok({"id": call.parts["hook_id"], "deleted": True})


def list_deliveries(call: Call) -> Answer | Refusal:
    """What was sent to it, newest first, with every try."""
    query: Listing = call.query
    before = parsing.read_cursor(query.cursor)
    if isinstance(before, Refusal):
        return before
    found = _hook(call)
    if isinstance(found, Refusal):
        return found
    with call.app.database.read() as connection:
        rows = queries.deliveries(connection, call.environment.id, found.id, before=before, limit=query.limit + 1)
        tries = {row.id: queries.attempts(connection, call.environment.id, row.id) for row in rows[: query.limit]}

    def show(row: Any) -> dict[str, Any]:
        return queries.delivery_shown(row, tries[row.id])

    return listed(rows, limit=query.limit, cursor_of=lambda row: parsing.cursor_of(row.id), show=show)


def redeliver(call: Call, work: Work) -> Answer | Refusal:
    """Sends one again with the same id and body, whatever became of it."""
    refusal = actions.redeliver(work, call.parts["hook_id"], call.parts["delivery_id"])
    return refusal or ok({"id": call.parts["delivery_id"], "status": "pending"})


def _hook(call: Call) -> Hook | Refusal:
    with call.app.database.read() as connection:
        found = queries.hook(connection, call.environment.id, call.parts["hook_id"])
    return found or Refusal("not_found")
