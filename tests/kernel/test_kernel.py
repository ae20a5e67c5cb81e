"""Money, periods, instants, ids, refusals and settings."""

import string
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from paywright.kernel import ids, instants, money, vault
from paywright.kernel.model import Customer, parse_customer
from paywright.kernel.periods import Period, boundaries_passed, boundary, parse_period
from paywright.kernel.refusals import REFUSALS, Refusal, invalid_request
from paywright.kernel.settings import Settings, SettingsInvalid, load_settings


def at(written: str) -> int:
    found = instants.parse_instant(written)
    assert found is not None
    return found


@pytest.mark.parametrize(
    ("major", "currency", "minor"),
    [
        ("19.99", "usd", 1999),
        ("19.9", "usd", 1990),
        ("19", "usd", 1900),
        ("0", "usd", 0),
        ("3000", "jpy", 3000),
        ("30.00", "jpy", None),
        ("19.999", "usd", None),
        ("19.990", "usd", None),
        ("-1", "usd", None),
        ("1e3", "usd", None),
        ("NaN", "usd", None),
        ("", "usd", None),
        (".", "usd", None),
        ("١٢", "usd", None),
        ("1_000", "usd", None),
        (" 1", "usd", None),
    ],
)
def test_C3_C4_major_units_become_minor_ones_exactly(major: str, currency: str, minor: int | None) -> None:
    assert money.minor_units(major, currency) == minor


@given(st.integers(0, 10**9))
def test_every_amount_of_cents_survives_being_written(cents: int) -> None:
    assert money.minor_units(f"{cents // 100}.{cents % 100:02d}", "usd") == cents


@pytest.mark.parametrize(
    ("amount", "currency", "shown"), [(1999, "usd", "$19.99"), (3000, "jpy", "¥3,000"), (5, "eur", "€0.05")]
)
def test_amounts_are_shown_with_their_currencys_digits(amount: int, currency: str, shown: str) -> None:
    assert money.format_amount(amount, currency) == shown


@pytest.mark.parametrize(
    ("written", "period"),
    [
        ("1 month", Period(1, "month")),
        ("month", Period(1, "month")),
        ("3 months", Period(3, "month")),
        ("2 weeks", Period(2, "week")),
        ("0 day", None),
        ("-1 day", None),
        ("1 fortnight", None),
        ("1  month", None),
        ("1.5 month", None),
        ("", None),
        ("month 1", None),
    ],
)
def test_a_period_is_a_count_and_a_unit(written: str, period: Period | None) -> None:
    assert parse_period(written) == period
    assert period is None or parse_period(str(period)) == period


@pytest.mark.parametrize(
    ("anchor", "period", "n", "expected"),
    [
        ("2025-01-31T08:30:00Z", "1 month", 1, "2025-02-28T08:30:00Z"),
        ("2025-01-31T08:30:00Z", "1 month", 2, "2025-03-31T08:30:00Z"),
        ("2025-01-31T08:30:00Z", "1 month", 3, "2025-04-30T08:30:00Z"),
        ("2024-01-31T00:00:00Z", "1 month", 1, "2024-02-29T00:00:00Z"),
        ("2024-02-29T00:00:00Z", "1 year", 1, "2025-02-28T00:00:00Z"),
        ("2024-02-29T00:00:00Z", "1 year", 4, "2028-02-29T00:00:00Z"),
        ("2025-01-01T00:00:00Z", "3 day", 4, "2025-01-13T00:00:00Z"),
        ("2025-01-01T00:00:00.123Z", "1 week", 2, "2025-01-15T00:00:00.123Z"),
        ("2025-05-31T00:00:00Z", "1 month", 0, "2025-05-31T00:00:00Z"),
    ],
)
def test_I1_boundaries_are_counted_from_the_anchor(anchor: str, period: str, n: int, expected: str) -> None:
    parsed = parse_period(period)
    assert parsed is not None
    assert instants.rfc3339(boundary(at(anchor), parsed, n)) == expected


@given(
    st.integers(at("2000-01-01T00:00:00Z"), at("2040-01-01T00:00:00Z")),
    st.integers(1, 5),
    st.sampled_from(["day", "week", "month", "year"]),
    st.integers(0, 400 * 86_400_000),
)
def test_boundaries_passed_agrees_with_walking_them(anchor: int, count: int, unit: str, later: int) -> None:
    period = Period(count, unit)  # type: ignore[arg-type]
    walked = 0
    while boundary(anchor, period, walked + 1) <= anchor + later:
        walked += 1
    assert boundaries_passed(anchor, period, anchor + later) == walked


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("2026-10-28T12:00:00Z", "2026-10-28T12:00:00Z"),
        ("2026-10-28T14:00:00+02:00", "2026-10-28T12:00:00Z"),
        ("2026-10-28T12:00:00.123999Z", "2026-10-28T12:00:00.123Z"),
        ("2026-10-28T12:00:00", None),
        ("2026-10-28", None),
        ("yesterday", None),
        ("", None),
    ],
)
def test_an_instant_has_an_offset_and_milliseconds(written: str, shown: str | None) -> None:
    found = instants.parse_instant(written)
    assert (None if found is None else instants.rfc3339(found)) == shown


