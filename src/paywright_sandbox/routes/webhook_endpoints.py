"""Webhook endpoints. The secret is told once, in the answer to create."""

from urllib.parse import urlsplit

from ..attributes import take, take_metadata
from ..errors import Json, invalid
from ..listing import page
from ..objects.customers import deleted
from ..objects.webhook_endpoints import webhook_endpoint
from ..routing import route
from ..work import Work

ENDPOINTS_MAX = 16


@route(
    "POST /v1/webhook_endpoints",
    acts_on="url enabled_events connect metadata description api_version",
    note="`api_version` is stored, but events are always rendered in the pinned version and say so.",
)
def create(work: Work, parameters: Json) -> Json:
    if sum(1 for _ in work.newest_first("webhook_endpoint")) >= ENDPOINTS_MAX:
        raise invalid(f"You have reached the maximum of {ENDPOINTS_MAX} test webhook endpoints.")
    check_url(parameters["url"])
    made = webhook_endpoint(
        work.new_id("webhook_endpoint"),
        work.now,
        url=parameters["url"],
        enabled_events=parameters["enabled_events"],
        secret=f"whsec_{work.account.ids.letters(32)}",
        connect=parameters.get("connect", False),
    )
    take(made, parameters, "description", "api_version")
    take_metadata(made, parameters)
    work.save(made)
    return {**made, "secret": made["_secrets"][0]}


@route("GET /v1/webhook_endpoints/{webhook_endpoint}")
def retrieve(work: Work, parameters: Json, webhook_endpoint: str) -> Json:
    return work.require("webhook_endpoint", webhook_endpoint)


@route("POST /v1/webhook_endpoints/{webhook_endpoint}", acts_on="url enabled_events metadata description disabled")
def update(work: Work, parameters: Json, webhook_endpoint: str) -> Json:
    found = work.require("webhook_endpoint", webhook_endpoint)
    if "url" in parameters:
        check_url(parameters["url"])
    if "disabled" in parameters:
        found["status"] = "disabled" if parameters["disabled"] else "enabled"
    take(found, parameters, "url", "enabled_events", "description")
    take_metadata(found, parameters)
    return work.save(found)


@route("DELETE /v1/webhook_endpoints/{webhook_endpoint}")
def delete(work: Work, parameters: Json, webhook_endpoint: str) -> Json:
    found = work.require("webhook_endpoint", webhook_endpoint)
    work.remove("webhook_endpoint", webhook_endpoint)
    return deleted(found)


@route("GET /v1/webhook_endpoints", acts_on="ending_before limit starting_after")
def list_(work: Work, parameters: Json) -> Json:
    return page(work, "webhook_endpoint", parameters)


def check_url(url: str) -> None:
    """http is allowed, and so is loopback: the application under test is next door."""
    if not is_web_address(url):
        raise invalid("Not a valid URL", param="url", code="url_invalid")


def is_web_address(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0 and is_printable(url)
    except ValueError:
        return False


def is_printable(url: str) -> bool:
    return url.isascii() and url.isprintable() and " " not in url
