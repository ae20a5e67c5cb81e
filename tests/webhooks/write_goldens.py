"""
Writes `goldens/*.json`: one story, as each release train of Stripe's API would tell it.

    python -m tests.webhooks.write_goldens --acacia DIR --basil DIR

The sandbox lives the story in the pinned version. Each older train is made from the next by undoing what Stripe's changelog says that one changed.
DIR is an unpacked wheel of `stripe` 11.6.1 and of 12.5.2: keys they do not know are dropped, and what is left must fit their classes, or nothing is
written. `endive` must fit the installed package.
"""

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from paywright_sandbox import Sandbox
from tests.flows.sandbox import Account, account
from tests.webhooks.golden_story import lived
from tests.webhooks.golden_trains import UNDO, VERSIONS, drop

GOLDENS = Path(__file__).parent / "goldens"
ROUNDS_MAX = 20
Story = dict[str, Any]


def main(arguments: list[str]) -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--acacia", required=True)
    parser.add_argument("--basil", required=True)
    asked = parser.parse_args(arguments)
    with Sandbox(seed=1) as sandbox, account(sandbox.url) as lives:
        told = {"endive": lived(lives)}
        coupon = whole_coupon(lives)
    fits(told["endive"], None, may_drop=False)
    for train, newer in (("dahlia", "endive"), ("clover", "dahlia"), ("basil", "clover"), ("acacia", "basil")):
        told[train] = walked(told[newer], lambda each, train=train: UNDO[train](each, coupon))  # type: ignore[misc]
        if train in ("acacia", "basil"):
            fits(told[train], getattr(asked, train), may_drop=True)
    for train, story in told.items():
        for event in story["events"]:
            event["api_version"] = VERSIONS[train]
        text = json.dumps({"api_version": VERSIONS[train], **story}, indent=1, sort_keys=True, ensure_ascii=False)
        (GOLDENS / f"{train}.json").write_text(text + "\n", encoding="utf-8")


def whole_coupon(lives: Account) -> dict[str, Any]:
    """Until clover a discount shows its coupon whole."""
    [coupon] = lives.every("/v1/coupons")
    return coupon


def walked(value: Any, undo: Callable[[dict[str, Any]], dict[str, Any]]) -> Any:
    """A copy in which every object of Stripe's is undone, the innermost first."""
    if isinstance(value, list):
        return [walked(each, undo) for each in value]
    if not isinstance(value, dict):
        return value
    inside = {key: walked(each, undo) for key, each in value.items()}
    return undo(inside) if isinstance(inside.get("object"), str) else inside


def fits(story: Story, wheel: str | None, *, may_drop: bool) -> None:
    """Every object of the story against the classes of a wheel; what the wheel does not know is dropped where `may_drop` says so."""
    objects = {f"event {place}": event["data"]["object"] for place, event in enumerate(story["events"])}
    objects |= {f"fetched {name}": found for name, found in story["fetched"].items()}
    for _ in range(ROUNDS_MAX):
        found = checked(objects, wheel)
        unknown = [
            (name, line) for name, lines in found.items() for line in lines if line.endswith("unknown to the SDK")
        ]
        if not may_drop or not unknown:
            break
        for name, line in unknown:
            drop(objects[name], line.partition(": ")[0])
    rest = [f"{name}: {line}" for name, lines in found.items() for line in lines if "invoice.id: required" not in line]
    if rest:
        raise SystemExit("\n".join(rest))


def checked(objects: dict[str, Any], wheel: str | None) -> dict[str, list[str]]:
    """In a process of its own: the classes are read from whichever package it finds first."""
    path = os.pathsep.join([*([wheel] if wheel else []), os.environ.get("PYTHONPATH", "")])
    ran = subprocess.run(
        [sys.executable, "-m", "tests.webhooks.golden_schemas"],
        input=json.dumps(objects),
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "PYTHONPATH": path},
    )
    return dict(json.loads(ran.stdout))


if __name__ == "__main__":
    main(sys.argv[1:])
