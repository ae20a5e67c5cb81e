"""Every problem a catalog can have, and its normal form. Pure."""

from typing import Any

import pytest

from paywright.catalog.model import Catalog
from paywright.catalog.parse import parse, parse_inline, sent_version
from paywright.catalog.report import PROBLEM_CODES
from paywright.catalog.views import wire
from paywright.kernel.refusals import Refusal
from tests.catalog.documents import changed, full


def parsed(document: Any) -> Catalog:
    catalog = parse(document, mode="test")
    assert isinstance(catalog, Catalog), catalog
    return catalog


def problems(document: Any) -> set[tuple[str, str]]:
    """Code and path of everything wrong with a document, as long as its shape is right."""
    refusal = parse(document, mode="test")
    assert isinstance(refusal, Refusal), "a valid catalog"
    assert refusal.code == "invalid_catalog", refusal
    assert all(problem["message"] for problem in refusal.facts["problems"])
    return {(problem["code"], problem["path"]) for problem in refusal.facts["problems"]}


MONTHLY = "products.pro.prices.monthly"
NAMES = ("a" * 64, "-a", "own_a", "__proto__", "constructor", "prototype", "", "a b", "ä", "a.b")
BIG = 2**53

# fmt: off
PROBLEMS: list[tuple[str, Any, str, str]] = [
    *((f"products.{name}", {}, "bad_id", f"products.{name}") for name in NAMES if "." not in name),
    ("items.-a", {}, "bad_id", "items.-a"),
    ("product_lines.own_a", {}, "bad_id", "product_lines.own_a"),
    ("products.pro.prices.a b", {"amounts": {"usd": 100}}, "bad_id", "products.pro.prices.a b"),
    ("colour", "red", "unknown_field", "colour"),
    ("products.pro.colour", "red", "unknown_field", "products.pro.colour"),
    ("items.credits.unit", "x", "unknown_field", "items.credits.unit"),
    ("product_lines.plan.products", [], "unknown_field", "product_lines.plan.products"),
    (f"{MONTHLY}.currency", "usd", "unknown_field", f"{MONTHLY}.currency"),
    ("products.pro.included_items.seats.amount", 1, "unknown_field", "products.pro.included_items.seats.amount"),
    ("products.pro.metadata.private", {}, "unknown_field", "products.pro.metadata.private"),
    ("products.pro.included_items.gold", {"quantity": 1}, "unknown_item", "products.pro.included_items.gold"),
    ("products.pro.product_line", "plans", "unknown_product_line", "products.pro.product_line"),
    ("products.support.add_on_to", ["pro", "prp"], "unknown_product", "products.support.add_on_to.prp"),
    ("product_lines.plan.customer_type", "team", "customer_type_mismatch", "products.pro.product_line"),
    ("items.seats.customer_type", "team", "customer_type_mismatch", "products.pro.included_items.seats"),
    ("products.support.customer_type", "team", "customer_type_mismatch", "products.support.add_on_to.pro"),
    (f"{MONTHLY}.amounts", {}, "no_amount", MONTHLY),
    (f"{MONTHLY}.amounts", ..., "no_amount", MONTHLY),
    (f"{MONTHLY}.amounts", {"usx": 100}, "unsupported_currency", f"{MONTHLY}.amounts.usx"),
    (f"{MONTHLY}.amounts", {"USD": 100}, "unsupported_currency", f"{MONTHLY}.amounts.USD"),
    *(
        (f"{MONTHLY}.amounts", {"usd": amount}, "bad_amount", f"{MONTHLY}.amounts.usd")
        for amount in (-1, 100_000_000, 19.99, 20.0, "19.999", "-1", "", "1e3", "999999.999", "1000000.00", "x", True, None, [1])
    ),
    (f"{MONTHLY}.amounts", {"jpy": "30.00"}, "bad_amount", f"{MONTHLY}.amounts.jpy"),  # C4
    *(
        (f"{MONTHLY}.interval", period, "bad_period", f"{MONTHLY}.interval")
        for period in ("0 month", "1 hour", "month 1", "-1 month", "1.5 month", "4 year", "37 month", "157 week", "1096 day", 1, "")
    ),
    ("products.pro.trial", "731 day", "bad_period", "products.pro.trial"),
    (f"{MONTHLY}.trial", "2 year", "bad_period", f"{MONTHLY}.trial"),
    ("products.pro.included_items.credits.repeat", "daily", "bad_period", "products.pro.included_items.credits.repeat"),
    ("products.pro.included_items.credits.repeat", "0 day", "bad_period", "products.pro.included_items.credits.repeat"),
    ("products.pro.included_items.credits.repeat", "101 year", "bad_period", "products.pro.included_items.credits.repeat"),
    *(
        ("products.pro.included_items.seats", {"quantity": quantity}, "bad_quantity", "products.pro.included_items.seats.quantity")
        for quantity in (0, -1, BIG, 1.5, "3", True, None)
    ),
    ("products.pro.included_items.seats", {}, "bad_quantity", "products.pro.included_items.seats.quantity"),
    ("products.pack.prices.once.trial", "7 day", "trial_not_allowed", "products.pack.prices.once.trial"),
    (f"{MONTHLY}", {"amounts": {"usd": 0}, "interval": "1 month", "trial": "1 week"}, "trial_not_allowed", f"{MONTHLY}.trial"),
    ("products.pack.trial", "7 day", "trial_not_allowed", "products.pack.trial"),
    ("products.pro.prices", {"free": {"amounts": {"usd": 0}, "interval": "1 month"}}, "trial_not_allowed", "products.pro.trial"),
    ("products.starter", {"product_line": "plan", "include_by_default": True}, "two_defaults_in_line", "products.starter"),  # C5
    ("products.free.prices", {"a": {"amounts": {"usd": 0}}}, "default_not_free", "products.free"),
    ("products.free.stackable", True, "default_not_free", "products.free"),
    ("products.free.add_on_to", ["pro"], "default_not_free", "products.free"),
    ("products.pack.include_by_default", True, "default_item_never_expires", "products.pack.included_items.credits"),
    ("products.pro.add_on_to", ["pro"], "add_on_cycle", "products.pro.add_on_to"),
    ("products.pro.add_on_to", ["support"], "add_on_cycle", "products.pro.add_on_to"),
]
# fmt: on


