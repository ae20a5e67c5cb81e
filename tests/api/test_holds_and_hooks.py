"""Holds, batches of decreases, the breakdown, and hooks over real HTTP: rules.md 2.4, 11."""

from typing import Any

import pytest

from paywright.kernel.model import Customer
from tests.harness.house import House

C = "/v1/customers/user/u_1"
ITEM = f"{C}/items/credits"
USER = {"type": "user", "id": "u_1"}
OTHER = {"type": "user", "id": "u_2"}


def give(house: House, quantity: int, customer: str = "u_1") -> None:
    assert (
        house.post(f"/v1/customers/user/{customer}/items/credits/increase", {"quantity": quantity}).status_code == 200
    )


def test_L18_units_are_set_aside_captured_in_part_and_the_rest_is_free(house: House) -> None:
    give(house, 100)
    opened = house.post(f"{ITEM}/holds", {"quantity": 20, "expires_in_s": 60})
    assert opened.status_code == 201
    hold = opened.json()
    assert (hold["status"], hold["quantity"], hold["customer"], hold["item"]["quantity"], hold["item"]["held"]) == (
        "open",
        20,
        USER,
        80,
        20,
    )
    captured = house.post(f"/v1/holds/{hold['id']}/capture", {"quantity": 15})
    assert captured.status_code == 200
    assert (captured.json()["status"], captured.json()["captured"]) == ("captured", 15)
    assert (captured.json()["item"]["quantity"], captured.json()["item"]["held"]) == (85, 0)
    again = house.post(f"/v1/holds/{hold['id']}/release")
    assert (again.status_code, again.json()["error"]["code"], again.json()["error"]["facts"]) == (
        409,
        "hold_not_open",
        {"status": "captured"},
    )


def test_a_hold_is_released_once_and_again_without_effect(house: House) -> None:
    give(house, 10)
    hold = house.post(f"{ITEM}/holds", {"quantity": 10}).json()
    for _ in range(2):
        released = house.post(f"/v1/holds/{hold['id']}/release")
        assert (released.status_code, released.json()["status"], released.json()["item"]["quantity"]) == (
            200,
            "released",
            10,
        )


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        (f"{ITEM}/holds", {"quantity": 11}, 402, "insufficient_quantity"),
        (f"{ITEM}/holds", {"quantity": 0}, 400, "invalid_request"),
        (f"{ITEM}/holds", {"quantity": 1, "expires_in_s": 604_801}, 400, "invalid_request"),
        (f"{ITEM}/holds", {"quantity": 1, "expires_in_s": 0}, 400, "invalid_request"),
        (f"{C}/items/nothing/holds", {"quantity": 1}, 404, "item_not_found"),
        (f"{C}/items/seats/holds", {"quantity": 1}, 422, "customer_type_mismatch"),
        ("/v1/holds/hold_nothing/capture", {}, 404, "hold_not_found"),
        ("/v1/holds/hold_nothing/release", None, 404, "hold_not_found"),
        ("/v1/decreases", {"lines": []}, 400, "invalid_request"),
        ("/v1/decreases", {"lines": [{"customer": USER, "item_id": "credits", "quantity": 1}] * 101}, 400, "invalid_request"),
        ("/v1/decreases", {"lines": [{"customer": USER, "item_id": "nothing", "quantity": 1}]}, 404, "item_not_found"),
        ("/v1/decreases", {"lines": [{"customer": {"type": "robot", "id": "r"}, "item_id": "credits", "quantity": 1}]}, 400, "invalid_request"),
    ],
)  # fmt: skip
def test_what_can_not_be_held_or_spent_is_refused_and_changes_nothing(
    house: House, path: str, body: Any, status: int, code: str
) -> None:
    give(house, 10)
    refused = house.post(path, body)
    assert (refused.status_code, refused.json()["error"]["code"]) == (status, code)
    item = house.get(ITEM).json()
    assert (item["quantity"], item["held"]) == (10, 0)


def test_more_than_the_hold_is_too_large(house: House) -> None:
    give(house, 10)
    hold = house.post(f"{ITEM}/holds", {"quantity": 5}).json()
    refused = house.post(f"/v1/holds/{hold['id']}/capture", {"quantity": 6})
    assert (refused.status_code, refused.json()["error"]["code"]) == (422, "capture_too_large")
    assert house.get(ITEM).json()["held"] == 5


