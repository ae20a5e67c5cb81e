"""
JWTs that the app issues itself: which ones an environment believes, and what one of them says. Real time, never the sandbox's.

The issuer stands in the token, is read unverified to find the environment and its key, and is proven by the signature like all the rest. Which
algorithms may have made that signature follows from the kind of key that was configured, never from the token: a public key checks no HMAC.
"""

import re
from typing import Any
from urllib.parse import urlsplit

import jwt
import msgspec

from paywright.access import queries
from paywright.access.key_sets import KeySets, KeySetUnreadable
from paywright.access.model import TOKEN_SCOPES, AppJwt, CustomerToken
from paywright.access.rules import customers_in, is_meant_for
from paywright.access.tables import app_jwts
from paywright.engine.app import App
from paywright.environments.model import Environment
from paywright.kernel.model import Mode
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.kernel.settings import Settings
from paywright.kernel.vault import decrypt, encrypt
from paywright.storage.statements import upsert
from paywright.storage.work import Work

SECRET_BYTES_MIN = 32
SKEW_MS = 60_000
"""How far the clock of whoever issued a token may be ahead of ours."""

HMAC = ("HS256", "HS384", "HS512")
ALGORITHMS = {
    "RSA": ("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"),
    "P-256": ("ES256",),
    "P-384": ("ES384",),
    "P-521": ("ES512",),
    "Ed25519": ("EdDSA",),
    "Ed448": ("EdDSA",),
}
"""By what kind a public key is."""

RSA_BITS_MIN = 2048
_PRINTABLE = re.compile(r"[^\x00-\x1f\x7f]{1,255}")


