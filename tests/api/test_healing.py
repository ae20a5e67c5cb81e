"""`/v1/reconcile`: asked for, carried out by the worker, read page by page."""

import sqlalchemy as sa

from paywright.healing import reconcile
from paywright.payments.tables import payments
from paywright_sandbox import Sandbox
from tests.harness.house import House
from tests.healing.till import HealingShop


def test_a_comparison_is_asked_for_and_read(sqlite_url: str) -> None:
    with Sandbox(seed=1) as sandbox:
        till = HealingShop(sqlite_url, sandbox)
        till.buy("pro")
        till.corrupt(payments, sa.true(), amount=7, currency="jpy")
        with House(sqlite_url, catalog={}, provider="sandbox") as house:
            asked = house.post("/v1/reconcile", {"fix": True})
            assert (asked.status_code, asked.json()["status"], asked.json()["fix"]) == (202, "requested", True)
            identity = asked.json()["id"]
            assert house.post("/v1/reconcile", {}).json()["id"] == identity
            while reconcile.in_the_background(till.app, till.environment):
                pass
            found = house.get(f"/v1/reconcile/{identity}").json()
            assert (found["status"], found["lines"], found["fixed"]) == ("finished", 2, 2)
            assert [each["id"] for each in house.get("/v1/reconcile").json()["data"]] == [identity]
            first = house.get(f"/v1/reconcile/{identity}/lines?limit=1").json()
            assert [(each["field"], each["ours"], each["stripe"]) for each in first["data"]] == [("amount", 7, 2000)]
            rest = house.get(f"/v1/reconcile/{identity}/lines?limit=1&cursor={first['next_cursor']}").json()
            assert ([each["field"] for each in rest["data"]], rest["has_more"]) == (["currency"], False)
        till.close()


def test_what_cannot_be_asked(sqlite_url: str) -> None:
    with House(sqlite_url) as house:
        refused = house.post("/v1/reconcile", {})
        assert (refused.status_code, refused.json()["error"]["code"]) == (409, "not_at_stripe")
        assert house.post("/v1/reconcile", {"since": "yesterday"}).json()["error"]["param"] == "since"
        assert house.post("/v1/reconcile", {"depth": "deep"}).status_code == 400
        assert house.get("/v1/reconcile/rec_nope").status_code == 404
        assert house.get("/v1/reconcile/rec_nope/lines").status_code == 404
        assert house.get("/v1/reconcile/rec_nope/lines?cursor=!").status_code == 400
        assert house.get("/v1/reconcile?cursor=!").status_code == 400
        assert house.post("/v1/reconcile", {}, key=house.key("secret", scopes=["read"])).status_code == 403
