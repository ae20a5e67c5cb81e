"""`/connect/{account}/{link}`: where the owner of a connected account opens it for business, with one click."""

from ..account import Account
from ..errors import Json, no_such
from ..machine import connect
from ..web import WebAnswer, WebRequest
from ..work import Work
from .views import is_ours, message, show, view


@view("GET /connect/{account}/{link}")
async def ask(request: WebRequest) -> WebAnswer:
    platform = platform_of(request)
    with request.engine.work(platform) as work:
        held = linked(work, request)
        if held["_link"]["expires_at"] <= work.now:
            return led_to(
                request, "This link has expired", "Taking you back for a new one.", held["_link"]["refresh_url"]
            )
        return asking(request, held, platform)


@view("POST /connect/{account}/{link}")
async def finish(request: WebRequest) -> WebAnswer:
    platform = platform_of(request)
    with request.engine.work(platform) as work:
        held = linked(work, request)
        if not is_ours(request):
            return asking(request, held, platform, status=403)
        url = held["_link"]["return_url"]
        connect.onboard(work, held["id"])
    return led_to(request, "All set", "Taking you back.", url, mood="done")


def asking(request: WebRequest, held: Json, platform: Account, *, status: int = 200) -> WebAnswer:
    return show(request, "onboarding.html", status=status, held=held, shop=platform.name or "Sandbox platform")


def led_to(request: WebRequest, title: str, text: str, url: str, *, mood: str = "closed") -> WebAnswer:
    return message(request, title, text, mood=mood, link=url, link_text="Continue", refresh=True)


def platform_of(request: WebRequest) -> Account:
    found = request.account_of(request.arguments["account"])
    if found is None:
        raise no_such("account", request.arguments["account"])
    return found


def linked(work: Work, request: WebRequest) -> Json:
    """The account of this very link; a newer one replaces it."""
    held = work.require(connect.KIND, request.arguments["account"], "account")
    if (held.get("_link") or {}).get("letters") != request.arguments["link"]:
        raise no_such("account link", request.arguments["link"])
    return held
