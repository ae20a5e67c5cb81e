"""The switch that sends the contract to the real Stripe, tried on a sandbox in its place."""

import os
import subprocess
import sys

import pytest

from paywright_sandbox import Sandbox
from tests.contract import real
from tests.contract.conformance import Conformance
from tests.house.trees import ROOT

SAMPLE = ("tests/contract/test_products.py", "tests/contract/test_refunds.py", "tests/contract/test_disputes.py")


def contract(key: str, base: str) -> subprocess.CompletedProcess[str]:
    environment = {**os.environ, "STRIPE_TEST_KEY": key, "STRIPE_TEST_BASE": base}
    command = [sys.executable, "-m", "pytest", "-q", "-rs", "-p", "no:cacheprovider", *SAMPLE]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=100, check=False)


def test_with_a_key_the_contract_talks_to_that_account(sandbox: Sandbox) -> None:
    made = sandbox.store.default.objects.get("product", {})
    before = len(made)
    ended = contract(sandbox.secret_key, sandbox.url)
    assert ended.returncode == 0, ended.stdout
    assert "the real Stripe has no control API" in ended.stdout
    assert len(sandbox.store.default.objects["product"]) > before


def test_live_keys_are_not_taken() -> None:
    with pytest.raises(ValueError, match="test key"):
        real.client(Conformance(), "sk_live_1")
