"""The place of an event in the log of one work, for events whose contents are known only after what they cause."""

from typing import NamedTuple

from ..errors import Json
from ..work import Work


class Moment(NamedTuple):
    events: int
    deliveries: int


def moment(work: Work) -> Moment:
    return Moment(len(work.events), len(work.deliveries))


def emit_at(work: Work, at: Moment, type: str, thing: Json) -> None:
    """Logs the event as it is now, but before everything logged since `at`: an effect never stands before its cause."""
    events, deliveries = len(work.events), len(work.deliveries)
    work.emit(type, thing)
    work.events[at.events : at.events] = [work.events.pop()]
    new = work.deliveries[deliveries:]
    del work.deliveries[deliveries:]
    work.deliveries[at.deliveries : at.deliveries] = new
    assert len(work.events) == events + 1
