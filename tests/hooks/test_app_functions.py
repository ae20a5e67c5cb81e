"""`PAYWRIGHT_APP`: a server runs the functions of the app it is told of, on both databases."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from paywright.app import open_app
from paywright.inprocess.hearing import load
from paywright.kernel.model import Customer
from paywright.kernel.settings import Settings, SettingsInvalid
from tests.harness.shop import SECRET, Shop
from tests.hooks.test_listeners import happens, run

MODULE = """
from paywright import Paywright

pay = Paywright(database_url={url!r}, secret={secret!r}, environment="test", provider="instant")
heard = []


@pay.on("product.granted")
def granted(event):
    heard.append(event.customer.id)


@pay.on("product.granted", when="inside")
def check(event):
    if event.customer.id == "u_9":
        raise PermissionError("not u_9")
"""


def settings(database_url: str, app: str) -> Settings:
    return Settings(database_url=database_url, secret=SECRET, app=app)


def test_a_server_runs_the_functions_of_the_app_it_is_told_of(
    database_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = f"told_app_{abs(hash(database_url))}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(url=database_url, secret=SECRET), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(str(tmp_path))
    app = open_app(settings(database_url, f"{name}:pay"), provider="instant")
    close = load(app)
    loaded = sys.modules[name]
    served = Shop.__new__(Shop)
    served.app, served.environment = app, _there(app.environment("test"))
    happens(served, "payment.paid")
    with pytest.raises(PermissionError):
        happens(served, "product.granted", Customer("user", "u_9"))
    happens(served, "product.granted")
    run(served)
    assert loaded.heard == ["u_1"]
    close()
    app.close()


def _there(found: Any) -> Any:
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("paywright", "is `module:name`"),
        ("no_such_module:pay", "can't be loaded"),
        ("paywright:nothing", "can't be loaded"),
        ("msgspec:json", "is no `Paywright`"),
    ],
)
def test_an_app_that_cannot_be_loaded_keeps_the_server_from_starting(sqlite_url: str, named: str, told: str) -> None:
    app = open_app(settings(sqlite_url, named))
    with pytest.raises(SettingsInvalid, match=told):
        load(app)
    app.close()


def test_an_app_on_another_database_keeps_the_server_from_starting(
    fresh_database: Callable[[], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours, theirs = fresh_database(), fresh_database()
    name = f"other_app_{abs(hash(theirs))}"
    (tmp_path / f"{name}.py").write_text(MODULE.format(url=theirs, secret=SECRET), encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    app = open_app(settings(ours, f"{name}:pay"))
    with pytest.raises(SettingsInvalid, match="another database or environment"):
        load(app)
    sys.modules[name].pay.close()
    app.close()
