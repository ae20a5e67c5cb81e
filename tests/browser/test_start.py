"""docs/start.md, followed to the letter."""

import re
import subprocess
import sys
from pathlib import Path

from playwright.sync_api import expect

from paywright.client import Client
from tests.browser.buyer import PAYS, Buyer
from tests.browser.conftest import PAYWRIGHT, Dev

START = Path(__file__).resolve().parents[2] / "docs" / "start.md"


def test_what_start_says_is_what_happens(dev: Dev, buyer: Buyer, paywright: Client) -> None:
    buyer.enter("First")
    buyer.press("Choose Pro")
    buyer.pay(PAYS)
    buyer.is_thanked()
    buyer.goes_back()
    buyer.press("Spend one credit")
    buyer.has_credits(99)

    shell, program = blocks("sh"), blocks("python")
    assert [line for line in shell if "paywright" in line] != []
    listed = [command(dev, line) for line in shell if ".venv/bin/paywright" in line and "init" not in line]
    assert "invoice.paid" in "".join(listed)
    assert "every balance proven" in listed[-1]
    buyer.has_credits(100)

    (text,) = program
    ready = text.replace("http://127.0.0.1:8787", dev.url).replace("pw_sk_test_…", dev.secret_key)
    ran = subprocess.run([sys.executable, "-c", ready], capture_output=True, text=True, timeout=60, check=True)
    assert ran.stdout.splitlines() == ["['Pro']", "99 left"]
    buyer.has_credits(99)

    buyer.press("Cancel at period end")
    expect(buyer.page.get_by_text("Pro stays yours until")).to_be_visible()
    command(dev, ".venv/bin/paywright clock advance 31d")
    assert not paywright.user("user_1").owns("pro")


def blocks(language: str) -> list[str]:
    """Shell lines one by one, programs whole."""
    found = re.findall(rf"```{language}\n(.*?)```", START.read_text(encoding="utf-8"), re.DOTALL)
    return [line for block in found for line in block.splitlines()] if language == "sh" else found


def command(dev: Dev, line: str) -> str:
    words = line.split()[1:]
    ran = subprocess.run([PAYWRIGHT, *words], cwd=dev.folder, capture_output=True, text=True, timeout=60, check=True)
    return ran.stdout
