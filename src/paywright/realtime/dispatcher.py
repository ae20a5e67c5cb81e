"""
Who tells the streams of this process: one thread, however many streams and customers there are.

It sleeps until a commit here or in another process names a customer that somebody watches. Then it reads how those customers stand, what was recorded
and how far, in one statement for all of them, and hands every stream the same bytes. What is read was committed. What is named while it looks is read
in the next look, so that looks grow where they can't become more. Once a second it compares all versions, a few hundred customers at a time with the
news between them, so that a message that was lost costs a second and nothing more.

Credentials are looked at again twice a second, all in one query: a stream ends within a second of its key or token.
"""

import logging
import threading
import time
from collections.abc import Callable, Collection, Iterable
from itertools import islice

from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.realtime import queries
from paywright.realtime.bell import Bell
from paywright.realtime.model import Credential, Head, Why
from paywright.realtime.queries import NO_CHANGES, Asked, Key, Watchlist
from paywright.realtime.questions import source_of
from paywright.realtime.rules import HEARTBEAT
from paywright.realtime.streams import Stream, Wake
from paywright.realtime.telling import Telling
from paywright.storage.database import DatabaseUnavailable

log = logging.getLogger("paywright.realtime")

LOOK_S = 1.0
GAP_S = 0.002
"""From one look to the next; the first one after a rest begins at once."""

LOOK_MAX = 200
"""Customers of one look: what it costs them all is told after a few milliseconds."""

COMPARED_MAX = 500
"""Customers whose versions are compared at once."""

CHECK_S = 0.4
HEARTBEAT_S = 20.0
"""Below what proxies wait for a byte; most give up after a minute."""

BEAT_S = 1.0
OUTAGE_S = 0.5
NEVER = 2**62


class Watched:
    """A customer somebody watches: how far their streams were told, and the streams. Head None: not read yet."""

    __slots__ = ("head", "streams")

    def __init__(self) -> None:
        self.head: Head | None = None
        self.streams: set[Stream] = set()


class Holders:
    """The streams of one credential."""

    __slots__ = ("credential", "streams")

    def __init__(self, credential: Credential) -> None:
        self.credential = credential
        self.streams: set[Stream] = set()


