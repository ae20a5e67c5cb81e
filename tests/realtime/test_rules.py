"""What is sent to whom, as tables: `Last-Event-ID`, slow readers, and the form of an event."""

import time

import pytest

from paywright.environments.model import Environment, Policy
from paywright.kernel.model import Customer
from paywright.realtime.model import Change, Credential
from paywright.realtime.questions import text_array
from paywright.realtime.rules import CHANGES_MAX, change_frames, frame, last_event_id, missed, snapshot
from paywright.realtime.streams import WAITING_BYTES_MAX, Stream

ENVIRONMENT = Environment("test", "test", "instant", False, "usd", Policy(), None, None, None, None)
USER = Customer("user", "u_1")


def changes(*versions: int) -> list[Change]:
    return [Change(version, version - 1, ["items.credits"]) for version in versions]


@pytest.mark.parametrize(
    ("sent", "seen"),
    [("7", 7), ("0", 0), (None, None), ("", None), ("-1", None), ("7.0", None), ("٧", None), ("9" * 19, None)],
)
def test_an_id_is_a_version_or_nothing(sent: str | None, seen: int | None) -> None:
    assert last_event_id(sent) == seen


@pytest.mark.parametrize(
    ("seen", "version", "known", "told"),
    [
        (None, 5, changes(4, 5), None),
        (5, 5, changes(4, 5), []),
        (0, 0, [], []),
        (3, 5, changes(3, 4, 5), [4, 5]),
        (0, 2, changes(1, 2), [1, 2]),
        (3, 5, changes(5), None),
        (3, 5, [], None),
        (6, 5, changes(4, 5), None),
        (0, CHANGES_MAX, changes(*range(1, CHANGES_MAX + 1)), list(range(1, CHANGES_MAX + 1))),
        (0, CHANGES_MAX + 1, changes(*range(1, CHANGES_MAX + 2)), None),
    ],
    ids=[
        "stranger",
        "nothing new",
        "never written",
        "some",
        "from the beginning",
        "a gap",
        "forgotten",
        "future",
        "most",
        "too many",
    ],
)
def test_what_a_reader_missed(seen: int | None, version: int, known: list[Change], told: list[int] | None) -> None:
    found = missed(seen, version, known)
    assert (None if found is None else [change.version for change in found]) == told


def test_events_as_they_are_written() -> None:
    state = {"version": 2, "note": "two\nlines"}
    assert snapshot(state) == b'event: snapshot\nid: 2\ndata: {"version":2,"note":"two\\nlines"}\n\n'
    both = change_frames(changes(1, 2), state)
    assert both.count(b"\n\n") == 2
    assert both.startswith(
        b'event: change\nid: 1\ndata: {"version":1,"previous":0,"changes":["items.credits"],"state":{'
    )


def open_stream() -> Stream:
    credential = Credential("process", "test", "process")
    return Stream(ENVIRONMENT, USER, credential, sees_all=True, seen=None, wake=lambda _: None)


def test_a_reader_takes_what_waits_and_no_more() -> None:
    stream = open_stream()
    stream.offer(b"a", time.monotonic())
    stream.offer(b"b", time.monotonic())
    assert (stream.take(), stream.take()) == (b"ab", b"")


def test_nothing_is_told_once_a_stream_has_ended() -> None:
    """A reader who finds something would not look for the end, and may have lost the right to it."""
    stream = open_stream()
    stream.offer(b"a", time.monotonic())
    stream.end("stopping")
    stream.offer(b"b", time.monotonic())
    stream.offer(b"c", time.monotonic(), is_whole=True)
    assert (stream.ended, stream.take()) == ("stopping", b"")


def test_a_slow_reader_loses_what_waits_and_gets_everything_anew() -> None:
    stream, piece = open_stream(), b"x" * (WAITING_BYTES_MAX // 4)
    for _ in range(5):
        stream.offer(piece, time.monotonic())
    assert stream.is_behind
    assert stream.take() == b""
    stream.offer(b"a change it could not understand", time.monotonic())
    assert stream.take() == b""
    stream.offer(frame("snapshot", 9, b"{}"), time.monotonic(), is_whole=True)
    assert (stream.take(), stream.is_behind) == (b"event: snapshot\nid: 9\ndata: {}\n\n", False)


def test_a_snapshot_too_large_for_anything_else_is_all_that_waits() -> None:
    stream, large = open_stream(), b"x" * (2 * WAITING_BYTES_MAX)
    stream.offer(b"a", time.monotonic())
    stream.offer(large, time.monotonic(), is_whole=True)
    assert stream.take() == large
    stream.offer(large, time.monotonic())
    assert stream.take() == large


def test_a_stream_that_ended_tells_nothing_that_waits() -> None:
    stream = open_stream()
    stream.offer(b"a", time.monotonic())
    stream.end("revoked")
    assert (stream.take(), stream.ended) == (b"", "revoked")


@pytest.mark.parametrize(
    ("values", "written"),
    [(["a", "b"], '{"a","b"}'), ([], "{}"), (['a"b', "c\\d", 'e","f'], '{"a\\"b","c\\\\d","e\\",\\"f"}')],
)
def test_names_as_postgresql_reads_them(values: list[str], written: str) -> None:
    assert text_array(values) == written
