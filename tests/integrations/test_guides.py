"""The guides' own programs, run as they stand."""

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from tests.house.trees import ROOT

ANNE = {"X-User": "anne"}
DJANGO_PROGRAM = """
import os, django
os.environ["DJANGO_SETTINGS_MODULE"] = "shop.settings"
django.setup()
from django.test import Client
from shop.billing import pay
client, anne = Client(), {"X-User": "anne"}
print(client.get("/report").status_code, client.get("/report", headers=anne).json()["error"]["code"])
pay.user("anne").create_checkout_url("pack", success_url="https://app.example/thanks", cancel_url="https://app.example/")
print(client.post("/haiku", headers=anne).json(), client.get("/posts/1", headers=anne).json())
print(client.post("/poems", {"line": "an old pond"}, headers=anne).json())
try:
    client.post("/poems", {}, headers=anne)
except KeyError:
    print("broken", pay.user("anne").get_item("credits").quantity)
print(client.post("/poems", {"line": "too dear"}, headers={"X-User": "bob"}).json()["error"]["code"])
print(client.get("/paywright/readyz").json())
pay.close()
"""


def blocks(guide: str) -> list[str]:
    text = (ROOT / "docs" / "guides" / guide).read_text(encoding="utf-8")
    return re.findall(r"```python\n(.*?)```", text, re.DOTALL)


@pytest.fixture
def program(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> Iterator[dict[str, Any]]:
    """The names a guide defines when its blocks stand in one file."""
    monkeypatch.chdir(tmp_path)
    names: dict[str, Any] = {"__name__": "guide"}
    exec(compile("\n".join(blocks(request.param)), request.param, "exec"), names)
    yield names
    names["pay"].close()


@pytest.mark.parametrize("program", ["fastapi.md"], indirect=True)
def test_the_fastapi_guide_works(program: dict[str, Any]) -> None:
    with TestClient(program["app"]) as client:
        assert client.get("/report").status_code == 401
        assert client.get("/report", headers=ANNE).json()["error"]["facts"]["required"] == {"products": ["pro"]}
        assert client.post("/buy", headers=ANNE).json()["url"].startswith("https://app.example/thanks")
        assert client.post("/haiku", headers=ANNE).json() == {"left": 9}
        assert client.get("/posts/1", headers=ANNE).json() == {"title": "On ponds"}
        assert client.get("/paywright/readyz").json() == {"status": "ready"}
        program["pay"].user("anne").grant_product("pro")
        assert client.get("/report", headers=ANNE).json() == "Everything in numbers"


@pytest.mark.parametrize("program", ["flask.md"], indirect=True)
def test_the_flask_guide_works(program: dict[str, Any]) -> None:
    client = program["app"].test_client()
    assert client.get("/report").status_code == 401
    assert client.get("/report", headers=ANNE).text == "<p>Not yet yours. pro opens it.</p>"
    assert client.post("/buy", headers=ANNE).get_json()["url"].startswith("https://app.example/thanks")
    assert client.post("/haiku", headers=ANNE).get_json() == {"left": 9}
    assert client.get("/posts/1", headers=ANNE).get_json() == {"title": "On ponds"}
    assert client.get("/paywright/readyz").get_json() == {"status": "ready"}


def test_the_django_guide_works(tmp_path: Path) -> None:
    for block in blocks("django.md"):
        named = re.match(r"# (shop/\w+\.py)\n", block)
        assert named is not None, block
        path = tmp_path / named[1]
        path.parent.mkdir(exist_ok=True)
        path.write_text(block, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-c", DJANGO_PROGRAM], cwd=tmp_path, env={}, capture_output=True, text=True, timeout=60
    )
    assert ran.stdout.splitlines() == [
        "401 not_entitled",
        "{'left': 9} {'title': 'On ponds'}",
        "{'left': 8}",
        "broken 8",
        "insufficient_quantity",
        "{'status': 'ready'}",
    ], ran.stderr
