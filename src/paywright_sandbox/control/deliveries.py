"""Webhooks: what was sent, chaos, resend, and waiting for silence."""

from dataclasses import asdict

from .. import chaos
from ..account import Account
from ..errors import ApiError, Json, invalid, no_such
from ..web import WebRequest
from .door import control

SETTLE_S = 30.0
SETTLE_MAX_S = 3600
OLD_SECRET_S = 86_400
OLD_SECRET_MAX_S = 7 * 86_400


@control("GET /_sandbox/webhook-chaos")
async def read_chaos(request: WebRequest, account: Account) -> Json:
    return account.chaos


@control("PUT /_sandbox/webhook-chaos")
async def put_chaos(request: WebRequest, account: Account) -> Json:
    """Replaces the account's chaos; `{}` ends it, and what was held goes out."""
    account.chaos = dict(chaos.checked(request.json))
    request.engine.store.save_account(account)
    request.engine.deliveries.chaos_changed(account)
    return account.chaos


@control("GET /_sandbox/deliveries")
async def read(request: WebRequest, account: Account) -> Json:
    """Newest first, at most 1000; `?event=evt_…` or `?state=failed` narrows."""
    event, state = request.query.get("event"), request.query.get("state")
    found = [
        asdict(delivery)
        for delivery in reversed(account.deliveries.values())
        if event in (None, delivery.event) and state in (None, delivery.state)
    ]
    return {"data": found[:1000]}


@control("POST /_sandbox/deliveries/settle")
async def settle(request: WebRequest, account: Account) -> Json:
    """Waits until nothing is in flight; waiting retries are tried at once unless `{retries: false}`."""
    timeout_s = request.json.get("timeout_s", SETTLE_S)
    if not isinstance(timeout_s, int | float) or isinstance(timeout_s, bool) or not 0 < timeout_s <= SETTLE_MAX_S:
        raise invalid(f"timeout_s is up to {SETTLE_MAX_S} seconds.", param="timeout_s")
    retries = bool(request.json.get("retries", True))
    if not await request.engine.deliveries.settle(account, timeout_s, retries=retries):
        raise ApiError(409, f"Webhooks are still in flight after {timeout_s:g} s.", code="lock_timeout")
    return {"settled": True}


@control("POST /_sandbox/deliveries/release")
async def release(request: WebRequest, account: Account) -> Json:
    """`{events?: [ids]}`: sends what chaos holds, of these events in this order, or all of it as it was logged."""
    events = request.json.get("events")
    if events is not None and not (isinstance(events, list) and all(isinstance(id, str) for id in events)):
        raise invalid("events must be a list of event ids.", param="events")
    for id in events or ():
        if id not in account.events:
            raise no_such("event", id, "events")
    released = request.engine.deliveries.release(account, events)
    return {"released": [delivery.event for delivery in released]}


@control("POST /_sandbox/webhook_endpoints/{endpoint}/roll")
async def roll(request: WebRequest, account: Account) -> Json:
    """`{expires_in_s?: 86400}` → `{id, secret}`. Until the old secret ends, signatures bear both; 0 ends it at once."""
    expires_in_s = request.json.get("expires_in_s", OLD_SECRET_S)
    if not isinstance(expires_in_s, int) or isinstance(expires_in_s, bool) or not 0 <= expires_in_s <= OLD_SECRET_MAX_S:
        raise invalid(f"expires_in_s is 0 to {OLD_SECRET_MAX_S} seconds.", param="expires_in_s")
    with request.engine.work(account) as work:
        found = work.require("webhook_endpoint", request.arguments["endpoint"])
        secret = f"whsec_{account.ids.letters(32)}"
        found.update(_secrets=[secret, found["_secrets"][0]], _old_secret_until=work.now + expires_in_s)
        work.save(found)
    return {"id": found["id"], "secret": secret}


@control("POST /_sandbox/events/{id}/resend")
async def resend(request: WebRequest, account: Account) -> Json:
    event = account.events.get(request.arguments["id"])
    if event is None:
        raise no_such("event", request.arguments["id"])
    again = request.engine.deliveries.resend(account, event)
    return {"id": event.id, "endpoints": [delivery.endpoint for delivery in again]}
