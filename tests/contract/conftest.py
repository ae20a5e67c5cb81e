"""A sandbox per test process, an account per test, the official SDK; every answer and event checked against the SDK's own types."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from paywright_sandbox import Sandbox
from tests.contract.billing import Desk
from tests.contract.conformance import Conformance
from tests.contract.shop import Shop


@pytest.fixture(scope="session")
def conformance() -> Conformance:
    return Conformance()


@pytest.fixture(scope="session")
def sandbox(conformance: Conformance) -> Iterator[Sandbox]:
    with Sandbox(seed=1, check=conformance.check) as running:
        yield running


@pytest.fixture
def shop(sandbox: Sandbox, conformance: Conformance) -> Iterator[Shop]:
    """A fresh account on the sandbox. Whatever went out during the test must have fitted the SDK's types."""
    conformance.problems.clear()
    with Shop(sandbox.url, sandbox.secret_key) as opened:
        yield opened
    assert conformance.problems == []


@pytest.fixture
def stripe_client(shop: Shop) -> stripe.StripeClient:
    return shop.client


@pytest.fixture
def v1(shop: Shop) -> Any:
    """`client.v1`; untyped, since parameters are written as plain dictionaries here."""
    return shop.client.v1


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """An account whose clock stands at the first of a month of thirty days."""
    opened = Desk(shop)
    opened.freeze()
    return opened


@pytest.fixture
def browser(shop: Shop) -> Iterator[httpx.Client]:
    """Cookies and no key; redirects only when told."""
    with httpx.Client(base_url=shop.url, timeout=30) as client:
        yield client
