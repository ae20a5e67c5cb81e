"""From a header to a caller, on both databases."""

from collections.abc import Callable

import jwt
import pytest
import sqlalchemy as sa

from paywright.access import queries
from paywright.access.actions import (
    create_customer_token,
    create_key,
    revoke_customer_token,
    revoke_customers_tokens,
    revoke_key,
)
from paywright.access.identify import REMEMBERED_S, Credentials, identify
from paywright.access.limits import FAILURES_AT_ONCE, FailureLimiter
from paywright.access.model import SCOPES, Caller
from paywright.access.tables import api_keys
from paywright.access.tokens import FOREIGN_JWT
from paywright.engine.app import App
from paywright.kernel.ids import wall_ms
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from paywright.kernel.vault import derived_key
from tests.access.conftest import ANNE, BOB, CREW, SECRET, made_key, made_token


class Hand:
    """A monotonic clock we hold."""

    def __init__(self) -> None:
        self.seconds = 100.0

    def __call__(self) -> float:
        return self.seconds


def caller(app: App, credential: str) -> Caller:
    found = identify(app, f"Bearer {credential}")
    assert isinstance(found, Caller), found
    return found


def refused(outcome: object) -> str:
    assert isinstance(outcome, Refusal), outcome
    return outcome.code


def test_a_secret_key_is_its_environment_and_its_scopes(app: App) -> None:
    created = made_key(app, scopes=("read", "ledger"))
    found = caller(app, created.plain)
    assert (found.kind, found.environment_id) == ("secret", "test")
    assert found.scopes == {"read", "ledger"}
    assert (found.actor, found.customers) == (created.key.id, frozenset())
    assert caller(app, made_key(app).plain).scopes == set(SCOPES)


def test_keys_say_their_mode_and_are_256_random_bits(app: App) -> None:
    keys = [
        made_key(app),
        made_key(app, "publishable"),
        made_key(app, environment_id="shop"),
        made_key(app, "publishable", "shop"),
    ]
    prefixes = ["pw_sk_test_", "pw_pk_test_", "pw_sk_live_", "pw_pk_live_"]
    for created, prefix in zip(keys, prefixes, strict=True):
        assert created.plain.startswith(prefix)
        assert len(created.plain) == len(prefix) + 43  # 32 bytes in base64url
        assert created.key.last_four == created.plain[-4:]
    assert len({created.plain for created in keys}) == 4


def test_a_secret_key_is_nowhere_in_the_database(app: App) -> None:
    secret, publishable = made_key(app), made_key(app, "publishable")
    with app.database.read() as connection:
        rows = connection.execute(sa.select(*api_keys.c).order_by(api_keys.c.id)).all()
    stored = " ".join(str(value) for row in rows for value in row)
    assert secret.plain not in stored
    assert publishable.plain in stored
    assert secret.plain not in repr(secret)


def test_all_secret_keys_of_an_environment_are_one_idempotency_caller(app: App) -> None:
    one, two = caller(app, made_key(app).plain), caller(app, made_key(app).plain)
    assert one.idempotency_caller == two.idempotency_caller == "secret"


def test_keys_are_listed_newest_first_without_their_secrets(app: App) -> None:
    made_key(app, name="server", scopes=["read"])
    publishable = made_key(app, "publishable")
    made_key(app, environment_id="shop")
    with app.database.read() as connection:
        listed = queries.keys(connection, "test")
        assert queries.publishable_key(connection, "test") == publishable.plain
        assert queries.publishable_key(connection, "shop") is None
    assert {(each.kind, each.name, each.key) for each in listed} == {
        ("secret", "server", None),
        ("publishable", None, publishable.plain),
    }


@pytest.mark.parametrize("options", [{"scopes": ["everything"]}, {"scopes": []}, {"name": ""}, {"name": "x" * 101}])
def test_a_key_is_refused_with_bad_scopes_or_name(app: App, options: dict[str, list[str]]) -> None:
    with app.work("test") as work:
        assert refused(create_key(work, "secret", **options)) == "invalid_request"  # type: ignore[arg-type]


@pytest.mark.parametrize("header", [None, ""])
def test_no_credential_is_unauthenticated(app: App, header: str | None) -> None:
    assert refused(identify(app, header)) == "unauthenticated"


