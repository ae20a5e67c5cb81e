"""A sandbox per test process, an account per test, the official SDK; every answer and event checked against the SDK's own types."""

from collections.abc import Iterator
from typing import Any

import httpx
import pytest
import stripe

from paywright_sandbox import Sandbox
from tests.contract import real
from tests.contract.billing import Desk
from tests.contract.conformance import Conformance
from tests.contract.other_forms import FORMS, is_told_twice
from tests.contract.shop import OTHER_FORMS, Shop, web_client


@pytest.fixture(scope="session")
def conformance() -> Conformance:
    return Conformance()


@pytest.fixture(scope="session")
def sandbox(conformance: Conformance) -> Iterator[Sandbox]:
    with Sandbox(seed=1, check=conformance.check) as running:
        yield running


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Every story is told twice: as we believe Stripe to be, and with every uncertain point in its other form."""
    if (
        not real.KEY
        and "forms" in metafunc.fixturenames
        and is_told_twice(metafunc.module.__name__, metafunc.function.__name__)
    ):
        metafunc.parametrize("forms", FORMS, indirect=True)


@pytest.fixture
def forms(request: pytest.FixtureRequest) -> str:
    return str(getattr(request, "param", FORMS[0]))


@pytest.fixture
def shop(sandbox: Sandbox, conformance: Conformance, forms: str) -> Iterator[Shop]:
    """A fresh account on the sandbox. Whatever went out during the test must have fitted the SDK's types."""
    if real.KEY:
        pytest.skip("needs more than the SDK: the real Stripe has no control API")
    conformance.problems.clear()
    with Shop(sandbox.url, sandbox.secret_key) as opened:
        if forms != FORMS[0]:
            opened.control("PATCH", "settings", {"variant": OTHER_FORMS})
        yield opened
    assert conformance.problems == []


@pytest.fixture
def stripe_client(
    request: pytest.FixtureRequest, conformance: Conformance, forms: str
) -> Iterator[stripe.StripeClient]:
    """On the sandbox; with `STRIPE_TEST_KEY`, on the real Stripe's test mode, which has one form only."""
    if not real.KEY:
        opened: Shop = request.getfixturevalue("shop")
        yield opened.client
        return
    conformance.problems.clear()
    yield real.client(conformance)
    assert conformance.problems == []


@pytest.fixture
def v1(stripe_client: stripe.StripeClient) -> Any:
    """`client.v1`; untyped, since parameters are written as plain dictionaries here."""
    return stripe_client.v1


@pytest.fixture
def desk(shop: Shop) -> Desk:
    """An account whose clock stands at the first of a month of thirty days, and whose money stays until a test pays it out."""
    opened = Desk(shop)
    opened.freeze()
    opened.settings(payouts="manual")
    return opened


@pytest.fixture
def browser(shop: Shop) -> Iterator[httpx.Client]:
    """Cookies and no key; redirects only when told."""
    with web_client(shop.url) as client:
        yield client
