"""rules.md 9: the app's own JWT. `sub` is the user, `teams` the teams this person may act for, nothing else. Real keys, a real key server."""

import hashlib
import hmac
import time
from collections.abc import Iterator
from typing import Any

import jwt
import pytest
from jwt.utils import base64url_encode

from paywright.access import app_jwt, queries
from paywright.access.actions import revoke_customers_tokens
from paywright.access.identify import Credentials, identify
from paywright.access.key_sets import BYTES_MAX, FRESH_S, LOOKS_AGAIN_AFTER_S, STALE_S, KeySets, KeySetUnreadable
from paywright.access.model import Caller
from paywright.access.rules import may
from paywright.access.tables import app_jwts
from paywright.engine.app import App
from paywright.environments import actions as environments
from paywright.kernel.model import Customer
from paywright.kernel.refusals import Refusal
from paywright.kernel.settings import Settings
from tests.access.conftest import ANNE, BOB, CREW, SECRET
from tests.access.issuer import (
    EC_384_KEY,
    EC_KEY,
    ED_KEY,
    OTHER_RSA_KEY,
    RSA_KEY,
    SHARED,
    WEAK_RSA_KEY,
    Issuer,
    issuing,
    pem,
    private_pem,
    published,
    symmetric,
)
from tests.harness.house import House

ISSUER = "https://app.example/"
PRIVATE = Customer("custom", "org-9")


@pytest.fixture(scope="module")
def issuer() -> Iterator[Issuer]:
    with issuing() as made:
        yield made


@pytest.fixture
def lone_app(sqlite_url: str) -> Iterator[App]:
    """For what has nothing to do with the database."""
    made = App(Settings(database_url=sqlite_url, secret=SECRET))
    with made.work("test") as work:
        environments.create(work, mode="test", provider="instant")
    yield made
    made.close()


def believe(app: App, environment_id: str = "test", **setting: Any) -> None:
    environment = app.environment(environment_id)
    assert environment is not None
    with app.work(environment_id) as work:
        refused = app_jwt.configure(work, app.settings, environment.mode, {"issuer": ISSUER, **setting})
    assert refused is None, refused


def token(key: Any = SHARED, algorithm: str = "HS256", *, kid: str | None = None, **claims: Any) -> str:
    said = {"iss": ISSUER, "sub": "anne", "exp": int(time.time()) + 600, "iat": int(time.time()), **claims}
    headers = {} if kid is None else {"kid": kid}
    return jwt.encode({name: value for name, value in said.items() if value is not None}, key, algorithm, headers)


def caller(app: App, written: str) -> Caller:
    found = identify(app, f"Bearer {written}")
    assert isinstance(found, Caller), found
    return found


def refused(app: App, written: str) -> str:
    found = identify(app, f"Bearer {written}")
    assert isinstance(found, Refusal), found
    return found.code


KEYS = {
    "HS256": (SHARED, {"shared_secret": SHARED}),
    "HS512": (SHARED + SHARED, {"shared_secret": SHARED + SHARED}),
    "RS256": (RSA_KEY, {"public_key": pem(RSA_KEY)}),
    "PS384": (RSA_KEY, {"public_key": pem(RSA_KEY)}),
    "ES256": (EC_KEY, {"public_key": pem(EC_KEY)}),
    "ES384": (EC_384_KEY, {"public_key": pem(EC_384_KEY)}),
    "EdDSA": (ED_KEY, {"public_key": pem(ED_KEY)}),
}


@pytest.mark.parametrize("algorithm", KEYS)
def test_a_key_of_each_kind(lone_app: App, algorithm: str) -> None:
    key, setting = KEYS[algorithm]
    believe(lone_app, **setting)
    found = caller(lone_app, token(key, algorithm, teams=["crew"]))
    assert (found.kind, found.environment_id) == ("customer_token", "test")
    assert found.customers == {ANNE, CREW}
    assert found.scopes == {"read", "customers"}


def test_it_may_what_a_customer_token_may(app: App) -> None:
    believe(app, shared_secret=SHARED)
    found = caller(app, token(teams=["crew"]))
    assert may(found, "customer", "customers", customer=ANNE) is None
    assert may(found, "customer", "read", customer=CREW) is None
    for customer in (BOB, Customer("team", "anne"), PRIVATE):
        assert may(found, "customer", "read", customer=customer) == Refusal("not_your_customer")
    assert may(found, "secret", "read") == Refusal("secret_key_required")


def test_claims_may_have_other_names(app: App) -> None:
    believe(app, shared_secret=SHARED, user_claim="https://app.example/user", teams_claim="orgs")
    claims: dict[str, Any] = {"https://app.example/user": 7, "orgs": ["crew"], "teams": ["other"]}
    found = caller(app, token(**claims))
    assert found.customers == {Customer("user", "7"), CREW}