@pytest.mark.parametrize(
    ("path", "value", "code", "where"), PROBLEMS, ids=[f"{each[2]}-{i}" for i, each in enumerate(PROBLEMS)]
)
def test_each_problem_has_its_code_and_path(path: str, value: Any, code: str, where: str) -> None:
    assert (code, where) in problems(changed(path, value))


def test_a_default_with_a_trial_is_not_free() -> None:
    assert ("default_not_free", "products.free") in problems(changed("products.free.trial", "7 day"))


def test_one_adopted_stripe_price_stands_under_one_price_only() -> None:
    document = changed(f"{MONTHLY}.stripe_price_id", "price_1")
    document["products"]["pack"]["prices"]["once"]["stripe_price_id"] = {"test": "price_1", "live": "price_9"}
    assert problems(document) == {("duplicate_stripe_price", "products.pack.prices.once")}


def test_every_problem_code_of_a_document_has_a_case_here() -> None:
    tried = {code for _, _, code, _ in PROBLEMS} | {"duplicate_stripe_price"}
    assert tried == PROBLEM_CODES - {"customer_type_fixed"}  # That one needs customers: see test_apply.


def test_all_problems_come_at_once() -> None:
    document = changed("products.pro.product_line", "plans")
    document["products"]["pack"]["prices"]["once"]["amounts"] = {"usd": 1.5, "jpy": "1.0"}
    document["items"]["-x"] = {"colour": 1}
    assert problems(document) == {
        ("unknown_product_line", "products.pro.product_line"),
        ("bad_amount", "products.pack.prices.once.amounts.usd"),
        ("bad_amount", "products.pack.prices.once.amounts.jpy"),
        ("bad_id", "items.-x"),
        ("unknown_field", "items.-x.colour"),
    }


