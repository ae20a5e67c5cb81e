"""The package's tables equal what the installed SDK says."""

import ast
import re
from pathlib import Path

import paywright_sandbox
from paywright_sandbox import cards, fidelity, web
from paywright_sandbox.account import SETTINGS
from paywright_sandbox.params import API_VERSION, catalogue
from paywright_sandbox.routing import ROUTES
from tests.contract.sdk_parameters import CATALOGUE, catalogue_text
from tests.contract.sdk_schemas import error_codes, event_types

PACKAGE = Path(paywright_sandbox.__file__).parent
OURS_ALONE = {
    "GET /v2/core/events/{id}",
    "GET /v1/payment_pages/{session}",
    "POST /v1/confirmation_tokens",
    "POST /v1/payment_pages/{session}/confirm",
}
SOURCE = "\n".join(path.read_text(encoding="utf-8") for path in sorted(PACKAGE.rglob("*.py")))


def test_the_catalogue_equals_the_installed_sdk() -> None:
    """If it fails after an upgrade: `python -m tests.contract.write_tables`, and read the difference."""
    assert CATALOGUE.read_text(encoding="utf-8") == catalogue_text()
    assert f"API {API_VERSION}." in catalogue_text()


def test_every_route_is_the_sdks_or_known_to_be_ours() -> None:
    assert {key for key in ROUTES if key not in catalogue().routes} <= OURS_ALONE


def test_every_parameter_acted_on_is_one_the_sdk_can_send() -> None:
    unknown = [
        (key, name)
        for key, route in ROUTES.items()
        if route.fields is None
        for name in route.acts_on - {"*"}
        if name.partition(".")[0] not in catalogue().shape(catalogue().routes[key])
    ]
    assert unknown == []


def test_every_event_type_in_the_source_is_one_the_sdk_lists() -> None:
    written = set(re.findall(r'emit(?:_updated)?\(\s*"([a-z_.]+)"', SOURCE))
    assert written
    assert written - event_types() == set()


def test_every_error_code_is_one_the_sdk_lists() -> None:
    """But for the three the SDK lacks."""
    lacking = {
        "payment_method_types_no_longer_supported",
        "sandbox_not_implemented",
        "subscription_payment_intent_requires_action",
    }
    constants = {
        keyword.value.value
        for path in PACKAGE.rglob("*.py")
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call)
        for keyword in call.keywords
        if keyword.arg == "code" and isinstance(keyword.value, ast.Constant) and isinstance(keyword.value.value, str)
    }
    rows = {decline.code for decline in (card.decline for card in cards.ROWS) if decline} | set(cards.DEBIT_FAILURES)
    assert (constants | rows) - error_codes() - lacking == set()


def test_fidelity_says_what_the_code_does() -> None:
    """If it fails: `python -m tests.contract.write_tables`."""
    assert fidelity.PATH.read_text(encoding="utf-8") == fidelity.as_markdown()


def test_the_control_api_is_documented_and_nothing_else_is() -> None:
    text = (PACKAGE.parents[1] / "docs" / "reference" / "sandbox-control.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`([A-Z]+ /_sandbox/[^`]*)`", text)) == {key for key in web.ACTS if " /_sandbox/" in key}
    settings = text.partition("## Settings")[2]
    assert set(re.findall(r"`(\w+)`", "".join(re.findall(r"^\| (`[^|]*) \|", settings, re.MULTILINE)))) == set(SETTINGS)


def test_the_package_imports_neither_paywright_nor_the_sdk() -> None:
    """The pytest plugin does import the SDK, when a test asks for a client."""
    imports = r"^\s*(?:from|import) (?:paywright|stripe)\b"
    guilty = [path.name for path in PACKAGE.rglob("*.py") if re.search(imports, path.read_text("utf-8"), re.MULTILINE)]
    assert guilty == ["pytest_plugin.py"]