def unsigned() -> str:
    return jwt.encode({"iss": ISSUER, "sub": "anne", "exp": int(time.time()) + 600}, "", "none")


BAD: dict[str, tuple[dict[str, Any], Any, str]] = {
    "another secret": ({"shared_secret": SHARED}, lambda: token(SHARED[::-1]), "invalid_credentials"),
    "no signature": ({"shared_secret": SHARED}, unsigned, "invalid_credentials"),
    "no signature, public key": ({"public_key": pem(RSA_KEY)}, unsigned, "invalid_credentials"),
    "another RSA key": ({"public_key": pem(RSA_KEY)}, lambda: token(OTHER_RSA_KEY, "RS256"), "invalid_credentials"),
    "a shared secret where a public key is meant": ({"public_key": pem(RSA_KEY)}, lambda: token(SHARED), "invalid_credentials"),
    "RSA where a secret is shared": ({"shared_secret": SHARED}, lambda: token(RSA_KEY, "RS256"), "invalid_credentials"),
    "another curve": ({"public_key": pem(EC_KEY)}, lambda: token(EC_384_KEY, "ES384"), "invalid_credentials"),
    "tampered with": ({"shared_secret": SHARED}, lambda: token()[:-4] + "AAAA", "invalid_credentials"),
    "past its time": ({"shared_secret": SHARED}, lambda: token(exp=int(time.time()) - 1), "token_expired"),
    "no end": ({"shared_secret": SHARED}, lambda: token(exp=None), "invalid_credentials"),
    "an end in words": ({"shared_secret": SHARED}, lambda: token(exp="soon"), "invalid_credentials"),
    "not yet": ({"shared_secret": SHARED}, lambda: token(nbf=int(time.time()) + 300), "invalid_credentials"),
    "issued in the future": ({"shared_secret": SHARED}, lambda: token(iat=int(time.time()) + 300), "invalid_credentials"),
    "another issuer": ({"shared_secret": SHARED}, lambda: token(iss="https://evil.example/"), "invalid_credentials"),
    "another audience": ({"shared_secret": SHARED, "audience": "pay"}, lambda: token(aud="mail"), "invalid_credentials"),
    "no audience": ({"shared_secret": SHARED, "audience": "pay"}, token, "invalid_credentials"),
    "no user": ({"shared_secret": SHARED}, lambda: token(sub=None), "invalid_credentials"),
    "a user of nothing": ({"shared_secret": SHARED}, lambda: token(sub=""), "invalid_credentials"),
    "teams that are no list": ({"shared_secret": SHARED}, lambda: token(teams="crew"), "invalid_credentials"),
    "teams of another kind": ({"shared_secret": SHARED}, lambda: token(teams=[{"id": "crew"}]), "invalid_credentials"),
    "too many teams": ({"shared_secret": SHARED}, lambda: token(teams=[f"t{n}" for n in range(101)]), "invalid_credentials"),
    "longer than any token": ({"shared_secret": SHARED}, lambda: token(junk="x" * 9000), "invalid_credentials"),
}  # fmt: skip


@pytest.mark.parametrize("case", BAD)
def test_not_believed(lone_app: App, case: str) -> None:
    setting, made, code = BAD[case]
    believe(lone_app, **setting)
    assert refused(lone_app, made()) == code


def test_a_public_key_is_never_a_shared_secret(app: App) -> None:
    """The oldest trick: HMAC with the text of the public key."""
    believe(app, public_key=pem(RSA_KEY))
    head, body, _ = token(RSA_KEY, "RS256").split(".")
    head = base64url_encode(b'{"alg":"HS256","typ":"JWT"}').decode()
    forged = hmac.new(pem(RSA_KEY).encode(), f"{head}.{body}".encode(), hashlib.sha256).digest()
    assert refused(app, f"{head}.{body}.{base64url_encode(forged).decode()}") == "invalid_credentials"


def test_audiences_part_environments_of_one_issuer(app: App) -> None:
    believe(app, "test", shared_secret=SHARED, audience="pay-test")
    believe(app, "shop", shared_secret=SHARED, audience="pay-live")
    assert caller(app, token(aud=["pay-test", "mail"])).environment_id == "test"
    assert caller(app, token(aud="pay-live")).environment_id == "shop"
    believe(app, "test", shared_secret=SHARED)
    believe(app, "shop", shared_secret=SHARED)
    assert caller(app, token()).environment_id == "test", "the one this server is started for"


