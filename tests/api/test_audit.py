"""`GET /v1/audit`: who did what, over HTTP, on both databases."""

from typing import Any

import pytest
from click.testing import CliRunner

from paywright import Paywright
from paywright.cli import main
from tests.harness.house import SECRET, House

Act = tuple[str, str]


def lines(house: House, query: str = "") -> list[dict[str, Any]]:
    answer = house.get(f"/v1/audit?limit=100{query}")
    assert answer.status_code == 200, answer.text
    return answer.json()["data"]  # type: ignore[no-any-return]


def acts(house: House, since: str) -> list[Act]:
    """Action and subject after the line `since`, oldest first."""
    return [(line["action"], line["subject"]) for line in reversed(lines(house)) if line["id"] > since]


def newest(house: House) -> str:
    return str(lines(house)[0]["id"])


def test_every_administrative_act_is_written_down_with_who_and_when(house: House) -> None:
    before = newest(house)
    key = house.post("/v1/keys", {"kind": "secret", "name": "shop", "scopes": ["read"]}).json()
    house.ask("DELETE", f"/v1/keys/{key['id']}")
    house.ask("DELETE", f"/v1/keys/{key['id']}")
    house.ask("PATCH", "/v1/environment", json={"expiring_soon_hours": 24})
    catalog = house.get("/v1/catalog").json()
    catalog["items"]["coins"] = {}
    house.ask("PUT", "/v1/catalog", json=catalog)
    owned = house.post("/v1/customers/user/u_1/products", {"product_id": "pack", "quantity": 2}).json()
    house.post("/v1/customers/user/u_1/products/pack/revoke", {"quantity": 1})
    hook = house.post("/v1/hooks", {"url": "https://x.example/h"}).json()
    house.ask("PATCH", f"/v1/hooks/{hook['id']}", json={"enabled": False})
    house.ask("DELETE", f"/v1/hooks/{hook['id']}")
    house.post("/v1/customer-tokens/revoke", {"customer": {"type": "user", "id": "u_1"}})
    found = [line for line in reversed(lines(house)) if line["id"] > before]
    assert [(line["action"], line["subject"]) for line in found] == [
        ("key.created", key["id"]),
        ("key.revoked", key["id"]),
        ("environment.changed", "test"),
        ("catalog.applied", str(catalog["version"] + 1)),
        ("product.granted", owned["id"]),
        ("product.revoked", owned["id"]),
        ("hook.created", hook["id"]),
        ("hook.changed", hook["id"]),
        ("hook.deleted", hook["id"]),
        ("customer_tokens.revoked", "user:u_1"),
    ]
    assert {line["actor"][:4] for line in found} == {"key_"}
    assert all(line["request_id"].startswith("req_") for line in found)
    assert found[0]["facts"] == {"kind": "secret", "name": "shop", "scopes": ["read"]}
    assert found[4]["facts"] == {"product_id": "pack", "quantity": 2, "customer": "user:u_1"}
    told = str(found)
    assert not any(secret in told for secret in (key["key"], hook["secret"], house.secret_key))


def test_a_refused_act_and_a_replayed_answer_leave_no_line(house: House) -> None:
    grant = {"product_id": "pro"}
    key = {"Idempotency-Key": "k1"}
    for _ in range(2):
        assert house.post("/v1/customers/user/u_1/products", grant, headers=key).status_code == 201
    since = newest(house)
    assert house.post("/v1/customers/user/u_1/products", grant).status_code == 409
    assert house.ask("PATCH", "/v1/environment", json={"nonsense": 1}).status_code == 400
    assert house.post("/v1/hooks", {"url": "nowhere"}).status_code == 400
    assert house.ask("DELETE", "/v1/keys/key_unknown").status_code == 404
    assert house.ask("PUT", "/v1/catalog", json=house.get("/v1/catalog").json()).status_code == 200
    assert acts(house, since) == []
    assert [line["action"] for line in lines(house)].count("product.granted") == 1


def test_the_log_is_filtered_and_paged(house: House) -> None:
    for user in ("u_1", "u_2", "u_3"):
        house.post(f"/v1/customers/user/{user}/products", {"product_id": "gift"})
    granted = lines(house, "&action=product.granted")
    assert [line["facts"]["customer"] for line in granted] == ["user:u_3", "user:u_2", "user:u_1"]
    assert lines(house, f"&subject={granted[1]['subject']}") == [granted[1]]
    assert lines(house, "&actor=nobody") == []
    page = house.get("/v1/audit?action=product.granted&limit=2").json()
    assert (page["data"], page["has_more"]) == (granted[:2], True)
    rest = house.get(f"/v1/audit?action=product.granted&limit=2&cursor={page['next_cursor']}").json()
    assert (rest["data"], rest["has_more"]) == (granted[2:], False)


def test_the_log_is_for_administrators(sqlite_house: House) -> None:
    reader = sqlite_house.key("secret", scopes=["read"])
    answer = sqlite_house.get("/v1/audit", key=reader)
    assert (answer.status_code, answer.json()["error"]["code"]) == (403, "missing_scope")
    assert sqlite_house.get("/v1/audit?cursor=x", key=None).status_code == 401


def test_your_own_code_and_the_command_line_are_named(sqlite_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAYWRIGHT_DATABASE_URL", sqlite_url)
    monkeypatch.setenv("PAYWRIGHT_SECRET", SECRET)
    with Paywright(catalog={"products": {"gift": {}}}, provider="instant") as pay:
        pay.user("u_1").grant_product("gift")
        ran = CliRunner().invoke(main, ["keys", "create", "--json"])
        assert ran.exit_code == 0, ran.output
        found = [(line.action, line.actor) for line in pay.list_audit().data]
    assert found == [
        ("key.created", "cli"),
        ("product.granted", "process"),
        ("catalog.applied", "system"),
        ("environment.created", "system"),
    ]
