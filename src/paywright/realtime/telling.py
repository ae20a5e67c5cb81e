"""One look at the database, and what it means for each stream. All of a customer is read in one statement, so ids and states agree."""

from collections.abc import Collection, Mapping
from typing import Any

from paywright.engine.app import App
from paywright.ledger.opening import Opening
from paywright.realtime import queries, state
from paywright.realtime.model import Change, Head
from paywright.realtime.queries import NO_CHANGES, UNSEEN, Asked, Key, Looked
from paywright.realtime.questions import InTransaction, Source
from paywright.realtime.rules import RESUMED, change_frames, missed, snapshot
from paywright.realtime.state import Standing
from paywright.realtime.streams import Stream


class Telling:
    """
    `known`: how far the streams of each customer were told; None: nothing yet. `joining` are told from their own beginning.

    `heads` are the customers that were read: all that moved, and all whom somebody joined. `gone` are guests whose purchases moved to an account, so
    that their claim token opens nothing any more. Raises `DatabaseUnavailable`.
    """

    def __init__(self, app: App, source: Source, known: Mapping[Key, Head | None], joining: Collection[Stream]) -> None:
        self._app = app
        self._known = known
        self._changes: dict[Key, list[Change]] = {}
        self._standing: dict[Key, Standing] = {}
        self._states: dict[tuple[Key, bool], dict[str, Any]] = {}
        self._frames: dict[tuple[Key, bool, int | None], bytes] = {}
        self.heads: dict[Key, Head] = {}
        self.gone: set[Key] = set()
        self._read(source, self._wanted(joining))

    def changes_for(self, stream: Stream) -> bytes:
        """For one who was told everything so far."""
        before = self._known[stream.key]
        return self._frames_after(stream, None if before is None else before.version)

    def beginning_for(self, stream: Stream) -> bytes:
        """For one who joins: what they missed, or everything."""
        return self._frames_after(stream, stream.seen)

    def has_moved(self, key: Key) -> bool:
        before = self._known[key]
        return before is None or before.version != self.heads[key].version

    def _frames_after(self, stream: Stream, seen: int | None) -> bytes:
        place = (stream.key, stream.sees_all, seen)
        if place not in self._frames:
            later = missed(seen, self.heads[stream.key].version, self._changes[stream.key])
            if later is None:
                self._frames[place] = snapshot(self._state(stream))
            else:
                self._frames[place] = change_frames(later, self._state(stream)) if later else RESUMED
        return self._frames[place]

    def _state(self, stream: Stream) -> dict[str, Any]:
        place = (stream.key, stream.sees_all)
        if place not in self._states:
            self._states[place] = self._standing[stream.key].shown(with_secret_key=stream.sees_all)
        return self._states[place]

    def _wanted(self, joining: Collection[Stream]) -> list[Asked]:
        joined = {stream.key for stream in joining}
        looks_back = {stream.key for stream in joining if stream.seen is not None}
        wanted = []
        for key, head in self._known.items():
            since = 0 if key in looks_back else (NO_CHANGES if head is None else head.next_sequence)
            wanted.append(Asked(key, UNSEEN if head is None or key in joined else head.version, since))
        return wanted

    def _read(self, source: Source, wanted: list[Asked]) -> None:
        wall, odd = self._app.wall(), list[Asked]()
        for looked in queries.look(source, wanted):
            asked = wanted[looked.place]
            standing = state.as_written(self._app.database.engine, asked.key, looked, wall)
            if standing is None:
                odd.append(asked)
            else:
                self._keep(asked.key, looked, standing)
        if odd:
            self._read_by_rules(odd)

    def _read_by_rules(self, wanted: list[Asked]) -> None:
        wall, included = self._app.wall(), self._app.resource(Opening).included
        with self._app.database.read() as connection:
            for looked in queries.look(InTransaction(connection), wanted):
                key = wanted[looked.place].key
                self._keep(key, looked, state.by_rules(connection, key, looked, wall, included=included))

    def _keep(self, key: Key, looked: Looked, standing: Standing) -> None:
        self.heads[key] = Head(looked.version, looked.next_sequence)
        self._standing[key] = standing
        told = [change for _, change in sorted(looked.changes or (), key=lambda each: each[0])]
        self._changes[key] = told
        if looked.is_attached:
            self.gone.add(key)
