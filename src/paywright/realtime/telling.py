"""One look at the database, and what it means for each stream. Everything is read in one snapshot, so ids and states agree."""

from collections.abc import Collection, Mapping
from typing import Any

from sqlalchemy.engine import Connection

from paywright.catalog.model import Catalog
from paywright.engine.app import App
from paywright.environments import clock
from paywright.environments import queries as environment_queries
from paywright.environments.model import Environment
from paywright.ledger.opening import Opening
from paywright.realtime import queries
from paywright.realtime.model import Change, Head
from paywright.realtime.queries import SPAN, Key
from paywright.realtime.rules import RESUMED, change_frames, missed, snapshot
from paywright.realtime.state import CUSTOMERS_MAX, Standing, standings
from paywright.realtime.streams import Stream

UNSEEN = -1
"""A version no customer has: whoever is watched from now on has changed."""


class Telling:
    """
    `known`: how far the streams of each customer were told; None: nothing yet. `joining` are told from their own beginning.

    `heads` are the customers that moved, with where they stand. Raises `DatabaseUnavailable`.
    """

    def __init__(self, app: App, known: Mapping[Key, Head | None], joining: Collection[Stream]) -> None:
        self._app = app
        self._known = known
        self._changes: dict[Key, list[Change]] = {}
        self._standing: dict[Key, Standing] = {}
        self._shown_by: dict[str, tuple[Environment, Catalog, int]] = {}
        self._states: dict[tuple[Key, bool], dict[str, Any]] = {}
        self._frames: dict[tuple[Key, bool, int | None], bytes] = {}
        with app.database.read() as connection:
            versions = [(key, UNSEEN if head is None else head.version) for key, head in known.items()]
            self.heads = {key: Head() for key, head in known.items() if head is None}
            self.heads |= queries.changed(connection, versions) if versions else {}
            self.gone = self._attached(connection)
            self._read_changes(connection, joining)
            self._read_states(connection, joining)

    def changes_for(self, stream: Stream) -> bytes:
        """For one who was told everything so far."""
        before = self._known[stream.key]
        return self._frames_after(stream, None if before is None else before.version)

    def beginning_for(self, stream: Stream) -> bytes:
        """For one who joins: what they missed, or everything."""
        return self._frames_after(stream, stream.seen)

    def _frames_after(self, stream: Stream, seen: int | None) -> bytes:
        place = (stream.key, stream.sees_all, seen)
        if place not in self._frames:
            later = missed(seen, self._version(stream.key), self._changes.get(stream.key, []))
            if later is None:
                self._frames[place] = snapshot(self._state(stream))
            else:
                self._frames[place] = change_frames(later, self._state(stream)) if later else RESUMED
        return self._frames[place]

    def _version(self, key: Key) -> int:
        head = self.heads.get(key) or self._known[key]
        assert head is not None, key
        return head.version

    def _state(self, stream: Stream) -> dict[str, Any]:
        place = (stream.key, stream.sees_all)
        if place not in self._states:
            environment, catalog, now = self._shown_by[stream.key[0]]
            standing = self._standing[stream.key]
            self._states[place] = standing.shown(environment, catalog, now, with_secret_key=stream.sees_all)
        return self._states[place]

    def _attached(self, connection: Connection) -> set[Key]:
        guests = [key for key in self.heads if key[1].startswith("guest:")]
        return queries.attached(connection, guests) if guests else set()

    def _read_changes(self, connection: Connection, joining: Collection[Stream]) -> None:
        since: dict[Key, int] = {}
        for key, head in self.heads.items():
            before = self._known[key]
            if before is not None:
                since[key] = max(before.next_sequence, head.next_sequence - SPAN)
        for stream in joining:
            stands = self.heads.get(stream.key) or self._known[stream.key]
            assert stands is not None, stream.key
            if stream.seen is not None and stream.seen < stands.version:
                since[stream.key] = max(0, stands.next_sequence - SPAN)
        self._changes = queries.changes_since(connection, list(since.items())) if since else {}

    def _read_states(self, connection: Connection, joining: Collection[Stream]) -> None:
        wanted = {key for key in self.heads if self._known[key] is not None}
        wanted |= {stream.key for stream in joining if stream.seen != self._version(stream.key)}
        by_environment: dict[str, list[Key]] = {}
        for key in sorted(wanted):
            by_environment.setdefault(key[0], []).append(key)
        for environment_id, keys in by_environment.items():
            environment = environment_queries.environment(connection, environment_id)
            assert environment is not None, environment_id
            wall = self._app.wall()
            now = wall if environment.provider == "stripe" else clock.business_now(connection, environment_id, wall)
            included = self._app.resource(Opening).included
            for start in range(0, len(keys), CUSTOMERS_MAX):
                versions = {queries.of_key(key): self._version(key) for key in keys[start : start + CUSTOMERS_MAX]}
                catalog, found = standings(
                    connection, environment_id, list(versions), now, included=included, versions=versions
                )
                self._shown_by[environment_id] = (environment, catalog, now)
                self._standing |= {(environment_id, customer.key): standing for customer, standing in found.items()}
