"""The event log, as far back as 30 days."""

from collections.abc import Iterator

from ..account import LoggedEvent
from ..delivery import rendered
from ..errors import Json, invalid, no_such
from ..listing import in_range, page_of
from ..routing import route
from ..thin import PREFIX, snapshot_of, thin
from ..work import Work

KEPT_S = 30 * 86_400
TYPES_MAX = 20


@route("GET /v1/events/{id}")
def retrieve(work: Work, parameters: Json, id: str) -> Json:
    found = work.account.events.get(id)
    if found is None or found.created < work.now - KEPT_S:
        raise no_such("event", id)
    return rendered(found)


@route(
    "GET /v2/core/events/{id}",
    fields={},
    note="The event a thin webhook told of (endpoint metadata `sandbox_thin=1`), without `changes` or `data`.",
)
def retrieve_thin(work: Work, parameters: Json, id: str) -> Json:
    found = work.account.events.get(snapshot_of(id)) if id.startswith(PREFIX) else None
    if found is None or found.created < work.now - KEPT_S:
        raise no_such("event", id)
    return thin(rendered(found))


@route("GET /v1/events", acts_on="created delivery_success ending_before limit starting_after type types")
def list_(work: Work, parameters: Json) -> Json:
    """`delivery_success=false` finds what some endpoint has not answered with 2xx."""
    types = parameters.get("types") or []
    if types and parameters.get("type"):
        raise invalid("You may only specify one of these parameters: type, types.", code="parameters_exclusive")
    if len(types) > TYPES_MAX:
        raise invalid(f"You may only specify up to {TYPES_MAX} types.", param="types")

    def fits(event: LoggedEvent) -> bool:
        success = parameters.get("delivery_success")
        return (
            event.created >= work.now - KEPT_S
            and (not types or event.type in types)
            and matches(event.type, parameters.get("type"))
            and ("created" not in parameters or in_range(event.created, parameters["created"]))
            and (success is None or success == (event.unsettled == 0))
        )

    return page_of(
        lazily(event for event in reversed(work.account.events.values()) if fits(event)), parameters, "event"
    )


def matches(type: str, wish: str | None) -> bool:
    """`type` may end in `*`, as in `invoice.*`."""
    if not wish:
        return True
    return type.startswith(wish[:-1]) if wish.endswith("*") else type == wish


def lazily(events: Iterator[LoggedEvent]) -> Iterator[Json]:
    return (rendered(event) for event in events)