class Dispatcher:
    """One per App: `app.resource(Dispatcher)`. Its thread begins with the first stream."""

    def __init__(self, app: App) -> None:
        self._app = app
        self._watched: dict[Key, Watched] = {}
        self._open = 0
        self._joining: set[Stream] = set()
        self._named: dict[Key, None] = {}
        self._compared: list[Key] = []
        self._looks_at_all = False
        self._lock = threading.Lock()
        self._news = threading.Event()
        self._is_closing = False
        self._thread: threading.Thread | None = None
        self._stops: list[Callable[[], bool]] = []
        self._told_at = self._looked_at = self._checked_at = self._beaten_at = 0.0
        self._looked_state: str | None = None
        self._holders: dict[tuple[str, str], Holders] = {}
        self._holders_changed = 0
        self._source = source_of(app.database)
        self._watchlist = Watchlist(app.database.dialect, [])
        self._listed = 0
        self._checked: tuple[str | None, int] = (None, -1)
        self._expires_at = NEVER
        app.listeners.append(self.hear)

    def open(
        self,
        environment: Environment,
        customer: Customer,
        credential: Credential,
        *,
        sees_all: bool,
        seen: int | None,
        wake: Wake,
    ) -> Stream | Refusal:
        """
        A stream that will be told everything, or what came after the version `seen`. `sees_all`: opened with a secret key.

        `too_many_streams` for this customer; `unavailable` when this process has as many as it takes, or is stopping.
        """
        made = Stream(environment, customer, credential, sees_all=sees_all, seen=seen, wake=wake)
        settings = self._app.settings
        with self._lock:
            if self._is_closing or self._open >= settings.streams_max:
                return Refusal("streams_full")
            watched = self._watched.get(made.key)
            if watched is not None and len(watched.streams) >= settings.streams_per_customer_max:
                return Refusal("too_many_streams", {"limit": settings.streams_per_customer_max})
            watched = watched or self._watched.setdefault(made.key, Watched())
            watched.streams.add(made)
            self._open += 1
            self._joining.add(made)
            self._hold(made)
            begins = self._thread is None
            if begins:
                self._thread = threading.Thread(target=self._run, name="paywright-streams", daemon=True)
                self._thread.start()
        if begins:
            self._app.resource(Bell).listen()
        self._news.set()
        return made

    def leave(self, stream: Stream) -> None:
        """Its reader has gone. Twice is once."""
        with self._lock:
            watched = self._watched.get(stream.key)
            if watched is None or stream not in watched.streams:
                return
            watched.streams.remove(stream)
            self._joining.discard(stream)
            self._open -= 1
            if not watched.streams:
                del self._watched[stream.key]
            holders = self._holders[stream.credential.place]
            holders.streams.remove(stream)
            if not holders.streams:
                del self._holders[stream.credential.place]
                self._holders_changed += 1

    def behind(self, stream: Stream) -> None:
        """Its reader, who was too slow, has taken all there was and can be told everything anew."""
        with self._lock:
            stream.seen = None
            self._joining.add(stream)
        self._news.set()

    def hear(self, environment_id: str, customers: Collection[str] | None) -> None:
        """A commit changed these customers; None: nobody knows whom. Cheap, because whoever committed waits for it."""
        if not self._watched:
            return
        with self._lock:
            if customers is None:
                self._looks_at_all = True
            else:
                named = [key for each in customers if (key := (environment_id, each)) in self._watched]
                if not named:
                    return
                self._named.update(dict.fromkeys(named))
        self._news.set()

    def stop_when(self, is_stopping: Callable[[], bool]) -> None:
        """Asked twice a second: when true, every stream ends, for whoever runs us waits until they have."""
        if is_stopping not in self._stops:
            self._stops.append(is_stopping)

    @property
    def open_streams(self) -> int:
        return self._open

    def stop_streams(self) -> None:
        """Ends every stream there is: the server they came through is stopping."""
        with self._lock:
            streams = [stream for watched in self._watched.values() for stream in watched.streams]
        _end(streams, "stopping")

    def close(self) -> None:
        with self._lock:
            self._is_closing = True
        self.stop_streams()
        self._news.set()
        if self.hear in self._app.listeners:
            self._app.listeners.remove(self.hear)
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._is_closing:
            self._news.wait(self._rest_s())
            self._news.clear()
            try:
                self._round()
            except DatabaseUnavailable as error:
                log.warning("streams wait for the database: %s", error)
                self._looks_at_all = True
                time.sleep(OUTAGE_S)
            except Exception:
                log.exception("telling the streams failed")
                self._looks_at_all = True
                time.sleep(OUTAGE_S)
        self._source.close()

    def _rest_s(self) -> float:
        if self._named or self._joining or self._compared or self._looks_at_all:
            return 0.0
        now = time.monotonic()
        return max(0.0, min(self._looked_at + LOOK_S, self._checked_at + CHECK_S) - now)

    def _round(self) -> None:
        now = time.monotonic()
        if now < self._told_at + GAP_S:
            time.sleep(self._told_at + GAP_S - now)
        self._tell_news()
        if self._compared:
            self._compare_some()
        elif self._looks_at_all or (now - self._looked_at >= LOOK_S and self._is_news(now)):
            with self._lock:
                self._looks_at_all = False
                self._compared = list(self._watched)
        if now - self._checked_at >= CHECK_S:
            self._checked_at = now
            self._check(now)

    def _tell_news(self) -> None:
        with self._lock:
            joining, self._joining = self._joining, set()
            named = dict.fromkeys(islice((stream.key for stream in joining), LOOK_MAX))
            named |= dict.fromkeys(islice(self._named, LOOK_MAX - len(named)))
            for key in named:
                self._named.pop(key, None)
            known = {key: watched.head for key in named if (watched := self._watched.get(key)) is not None}
            self._joining = {stream for stream in joining if stream.key not in named}
            joining -= self._joining
        if not known:
            return
        joining = {stream for stream in joining if stream.key in known}
        try:
            telling = Telling(self._app, self._source, known, joining)
        except BaseException:
            with self._lock:
                self._joining |= joining
            raise
        self._tell(telling, joining)
        self._told_at = time.monotonic()

    def _compare_some(self) -> None:
        """Names those that moved without anybody having said so."""
        with self._lock:
            some, self._compared = self._compared[:COMPARED_MAX], self._compared[COMPARED_MAX:]
            heads = {key: watched.head for key in some if (watched := self._watched.get(key)) is not None}
        wanted = [Asked(key, head.version, NO_CHANGES) for key, head in heads.items() if head is not None]
        moved = [each.key for each in queries.moved(self._source, wanted)]
        with self._lock:
            self._named.update(dict.fromkeys(moved))

    def _is_news(self, now: float) -> bool:
        """Whether anything was committed since the last look, by anybody; most nights are quiet."""
        self._looked_at = now
        if not self._watched:
            return False
        before, self._looked_state = self._looked_state, queries.state_of_commits(self._source)
        return before is None or before != self._looked_state

    def _tell(self, telling: Telling, joining: set[Stream]) -> None:
        """Everything was read; nothing here can fail."""
        moved = list[Stream]()
        with self._lock:
            for key, head in telling.heads.items():
                watched = self._watched.get(key)
                if watched is not None and telling.has_moved(key):
                    watched.head = head
                    moved += watched.streams - joining - self._joining
        now = time.monotonic()
        for stream in moved:
            stream.offer(telling.changes_for(stream), now)
        for stream in joining:
            stream.offer(telling.beginning_for(stream), now, is_whole=True)
        woken = [*moved, *joining]
        _end([each for each in woken if each.key in telling.gone and each.credential.kind != "process"], "gone")
        _wake(woken)

    def _hold(self, stream: Stream) -> None:
        """Within the lock."""
        credential = stream.credential
        holders = self._holders.get(credential.place)
        if holders is None:
            holders = self._holders[credential.place] = Holders(credential)
            self._holders_changed += 1
        holders.streams.add(stream)
        if credential.expires_at is not None:
            self._expires_at = min(self._expires_at, credential.expires_at)

    def _check(self, now: float) -> None:
        """Who has lost the right to listen, and who has heard nothing for long."""
        if any(is_stopping() for is_stopping in self._stops):
            self.stop_streams()
            return
        with self._lock:
            if not self._watched:
                return
            expired = self._expired(self._app.wall())
            # Streams come and go meanwhile: what is written down says of which moment it is.
            moment = self._holders_changed
            credentials = [] if moment == self._listed else [each.credential for each in self._holders.values()]
        _end(expired, "expired")
        if moment != self._listed:
            self._watchlist, self._listed = Watchlist(self._app.database.dialect, credentials), moment
        state = queries.state_of_commits(self._source)
        is_quiet = state is not None and self._checked == (state, moment)
        void = [] if is_quiet else self._watchlist.void(self._source)
        self._checked = (state, moment)
        for credential in void:
            with self._lock:
                holders = self._holders.get(credential.place)
                revoked = [] if holders is None else list(holders.streams)
            _end(revoked, "revoked")
        if now - self._beaten_at >= BEAT_S:
            self._beaten_at = now
            self._beat(now)

    def _expired(self, wall: int) -> list[Stream]:
        """Within the lock. Looked for only when the first one's time is over."""
        if wall < self._expires_at:
            return []
        known = [(each.credential.expires_at, each) for each in self._holders.values()]
        ends = [(at, each) for at, each in known if at is not None]
        self._expires_at = min((at for at, _ in ends if at > wall), default=NEVER)
        return [stream for at, each in ends if at <= wall for stream in each.streams]

    def _beat(self, now: float) -> None:
        with self._lock:
            streams = [stream for watched in self._watched.values() for stream in watched.streams]
        silent = [each for each in streams if now - each.beat_at >= HEARTBEAT_S and each.is_idle and not each.ended]
        for stream in silent:
            stream.offer(HEARTBEAT, now)
        _wake(silent)


def _end(streams: Iterable[Stream], why: Why) -> None:
    ended = list(streams)
    for stream in ended:
        stream.end(why)
    _wake(ended)


def _wake(streams: Iterable[Stream]) -> None:
    """Once per way of waking, i.e. per event loop, whatever the number of streams."""
    by_wake: dict[Wake, list[Stream]] = {}
    for stream in streams:
        by_wake.setdefault(stream.wake, []).append(stream)
    for wake, woken in by_wake.items():
        wake(woken)
