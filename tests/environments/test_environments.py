"""Environments: their rows, switches, credentials and clock, on both databases."""

from collections.abc import Iterator
from typing import Any

import pytest
import sqlalchemy as sa

from paywright.engine.app import App, NotConnected
from paywright.environments import actions, clock
from paywright.environments.actions import StripeCredentials
from paywright.environments.model import Environment, public
from paywright.environments.tables import environments, webhook_secrets
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings

SECRET = "a secret of tests only, long enough"


class Held:
    def __init__(self) -> None:
        self.now = 1_000_000

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def wall() -> Held:
    return Held()


@pytest.fixture
def app(database_url: str, wall: Held) -> Iterator[App]:
    made = App(Settings(database_url=database_url, secret=SECRET), wall=wall)
    yield made
    made.close()


def create(app: App, environment_id: str = "test", **how: Any) -> Environment | Refusal:
    with app.work(environment_id) as work:
        return actions.create(work, **{"mode": "test", "provider": "instant", **how})


def change(app: App, changes: dict[str, Any], environment_id: str = "test") -> Environment | Refusal:
    with app.work(environment_id) as work:
        return actions.change(work, changes)


@pytest.mark.parametrize(
    ("environment_id", "how", "code"),
    [
        ("Test", {}, "invalid_request"),
        ("", {}, "invalid_request"),
        ("x" * 41, {}, "invalid_request"),
        ("live", {"mode": "live", "provider": "instant"}, "instant_is_test_only"),
        ("live", {"mode": "live", "provider": "sandbox"}, "invalid_request"),
    ],
)
def test_what_is_no_environment_is_refused(app: App, environment_id: str, how: dict[str, Any], code: str) -> None:
    outcome = create(app, environment_id, **how)
    assert isinstance(outcome, Refusal)
    assert outcome.code == code
    assert app.environment(environment_id) is None


def test_creating_twice_answers_what_is_there(app: App) -> None:
    first = create(app)
    assert create(app, provider="stripe") == first
    assert public(app.environment("test"), "now")["provider"] == "instant"  # type: ignore[arg-type]


NO_ORIGINS = ["https://app.test/", "https://app.test/path", "https://App.test", "app.test", "*", "ftp://app.test", ""]


@pytest.mark.parametrize(
    ("changes", "param"),
    [
        ({"colour": "red"}, "colour"),
        ({"block_new_purchases": "yes"}, "block_new_purchases"),
        ({"default_currency": "xxx"}, "default_currency"),
        ({"provider": "paypal"}, "provider"),
        ({"access": {"past_due": "sometimes"}}, "access.past_due"),
        ({"access": {"sideways": "keep"}}, "access"),
        ({"allowed_origins": "https://app.test"}, "allowed_origins"),
        *(({"allowed_origins": [origin]}, "allowed_origins") for origin in NO_ORIGINS),
        ({"on_dispute_lost": "half"}, "on_dispute_lost"),
        ({"block_new_purchases": True, "colour": "red"}, "colour"),
    ],
    ids=str,
)
def test_a_bad_change_changes_nothing(app: App, changes: dict[str, Any], param: str) -> None:
    before = create(app)
    outcome = change(app, changes)
    assert isinstance(outcome, Refusal)
    assert (outcome.code, outcome.param) == ("invalid_request", param)
    assert app.environment("test") == before


def test_switches_and_policy_change_together(app: App) -> None:
    create(app)
    changes = {
        "block_new_purchases": True,
        "default_currency": "eur",
        "access": {"past_due": 7},
        "allowed_origins": ["https://app.test"],
    }
    changed = change(app, changes)
    assert isinstance(changed, Environment)
    shown = public(changed, "now")
    assert (shown["block_new_purchases"], shown["default_currency"]) == (True, "eur")
    assert shown["access"] == {"past_due": 7, "unpaid": "none", "paused": "none"}
    assert app.environment("test") == changed


def test_a_live_environment_never_pretends(app: App) -> None:
    create(app, "live", mode="live", provider="stripe")
    outcome = change(app, {"provider": "instant"}, "live")
    assert isinstance(outcome, Refusal)
    assert outcome.code == "instant_is_test_only"
    with pytest.raises(sa.exc.IntegrityError), app.database.write() as connection:
        connection.execute(environments.update().values(provider="sandbox"))


@pytest.mark.parametrize(
    ("mode", "key", "accepted"),
    [
        ("test", "sk_test_1", True),
        ("test", "rk_test_1", True),
        ("test", "sk_live_1", False),
        ("live", "sk_live_1", True),
        ("live", "sk_test_1", False),
        ("test", "pk_test_1", False),
        ("test", "nonsense", False),
    ],
)
def test_a_key_must_be_of_the_environments_mode(app: App, mode: Any, key: str, accepted: bool) -> None:
    create(app, mode=mode, provider="stripe")
    with app.work("test") as work:
        refusal = actions.connect_stripe(work, app.settings, StripeCredentials(key, None, None, None))
    assert (refusal is None) is accepted
    assert refusal is None or refusal.code == "wrong_key_mode"