def test_T5_a_batch_is_all_or_nothing_and_names_who_is_short(house: House) -> None:
    give(house, 10)
    give(house, 4, "u_2")
    lines = [
        {"customer": USER, "item_id": "credits", "quantity": 5},
        {"customer": OTHER, "item_id": "credits", "quantity": 5},
    ]
    refused = house.post("/v1/decreases", {"lines": lines})
    assert (refused.status_code, refused.json()["error"]["facts"]["lines"]) == (
        402,
        [{"index": 1, "requested": 5, "available": 4}],
    )
    assert house.get(ITEM).json()["quantity"] == 10
    lines[1]["quantity"] = 4
    done = house.post("/v1/decreases", {"lines": lines, "note": "a game"}, headers={"Idempotency-Key": "k"})
    assert [item["quantity"] for item in done.json()["data"]] == [5, 0]
    again = house.post("/v1/decreases", {"lines": lines, "note": "a game"}, headers={"Idempotency-Key": "k"})
    assert (again.json(), again.headers["Idempotent-Replayed"]) == (done.json(), "true")
    assert house.get(ITEM).json()["quantity"] == 5


def test_the_breakdown_lays_spending_over_the_soonest_expiring(house: House) -> None:
    house.post(f"{ITEM}/increase", {"quantity": 10, "expires_at": "2099-01-01T00:00:00Z"})
    give(house, 5)
    house.post(f"{ITEM}/decrease", {"quantity": 4})
    grants = house.get(f"{ITEM}/grants").json()["data"]
    assert [(each["quantity"], each["remaining"], each["expires_at"]) for each in grants] == [
        (10, 6, "2099-01-01T00:00:00Z"),
        (5, 5, None),
    ]


def test_holds_are_for_secret_keys(house: House) -> None:
    token = house.token(Customer("user", "u_1"))
    refused = house.post(f"{ITEM}/holds", {"quantity": 1}, key=token)
    assert (refused.status_code, refused.json()["error"]["code"]) == (403, "secret_key_required")
    assert house.get(f"{ITEM}/grants", key=token).status_code == 200


def test_a_hook_is_made_shown_changed_and_deleted(house: House) -> None:
    made = house.post(
        "/v1/hooks", {"url": "https://app.test/hook", "events": ["payment.*"]}, headers={"Idempotency-Key": "k"}
    )
    assert made.status_code == 201
    hook = made.json()
    assert hook["secret"].startswith("whsec_")
    assert (
        house.post(
            "/v1/hooks", {"url": "https://app.test/hook", "events": ["payment.*"]}, headers={"Idempotency-Key": "k"}
        ).json()
        == hook
    )
    shown = house.get(f"/v1/hooks/{hook['id']}").json()
    assert (shown.get("secret"), shown["status"], shown["events"]) == (None, "enabled", ["payment.*"])
    changed = house.ask("PATCH", f"/v1/hooks/{hook['id']}", json={"enabled": False, "events": ["*"]}).json()
    assert (changed["status"], changed["events"], changed["url"]) == ("disabled", ["*"], "https://app.test/hook")
    assert [each["id"] for each in house.get("/v1/hooks").json()["data"]] == [hook["id"]]
    assert house.get(f"/v1/hooks/{hook['id']}/deliveries").json()["data"] == []
    assert house.ask("DELETE", f"/v1/hooks/{hook['id']}").json() == {"id": hook["id"], "deleted": True}
    assert house.get(f"/v1/hooks/{hook['id']}").status_code == 404


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "param"),
    [
        ("POST", "/v1/hooks", {"url": "javascript:alert(1)"}, 400, "url"),
        ("POST", "/v1/hooks", {"url": "https://app.test/", "events": ["nonsense"]}, 400, "events"),
        ("POST", "/v1/hooks", {"url": "https://app.test/", "events": []}, 400, "events"),
        ("POST", "/v1/hooks", {}, 400, "url"),
        ("PATCH", "/v1/hooks/hook_nothing", {"enabled": True}, 404, None),
        ("POST", "/v1/hooks/hook_nothing/deliveries/del_nothing/redeliver", None, 404, None),
    ],
)
def test_what_is_no_hook_is_refused(
    house: House, method: str, path: str, body: Any, status: int, param: str | None
) -> None:
    refused = house.ask(method, path, **({} if body is None else {"json": body}))
    assert (refused.status_code, refused.json()["error"].get("param")) == (status, param)
    assert house.get("/v1/hooks").json()["data"] == []
