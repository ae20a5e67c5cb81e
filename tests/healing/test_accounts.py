"""New keys: the same account goes on, another one is refused until the old one is said to be over; then what customers own stays."""

import pytest
import sqlalchemy as sa

from paywright.checkout.tables import checkout_sessions
from paywright.customers import queries as customer_queries
from paywright.environments.actions import StripeCredentials, accepted_webhook_secrets, add_webhook_secret
from paywright.environments.model import Environment
from paywright.environments.tables import environments
from paywright.healing import accounts, reconcile
from paywright.healing.model import Wish
from paywright.kernel.refusals import Refusal
from paywright.subscriptions.tables import subscriptions
from tests.healing.till import HealingShop
from tests.subscriptions.terms import USER, code, done


def credentials(till: HealingShop, key: str) -> StripeCredentials:
    return StripeCredentials(key, None, None, till.environment.stripe_api_base)


def connected(till: HealingShop, key: str, *, detach: bool = False) -> Environment | Refusal:
    environment = till.app.environment("test")
    assert environment is not None
    return accounts.connect(till.app, environment, credentials(till, key), detach_old=detach)


def stored(till: HealingShop) -> tuple[str | None, str]:
    """The account that is known, and whose key is in use."""
    environment = till.app.environment("test")
    assert environment is not None
    return environment.stripe_account_id, str(till.app.gateway(environment).get("/v1/account")["id"])


def test_the_account_is_learnt_once_and_the_same_key_again_changes_nothing(lite_till: HealingShop) -> None:
    assert accounts.verify(lite_till.app, lite_till.environment) is None
    account = lite_till.get("/v1/account")["id"]
    assert stored(lite_till) == (account, account)
    assert done(connected(lite_till, lite_till.key)).stripe_account_id == account


def test_a_key_of_another_account_is_refused_and_nothing_changes(till: HealingShop) -> None:
    till.buy("pro")
    assert accounts.verify(till.app, till.environment) is None
    before = stored(till)
    other = till.control("accounts", {})
    refused = connected(till, other["secret_key"])
    assert isinstance(refused, Refusal)
    assert (refused.code, refused.status) == ("stripe_account_changed", 409)
    assert refused.facts == {"old": before[0], "new": other["id"]}
    assert stored(till) == before
    assert till.reconcile()[1] == []


def test_after_an_explicit_detach_what_customers_own_stays_and_the_rest_is_history(till: HealingShop) -> None:
    subscription_id = till.buy("pro")
    till.open_checkout("pack")
    with till.app.work("test") as work:
        add_webhook_secret(work, till.app.settings, "whsec_old")
    assert accounts.verify(till.app, till.environment) is None
    units = till.units(USER)
    other = till.control("accounts", {})
    environment = done(connected(till, other["secret_key"], detach=True))
    assert environment.stripe_account_id == other["id"]
    assert stored(till) == (other["id"], other["id"])
    assert ([each[0] for each in till.owned_now()], till.units(USER)) == (["pro"], units)
    assert till.row(subscriptions, subscriptions.c.id == subscription_id)["ended_at"] is not None
    assert till.row(checkout_sessions, checkout_sessions.c.status == "expired")["url"] is None
    with till.app.database.read() as connection:
        assert customer_queries.stripe_customer_id(connection, "test", USER) is None
        assert accepted_webhook_secrets(connection, till.app.settings, "test") == []
    # The new account sells at once: products, prices and the customer are made anew there.
    till.environment = environment
    session = till.open_checkout("pack")
    till.pay_at(other["secret_key"], session)
    over, _ = till.reconcile(fix=True)
    assert over.status == "finished"
    assert sorted(each[0] or "" for each in till.owned_now()) == ["pack", "pro"]


def test_a_key_changed_under_a_running_comparison_compares_nothing(till: HealingShop) -> None:
    """As `STRIPE_SECRET_KEY` can change, which nobody stores."""
    till.buy("pro")
    with till.app.work("test") as work:
        work.execute(environments.update().values(stripe_account_id="acct_before"))
    asked = done(reconcile.ask(till.app, till.environment, Wish(fix=True), asked_by="cli"))
    refused = reconcile.carry_on(till.app, till.environment, asked.id)
    assert code(refused) == "stripe_account_changed"
    with till.app.database.read() as connection:
        from paywright.healing import reports

        found = reports.reconciliation(connection, "test", asked.id)
    assert found is not None
    assert (found.status, found.lines) == ("failed", 0)


@pytest.mark.parametrize(
    ("key", "expected"),
    [("sk_live_1234", "wrong_key_mode"), ("nonsense", "wrong_key_mode"), ("pk_test_1", "wrong_key_mode")],
)
def test_a_key_of_the_other_mode_is_refused(lite_till: HealingShop, key: str, expected: str) -> None:
    assert code(connected(lite_till, key)) == expected


def test_a_key_that_stripe_refuses_is_not_stored(lite_till: HealingShop) -> None:
    before = stored(lite_till)
    lite_till.fail_next("GET", "/v1/account", 401, times=1)
    assert code(connected(lite_till, lite_till.key)) == "stripe_refused"
    assert stored(lite_till) == before


def test_a_restricted_key_leaves_the_account_unverified(lite_till: HealingShop) -> None:
    lite_till.fail_next("GET", "/v1/account", 403, times=1)
    assert done(connected(lite_till, lite_till.key)).stripe_account_id is None
    with lite_till.app.database.read() as connection:
        assert connection.execute(sa.select(environments.c.stripe_secret_key)).scalar_one() is not None