def test_a_stored_key_is_encrypted_and_shown_to_nobody(app: App) -> None:
    create(app, provider="stripe")
    credentials = StripeCredentials("sk_test_abcdefgh1234", "pk_test_1", "acct_1", "http://127.0.0.1:1")
    with app.work("test") as work:
        assert actions.connect_stripe(work, app.settings, credentials) is None
        stored = work.execute(sa.select(environments.c.stripe_secret_key)).scalar_one()
        found = app.environment("test")
    assert "abcdefgh" not in stored
    environment = app.environment("test")
    assert environment is not None
    with app.database.read() as connection:
        assert actions.stripe_credentials(connection, app.settings, environment) == credentials
    assert "abcdefgh" not in repr(credentials) + repr(environment) + repr(found) + str(public(environment, "now"))


def test_settings_win_over_what_is_stored_for_the_selected_environment_only(app: App) -> None:
    settings = Settings(
        secret=SECRET, environment="test", stripe_secret_key="sk_test_env", stripe_webhook_secret="whsec_env"
    )
    create(app, provider="stripe")
    create(app, "other", provider="stripe")
    with app.work("other") as work:
        actions.connect_stripe(work, settings, StripeCredentials("sk_test_stored", None, None, None))
    with app.database.read() as connection:
        for environment_id, key in (("test", "sk_test_env"), ("other", "sk_test_stored")):
            environment = app.environment(environment_id)
            assert environment is not None
            found = actions.stripe_credentials(connection, settings, environment)
            assert found is not None
            assert found.secret_key == key
        assert actions.accepted_webhook_secrets(connection, settings, "test") == ["whsec_env"]
        assert actions.accepted_webhook_secrets(connection, settings, "other") == []


def test_without_a_key_there_is_no_gateway(app: App) -> None:
    environment = create(app, provider="stripe")
    assert isinstance(environment, Environment)
    with pytest.raises(NotConnected, match="test"):
        app.gateway(environment)


def test_a_rolled_webhook_secret_is_accepted_for_three_days(app: App) -> None:
    create(app)
    for secret in ("whsec_1", "whsec_2"):
        with app.work("test") as work:
            actions.add_webhook_secret(work, app.settings, secret)
    with app.database.read() as connection:
        assert actions.accepted_webhook_secrets(connection, app.settings, "test") == ["whsec_2", "whsec_1"]
    with app.database.write() as connection:
        connection.execute(
            webhook_secrets.update().where(webhook_secrets.c.expires_at.is_not(None)).values(expires_at=1)
        )
    with app.database.read() as connection:
        assert actions.accepted_webhook_secrets(connection, app.settings, "test") == ["whsec_2"]


def test_the_clock_is_the_wall_clock_until_a_provider_shows_another(app: App, wall: Held) -> None:
    create(app, provider="sandbox")
    assert app.now("test") == wall.now
    with app.work("test") as work:
        clock.observe(work, wall.now + 86_400_000, runs=True, wall=wall.now)
    wall.now += 500
    assert app.now("test") == wall.now + 86_400_000


def test_a_frozen_clock_stands_still(app: App, wall: Held) -> None:
    create(app, provider="sandbox")
    with app.work("test") as work:
        clock.observe(work, 5_000_000, runs=False, wall=wall.now)
    wall.now += 60_000
    assert app.now("test") == 5_000_000


def test_an_older_reading_changes_nothing(app: App, wall: Held) -> None:
    create(app, provider="sandbox")
    for shown in (9_000_000, 8_000_000):
        with app.work("test") as work:
            clock.observe(work, shown, runs=True, wall=wall.now)
    assert app.now("test") == 9_000_000
    with app.database.read() as connection:
        assert not clock.is_news(connection, "test", 8_000_000, runs=True, wall=wall.now)
        assert not clock.is_news(connection, "test", 9_001_000, runs=True, wall=wall.now)
        assert clock.is_news(connection, "test", 9_002_000, runs=True, wall=wall.now)
        assert clock.is_news(connection, "test", 9_000_000, runs=False, wall=wall.now)


def test_an_instant_environment_moves_forward_only(app: App, wall: Held) -> None:
    create(app)
    with app.work("test") as work:
        assert clock.advance(work, 7_000_000, wall=wall.now) == 7_000_000
    with app.work("test") as work:
        refusal = clock.advance(work, 6_000_000, wall=wall.now)
    assert isinstance(refusal, Refusal)
    assert refusal.code == "clock_backwards"
    assert app.now("test") == 7_000_000


def test_a_live_environment_never_leaves_the_wall_clock(app: App, wall: Held) -> None:
    create(app, "live", mode="live", provider="stripe")
    with app.work("live") as work:
        clock.observe(work, 9_000_000, runs=True, wall=wall.now)
    assert app.now("live") == wall.now