def test_datetimes_come_and_go_unharmed() -> None:
    moment = datetime.fromisoformat("2026-10-28T14:00:00.123+02:00")
    assert instants.to_datetime(instants.of_datetime(moment)) == moment
    with pytest.raises(AssertionError, match="time zone"):
        instants.of_datetime(moment.replace(tzinfo=None))


def test_ids_are_unique_and_sort_by_time() -> None:
    made = [ids.new_id("evt") for _ in range(5_000)]
    assert len(set(made)) == len(made)
    assert made == sorted(made)
    assert all(each.startswith("evt_") and len(each) == 30 for each in made)


@pytest.mark.parametrize("customer_id", ["u_1", "a/b", "漢字", "x" * 255, "user:1", " ", "🦆"])
def test_a_customer_id_is_any_printable_text(customer_id: str) -> None:
    found = parse_customer("user", customer_id)
    assert isinstance(found, Customer)
    assert Customer.of_key(found.key) == found


@pytest.mark.parametrize(
    ("customer_type", "customer_id"), [("user", ""), ("user", "x" * 256), ("user", "a\nb"), ("robot", "r")]
)
def test_what_is_no_customer_is_refused(customer_type: str, customer_id: str) -> None:
    refusal = parse_customer(customer_type, customer_id)
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.status, refusal.param) == ("invalid_request", 400, "customer")


def test_every_refusal_has_a_status_and_a_sentence() -> None:
    for code, (status, sentence) in REFUSALS.items():
        assert 400 <= status <= 503, code
        assert sentence.endswith((".", "}")), code
        named = {name for _, name, _, _ in string.Formatter().parse(sentence) if name}
        assert all(name.isidentifier() for name in named), code


def test_a_refusal_says_its_facts() -> None:
    short = Refusal("insufficient_quantity", {"requested": 3, "available": 1})
    assert (short.status, short.message) == (402, "3 asked, 1 available.")
    assert invalid_request("quantity", "Too odd.").message == "Too odd."
    assert Refusal("session_not_open").message == "This checkout session is ?."
    with pytest.raises(AssertionError, match="no_such_code"):
        Refusal("no_such_code")


def test_settings_come_from_the_environment_then_dotenv_then_toml(tmp_path: Path) -> None:
    (tmp_path / "paywright.toml").write_text('port = 1\nhost = "toml"\nstripe_api_base = "http://toml"\n')
    (tmp_path / ".env").write_text("# a comment\nexport PAYWRIGHT_HOST='dotenv'\nPAYWRIGHT_PORT=2\n\nnonsense\n")
    settings = load_settings({"PAYWRIGHT_PORT": "3", "PAYWRIGHT_SECRET": ""}, folder=tmp_path)
    assert (settings.port, settings.host, settings.stripe_api_base, settings.secret) == (
        3,
        "dotenv",
        "http://toml",
        None,
    )
    assert load_settings({}, folder=tmp_path, port=4).port == 4
    with pytest.raises(SettingsInvalid, match="PAYWRIGHT_SECRET"):
        settings.require_secret()
    with pytest.raises(SettingsInvalid, match="malformed"):
        load_settings({"PAYWRIGHT_PORT": "many"}, folder=tmp_path)


def test_settings_never_print_a_secret() -> None:
    settings = Settings(secret="hush", stripe_secret_key="sk_test_hush", stripe_webhook_secret="whsec_hush")
    assert "hush" not in repr(settings)
    assert "hush" not in str(settings)


def test_what_is_encrypted_is_read_with_the_same_secret_only() -> None:
    stored = vault.encrypt("one secret", "sk_test_1")
    assert "sk_test_1" not in stored
    assert vault.decrypt("one secret", stored) == "sk_test_1"
    with pytest.raises(vault.SecretUnreadable):
        vault.decrypt("another secret", stored)
    assert vault.derived_key("s", "tokens") != vault.derived_key("s", "cookies")


def test_facts_of_many_are_told_in_words() -> None:
    assert Refusal("base_required", {"bases": ["pro", "team"]}).message == "This add-on needs one of pro, team."
    assert Refusal("not_settled", {"waiting": {"letters": 2}}).message.endswith("in flight: 2 letters.")
