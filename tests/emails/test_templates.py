"""Templates: ours render, the operator's replace them file by file, and no slip in one takes the worker with it."""

from pathlib import Path
from typing import Any

import pytest

from paywright.emails.model import KINDS, Kind, Shop
from paywright.emails.samples import SAMPLES
from paywright.emails.shop import require_sound
from paywright.emails.templates import SUBJECT_CHARACTERS_MAX, TemplateBroken, Templates
from paywright.kernel.settings import Settings, SettingsInvalid

SHOP = Shop("Wallpaper & <Store>", "s@x.example", "ops@x.example")
EVERY = [(kind, place) for kind in KINDS for place in range(len(SAMPLES[kind]))]
CODE: Kind = "sign_in_code"
FACTS: dict[str, Any] = {"code": "123456", "minutes": 10}


@pytest.fixture(scope="module")
def ours() -> Templates:
    return Templates()


@pytest.mark.parametrize(("kind", "place"), EVERY, ids=[f"{kind}-{place}" for kind, place in EVERY])
def test_every_letter_renders_with_and_without_what_may_be_missing(ours: Templates, kind: Kind, place: int) -> None:
    rendered = ours.render(kind, SHOP, SAMPLES[kind][place])
    assert rendered.subject
    assert "\n" not in rendered.subject
    assert len(rendered.text.splitlines()) > 3
    assert "\n\n\n" not in rendered.text
    assert rendered.html.startswith("<!doctype html>")
    assert "<Store>" not in rendered.html
    assert "None" not in rendered.text + rendered.html
    assert len(rendered.html) < 6_000


def test_ours_pass_their_own_lint(ours: Templates) -> None:
    assert ours.lint(SHOP) == []


def test_names_of_products_are_escaped_in_html_and_break_no_line_of_the_text(ours: Templates) -> None:
    named = {**SAMPLES["plan_ended"][0], "product": "Pro\r\nBcc: x@x.example\u2028<script>alert(1)</script> ✨"}
    rendered = ours.render("plan_ended", SHOP, named)
    assert rendered.subject == "Pro Bcc: x@x.example <script>alert(1)</script> ✨ has ended"
    assert "<script>" not in rendered.html
    assert "&lt;script&gt;alert(1)&lt;/script&gt; ✨" in rendered.html


def test_money_dates_and_numbers_are_in_the_shops_language_and_time(ours: Templates) -> None:
    german = Shop("Laden", "s@x.example", None, locale="de_DE", time_zone="Pacific/Auckland")
    receipt = ours.render("receipt", german, SAMPLES["receipt"][0] | {"paid_at": "2026-03-01T12:00:00Z"})
    assert "49,99\u00a0€" not in receipt.text
    assert "49,99\u00a0$" in receipt.text
    assert "2. März 2026" in receipt.text
    units = ours.render("units_expiring", german, SAMPLES["units_expiring"][0])
    assert "1.250 Credits" in units.text


def test_test_mode_says_so_and_live_does_not(ours: Templates) -> None:
    for is_test in (True, False):
        shop = Shop("Shop", "s@x.example", None, is_test=is_test)
        rendered = ours.render(CODE, shop, FACTS)
        assert (rendered.subject.startswith("[test] "), "no real money moved" in rendered.html) == (is_test, is_test)


def test_a_folder_replaces_file_by_file(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "sign_in_code.txt": "Subject: {{ code }}!\n\nHello from {{ shop.name }}",
            "layout.html": "<b>{% block main %}{% endblock %}</b>",
        },
    )
    rendered = Templates(tmp_path).render(CODE, SHOP, FACTS)
    assert (rendered.subject, rendered.text) == ("123456!", "Hello from Wallpaper & <Store>\n")
    assert rendered.html.startswith("<b><h1>Your sign-in code</h1>")


def test_a_subject_is_one_line_of_bounded_length(tmp_path: Path) -> None:
    write(
        tmp_path, {"sign_in_code.txt": "Subject: a\tb\x00c {{ 'x' }}{% for n in range(300) %}long {% endfor %}\n\ntext"}
    )
    subject = Templates(tmp_path).render(CODE, SHOP, FACTS).subject
    assert subject.startswith("a b c xlong long")
    assert len(subject) <= SUBJECT_CHARACTERS_MAX


