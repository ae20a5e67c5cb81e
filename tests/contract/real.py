"""
The contract against the real Stripe: with `STRIPE_TEST_KEY` set, tests that use nothing but the SDK talk to its test mode.

What they were answered is held against the same schemas as the sandbox's answers. `STRIPE_TEST_BASE` sends them elsewhere.
"""

import json
import os
from typing import Any

import stripe

from tests.contract.conformance import Conformance

KEY = os.environ.get("STRIPE_TEST_KEY", "")
BASE = os.environ.get("STRIPE_TEST_BASE", "https://api.stripe.com")


class Watched(stripe.HTTPXClient):
    """Holds every answer that is not a refusal against the schemas."""

    def __init__(self, conformance: Conformance) -> None:
        super().__init__(allow_sync_methods=True)
        self.conformance = conformance

    def request(self, *asked: Any, **more: Any) -> Any:
        content, status, headers = super().request(*asked, **more)
        if status == 200:
            self.conformance.check("response", json.loads(content))
        return content, status, headers


def client(conformance: Conformance, key: str = KEY) -> stripe.StripeClient:
    """Test keys only: these tests make customers and take money."""
    if not key.startswith(("sk_test_", "rk_test_")):
        raise ValueError("STRIPE_TEST_KEY must be a test key: sk_test_… or rk_test_…")
    addresses: Any = {"api": BASE}
    return stripe.StripeClient(key, http_client=Watched(conformance), base_addresses=addresses, max_network_retries=2)
