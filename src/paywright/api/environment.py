"""The environment itself: its switches and its clock."""

import re
from typing import Any

from paywright import worker
from paywright.access import app_jwt
from paywright.access import queries as access_queries
from paywright.access.identify import Credentials
from paywright.api.call import Answer, Call, ok, ok_unless_refused
from paywright.api.clock import move
from paywright.api.parsing import Body
from paywright.environments import actions
from paywright.environments.actions import StripeCredentials
from paywright.environments.model import Environment, public
from paywright.healing import accounts
from paywright.kernel.instants import parse_instant, rfc3339
from paywright.kernel.refusals import Refusal, invalid_request
from paywright.outbox.audit import note
from paywright.storage import idempotency
from paywright.storage.work import RolledBack

_SPAN = re.compile(r"([1-9]\d{0,8})([smhdw])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


class Advance(Body, frozen=True, kw_only=True):
    """Exactly one of the two: a span such as `31d` (`s m h d w`), or an instant."""

    advance: str | None = None
    to: str | None = None


class StripeKey(Body, frozen=True, kw_only=True):
    """`detach_account` names the account that is over, when the new key is of another one."""

    secret_key: str
    publishable_key: str | None = None
    detach_account: str | None = None

    def __repr__(self) -> str:
        return "StripeKey(…)"


def read_environment(call: Call) -> Answer:
    """The environment and its switches; `now` is its business time."""
    return ok(_shown(call, call.environment))


def change_environment(call: Call) -> Answer | Refusal:
    """Changes the switches named in the body, all or none."""
    if not isinstance(call.body, dict):
        return invalid_request("body", "The body is an object of settings.")
    body = dict(call.body)
    refusal = None
    with call.app.work(call.environment.id) as work:
        if "app_jwt" in body:
            refusal = app_jwt.configure(work, call.app.settings, call.environment.mode, body.pop("app_jwt"))
            work.after_commit(call.app.resource(Credentials).forget)
        changed = refusal or actions.change(work, body)
        if isinstance(changed, Refusal):
            raise RolledBack
        note(work, "environment.changed", call.environment.id, changes=without_secrets(call.body))
    return ok_unless_refused(changed, lambda environment: _shown(call, environment))


def connect_stripe(call: Call) -> Answer | Refusal:
    """
    Gives the environment its Stripe key, or a new one, if Stripe takes it. It is stored encrypted, and never shown again.

    A key of another account is refused unless `detach_account` names the old one: its mappings become history, what customers own stays.
    """
    asked: StripeKey = call.body
    present = call.environment
    credentials = StripeCredentials(
        secret_key=asked.secret_key,
        publishable_key=asked.publishable_key or present.stripe_publishable_key,
        account=present.stripe_account,
        api_base=present.stripe_api_base,
    )
    connected = accounts.connect(call.app, present, credentials, detach_old=asked.detach_account or False)
    settings = call.app.settings
    is_overridden = settings.environment == present.id and settings.stripe_secret_key is not None

    def shown(environment: Environment) -> dict[str, Any]:
        return {
            "environment": environment.id,
            "stripe_account_id": environment.stripe_account_id,
            "secret_key": credentials.masked,
            "publishable_key": environment.stripe_publishable_key,
            "overridden": is_overridden,
        }

    return ok_unless_refused(connected, shown)


def without_secrets(changes: dict[str, Any]) -> dict[str, Any]:
    """As the audit log may keep them for ever."""
    setting = changes.get("app_jwt")
    if not isinstance(setting, dict) or setting.get("shared_secret") is None:
        return changes
    return {**changes, "app_jwt": {**setting, "shared_secret": "(hidden)"}}


def move_clock(call: Call) -> Answer | Refusal:
    """Moves business time forward, in a test environment under `sandbox` or `instant`. What falls due meanwhile happens."""
    now = call.app.now(call.environment.id)
    to = _begun(call, now) or target(call.body, now)
    if isinstance(to, Refusal):
        return to
    if call.key is not None:
        with call.app.work(call.environment.id) as work:
            idempotency.point_at(work, call.key, str(to))
    return ok_unless_refused(move(call.app, call.environment, to), lambda now: {"now": rfc3339(now)})


def _begun(call: Call, now: int) -> int | None:
    """Where a request that died was moving to: what it moved is not moved again."""
    if call.key is None:
        return None
    with call.app.database.read() as connection:
        pointed_at = idempotency.pointed_at(connection, call.environment.id, call.key)
    return None if pointed_at is None else max(now, int(pointed_at))


def read_settled(call: Call) -> Answer | Refusal:
    """200 when nothing is due or in flight, else 409: whoever moves a clock in steps waits for it."""
    waiting = worker.waiting(call.app, call.environment)
    return Refusal("not_settled", {"waiting": waiting}) if waiting else ok({"settled": True})


def target(body: Advance, now: int) -> int | Refusal:
    """Where the clock shall stand, in milliseconds."""
    if (body.advance is None) == (body.to is None):
        return invalid_request("advance", "Send `advance` or `to`, one of them.")
    if body.to is not None:
        return parse_instant(body.to) or invalid_request(
            "to", "`to` is an instant with its offset, such as 2026-11-20T12:00:00Z."
        )
    span = _SPAN.fullmatch(body.advance or "")
    if span is None:
        return invalid_request("advance", "`advance` is a number and one of s m h d w, such as 31d.")
    return now + int(span[1]) * _SECONDS[span[2]] * 1000


def _shown(call: Call, environment: Environment) -> dict[str, Any]:
    with call.app.database.read() as connection:
        believed = access_queries.app_jwt(connection, environment.id)
    return {**public(environment, rfc3339(call.app.now(environment.id))), "app_jwt": app_jwt.shown(believed)}
