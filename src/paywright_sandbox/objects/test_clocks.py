"""The test clock."""

from ..errors import Json

KEPT_S = 30 * 86_400


def test_clock(id: str, created: int, *, frozen_time: int, name: str | None) -> Json:
    return {
        "id": id,
        "object": "test_helpers.test_clock",
        "created": created,
        "deletes_after": created + KEPT_S,
        "frozen_time": frozen_time,
        "livemode": False,
        "name": name,
        "status": "ready",
        "status_details": {},
    }