def test_a_revoked_customer_needs_a_token_issued_later(app: App) -> None:
    believe(app, shared_secret=SHARED)
    early = token(iat=int(time.time()) - 5)
    with app.work("test") as work:
        revoke_customers_tokens(work, ANNE)
    assert refused(app, early) == "invalid_credentials"
    assert refused(app, token(iat=None)) == "invalid_credentials"
    assert caller(app, token(iat=int(time.time()) + 2)).customers == {ANNE}


def test_no_longer_believed(app: App) -> None:
    believe(app, shared_secret=SHARED)
    with app.work("test") as work:
        assert app_jwt.configure(work, app.settings, "test", None) is None
    app.resource(Credentials).forget()
    assert refused(app, token()) == "invalid_credentials"


def test_a_key_set_and_its_rotation(app: App, issuer: Issuer) -> None:
    believe(app, jwks_url=issuer.url)
    issuer.publish(published(RSA_KEY, "a"), published(EC_KEY, "b"), symmetric(SHARED, "s"))
    assert caller(app, token(RSA_KEY, "RS256", kid="a")).customers == {ANNE}
    assert caller(app, token(EC_KEY, "ES256", kid="b")).customers == {ANNE}
    assert refused(app, token(RSA_KEY, "RS256", kid="b")) == "invalid_credentials"
    assert refused(app, token(SHARED, kid="s")) == "invalid_credentials"
    assert refused(app, token(RSA_KEY, "RS256")) == "invalid_credentials", "two keys, and it does not say which"


def test_unavailable_while_no_key_was_ever_read(app: App, issuer: Issuer) -> None:
    issuer.status = 500
    believe(app, jwks_url=issuer.url)
    assert refused(app, token(RSA_KEY, "RS256", kid="a")) == "unavailable"
    issuer.status = 200


class Hand:
    seconds = 1_000.0

    def __call__(self) -> float:
        return self.seconds


@pytest.fixture
def sets(issuer: Issuer) -> Iterator[tuple[KeySets, Hand]]:
    issuer.asked, issuer.status, issuer.headers = 0, 200, {}
    issuer.publish(published(RSA_KEY, "a"))
    hand = Hand()
    made = KeySets(monotonic=hand)
    yield made, hand
    made.close()


def test_keys_are_remembered_and_unknown_ones_looked_for_at_most_every_thirty_seconds(
    sets: tuple[KeySets, Hand], issuer: Issuer
) -> None:
    known, hand = sets
    for _ in range(3):
        assert known.key(issuer.url, "a", private_allowed=True) is not None
    assert issuer.asked == 1
    issuer.publish(published(RSA_KEY, "a"), published(EC_KEY, "b"))
    assert known.key(issuer.url, "b", private_allowed=True) is None
    assert issuer.asked == 1
    hand.seconds += LOOKS_AGAIN_AFTER_S
    assert known.key(issuer.url, "b", private_allowed=True) is not None
    for kid in ("c", "d", "e"):
        assert known.key(issuer.url, kid, private_allowed=True) is None
    assert issuer.asked == 2
    hand.seconds += FRESH_S
    assert known.key(issuer.url, "a", private_allowed=True) is not None
    assert issuer.asked == 3


def test_a_key_that_was_taken_out_is_no_longer_good_once_the_set_is_read_anew(
    sets: tuple[KeySets, Hand], issuer: Issuer
) -> None:
    known, hand = sets
    assert known.key(issuer.url, "a", private_allowed=True) is not None
    issuer.publish(published(EC_KEY, "b"))
    hand.seconds += FRESH_S
    assert known.key(issuer.url, "a", private_allowed=True) is None


def test_while_the_set_cannot_be_read_the_last_one_is_good_for_a_day(
    sets: tuple[KeySets, Hand], issuer: Issuer
) -> None:
    known, hand = sets
    assert known.key(issuer.url, "a", private_allowed=True) is not None
    issuer.status = 503
    hand.seconds += FRESH_S
    assert known.key(issuer.url, "a", private_allowed=True) is not None
    asked = issuer.asked
    assert known.key(issuer.url, "a", private_allowed=True) is not None
    assert issuer.asked == asked, "a server in trouble is not asked by every request"
    hand.seconds += STALE_S
    with pytest.raises(KeySetUnreadable):
        known.key(issuer.url, "a", private_allowed=True)


