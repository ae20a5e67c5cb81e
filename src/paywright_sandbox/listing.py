"""Lists: newest first, cursors, filters; `{object: "list", data, has_more, url}`."""

from collections.abc import Callable, Iterable
from itertools import islice
from typing import Any

from .errors import Json, invalid, no_such
from .work import Work, public

LIMIT_DEFAULT = 10
LIMIT_MAX = 100


def page(work: Work, kind: str, parameters: Json, *filters: str, keep: Callable[[Json], bool] | None = None) -> Json:
    """
    One page of this kind. `filters` are parameters that must equal the field of the same name; `created` filters always.

    The `url` is added by the protocol.
    """
    wanted = {name: parameters[name] for name in filters if name in parameters}
    created = parameters.get("created")

    def fits(thing: Json) -> bool:
        return (
            not thing.get("deleted")
            and all(thing.get(name) == value for name, value in wanted.items())
            and (created is None or in_range(thing["created"], created))
            and (keep is None or keep(thing))
        )

    return page_of(filter(fits, work.newest_first(kind)), parameters, kind)


def in_range(at: int, wish: Any) -> bool:
    """`created=5`, or any of `created[gt|gte|lt|lte]`."""
    if isinstance(wish, int):
        return at == wish
    return bool(
        at > wish.get("gt", at - 1)
        and at >= wish.get("gte", at)
        and at < wish.get("lt", at + 1)
        and at <= wish.get("lte", at)
    )


def page_of(things: Iterable[Json], parameters: Json, kind: str = "object") -> Json:
    """A page cut out of `things`, which come newest first. `ending_before` gives the page just before, still newest first."""
    limit = limit_of(parameters)
    after, before = parameters.get("starting_after"), parameters.get("ending_before")
    if after and before:
        raise invalid(
            "You may only specify one of these parameters: ending_before, starting_after.", code="parameters_exclusive"
        )
    if before:
        earlier = list(up_to(things, before, kind))
        return listing(earlier[-limit:], has_more=len(earlier) > limit)
    rest = behind(things, after, kind) if after else iter(things)
    found = list(islice(rest, limit + 1))
    return listing(found[:limit], has_more=len(found) > limit)


def limit_of(parameters: Json) -> int:
    limit = parameters.get("limit", LIMIT_DEFAULT)
    if limit < 1:
        raise invalid("This value must be greater than or equal to 1.", param="limit", code="parameter_invalid_integer")
    if limit > LIMIT_MAX:
        raise invalid(
            f"This value must be less than or equal to {LIMIT_MAX}.", param="limit", code="parameter_invalid_integer"
        )
    return int(limit)


def behind(things: Iterable[Json], cursor: str, kind: str) -> Iterable[Json]:
    rest = iter(things)
    if not any(thing["id"] == cursor for thing in rest):
        raise no_such(kind, cursor, "starting_after")
    return rest


def up_to(things: Iterable[Json], cursor: str, kind: str) -> Iterable[Json]:
    for thing in things:
        if thing["id"] == cursor:
            return
        yield thing
    raise no_such(kind, cursor, "ending_before")


def listing(things: Iterable[Json], *, has_more: bool = False, url: str | None = None) -> Json:
    """A list object; without `url` the protocol puts the request's path."""
    found: Json = {"object": "list", "data": [public(thing) for thing in things], "has_more": has_more}
    return {**found, "url": url} if url else found
