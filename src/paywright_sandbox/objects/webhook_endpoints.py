"""Where events go."""

from ..errors import Json


def webhook_endpoint(id: str, created: int, *, url: str, enabled_events: list[str], secret: str, connect: bool) -> Json:
    return {
        "id": id,
        "object": "webhook_endpoint",
        "api_version": None,
        "application": None,
        "created": created,
        "description": None,
        "enabled_events": enabled_events,
        "livemode": False,
        "metadata": {},
        "status": "enabled",
        "url": url,
        "_secrets": [secret],
        "_old_secret_until": 0,
        "_connect": connect,
    }


def valid_secrets(endpoint: Json, now: int) -> list[str]:
    """Newest first: one, or two while a secret is being rolled."""
    newest, *old = endpoint["_secrets"]
    return [newest, *old] if now < endpoint.get("_old_secret_until", 0) else [newest]
