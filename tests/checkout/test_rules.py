"""What may be asked of a checkout: rules.md 6."""

from typing import Any

import pytest

from paywright.catalog.model import Price, Product
from paywright.checkout import rules
from paywright.checkout.model import StartCheckout
from paywright.environments.model import Environment, Policy
from paywright.kernel.model import Customer
from paywright.kernel.periods import Period
from paywright.kernel.refusals import Refusal
from paywright.ownership.model import ResolvedLine


def environment(*, mode: Any = "test", origins: list[str] | None = None) -> Environment:
    return Environment("test", mode, "sandbox", False, "usd", Policy(allowed_origins=origins), None, None, None, None)


def asked(**changes: Any) -> StartCheckout:
    values: dict[str, Any] = {
        "customer": Customer("user", "u_1"),
        "lines": (),
        "success_url": "https://app.test/ok",
        "cancel_url": "https://app.test/no",
        "with_secret_key": False,
    }
    return StartCheckout(**{**values, **changes})


@pytest.mark.parametrize(
    ("changes", "code", "param"),
    [
        ({"metadata": {"paywright_customer": "user:u_2"}}, "reserved_metadata", None),
        ({"metadata": {"Paywright_Customer": "user:u_2"}}, "reserved_metadata", None),
        ({"metadata": {f"k{n}": "v" for n in range(41)}}, "invalid_request", "metadata"),
        ({"metadata": {"k" * 41: "v"}}, "invalid_request", "metadata"),
        ({"metadata": {"": "v"}}, "invalid_request", "metadata"),
        ({"metadata": {"k": "v" * 501}}, "invalid_request", "metadata"),
        ({"metadata": {"a[b]": "v"}}, "invalid_request", "metadata"),
        ({"success_url": "javascript:alert(1)"}, "invalid_request", "success_url"),
        ({"success_url": "//app.test/ok"}, "invalid_request", "success_url"),
        ({"success_url": "https://"}, "invalid_request", "success_url"),
        ({"success_url": "https://app.test/a b"}, "invalid_request", "success_url"),
        ({"success_url": "https://[::1"}, "invalid_request", "success_url"),
        ({"success_url": ""}, "invalid_request", "success_url"),
        ({"cancel_url": "data:text/html,x"}, "invalid_request", "cancel_url"),
        ({"cancel_url": "https://app.test/" + "x" * 2000}, "invalid_request", "cancel_url"),
        ({"customer_email": "nobody"}, "invalid_request", "customer_email"),
        ({"customer_email": "a b@x.test"}, "invalid_request", "customer_email"),
    ],
    ids=lambda value: str(value)[:60],
)
def test_K6_what_is_malformed_is_refused(changes: dict[str, Any], code: str, param: str | None) -> None:
    refusal = rules.malformed(asked(**changes), environment())
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.param) == (code, param)


@pytest.mark.parametrize(
    ("url", "origins", "mode", "with_secret_key", "is_allowed"),
    [
        ("https://app.test/ok", None, "test", False, True),
        ("https://app.test/ok", ["https://app.test"], "live", False, True),
        ("https://APP.test/ok", ["https://app.test/"], "live", False, True),
        ("https://app.test:8443/ok", ["https://app.test"], "live", False, False),
        ("https://app.test.evil.test/ok", ["https://app.test"], "live", False, False),
        ("https://app.test@evil.test/ok", ["https://app.test"], "live", False, False),
        ("http://localhost:3000/ok", ["https://app.test"], "test", False, True),
        ("http://localhost:3000/ok", ["https://app.test"], "live", False, False),
        ("https://elsewhere.test/ok", ["https://app.test"], "live", True, True),
    ],
)
def test_a_url_must_be_of_an_allowed_origin(
    url: str, origins: list[str] | None, mode: str, with_secret_key: bool, is_allowed: bool
) -> None:
    refusal = rules.bad_url(
        "success_url", url, environment(mode=mode, origins=origins), with_secret_key=with_secret_key
    )
    assert (refusal is None) is is_allowed
    assert refusal is None or refusal.code == "url_not_allowed"


def test_the_place_for_the_session_id_is_filled_in() -> None:
    assert (
        rules.with_session_id("https://app.test/ok?id={CHECKOUT_SESSION_ID}", "chk_1") == "https://app.test/ok?id=chk_1"
    )
    assert (
        rules.with_session_id("https://app.test/ok?id=%7BCHECKOUT_SESSION_ID%7D", "chk_1")
        == "https://app.test/ok?id=chk_1"
    )


def line(product_line: str | None, trial: str | None, *, interval: str | None = "1 month") -> ResolvedLine:
    price = Price({"usd": 1000}, interval=interval)
    product = Product(display_name="P", product_line=product_line, trial=trial, prices={"p": price})
    return ResolvedLine("product", "pv_1", product, "p", price, 1)


@pytest.mark.parametrize(
    ("lines", "used", "trial"),
    [
        ([line("plan", "14 day")], set(), "14 day"),
        ([line("plan", None)], set(), None),
        ([line("plan", "14 day")], {"line:plan"}, None),
        ([line(None, "14 day")], {"line:plan"}, "14 day"),
        ([line(None, "14 day")], {"product:product"}, None),
        ([line("plan", "14 day"), line("other", None)], set(), None),
        ([line("plan", "1 month"), line("other", "2 week")], set(), "2 week"),
        ([line("plan", "14 day"), line("other", None, interval=None)], set(), "14 day"),
        ([line("plan", "14 day", interval=None)], set(), None),
    ],
    ids=[
        "once",
        "none",
        "used in the line",
        "another line",
        "used for the product",
        "one has none",
        "shortest",
        "one-time beside",
        "one-time",
    ],
)
def test_a_trial_is_had_once_per_line(lines: list[ResolvedLine], used: set[str], trial: str | None) -> None:
    found = rules.trial_of(lines, used)
    assert (None if found is None else str(found)) == trial


@pytest.mark.parametrize(
    ("trial", "sent"),
    [
        (Period(14, "day"), {"trial_period_days": 14}),
        (Period(2, "week"), {"trial_period_days": 14}),
        (Period(1, "month"), {"trial_end": 2_678_400}),
    ],
    ids=str,
)
def test_stripe_is_told_days_or_a_date(trial: Period, sent: dict[str, int]) -> None:
    params = rules.stripe_parameters(
        asked(),
        [line("plan", "14 day")],
        environment=environment(),
        session_id="chk_1",
        stripe_customer_id="cus_1",
        stripe_price_ids={("product", "p"): "price_1"},
        trial=trial,
        now=0,
    )
    assert {name: value for name, value in params["subscription_data"].items() if name != "metadata"} == sent
    assert params["subscription_data"]["metadata"]["paywright_product_version"] == "pv_1"