MALFORMED: list[tuple[str, Any]] = [
    ("items", []),
    ("products", "x"),
    ("products.pro", 5),
    ("products.pro.prices", [1]),
    ("products.pro.prices.monthly.amounts", 5),
    ("products.pro.add_on_to", "pro"),
    ("products.pro.add_on_to", [1]),
    ("products.pro.stackable", "yes"),
    ("products.pro.display_name", ""),
    ("products.pro.display_name", "a" * 251),
    ("products.pro.display_name", "a\nb"),
    ("products.pro.display_name", 7),
    ("products.pro.customer_type", "guest"),
    ("products.pro.customer_type", ["user"]),
    ("products.pro.product_line", 7),
    ("products.pro.prices.monthly.stripe_price_id", 7),
    ("products.pro.prices.monthly.stripe_price_id", {"live": 7}),
    ("products.pro.included_items.credits.expires", "tomorrow"),
    ("products.pro.included_items.credits.expires", ["never"]),
    ("products.pro.metadata", []),
    ("products.pro.metadata.server", {"a": "x" * 16_384}),
]


@pytest.mark.parametrize(("path", "value"), MALFORMED)
def test_a_wrong_shape_is_malformed_and_named(path: str, value: Any) -> None:
    refusal = parse(changed(path, value), mode="test")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "invalid_request"
    assert refusal.param is not None
    assert refusal.param.startswith(path)


@pytest.mark.parametrize("document", [None, [], "x", 3])
def test_a_catalog_is_an_object(document: Any) -> None:
    refusal = parse(document, mode="test")
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.param) == ("invalid_request", "catalog")


def test_metadata_holds_json_only() -> None:
    refusal = parse(changed("products.pro.metadata.client", {"at": object()}), mode="test")
    assert isinstance(refusal, Refusal)
    assert refusal.param == "products.pro.metadata.client"


def test_the_example_is_valid_and_its_normal_form_is_stable() -> None:
    catalog = parsed(full())
    assert parsed(wire(catalog)) == catalog


def test_C2_an_included_quantity_is_given_once_and_lost_with_the_purchase() -> None:
    seats = wire(parsed(full()))["products"]["pro"]["included_items"]["seats"]
    assert seats == {"quantity": 3, "repeat": "never", "expires": "when_repeated"}


def test_C3_text_is_major_units_exactly() -> None:
    amount = parsed(full()).products["pro"].prices["monthly"].amounts["usd"]
    assert (amount, 3 * amount) == (1999, 5997)


@pytest.mark.parametrize(
    ("written", "currency", "amount"),
    [
        ("3000", "jpy", 3000),  # C4
        (3000, "jpy", 3000),
        ("0", "usd", 0),
        (0, "usd", 0),
        ("10", "usd", 1000),
        ("0.5", "eur", 50),
        ("999999.99", "usd", 99_999_999),
        (99_999_999, "inr", 99_999_999),
        ("1.10", "gbp", 110),
    ],
)
def test_amounts_are_read_exactly(written: Any, currency: str, amount: int) -> None:
    catalog = parsed(changed("products.pack.prices.once.amounts", {currency: written}))
    assert catalog.products["pack"].prices["once"].amounts == {currency: amount}


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("month", "1 month"),
        ("3 months", "3 month"),
        ("1 year", "1 year"),
        ("3 years", "3 year"),
        ("1095 day", "1095 day"),
    ],
)
def test_periods_come_back_in_their_normal_form(written: str, normal: str) -> None:
    assert parsed(changed(f"{MONTHLY}.interval", written)).products["pro"].prices["monthly"].interval == normal


@pytest.mark.parametrize("written", ["730 day", "104 weeks", "23 month", "1 year"])
def test_a_trial_lasts_at_most_730_days(written: str) -> None:
    assert parsed(changed("products.pro.trial", written)).products["pro"].trial is not None