def test_unknown_and_malformed_credentials_are_invalid(app: App) -> None:
    known = made_key(app).plain
    for header in (
        "Bearer", "Bearer ", f"Basic {known}", known, f"Bearer {known}x", "Bearer pw_sk_test_", "Bearer pw_sk_test_" + "a" * 43,
        "Bearer x", "Bearer a.b.c", "Bearer ééé", f"Bearer {known} {known}", "Bearer " + "a" * 100_000, "Bearer \x00",
    ):  # fmt: skip
        assert refused(identify(app, header)) == "invalid_credentials", header


def test_the_scheme_is_read_in_any_case(app: App) -> None:
    assert isinstance(identify(app, f"bearer {made_key(app).plain}"), Caller)


def test_a_customer_token_acts_for_its_customers(app: App) -> None:
    found = caller(app, made_token(app, ANNE, CREW, environment_id="shop"))
    assert (found.kind, found.environment_id) == ("customer_token", "shop")
    assert found.customers == {ANNE, CREW}
    assert found.scopes == {"read", "customers"}
    assert (
        found.idempotency_caller == caller(app, made_token(app, CREW, ANNE, environment_id="shop")).idempotency_caller
    )
    assert caller(app, made_token(app, ANNE, scopes=["read"])).scopes == {"read"}


@pytest.mark.parametrize(
    ("customers", "options", "code"),
    [
        ([Customer("custom", "org")], {}, "custom_by_secret_only"),
        ([ANNE, Customer("custom", "org")], {}, "custom_by_secret_only"),
        ([], {}, "invalid_request"),
        ([Customer("user", str(n)) for n in range(101)], {}, "invalid_request"),
        ([ANNE], {"ttl_s": 0}, "invalid_request"),
        ([ANNE], {"ttl_s": 30 * 86_400 + 1}, "invalid_request"),
        ([ANNE], {"scopes": ["ledger"]}, "invalid_request"),
        ([ANNE], {"scopes": []}, "invalid_request"),
    ],
)
def test_a_token_is_refused_for(app: App, customers: list[Customer], options: dict[str, object], code: str) -> None:
    with app.work("test") as work:
        outcome = create_customer_token(work, app.settings, customers, **{"ttl_s": 60, **options})  # type: ignore[arg-type]
    assert refused(outcome) == code


def test_a_token_is_worth_nothing_once_its_time_is_over(database_url: str, app: App) -> None:
    token = made_token(app, ANNE, ttl_s=60)
    later = [wall_ms() + 59_000]
    other = App(Settings(database_url=database_url, secret=SECRET), wall=lambda: later[0])
    assert isinstance(identify(other, f"Bearer {token}"), Caller)
    later[0] += 2_000
    assert refused(identify(other, f"Bearer {token}")) == "token_expired"
    other.resource(Credentials).forget()
    assert refused(identify(other, f"Bearer {token}")) == "token_expired"
    other.close()


def forged(key: bytes | str, algorithm: str = "HS256", **changes: object) -> str:
    wall = wall_ms() // 1000
    claims = {
        "jti": "ctok_1",
        "environment": "test",
        "customers": ["user:anne"],
        "scopes": ["read"],
        "iat": wall,
        "exp": wall + 60,
        **changes,
    }
    return jwt.encode({name: value for name, value in claims.items() if value is not None}, key, algorithm=algorithm)


OURS = derived_key(SECRET, "customer-tokens:test")


def test_the_forger_of_these_tests_makes_good_tokens_of_a_good_key(app: App) -> None:
    assert caller(app, forged(OURS)).customers == {ANNE}


@pytest.mark.parametrize(
    "token",
    [
        forged("another key of thirty-two characters"),
        forged(derived_key(SECRET, "customer-tokens:shop")),
        forged(derived_key(SECRET, "at rest")),
        forged(OURS, environment="shop"),
        forged("", "none"),
        forged(OURS * 2, "HS512"),
        forged(OURS, environment=None),
        forged(OURS, environment=["test"]),
        forged(OURS, exp=None),
        forged(OURS, exp="soon"),
        forged(OURS, iat=None),
        forged(OURS, jti=None),
        forged(OURS, customers="user:anne"),
        forged(OURS, customers=["anne"]),
        forged(OURS, customers=[7]),
        forged(OURS)[:-3],
    ],
)
def test_a_token_that_is_not_ours_is_invalid(app: App, token: str) -> None:
    assert refused(identify(app, f"Bearer {token}")) == "invalid_credentials"


def test_an_apps_own_jwt_is_refused_with_the_reason(app: App) -> None:
    refusal = identify(app, f"Bearer {jwt.encode({'sub': 'anne'}, 'a key of the app, thirty-two characters')}")
    assert refusal == Refusal("invalid_credentials", {"reason": FOREIGN_JWT})