@pytest.mark.parametrize("what", ["private", "redirect", "large", "garbage", "empty", "no keys", "weak"])
def test_what_is_no_key_set(sets: tuple[KeySets, Hand], issuer: Issuer, what: str) -> None:
    known, _ = sets
    if what == "redirect":
        issuer.status, issuer.headers = 302, {"Location": issuer.url}
    elif what == "large":
        issuer.body = b" " * (BYTES_MAX + 1)
    elif what in ("garbage", "empty"):
        issuer.body = b"<html>" if what == "garbage" else b""
    elif what == "no keys":
        issuer.publish(symmetric(SHARED, "a"), published(EC_KEY, "a", use="enc"), {"kty": "RSA", "kid": "a", "n": "?"})
    elif what == "weak":
        issuer.publish(published(WEAK_RSA_KEY, "a"))
        found = known.key(issuer.url, "a", private_allowed=True)
        assert found is None or app_jwt.algorithms_of(found.key) == ()
        return
    with pytest.raises(KeySetUnreadable):
        known.key(issuer.url, "a", private_allowed=what != "private")


WRONG: dict[str, Any] = {
    "no object": "yes",
    "no issuer": {"shared_secret": SHARED},
    "no key": {"issuer": ISSUER},
    "two keys": {"issuer": ISSUER, "shared_secret": SHARED, "public_key": pem(RSA_KEY)},
    "a short secret": {"issuer": ISSUER, "shared_secret": "short"},
    "a private key": {"issuer": ISSUER, "public_key": private_pem(RSA_KEY)},
    "a weak key": {"issuer": ISSUER, "public_key": pem(WEAK_RSA_KEY)},
    "no pem": {"issuer": ISSUER, "public_key": "ssh-rsa AAAA"},
    "another scheme": {"issuer": ISSUER, "jwks_url": "file:///etc/passwd"},
    "a password in the url": {"issuer": ISSUER, "jwks_url": "https://a:b@app.example/jwks"},
    "an unknown field": {"issuer": ISSUER, "shared_secret": SHARED, "algorithm": "none"},
    "an empty claim": {"issuer": ISSUER, "shared_secret": SHARED, "user_claim": ""},
    "an empty audience": {"issuer": ISSUER, "shared_secret": SHARED, "audience": ""},
}


@pytest.mark.parametrize("case", WRONG)
def test_a_setting_that_makes_no_sense_is_refused(lone_app: App, case: str) -> None:
    with lone_app.work("test") as work:
        found = app_jwt.configure(work, lone_app.settings, "test", WRONG[case])
    assert isinstance(found, Refusal)
    assert (found.code, found.param) == ("invalid_request", "app_jwt")


def test_a_live_environment_reads_keys_over_https_alone(app: App) -> None:
    with app.work("shop") as work:
        found = app_jwt.configure(work, app.settings, "live", {"issuer": ISSUER, "jwks_url": "http://app.example/jwks"})
    assert isinstance(found, Refusal)


def test_a_shared_secret_is_encrypted_and_never_shown(app: App) -> None:
    believe(app, shared_secret=SHARED)
    with app.database.read() as connection:
        assert SHARED not in str(connection.execute(app_jwts.select()).one())
        known = queries.app_jwt(connection, "test")
    told = app_jwt.shown(known)
    assert told is not None
    assert told["shared_secret"] == "(hidden)"
    assert known is not None
    assert known.shared_secret not in (None, SHARED)
    assert str(known.shared_secret) not in repr(known)


def test_over_http(database_url: str) -> None:
    with House(database_url) as house:
        setting = {"issuer": ISSUER, "shared_secret": SHARED, "audience": "pay"}
        answer = house.ask("PATCH", "/v1/environment", json={"app_jwt": setting, "expiring_soon_hours": 1})
        assert answer.json()["app_jwt"] == {
            **setting,
            "shared_secret": "(hidden)",
            "jwks_url": None,
            "public_key": None,
            "user_claim": "sub",
            "teams_claim": "teams",
        }
        kept = house.get("/v1/audit").text
        assert ("environment.changed" in kept, SHARED in kept) == (True, False)
        wrong = house.ask("PATCH", "/v1/environment", json={"app_jwt": None, "expiring_soon_hours": -1})
        assert wrong.json()["error"]["code"] == "invalid_request"
        assert house.get("/v1/environment").json()["app_jwt"] is not None, "all or none"
        mine = token(aud="pay", teams=["t_1"])
        assert house.get("/v1/customers/user/anne/items/credits", key=mine).status_code == 200
        assert house.get("/v1/customers/team/t_1/items/seats", key=mine).status_code == 200
        assert house.get("/v1/customers/user/bob", key=mine).json()["error"]["code"] == "not_your_customer"
        spend = house.post("/v1/customers/user/anne/items/credits/decrease", {"quantity": 1}, key=mine)
        assert spend.json()["error"]["code"] == "secret_key_required"
        assert house.ask("PATCH", "/v1/environment", json={"app_jwt": None}).json()["app_jwt"] is None
        assert house.get("/v1/customers/user/anne", key=mine).json()["error"]["code"] == "invalid_credentials"
