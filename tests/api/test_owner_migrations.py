"""`POST /v1/products/{id}/migrations` over real HTTP, with the client, and `paywright catalog migrate-owners` killed in the middle."""

import json
import os
import subprocess
import sys
from typing import Any

import pytest

from paywright.client import Client
from paywright.client.model import OwnerFilter
from paywright.kernel.model import Customer
from paywright.ownership import migrations
from tests.harness.house import CATALOG, SECRET, House

MORE = {
    **CATALOG,
    "products": {
        **CATALOG["products"],
        "pro": {
            **CATALOG["products"]["pro"],
            "included_items": {"credits": {"quantity": 100, "repeat": "1 month"}, "extra": {"quantity": 2}},
        },
    },
    "items": {**CATALOG["items"], "extra": {}},
}
OWNERS = migrations.OWNERS_AT_ONCE + 3


def grow(house: House) -> None:
    """Owners of pro as it was, and a catalog in which it includes more."""
    for number in range(OWNERS):
        assert house.post(f"/v1/customers/user/u_{number}/products", {"product_id": "pro"}).status_code == 201
    assert house.ask("PUT", "/v1/catalog", json=MORE).status_code == 200


def extra(house: House) -> list[int]:
    return [house.get(f"/v1/customers/user/u_{number}/items/extra").json()["quantity"] for number in range(OWNERS)]


def test_looked_at_first_then_done_by_the_worker(house: House) -> None:
    grow(house)
    with Client(house.url, key=house.secret_key) as pay:
        seen = pay.migrate_owners("pro")
        assert (seen.id, seen.status, seen.owners, seen.to_migrate) == (None, "dry_run", OWNERS, OWNERS)
        ((version,), (move,)) = seen.versions, seen.versions[0].items
        assert (version.up_to_date, move.item_id, move.change, move.before) == (False, "extra", "added", None)
        one = pay.migrate_owners("pro", filter=OwnerFilter(customers=[Customer("user", "u_1")], source="grant"))
        assert one.to_migrate == 1
        assert extra(house) == [0] * OWNERS
        started = pay.migrate_owners("pro", dry_run=False, idempotency_key="k")
        assert pay.migrate_owners("pro", dry_run=False, idempotency_key="k").id == started.id
        assert started.id is not None
        while migrations.advance_running(house.app, house.app.environment("test")):  # type: ignore[arg-type]
            assert pay.get_owner_migration("pro", started.id).migrated > 0
        done = pay.get_owner_migration("pro", started.id)
        assert (done.status, done.migrated, done.unchanged) == ("completed", OWNERS, 0)
        assert extra(house) == [2] * OWNERS
        again = pay.migrate_owners("pro")
        assert (again.to_migrate, again.versions[0].up_to_date) == (0, True)
        assert [each.id for each in pay.list_owner_migrations("pro")] == [started.id]


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("pro", {"dry_run": "no"}, 400, "invalid_request"),
        ("pro", {"filter": {"granted_before": "yesterday"}}, 400, "invalid_request"),
        ("pro", {"filter": {"customers": []}}, 400, "invalid_request"),
        ("pro", {"filter": {"customers": [{"type": "user", "id": ""}]}}, 400, "invalid_request"),
        ("none", {}, 404, "product_not_found"),
    ],
)
def test_refused(shared_house: House, path: str, body: dict[str, Any], status: int, code: str) -> None:
    answer = shared_house.post(f"/v1/products/{path}/migrations", body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (status, code)


def test_only_with_a_secret_key_and_its_scope(shared_house: House) -> None:
    path, token = "/v1/products/pro/migrations", shared_house.token(Customer("user", "u_1"))
    for key, code in (
        (shared_house.publishable_key, "secret_key_required"),
        (token, "secret_key_required"),
        (None, "unauthenticated"),
    ):
        assert shared_house.post(path, {}, key=key).json()["error"]["code"] == code
    reader = shared_house.key("secret", scopes=["read"])
    assert shared_house.post(path, {}, key=reader).json()["error"]["code"] == "missing_scope"
    assert shared_house.get(f"{path}/mig_none", key=reader).json()["error"]["code"] == "not_found"


def command(house: House, *arguments: str, **environment: str) -> "subprocess.CompletedProcess[str]":
    surroundings = {
        **os.environ,
        "PAYWRIGHT_DATABASE_URL": house.app.settings.database_url,
        "PAYWRIGHT_SECRET": SECRET,
        **environment,
    }
    return subprocess.run(
        [sys.executable, "-m", "paywright", "catalog", "migrate-owners", "pro", *arguments],
        capture_output=True,
        text=True,
        env=surroundings,
        timeout=120,
    )


def test_a_command_killed_in_the_middle_goes_on_where_it_was(house: House) -> None:
    grow(house)
    looked = command(house)
    assert looked.returncode == 0, looked.stderr
    assert looked.stdout.splitlines()[0].startswith(f"{OWNERS} of {OWNERS} owners of pro would be migrated to pv_")
    assert "  extra: not included -> 2, repeat never, expires when_repeated" in looked.stdout
    killed = command(house, "--apply", PAYWRIGHT_CRASH_AT="160")  # Within the second work; the first one ends at 148.
    assert killed.returncode == -9, killed.stdout
    assert sorted(set(extra(house))) == [0, 2]
    done = command(house, "--apply", "--json")
    assert done.returncode == 0, done.stderr
    assert "Going on with mig_" in done.stderr
    answer = json.loads(done.stdout)
    assert (answer["status"], answer["migrated"], answer["unchanged"]) == ("completed", OWNERS, 0)
    assert extra(house) == [2] * OWNERS
    again = command(house, "--apply")
    assert again.stdout == f"0 owners of pro migrated. {OWNERS} needed nothing.\n"
