"""
A process with everything imported and nothing opened. Each line on standard input is a life: it is lived by a fork, which opens the engine on a
database, does a deed, and may be killed at a numbered point of it. The lines on standard output are the points that somebody wants to see (the fork
stands still there until it is told to go on), and the last one says how it ended.

A cold start takes more than a second, a fork some milliseconds. There is one thread here, so nothing is held by anybody when it forks. What a fork
knows that a new process would not is compiled SQL, which is kept for all engines: the first life of a deed is lived here, so every fork has it.
"""

import gc
import os
import sys
import traceback
from typing import Any, Literal

import msgspec
import stripe  # noqa: F401 — the gateway would import it in every fork.

from paywright.kernel import faults
from tests.crash.asking import Post, answered
from tests.crash.deeds import DEEDS, Shopper, Till
from tests.crash.state import state
from tests.harness import made_once

GO_ON = b"\n"


class Life(msgspec.Struct, frozen=True):
    """`crash_at` 0: it lives. `shows`: the points where it waits to be looked at. `is_here`: by the zygote itself, before it forks for the next."""

    deed: str | Post
    till: Till
    crash_at: int = 0
    shows: Literal["nothing", "its death", "everything"] = "nothing"
    is_here: bool = False


class Point(msgspec.Struct, frozen=True, tag=True):
    number: int
    name: str


class Death(msgspec.Struct, frozen=True, tag=True):
    """`signal` 0: it ended by itself, `state` is what it left, and `error` says what went wrong, if anything did."""

    signal: int
    error: str | None = None
    state: dict[str, list[Any]] | None = None


def lived(life: Life) -> dict[str, list[Any]]:
    """The points are counted from the moment the engine is open."""
    app = life.till.opened()
    try:
        faults.arm(life.crash_at, None if life.shows == "nothing" else lambda number, name: show(life, number, name))
        shopper, answer = Shopper(life.till, app), list[Any]()
        if isinstance(life.deed, Post):
            answer = answered(shopper, life.deed)
        else:
            DEEDS[life.deed](shopper)
        faults.arm()
        return {**state(app), "answer": answer}
    finally:
        app.close()


def show(life: Life, number: int, name: str) -> None:
    if life.shows == "everything" or number == life.crash_at:
        os.write(1, msgspec.json.encode(Point(number, name)) + b"\n")
        assert os.read(0, 1) == GO_ON


def ended(life: Life) -> Death:
    try:
        return Death(0, state=lived(life))
    except BaseException:  # noqa: BLE001 — told to whoever asked for this life.
        return Death(0, traceback.format_exc())


def forked(life: Life) -> Death:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        with os.fdopen(writing, "wb") as telling:
            telling.write(msgspec.json.encode(ended(life)))
        os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        last_words = told.read()
    _, status = os.waitpid(child, 0)
    return Death(os.WTERMSIG(status)) if os.WIFSIGNALED(status) else msgspec.json.decode(last_words, type=Death)


if __name__ == "__main__":
    made_once.certificates()
    made_once.compiled_statements()
    faults.arm()
    gc.freeze()
    for line in sys.stdin.buffer:
        life = msgspec.json.decode(line, type=Life)
        death = ended(life) if life.is_here else forked(life)
        sys.stdout.buffer.write(msgspec.json.encode(death) + b"\n")
        sys.stdout.buffer.flush()
