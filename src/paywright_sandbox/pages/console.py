"""`/dashboard`: what an account holds, what it logged and sent, what it was asked, and its clock."""

import json
from collections import Counter
from itertools import islice
from typing import Any

from ..account import Account, LoggedEvent
from ..control.time import target
from ..errors import ApiError, Json, no_such
from ..web import WebAnswer, WebRequest, redirect
from ..work import public
from .views import is_ours, moment, show, text_of, view

ROWS = 100
ANSWERED_WITHIN_S = 10.0
STEPS = (("1h", "1 hour"), ("1d", "1 day"), ("7d", "7 days"), ("31d", "31 days"), ("365d", "365 days"))


@view("GET /dashboard")
async def first(request: WebRequest) -> WebAnswer:
    return redirect(f"/dashboard/{request.engine.store.default.id}")


@view("GET /dashboard/{account}")
async def overview(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    states = Counter(delivery.state for delivery in account.deliveries.values())
    return console(
        request,
        account,
        "overview",
        kinds=[(kind, len(things)) for kind, things in sorted(account.objects.items()) if things],
        events=event_rows(account, 12),
        deliveries=sorted(states.items()),
        endpoints=[public(found) for found in account.newest_first("webhook_endpoint")],
    )


@view("GET /dashboard/{account}/events")
async def events(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    return console(request, account, "events", events=event_rows(account, ROWS, about=request.query.get("about")))


@view("GET /dashboard/{account}/events/{event}")
async def event(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    found = event_of(request, account)
    sent = [delivery for delivery in account.deliveries.values() if delivery.event == found.id]
    endpoints = account.objects.get("webhook_endpoint", {})
    deliveries = [(endpoints.get(each.endpoint, {}).get("url", each.endpoint), each) for each in sent]
    return console(
        request,
        account,
        "event",
        tab="events",
        event=found,
        text=pretty(json.loads(found.rendered)),
        deliveries=deliveries,
    )


@view("GET /dashboard/{account}/deliveries")
async def deliveries(request: WebRequest) -> WebAnswer:
    """The latest hundred; `?state=failed` narrows."""
    account, state = account_of(request), request.query.get("state")
    endpoints = account.objects.get("webhook_endpoint", {})
    sent = (each for each in reversed(account.deliveries.values()) if state in (None, each.state))
    rows = [
        (moment(account.events[each.event].created), endpoints.get(each.endpoint, {}).get("url", each.endpoint), each)
        for each in islice(sent, ROWS)
    ]
    return console(request, account, "deliveries", state=state, rows=rows)


@view("POST /dashboard/{account}/events/{event}/resend")
async def resend(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    found = event_of(request, account)
    if is_ours(request):
        request.engine.deliveries.resend(account, found)
        await request.engine.deliveries.settle(account, ANSWERED_WITHIN_S, retries=False)
    return redirect(f"/dashboard/{account.id}/events/{found.id}")


@view("GET /dashboard/{account}/objects/{kind}")
async def objects(request: WebRequest) -> WebAnswer:
    account, kind = account_of(request), request.arguments["kind"]
    rows = [summary(thing) for thing in islice(account.newest_first(kind), ROWS)]
    return console(request, account, "objects", tab="overview", kind=kind, rows=rows)


@view("GET /dashboard/{account}/object/{id}")
async def one_object(request: WebRequest) -> WebAnswer:
    account, id = account_of(request), request.arguments["id"]
    found = account.objects.get(account.kind_of.get(id, ""), {}).get(id)
    if found is None:
        raise no_such("object", id)
    about = event_rows(account, ROWS, about=id)
    return console(
        request, account, "object", tab="overview", thing=public(found), text=pretty(public(found)), events=about
    )


@view("GET /dashboard/{account}/requests")
async def requests(request: WebRequest) -> WebAnswer:
    account = account_of(request)
    return console(request, account, "requests", requests=list(islice(reversed(account.requests), ROWS)))


@view("GET /dashboard/requests/{id}")
async def one_request(request: WebRequest) -> WebAnswer:
    """Where `request_log_url` of an error leads."""
    for account in request.engine.store.accounts.values():
        for asked in reversed(account.requests):
            if asked["id"] == request.arguments["id"]:
                return console(request, account, "request", tab="requests", asked=asked, text=pretty(readable(asked)))
    raise no_such("request", request.arguments["id"])


@view("GET /dashboard/{account}/clock")
async def clock(request: WebRequest) -> WebAnswer:
    return clock_page(request)


@view("POST /dashboard/{account}/clock")
async def advance(request: WebRequest) -> WebAnswer:
    """`by=31d`; waits until the application has answered each webhook, as the control API does."""
    account, by = account_of(request), text_of(request.form, "by")
    if not is_ours(request):
        return clock_page(request, "This page had grown old. Please try again.", status=403)
    try:
        await request.engine.advance(account, target({"by": by}, account.clock.now()), wait=True)
    except ApiError as refusal:
        return clock_page(request, refusal.message, status=refusal.status)
    return redirect(f"/dashboard/{account.id}/clock")


def clock_page(request: WebRequest, wrong: str | None = None, *, status: int = 200) -> WebAnswer:
    account = account_of(request)
    coming = sorted(account.due.values())[:ROWS]
    return console(
        request,
        account,
        "clock",
        status=status,
        wrong=wrong,
        steps=STEPS,
        due=[(moment(each.when), each) for each in coming],
    )


def console(
    request: WebRequest, account: Account, name: str, *, status: int = 200, tab: str | None = None, **facts: Any
) -> WebAnswer:
    accounts = request.engine.store.accounts
    return show(
        request,
        f"console_{name}.html",
        status=status,
        account=account,
        accounts=[(each.id, each.name or each.id) for each in islice(accounts.values(), 20)],
        tab=tab or name,
        now=moment(account.clock.now()),
        is_frozen=account.clock.frozen_at is not None,
        **facts,
    )


def account_of(request: WebRequest) -> Account:
    found = request.engine.store.accounts.get(request.arguments["account"])
    if found is None:
        raise no_such("account", request.arguments["account"])
    return found


def event_of(request: WebRequest, account: Account) -> LoggedEvent:
    found = account.events.get(request.arguments["event"])
    if found is None:
        raise no_such("event", request.arguments["event"])
    return found


def event_rows(account: Account, limit: int, *, about: Any = None) -> list[Json]:
    """Newest first; with `about` only those whose object has this id."""
    states: dict[str, set[str]] = {}
    for delivery in account.deliveries.values():
        states.setdefault(delivery.event, set()).add(delivery.state)
    rows: list[Json] = []
    for found in reversed(account.events.values()):
        # The text is searched before it is parsed: a log can be long.
        if about and str(about) not in found.rendered:
            continue
        id = json.loads(found.rendered)["data"]["object"].get("id")
        if about in (None, id):
            rows.append(
                {
                    "id": found.id,
                    "type": found.type,
                    "at": moment(found.created),
                    "object": id,
                    "states": sorted(states.get(found.id, ())),
                }
            )
        if len(rows) == limit:
            break
    return rows


def summary(thing: Json) -> Json:
    """What tells one object from the next at a glance."""
    names = ("name", "email", "description", "number", "nickname", "url", "type")
    return {
        "id": thing["id"],
        "at": moment(thing["created"]) if "created" in thing else "",
        "status": thing.get("status") if isinstance(thing.get("status"), str) else "",
        "says": next((thing[name] for name in names if isinstance(thing.get(name), str)), ""),
    }


def readable(asked: Json) -> Json:
    """The kept answer is the bytes that were sent."""
    return {**asked, "answer": json.loads(asked["answer"])}


def pretty(content: Json) -> str:
    return json.dumps(content, indent=2, ensure_ascii=False)