class _Asked(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    issuer: str
    audience: str | None = None
    jwks_url: str | None = None
    public_key: str | None = None
    shared_secret: str | None = None
    user_claim: str = "sub"
    teams_claim: str = "teams"


def configure(work: Work, settings: Settings, mode: Mode, wanted: Any) -> Refusal | None:
    """`app_jwt` of `PATCH /v1/environment`: all of it at once, or None to believe no such token any more."""
    here = app_jwts.c.environment_id == work.environment_id
    if wanted is None:
        work.execute(app_jwts.delete().where(here))
        return None
    try:
        asked = msgspec.convert(wanted, _Asked)
    except msgspec.ValidationError as error:
        return invalid_request("app_jwt", f"`app_jwt`: {error}.")
    wrong = _wrong(asked, mode)
    if wrong is not None:
        return invalid_request("app_jwt", f"`app_jwt`: {wrong}.")
    row = {**msgspec.structs.asdict(asked), "environment_id": work.environment_id}
    if asked.shared_secret is not None:
        row["shared_secret"] = encrypt(settings.require_secret(), asked.shared_secret)
    upsert(work, app_jwts, row, key=("environment_id",))
    return None


def shown(believed: AppJwt | None) -> dict[str, Any] | None:
    """As `GET /v1/environment` tells it: of a shared secret only that there is one."""
    if believed is None:
        return None
    told = msgspec.structs.asdict(believed)
    return {**told, "shared_secret": None if believed.shared_secret is None else "(hidden)"}


def verify(app: App, token: str, issuer: str) -> CustomerToken | Refusal:
    """
    What a token of the app's own says, once its signature is proven.

    `invalid_credentials` with a reason, `token_expired`; `unavailable` when the issuer's keys can't be read. Revocation is not looked at.
    """
    found = _environment(app, token, issuer)
    if isinstance(found, Refusal):
        return found
    environment, believed = found
    try:
        key, algorithms = _key(app, environment, believed, jwt.get_unverified_header(token))
        # Instants are checked by us, in milliseconds and by the server's wall clock.
        options: Any = {"verify_exp": False, "verify_nbf": False, "verify_iat": False, "verify_aud": False}
        claims = jwt.decode(token, key, algorithms=algorithms, issuer=believed.issuer, options=options)
    except KeySetUnreadable:
        return Refusal("unavailable")
    except (jwt.PyJWTError, ValueError, TypeError) as error:
        return _refused(f"The signature of this JWT does not hold: {type(error).__name__}.")
    return _read(environment, believed, claims, wall=app.wall())


def _read(environment: Environment, believed: AppJwt, claims: dict[str, Any], *, wall: int) -> CustomerToken | Refusal:
    expires_at, issued_at, begins_at = (_milliseconds(claims.get(name)) for name in ("exp", "iat", "nbf"))
    if expires_at is None:
        return _refused("A JWT needs `exp`, a number of seconds.")
    if wall >= expires_at:
        return Refusal("token_expired")
    if max(begins_at or 0, issued_at or 0) > wall + SKEW_MS:
        return _refused("This JWT is not valid yet.")
    if not is_meant_for(claims, believed.audience):
        return _refused("This JWT is for another audience.")
    customers = customers_in(claims, believed)
    if customers is None:
        return _refused(f"`{believed.user_claim}` is the user's id, `{believed.teams_claim}` a list of team ids.")
    token_id = str(claims.get("jti") or "app")
    # Without `iat` nobody can say whether it was issued before a revocation, so it counts as issued before.
    scopes = frozenset(TOKEN_SCOPES)
    return CustomerToken(token_id, environment.id, customers, scopes, issued_at or 0, expires_at)


def _environment(app: App, token: str, issuer: str) -> tuple[Environment, AppJwt] | Refusal:
    """By issuer, then by audience; of several that are left the one this server is started for."""
    claims = jwt.decode(token, options={"verify_signature": False})
    with app.database.read() as connection:
        believing = queries.app_jwts_of_issuer(connection, issuer)
    if not believing:
        return _refused("No environment here believes JWTs of this issuer. Set `app_jwt`, or use /v1/customer-tokens.")
    meant = [each for each in believing if is_meant_for(claims, each[1].audience)]
    if not meant:
        return _refused("This JWT is for another audience.")
    chosen = [each for each in meant if each[0] == app.settings.environment] if len(meant) > 1 else meant
    environment = app.environment(chosen[0][0]) if chosen else None
    if environment is None:
        return _refused("Several environments believe this issuer. Give each an `audience` of its own.")
    return environment, chosen[0][1]


def _key(app: App, environment: Environment, believed: AppJwt, header: dict[str, Any]) -> tuple[Any, tuple[str, ...]]:
    """The key and the algorithms it may be used with. Raises `KeySetUnreadable` and what PyJWT raises."""
    if "crit" in header:
        raise jwt.InvalidTokenError("no critical extension is known")
    if believed.shared_secret is not None:
        return decrypt(app.settings.require_secret(), believed.shared_secret), HMAC
    if believed.public_key is not None:
        public = _public_key(believed.public_key)
        return public, algorithms_of(public)
    assert believed.jwks_url is not None
    sets: KeySets = app.resource(_key_sets)
    found = sets.key(believed.jwks_url, header.get("kid"), private_allowed=environment.mode == "test")
    if found is None:
        raise jwt.InvalidKeyError("no such key")
    return found.key, algorithms_of(found.key)


def _key_sets(_: App) -> KeySets:
    return KeySets()


def algorithms_of(public: Any) -> tuple[str, ...]:
    """By the kind of key; none for one that is too weak or of another kind."""
    from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
    from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

    if isinstance(public, RSAPublicKey):
        return ALGORITHMS["RSA"] if public.key_size >= RSA_BITS_MIN else ()
    if isinstance(public, EllipticCurvePublicKey):
        names = {"secp256r1": "P-256", "secp384r1": "P-384", "secp521r1": "P-521"}
        return ALGORITHMS.get(names.get(public.curve.name, ""), ())
    if isinstance(public, Ed25519PublicKey | Ed448PublicKey):
        return ALGORITHMS["Ed25519"]
    return ()


def _public_key(pem: str) -> Any:
    from cryptography.hazmat.primitives.serialization import load_pem_public_key

    return load_pem_public_key(pem.encode())


def _wrong(asked: _Asked, mode: Mode) -> str | None:
    for name in ("issuer", "user_claim", "teams_claim", *(() if asked.audience is None else ("audience",))):
        if not _PRINTABLE.fullmatch(getattr(asked, name)):
            return f"`{name}` is 1 to 255 printable characters"
    given = [each for each in (asked.jwks_url, asked.public_key, asked.shared_secret) if each is not None]
    if len(given) != 1:
        return "give exactly one of `jwks_url`, `public_key` and `shared_secret`"
    if asked.shared_secret is not None and len(asked.shared_secret.encode()) < SECRET_BYTES_MIN:
        return f"`shared_secret` is at least {SECRET_BYTES_MIN} bytes"
    if asked.public_key is not None:
        return _wrong_key(asked.public_key)
    return None if asked.jwks_url is None else _wrong_url(asked.jwks_url, mode)


def _wrong_key(pem: str) -> str | None:
    from cryptography.exceptions import UnsupportedAlgorithm

    if "PRIVATE" in pem:
        return "`public_key` is a private key: it belongs to the issuer alone"
    try:
        return (
            None
            if algorithms_of(_public_key(pem))
            else f"`public_key` is RSA of {RSA_BITS_MIN} bits or more, P-256, P-384, P-521 or Ed25519"
        )
    except (ValueError, UnsupportedAlgorithm):
        return "`public_key` is a public key in PEM"


def _wrong_url(url: str, mode: Mode) -> str | None:
    schemes = ("https",) if mode == "live" else ("http", "https")
    try:
        parts = urlsplit(url)
        is_url = parts.scheme in schemes and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_url = False
    if not is_url or parts.username is not None or len(url) > 2_000 or any(c <= " " for c in url):
        return f"`jwks_url` is an absolute {' or '.join(schemes)} URL without a user name"
    return None


def _milliseconds(seconds: Any) -> int | None:
    if isinstance(seconds, bool) or not isinstance(seconds, int | float) or not 0 <= seconds < 1e12:
        return None
    return round(seconds * 1000)


def _refused(reason: str) -> Refusal:
    return Refusal("invalid_credentials", {"reason": reason})
