"""What was compared with Stripe, what differed, what is wrong. Instants are RFC 3339 on the outside, wall-clock milliseconds in rows."""

from typing import Literal

import msgspec

from paywright.kernel.model import Json

Depth = Literal["light", "full"]
"""`light`: what may have changed since the last time, by its own fields. `full`: everything, with all that follows from it."""

Status = Literal["requested", "running", "finished", "failed"]
AskedBy = Literal["worker", "cli", "api"]


class Wish(msgspec.Struct, frozen=True):
    """How to compare. `fix` lets Stripe's word be applied; without it nothing of ours changes but the inbox."""

    fix: bool = False
    depth: Depth = "full"
    events: bool = False
    """All events since the last one we hold, delivered or not: after a restore from a backup."""
    since: int | None = None
    """Objects made before this instant (business time, milliseconds) are left out of lists that go by age."""


class Difference(msgspec.Struct, frozen=True):
    """One field that differs. `field` `row`: one of the two has no such thing at all. `fixed`: ours is Stripe's now."""

    noun: str
    id: str
    field: str
    ours: Json
    stripe: Json
    fixed: bool = False


class Place(msgspec.Struct, frozen=True):
    """How far a reconciliation has come: in `step`, behind the element `after`. `tally` counts what a step found of ours so far."""

    step: str
    after: str | None = None
    tally: int = 0
    begin_at: str | None = None
    """The Stripe event at which the next search for missed ones begins."""


class Reconciliation(msgspec.Struct, frozen=True):
    """One comparison, under way or over. `counts` are the objects looked at, by step; `lines` and `fixed` count its lines."""

    id: str
    status: Status
    asked_by: str
    fix: bool
    depth: str
    events: bool
    since: str | None
    step: str | None
    counts: dict[str, int]
    lines: int
    fixed: int
    last_error: str | None
    created_at: str
    finished_at: str | None


class Check(msgspec.Struct, frozen=True):
    """One thing doctor looked at. `ok` None: it could not be looked at, and `says` why. `mend` is what to do about it."""

    name: str
    ok: bool | None
    says: str
    mend: str | None = None
