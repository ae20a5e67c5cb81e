"""The examples, started with their one command and used by a visitor."""

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from paywright.catalog.lint import lint
from paywright.catalog.loading import load
from paywright.catalog.parse import parse
from paywright.kernel.refusals import Refusal
from tests.flows.server import free_port
from tests.harness.waiting import until
from tests.house.trees import ROOT

EXAMPLES = ROOT / "examples"


@contextmanager
def running(name: str, folder: Path) -> Iterator[httpx.Client]:
    """A browser of one visitor, who follows no redirect unasked."""
    port = free_port()
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("PAYWRIGHT_", "STRIPE_"))}
    command = [sys.executable, str(EXAMPLES / name / "main.py")]
    log = folder / "log"
    with (
        log.open("wb") as output,
        subprocess.Popen(command, cwd=folder, env={**kept, "PORT": str(port)}, stdout=output, stderr=output) as process,
    ):
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=30) as browser:
                until(lambda: process.poll() is not None or is_up(browser), f"{name} to be up", timeout_s=60)
                assert process.poll() is None, log.read_text()
                yield browser
        finally:
            process.terminate()
            process.wait(15)


def is_up(browser: httpx.Client) -> bool:
    try:
        return browser.get("/paywright/readyz").status_code == 200
    except httpx.TransportError:
        return False


def bought(browser: httpx.Client, button: str) -> httpx.Response:
    """From the button to the page one comes back to."""
    checkout = browser.post(button)
    assert checkout.status_code == 303
    return browser.get(checkout.headers["location"], follow_redirects=True)


def test_haiku_are_sold_written_and_refused_kindly(tmp_path: Path) -> None:
    with running("haiku", tmp_path) as browser:
        assert "Sit down" in browser.get("/").text
        assert browser.post("/haiku").status_code == 401
        browser.post("/sign-in", content="name=anne")
        refused = browser.post("/haiku", content="draft=a")
        assert (refused.status_code, "The inkwell is empty" in refused.text) == (402, True)
        assert "<b>10</b> haiku left" in bought(browser, "/buy").text
        written = [browser.post("/haiku", content="draft=a").text for _ in range(2)]
        poems = [re.findall(r'class="poem">(.*?)</p>', page) for page in written]
        assert poems[0] == poems[1] != []
        assert "<b>9</b> haiku left" in written[1]


def test_the_blog_shows_what_a_reader_has_paid_for(tmp_path: Path) -> None:
    with running("blog", tmp_path) as browser:
        assert browser.get("/posts/ponds.json").json().keys() == {"title", "teaser"}
        browser.post("/sign-in", data={"name": "anne"})
        assert "You are a reader." in browser.get("/").text
        assert browser.get("/posts/ponds.json").json().keys() == {"title", "teaser"}
        assert "Members read on." in browser.get("/posts/ponds").text
        refused = browser.get("/posts/ponds/print")
        assert (refused.status_code, "Become a patron" in refused.text) == (402, True)
        assert "You are a member." in bought(browser, "/join/member").text
        assert browser.get("/posts/ponds.json").json().keys() == {"title", "teaser", "content"}
        assert browser.get("/posts/ponds/print").status_code == 402
        assert "You are a patron." in bought(browser, "/join/patron").text
        assert browser.get("/posts/ponds.json").json().keys() == {"title", "teaser", "content", "notes"}
        assert browser.get("/posts/ponds/print").text.startswith("On ponds")
        assert browser.get("/posts/nowhere").status_code == 404


@pytest.mark.parametrize("name", ["haiku", "blog"])
def test_an_examples_catalog_has_nothing_to_remark(name: str) -> None:
    catalog = parse(load(EXAMPLES / name / "catalog.toml"), mode="test")
    assert not isinstance(catalog, Refusal)
    assert lint(catalog) == []


@pytest.mark.parametrize("name", ["haiku", "blog"])
def test_an_examples_readme_fits_ten_lines(name: str) -> None:
    assert len((EXAMPLES / name / "README.md").read_text().splitlines()) <= 10