def test_a_revoked_key_is_invalid_within_a_second_in_every_process(database_url: str, app: App) -> None:
    clock = Hand()
    elsewhere = Credentials(App(Settings(database_url=database_url, secret=SECRET)), monotonic=clock)
    created = made_key(app)
    header = f"Bearer {created.plain}"
    assert isinstance(elsewhere.identify(header), Caller)
    with app.work("test") as work:
        revoke_key(work, created.key.id)
    assert REMEMBERED_S < 1
    clock.seconds += REMEMBERED_S
    assert refused(elsewhere.identify(header)) == "invalid_credentials"


def test_revoking_a_key_again_answers_the_same(app: App) -> None:
    created = made_key(app)

    def revoked() -> object:
        with app.work("test") as work:
            return revoke_key(work, created.key.id)

    first = revoked()
    assert not isinstance(first, Refusal)
    assert first == revoked()
    with app.work("shop") as work:
        assert refused(revoke_key(work, created.key.id)) == "not_found"


Revoke = Callable[[App, str], object]


def revoke_the_token(app: App, token: str) -> Refusal | None:
    with app.work("test") as work:
        return revoke_customer_token(work, app.settings, token)


def revoke_its_customer(app: App, _token: str) -> None:
    with app.work("test") as work:
        revoke_customers_tokens(work, ANNE)


@pytest.mark.parametrize("revoke", [revoke_the_token, revoke_its_customer])
def test_a_revoked_token_is_invalid_within_a_second_in_every_process(
    database_url: str, app: App, revoke: Revoke
) -> None:
    clock = Hand()
    elsewhere = Credentials(App(Settings(database_url=database_url, secret=SECRET)), monotonic=clock)
    token, other = made_token(app, ANNE, CREW), made_token(app, BOB)
    assert isinstance(elsewhere.identify(f"Bearer {token}"), Caller)
    assert revoke(app, token) is None
    assert revoke(app, token) is None
    clock.seconds += REMEMBERED_S
    assert refused(elsewhere.identify(f"Bearer {token}")) == "invalid_credentials"
    assert isinstance(elsewhere.identify(f"Bearer {other}"), Caller)


def test_a_token_made_right_after_a_revocation_is_good(app: App) -> None:
    revoke_its_customer(app, "")
    assert caller(app, made_token(app, ANNE)).customers == {ANNE}


@pytest.mark.parametrize("environment_id", ["shop", None])
def test_revoking_a_token_of_somewhere_else_is_refused(app: App, environment_id: str | None) -> None:
    token = "nonsense" if environment_id is None else made_token(app, ANNE, environment_id=environment_id)
    assert refused(revoke_the_token(app, token)) == "invalid_request"


def test_a_revoked_customer_of_one_environment_is_untouched_in_another(app: App) -> None:
    token = made_token(app, ANNE, environment_id="shop")
    revoke_its_customer(app, token)
    assert caller(app, token).environment_id == "shop"


def test_an_address_that_guesses_is_slowed_down_and_recovers(app: App) -> None:
    clock = Hand()
    credentials = Credentials(app, monotonic=clock)
    known = f"Bearer {made_key(app).plain}"
    guesses = [refused(credentials.identify(f"Bearer pw_sk_test_{n}", "10.0.0.1")) for n in range(FAILURES_AT_ONCE + 2)]
    assert guesses == ["invalid_credentials"] * FAILURES_AT_ONCE + ["rate_limited"] * 2
    assert refused(credentials.identify("Bearer pw_sk_test_x", "10.0.0.2")) == "invalid_credentials"
    assert refused(credentials.identify(None, "10.0.0.1")) == "unauthenticated"
    clock.seconds += 1
    assert isinstance(credentials.identify(known, "10.0.0.1"), Caller)


def test_the_limiter_forgets_quiet_addresses_first() -> None:
    clock = Hand()
    limiter = FailureLimiter(clock)
    for _ in range(FAILURES_AT_ONCE):
        limiter.count("guesser")
    for n in range(10_000):
        limiter.count(str(n))
    assert limiter.is_exhausted("guesser")
    assert not limiter.is_exhausted("1")
    assert not limiter.is_exhausted(None)


def test_everything_remembered_is_forgotten_on_request(app: App) -> None:
    created = made_key(app)
    assert isinstance(identify(app, f"Bearer {created.plain}"), Caller)
    with app.work("test") as work:
        revoke_key(work, created.key.id)
    app.resource(Credentials).forget()
    assert refused(identify(app, f"Bearer {created.plain}")) == "invalid_credentials"
