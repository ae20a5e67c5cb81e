"""What the frameworks share, where no server is needed."""

import json
import subprocess
import sys
import threading

import pytest

from paywright import Paywright
from paywright.client import errors
from paywright.client.model import Access
from paywright.integrations.background import Background
from paywright.integrations.gating import NotSignedIn, Wanted, judge, shown
from paywright.integrations.wsgi import path_as_sent
from tests.harness.house import SECRET


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        (errors.PaymentRequired("not_entitled", "No.", status=402), 402, "not_entitled"),
        (errors.Conflict("purchases_blocked", "No.", status=409), 409, "purchases_blocked"),
        (errors.Unavailable("unavailable", "Busy.", status=503), 503, "unavailable"),
        (NotSignedIn(), 401, "unauthenticated"),
        (errors.AuthenticationFailed("invalid_credentials", "Bad key.", status=401), 500, "internal_error"),
        (errors.PermissionDenied("missing_scope", "Scope.", status=403), 500, "internal_error"),
    ],
    ids=lambda value: getattr(value, "code", value),
)
def test_an_error_is_shown_unless_it_is_the_apps_own(error: errors.PaywrightError, status: int, code: str) -> None:
    answer = shown(error)
    (body,) = json.loads(answer.body).values()
    assert (answer.status, body["code"]) == (status, code)
    assert body["request_id"].startswith("req_")
    assert ("Retry-After" in answer.headers) is (status == 503)


def test_one_open_door_is_enough() -> None:
    pro, team = {"product_id": "pro"}, {"product_id": "team"}
    closed, lost = (
        Access(False, "not_owned", upgrade_options=[pro]),
        Access(False, "access_lost", upgrade_options=[pro, team]),
    )
    judge(Wanted(("pro", "team")), [closed, Access(True, "owned")])
    with pytest.raises(errors.PaymentRequired) as raised:
        judge(Wanted(("pro", "team")), [closed, lost])
    assert raised.value.facts == {
        "required": {"products": ["pro", "team"]},
        "reason": "not_owned",
        "upgrade_options": [pro, team],
    }


@pytest.mark.parametrize(
    ("prefix", "path", "target", "expected"),
    [
        ("/pay", "/v1/a/b", "/pay/v1/a%2Fb?x=1", "/v1/a%2Fb"),
        ("/pay", "/v1/a/b", None, "/v1/a/b"),
        ("/pay", "/v1/a/b", "http://host/pay/v1/a%2Fb", "/v1/a%2Fb"),
        ("/outer/pay", "/v1/a/b", "/pay/v1/a%2Fb", "/v1/a/b"),
        ("", "/v1/a", "/v1/a?x=http://y", "/v1/a"),
    ],
)
def test_the_path_is_taken_as_it_was_sent(prefix: str, path: str, target: str | None, expected: str) -> None:
    assert path_as_sent(prefix, path, target) == expected


def test_nobody_needs_a_framework_they_do_not_use() -> None:
    program = (
        "import sys, paywright.inprocess, paywright.integrations.wsgi, paywright.integrations.gating, paywright.worker\n"
        "print(*{'fastapi', 'starlette', 'flask', 'werkzeug', 'django', 'asgiref'} & sys.modules.keys())"
    )
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert ran.stdout.split() == []


def workers() -> int:
    return sum(thread.name == "paywright-worker" for thread in threading.enumerate())


def test_a_process_does_the_background_work_once_until_its_engine_closes(sqlite_url: str) -> None:
    before = workers()
    pay = Paywright(database_url=sqlite_url, provider="instant", secret=SECRET)
    background = pay.app.resource(Background)
    assert workers() == before
    background.ensure()
    background.ensure()
    assert workers() == before + 1
    background.close()
    assert workers() == before
    background.ensure()
    pay.close()
    pay.close()
    assert workers() == before