LOOPS = (
    "{% for a in range(1000) %}{% for b in range(1000) %}{% for c in range(1000) %}{% endfor %}{% endfor %}{% endfor %}"
)
DOUBLES = "{% set s = 'xxxxxxxxxx' %}" + "{% set s = s ~ s %}" * 60
BROKEN = {
    "an unknown name": ("Subject: {{ cod }}", "sign_in_code.txt: 'cod' is undefined"),
    "no subject": ("Hello", "its first line is `Subject: …`"),
    "an empty subject": ("Subject:  \n\nHello", "the subject is empty"),
    "bad syntax": ("Subject: {{ code", "unexpected end of template"),
    "an attribute that is not there": ("Subject: {{ shop.nme }}", "has no attribute 'nme'"),
    "a way out of the sandbox": ("Subject: {{ shop.__class__.__mro__ }}", "unsafe"),
    "another way": ("Subject: {{ ''.__class__ }}", "unsafe"),
    "a changed fact": ("Subject: {{ shop.__init__('x') }}", "unsafe"),
    "loops that never come back": (f"Subject: {LOOPS}", "more than 0.2 seconds"),
    "a text that doubles": (f"Subject: {DOUBLES}", "more than 262144 characters"),
    "a text that is multiplied": ("Subject: {{ 'x' * 999999999 }}", "for numbers only"),
    "a number that is raised": ("Subject: {{ 9 ** 9 ** 9 }}", "for numbers only"),
    "a text that is formatted": ("Subject: {{ '%999999999d' % 1 }}", "for numbers only"),
    "a wide range": ("Subject: {% for n in range(9999999) %}x{% endfor %}", "a range of more than 1000"),
    "much output": ("Subject: {% for a in range(300) %}" + "x" * 1_000 + "{% endfor %}", "more than 262144"),
    "much source": ("Subject: " + "x" * 70_000, "more than 65536 bytes"),
    "itself": ("{% include 'sign_in_code.txt' %}", "sign_in_code.txt"),
    "a file elsewhere": ("{% include '../../../../etc/passwd' %}", "sign_in_code.txt"),
    "a filter that is left out": ("Subject: {{ 'x'|center(999999999) }}", "No filter named 'center'"),
}


@pytest.mark.parametrize("slip", BROKEN)
def test_a_slip_in_a_template_is_an_error_that_names_it(tmp_path: Path, slip: str) -> None:
    text, told = BROKEN[slip]
    write(tmp_path, {"sign_in_code.txt": text})
    with pytest.raises(TemplateBroken, match=r"^sign_in_code.txt: ") as raised:
        Templates(tmp_path, render_s_max=0.2).render(CODE, SHOP, FACTS)
    assert told in str(raised.value)


def test_lint_finds_a_name_in_a_branch_that_no_sample_takes_and_a_server_does_not_start(tmp_path: Path) -> None:
    write(tmp_path, {"sign_in_code.html": "{% if minutes > 99 %}{{ metadata.server }}{% endif %}"})
    (problem,) = Templates(tmp_path).lint(SHOP)
    assert problem.template == "sign_in_code.html"
    assert problem.message.startswith("'metadata' is undefined; there are code, count, date, minutes, ")
    with pytest.raises(SettingsInvalid, match=r"PAYWRIGHT_TEMPLATES: sign_in_code.html: 'metadata' is undefined"):
        require_sound(Settings(templates=str(tmp_path)))


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"templates": "nowhere/at/all"}, "is not there"),
        ({"smtp_url": "http://mail.example"}, "PAYWRIGHT_SMTP_URL is smtp://"),
        ({"smtp_url": "smtp://"}, "PAYWRIGHT_SMTP_URL is smtp://"),
        ({"smtp_url": "smtp://mail.example:port"}, "PAYWRIGHT_SMTP_URL is malformed"),
        ({"smtp_url": "smtp://user:word@mail.example"}, "which smtp:// sends readable"),
        ({"email_from": "nobody"}, "PAYWRIGHT_EMAIL_FROM is an e-mail address"),
        ({"email_from": "A\nBcc: <x@x.example>"}, "PAYWRIGHT_EMAIL_FROM is an e-mail address"),
        ({"operator_email": "Ops <ops@x.example>"}, "PAYWRIGHT_OPERATOR_EMAIL is an e-mail address"),
    ],
)
def test_a_server_does_not_start_with_settings_that_can_send_nothing(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(SettingsInvalid, match=told):
        require_sound(Settings(**settings))


def test_sound_settings_start() -> None:
    require_sound(
        Settings(
            smtp_url="smtp+starttls://u:p@mail.example", email_from="Shop <s@x.example>", operator_email="o@x.example"
        )
    )


def write(folder: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (folder / name).write_text(text, encoding="utf-8")
