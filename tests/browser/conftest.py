"""
| Fixture | Gives |
|---|---|
| `dev` | `paywright dev` as a process, with a data directory of its own, and what it printed |
| `buyer` | a page on the demo store, as one of its users |
"""

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest
from playwright.sync_api import ConsoleMessage, Page, expect

from paywright.client import Client
from tests.browser.buyer import Buyer

expect.set_options(timeout=15_000)  # A busy machine is no failure.
PAYWRIGHT = Path(sys.executable).parent / "paywright"


class Dev(msgspec.Struct, frozen=True):
    """What `paywright dev --json` prints when it is ready."""

    url: str
    store_url: str
    sandbox_url: str
    environment: str
    secret_key: str
    publishable_key: str
    webhook_secret: str
    dashboard_url: str | None
    folder: str = ""
    """Where it runs: the other commands find it from there."""


@pytest.fixture(scope="module")
def dev(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dev]:
    folder = tmp_path_factory.mktemp("dev")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("PAYWRIGHT_", "STRIPE_"))}
    command: list[str | Path] = [PAYWRIGHT, "dev", "--json", "--port", "0", "--sandbox-port", "0"]
    with (folder / "dev.log").open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=kept, stdout=subprocess.PIPE, stderr=log)
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line, (folder / "dev.log").read_text()[-2000:]
        yield msgspec.convert({**json.loads(line), "folder": str(folder)}, Dev)
        process.terminate()
        assert process.wait(15) == 0
        process.stdout.close()


@pytest.fixture
def paywright(dev: Dev) -> Iterator[Client]:
    with Client(dev.url, dev.secret_key) as client:
        yield client


@pytest.fixture
def buyer(dev: Dev, page: Page, screenshot: Callable[[str], Path]) -> Iterator[Buyer]:
    """Nothing in the console may complain: a page that breaks its own policy is broken. A decline's 402 is no complaint of ours."""
    complaints: list[str] = []

    def listen(message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and "status of 402" not in message.text:
            complaints.append(message.text)

    page.on("console", listen)
    page.on("pageerror", lambda error: complaints.append(str(error)))
    yield Buyer(page, dev.store_url, screenshot)
    assert complaints == []
