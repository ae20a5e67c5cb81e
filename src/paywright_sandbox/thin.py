"""
Thin events: what an endpoint with the metadata `sandbox_thin=1` is sent instead of the whole object.

Stripe gives them ids of their own and names the snapshot they stand for; here one id can be read from the other.
"""

from datetime import UTC, datetime

from .errors import Json

OBJECT = "v2.core.event"
PREFIX = "evt_test_"


def is_thin(endpoint: Json) -> bool:
    return bool(endpoint["metadata"].get("sandbox_thin") == "1")


def thin(event: Json) -> Json:
    """`related_object` says what to fetch; it is null where there is nothing, as for `invoice.upcoming`."""
    asked = event["request"]
    reason = {"type": "request", "request": {"id": asked["id"], "idempotency_key": asked["idempotency_key"] or ""}}
    return {
        "id": PREFIX + event["id"].removeprefix("evt_"),
        "object": OBJECT,
        "context": event.get("account"),
        "created": datetime.fromtimestamp(event["created"], UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z"),
        "livemode": False,
        "reason": reason if asked["id"] else None,
        "related_object": related(event["data"]["object"]),
        "snapshot_event": event["id"],
        "type": f"v1.{event['type']}",
    }


def snapshot_of(thin_id: str) -> str:
    """The id of the event that this one stands for."""
    return "evt_" + thin_id.removeprefix(PREFIX)


def related(thing: Json) -> Json | None:
    kind, path = thing["object"], f"/v1/{thing['object'].replace('.', '/')}"
    if kind == "balance":
        return {"type": kind, "url": path}
    return {"id": thing["id"], "type": kind, "url": f"{path}s/{thing['id']}"} if "id" in thing else None