def test_ids_may_have_63_characters() -> None:
    name = "A" * 61 + "-9"
    assert name in parsed(changed(f"products.{name}", {})).products


def test_what_is_left_out_has_its_default() -> None:
    assert wire(parsed({"products": {"p": {}}}))["products"]["p"] == {
        "display_name": "p",
        "customer_type": "user",
        "product_line": None,
        "add_on_to": [],
        "ends_with_base": True,
        "include_by_default": False,
        "server_only": False,
        "stackable": False,
        "trial": None,
        "prices": {},
        "included_items": {},
        "metadata": {"client": {}, "client_read_only": {}, "server": {}},
    }


@pytest.mark.parametrize(("mode", "adopted"), [("test", "price_t"), ("live", "price_l")])
def test_an_adopted_price_may_be_named_per_mode(mode: Any, adopted: str) -> None:
    document = changed(f"{MONTHLY}.stripe_price_id", {"test": "price_t", "live": "price_l"})
    catalog = parse(document, mode=mode)
    assert isinstance(catalog, Catalog)
    assert catalog.products["pro"].prices["monthly"].stripe_price_id == adopted


def test_two_products_outside_any_line_may_be_defaults() -> None:
    document = {"products": {"a": {"include_by_default": True}, "b": {"include_by_default": True}}}
    assert set(parsed(document).defaults("user")) == {"a", "b"}


def test_an_add_on_of_an_add_on_is_no_cycle() -> None:
    catalog = parsed(changed("products.priority", {"add_on_to": ["support", "support"]}))
    assert catalog.products["priority"].add_on_to == ["support"]


INLINE = {
    "display_name": "Five",
    "prices": {"once": {"amounts": {"usd": 500}}},
    "included_items": {"credits": {"quantity": 5}},
}


def test_an_inline_product_reads_like_any_other() -> None:
    product = parse_inline(INLINE, parsed(full()), mode="test")
    assert not isinstance(product, Refusal)
    assert (product.display_name, product.included_items["credits"].expires) == ("Five", "when_repeated")


@pytest.mark.parametrize("field", ["product_line", "add_on_to", "ends_with_base", "include_by_default", "server_only"])
def test_an_inline_product_has_no_place_in_the_catalog(field: str) -> None:
    refusal = parse_inline({**INLINE, field: None}, parsed(full()), mode="test")
    assert isinstance(refusal, Refusal)
    assert [(each["code"], each["path"]) for each in refusal.facts["problems"]] == [
        ("unknown_field", f"product.{field}")
    ]


@pytest.mark.parametrize(
    ("change", "code", "path"),
    [
        ({"included_items": {"gold": {"quantity": 1}}}, "unknown_item", "product.included_items.gold"),
        ({"customer_type": "team"}, "customer_type_mismatch", "product.included_items.credits"),
        ({"trial": "1 week"}, "trial_not_allowed", "product.trial"),
        ({"prices": {"once": {"amounts": {"usd": "1.001"}}}}, "bad_amount", "product.prices.once.amounts.usd"),
    ],
)
def test_what_is_wrong_with_an_inline_product_is_named(change: dict[str, Any], code: str, path: str) -> None:
    refusal = parse_inline({**INLINE, **change}, parsed(full()), mode="test")
    assert isinstance(refusal, Refusal)
    assert refusal.code == "invalid_catalog"
    assert (code, path) in {(each["code"], each["path"]) for each in refusal.facts["problems"]}


@pytest.mark.parametrize(
    ("document", "version"), [({}, None), ({"version": None}, None), ({"version": 7}, 7), ([], None)]
)
def test_a_document_may_say_which_version_it_replaces(document: Any, version: int | None) -> None:
    assert sent_version(document) == version


@pytest.mark.parametrize("version", ["7", 7.0, True])
def test_a_version_is_an_integer(version: Any) -> None:
    refusal = sent_version({"version": version})
    assert isinstance(refusal, Refusal)
    assert (refusal.code, refusal.param) == ("invalid_request", "version")
